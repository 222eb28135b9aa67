"""The second demo refuses in one sentence what it cannot begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_it_brings_its_own_mlflow(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, out, err = run("demo", "--yours")
    assert (code, out) == (2, "")
    assert err.startswith("This demo brings a plain MLflow of its own.")


def test_one_that_was_broken_off_says_what_to_delete(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "yours.begun").touch()
    code, _, err = run("demo", "--yours")
    assert (code, "was broken off. Delete that folder" in err) == (2, True)
