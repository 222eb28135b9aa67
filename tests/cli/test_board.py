"""`board`: of every model which version is where."""

from __future__ import annotations

import json

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.cli.test_rollouts import told
from tests.registry_world import MODEL, World

__all__ = ["told"]


def test_an_empty_house_is_said(house: Services, run: Run) -> None:
    assert run("board")[1].strip() == "No model is watched yet."


def test_each_place_is_named(house: Services, run: Run, told: World) -> None:
    [one] = json.loads(run("board", "--json")[1])["models"]
    assert (one["model"], one["live"], one["newest"], one["proposed"]) == (MODEL, "v1", "v2", [])
    assert f"{MODEL}: live v1; newest v2; marks in MLflow: champion: v1" in run("board")[1]
