"""The second demo refuses in one sentence what it cannot begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run, house
from tests.factories import ADMIN

__all__ = ["house"]


def test_it_brings_its_own_mlflow(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, out, err = run("demo", "--yours")
    assert (code, out) == (2, "")
    assert err.startswith("This demo brings a plain MLflow of its own.")


def test_it_does_not_type_into_a_home_that_somebody_uses(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    house.registry.add_model(ADMIN, """it's "ours\"""", reason="ours to watch")
    code, _, err = run("demo", "--yours")
    assert (code, """holds data already: it's "ours\".""" in err) == (2, True)
    assert [one.name for one in house.registry.models(ADMIN)] == ["""it's "ours\""""]
