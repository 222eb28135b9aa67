"""`board`: of every model which version is where."""

from __future__ import annotations

import json

from mlops_dash.bootstrap import Services
from tests.cli.conftest import Run
from tests.cli.test_rollouts import told
from tests.factories import LEAD
from tests.registry_world import MODEL, World

__all__ = ["told"]


def test_an_empty_house_is_said(house: Services, run: Run) -> None:
    assert run("board")[1].strip() == "No model is watched yet."


def test_a_version_is_moved_to_an_environment_to_silence_and_to_production_by_a_proposal(
    house: Services, run: Run, told: World
) -> None:
    move = ("board", "--move", MODEL, "--version", "2")
    assert run("board", "--to", "dev")[0] == 2
    assert "where to" in run("board", "--move", MODEL)[2]
    assert "needs a reason" in run(*move, "--to", "staging")[2]
    assert "what is live" in run(*move, "--to", "champion", "--reason", "x")[2]
    assert run(*move, "--to", "v2", "--reason", "x")[0] == 2  # MLflow takes no such alias
    code, out, err = run(*move, "--to", "shadow", "--reason", "a look", "--json")
    assert (code, json.loads(out)["moved"]) == (0, "Scores silently: v2."), err
    assert run(*move, "--to", "no-shadow", "--reason", "enough")[1].strip() == "Scores silently: none."
    code, out, err = run(*move, "--to", "production", "--reason", "better")
    assert (code, "Somebody else must approve it" in out) == (0, True), err
    assert house.registry.open_proposal(LEAD, MODEL).comment == "better"


def test_each_place_is_named(house: Services, run: Run, told: World) -> None:
    [one] = json.loads(run("board", "--json")[1])["models"]
    assert (one["model"], one["live"], one["newest"], one["proposed"]) == (MODEL, "v1", "v2", [])
    assert f"{MODEL}: live v1; newest v2; marks in MLflow: champion: v1" in run("board")[1]
