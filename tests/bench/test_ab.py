"""`bench ab`: both sides read the same units, and one that computes something else is no rival."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from mlops_dash import cli
from mlops_dash.bench import ab
from mlops_dash.errors import Unavailable
from tests.machine import unmeasured


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - unmeasured().keys():  # what is timed is not traced
        monkeypatch.delenv(name)


BY_PANDAS = """
import json, os, sys
import numpy as np, pandas as pd
rows = pd.read_parquet(sys.argv[1])
away = rows["before"] - rows["before"].mean()
rows["spend"] -= away * (away * (rows["spend"] - rows["spend"].mean())).sum() / (away**2).sum()
sums = rows.groupby("arm")[["spend", "bought", "paid", "visits"]].mean()
means = [sums["spend"], sums["bought"], sums["paid"] / sums["visits"]]
print(json.dumps([1.0, [one["new"] - one["control"] for one in means]]), flush=True)
os._exit(0)  # the threads that read the file may abort an ordinary end ("terminate called without an active exception")
"""


def test_both_sides_find_the_same_differences(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ab, "_THEIRS", BY_PANDAS)
    code = cli.main(["bench", "ab", "--rows", "3000", "--repeats", "1", "--rival", sys.executable, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    ours, theirs = json.loads(said.out)
    assert (ours["name"], ours["ratio"], ours["rows"]) == (ab.OURS, 1.0, 3_000)
    assert ours["differences"] == pytest.approx(theirs["differences"])
    assert 0 < ours["seconds"] < ours["whole"]


def test_a_side_that_computes_something_else_or_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ab, "_THEIRS", "print('[1.0, [0.0, 0.0, 0.0]]')")
    with pytest.raises(Unavailable, match="tea-tasting on DuckDB found"):
        ab.measure(1_000, rival=Path(sys.executable), repeats=1, tell=lambda _: None)
    monkeypatch.setattr(ab, "_THEIRS", "raise SystemExit('no such library')")
    with pytest.raises(Unavailable, match="ended with 1"):
        ab.measure(1_000, rival=Path(sys.executable), repeats=1, tell=lambda _: None)


def test_what_cannot_be_measured_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "ab", "--rows", "0"]) == 2
    assert "That many cannot be measured here." in capsys.readouterr().err
