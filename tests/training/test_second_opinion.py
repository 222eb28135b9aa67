"""The door to alibi-detect: its detectors on rows of a stranger, its licence, and what it cannot answer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from mlops_dash.domain.detectors import DETECTORS, licence_words
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats
from mlops_dash.training import second_opinion
from mlops_dash.training.second_opinion import licence, opinion_of

NAMES, LEVELS = ["minutes", 'queue "north"', "age"], [False, True, False]


def rows(seed: int, n: int, *, late: float = 0.0, levels: int = 3) -> Floats:
    draw = np.random.default_rng(seed)
    return np.column_stack([draw.gamma(2.0, 8.0, n) + late, draw.integers(0, levels, n), draw.normal(40.0, 9.0, n)])


def test_importing_the_door_does_not_import_alibi_detect() -> None:
    said = "import sys, mlops_dash.bootstrap, mlops_dash.training.second_opinion as s; print(s.licence())\n"
    done = subprocess.run(
        [sys.executable, "-c", f"{said}assert not any(name.startswith('alibi') for name in sys.modules)"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Business Source License 1.1: not open source" in done.stdout
    assert licence() == done.stdout.strip()


def test_an_open_licence_is_said_as_it_is() -> None:
    assert licence_words("0.9.1", "Apache 2.0") == "alibi-detect 0.9.1, licence: Apache 2.0."


def test_its_p_values_are_those_of_scipy_and_the_columns_that_moved_are_named() -> None:
    pytest.importorskip("alibi_detect")
    old, new = rows(1, 900), rows(2, 500, late=2.0, levels=3)
    new[:60, 1] = 3  # a level that the reference never saw
    found = opinion_of("tabular", old, new, NAMES, LEVELS, alpha=0.05)
    assert found.drift is True
    assert found.columns == ("minutes", 'queue "north"')
    table = [[np.sum(side[:, 1] == level) for level in range(4)] for side in (old, new)]
    expected = [ks_2samp(old[:, 0], new[:, 0]).pvalue, chi2_contingency(table).pvalue]
    assert found.p_value == pytest.approx(min(expected), rel=1e-4)
    assert found.threshold == pytest.approx(0.05 / 3)
    calm = opinion_of("ks", old, rows(3, 500), NAMES, LEVELS, alpha=0.05)
    assert calm.drift is False
    assert calm.left_out == ('queue "north"',)
    assert opinion_of("chisquare", old, new, NAMES, LEVELS, alpha=0.05).drift is True
    assert opinion_of("cvm", old, new, NAMES, LEVELS, alpha=0.05).drift is True
    assert opinion_of("classifier", old, new, NAMES, LEVELS, alpha=0.05).drift is True


def test_what_cannot_be_asked_is_a_state_with_a_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = rows(1, 900), rows(2, 500)
    few = opinion_of("tabular", old, new[:60], NAMES, LEVELS, alpha=0.05)
    assert (few.drift, few.reason) == (None, "60 complete rows on one side, at least 100")
    new[:200, 2] = np.nan
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    gone = opinion_of("tabular", old, new, NAMES, LEVELS, alpha=0.05)
    assert gone.left_out == ("age",)
    assert "alibi-detect is not installed" in gone.reason
    assert "pip install alibi-detect" in gone.reason
    assert "PyTorch" in opinion_of("mmd", old, new, NAMES, LEVELS, alpha=0.05).reason
    monkeypatch.setitem(second_opinion._ASKED, "ks", lambda sides, alpha: 1 / 0)
    assert "alibi-detect failed: ZeroDivisionError" in opinion_of("ks", old, new, NAMES, LEVELS, alpha=0.05).reason
    with pytest.raises(InvalidInput, match="no detector 'oracle'"):
        opinion_of("oracle", old, new, NAMES, LEVELS, alpha=0.05)
    assert set(second_opinion._ASKED) == set(DETECTORS)
