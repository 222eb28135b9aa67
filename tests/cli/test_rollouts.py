"""`rollout` and `propose --stage`: typed stages, where it is, and its three buttons as options."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.domain.audit import Action
from mlops_dash.domain.format import percent
from mlops_dash.domain.registry.rollouts import stages_of
from mlops_dash.store import world as world_store
from mlops_dash.store.db import transaction
from tests.cli.conftest import Run
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, WORKER
from tests.registry_world import MODEL, Hands, World, world


@pytest.fixture
def told(house: Services, mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """v1 serves and v2 was proposed with stages and approved, in the home where commands are typed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    made = world(house.context.settings.home, mlflow_uri)
    made.context.databases.dispose()
    with transaction(house.context.databases.app) as session:  # this home's time is the story's
        world_store.put(session, world_store.CLOCK_OFFSET, (made.hands.at - wall_now()).total_seconds())
    return World(house.context, Hands(NOON), made.mlflow, house.registry, made.ids)


def test_stages_are_typed_and_the_roll_out_is_begun_paused_continued_and_stopped(
    house: Services, run: Run, told: World
) -> None:
    code, _, err = run("propose", "--model", MODEL, "--version", "2", "--reason", "better", "--stage", "10%")
    assert (code, "cannot be read" in err) == (2, True)
    proposal = house.registry.propose(SCIENTIST, told.ids["2"], comment="better")
    house.registry.withdraw(SCIENTIST, proposal.id, proposal.revision, comment="with stages then")
    words = ("--stage", "10%:60m", "--stage", "50%:5000rows")
    assert run("propose", "--model", MODEL, "--version", "2", "--reason", "better", *words)[0] == 0
    waiting = house.registry.open_proposal(SCIENTIST, MODEL)
    house.registry.approve(ADMIN, waiting.id, waiting.revision, comment="fine")
    code, out, err = run("promote", "--model", MODEL, "--reason", "a quiet morning")
    assert (code, "10 % for 1 h, 50 % for 5,000 rows, then all" in out) == (0, True), err

    found = json.loads(run("rollout", MODEL, "--json")[1])
    assert (found["state"], found["stage"], found["share"], found["rows"]) == ("running", 1, 0.1, 0)
    assert run("rollout", MODEL, "--pause")[0] == 2  # no reason
    assert run("rollout", MODEL, "--reason", "x")[0] == 2  # for what
    assert "Paused." in run("rollout", MODEL, "--pause", "--reason", "lunch")[1]
    assert run("rollout", MODEL, "--pause", "--reason", "again")[0] == 2
    assert run("rollout", MODEL, "--continue", "--reason", "back")[0] == 0
    stopped = json.loads(run("rollout", MODEL, "--stop", "--reason", "no <b>more</b>", "--json")[1])
    assert (stopped["state"], stopped["end_reason"]) == ("stopped", "no <b>more</b>")
    assert run("rollout", MODEL, "--stop", "--reason", "again")[0] == 2
    assert house.audit.entries(ADMIN).entries[0].action == Action.ROLLOUT_STOPPED


def test_a_model_that_is_not_there_or_never_was_rolled_out_is_said(run: Run, told: World) -> None:
    code, _, err = run("rollout", MODEL)
    assert (code, "ever rolled out in stages" in err) == (2, True)
    assert run("rollout", "nobody's")[0] == 2


def test_its_guards_are_printed_with_their_limits(house: Services, run: Run, told: World) -> None:
    made = house.registry.propose(SCIENTIST, told.ids["2"], comment="better", stages=stages_of(["10%:60m"]))
    made = house.registry.approve(LEAD, made.id, made.revision)
    house.registry.begin_rollout(LEAD, made.id, made.revision, "now")
    house.registry.watch_rollouts(WORKER)
    out = run("rollout", MODEL)[1]
    assert "Rolling out. Stage 1 of 1: 10 % of the rows, 0 of 60 min, 0 rows." in out
    assert f"errors (at most {percent(0.01)} of the calls): No call has been counted yet." in out
