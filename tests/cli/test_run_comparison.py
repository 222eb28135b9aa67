"""mlops-dash runs compare: the verdict of the page as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlops_dash.cli import main
from tests.real_world import RealWorld, compared


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> RealWorld:
    home = tmp_path_factory.mktemp("real")
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    return compared(f"sqlite:///{home / 'mlflow.db'}", home, small=True)


@pytest.fixture(autouse=True)
def _home(world: RealWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLOPS_DASH_DATABASE_URL", "MLOPS_DASH_LOG_DATABASE_URL", "MLOPS_DASH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", world.uri)
    monkeypatch.setenv("MLOPS_DASH_MLFLOW_DATABASE_URL", world.uri)


def test_the_verdict_is_json_with_interval_design_and_claim(
    world: RealWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["runs", "compare", world.ids["good-1"], world.ids["fair-2"], "--metric", "valid_auc", "--margin", "0.01"]
    assert main(asked) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["design"], said["margin"]) == ("better", "seeds_rows", 0.01)
    assert said["low_95"] < said["low_90"] < said["difference"] < said["high_90"] < said["high_95"]
    assert said["comparable"]["facts"]["Evaluation rows"]["state"] == "yes"
    assert said["sides"]["a"]["run_ids"] == [world.ids[f"good-{seed}"] for seed in "1234"]
    assert main([*asked, "--alone", "--better", "lower"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert (alone["verdict"], alone["design"], len(alone["sides"]["a"]["run_ids"])) == ("worse", "same_rows", 1)


def test_what_cannot_be_asked_is_said_in_a_sentence(world: RealWorld, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "compare", world.ids["good-1"], world.ids["good-2"]]) == 2
    assert "one configuration" in capsys.readouterr().err
    assert main(["runs", "compare", world.ids["good-1"], world.ids["fair-2"], "--margin", "-1"]) == 2
    assert "must be 0 or more" in capsys.readouterr().err
    assert main(["runs"]) == 2
    assert "--experiment" in capsys.readouterr().err
