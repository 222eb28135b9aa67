"""The board says of every model which version is where, with as many statements for many models as for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.registry.rollouts import Stage
from tests import registry_world
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World
from tests.services.test_fleet import counting

ODD = 'it\'s "theirs" <b>'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_each_version_stands_where_it_is(house: World) -> None:
    house.mlflow.set_alias(MODEL, "staging", "2")
    house.service.reconcile(WORKER)
    house.service.add_model(SCIENTIST, ODD, source="external", task="regression", reason="theirs")
    [ours, theirs] = house.service.board(VIEWER)
    assert (ours.model, ours.live, ours.newest, ours.silent) == (MODEL, "v1", "v2", ())
    assert ours.marks == (("champion", ("v1",)), ("staging", ("v2",)))
    assert (ours.reachable, ours.seen_at) == (True, house.hands.at)
    assert (theirs.model, theirs.live, theirs.newest, theirs.marks, theirs.seen_at) == (ODD, "", "", (), None)

    made = house.service.propose(SCIENTIST, house.ids["2"], comment="better", stages=[Stage(0.1, minutes=60)])
    assert house.service.board(VIEWER)[0].proposed == ("v2",)
    made = house.service.approve(LEAD, made.id, made.revision)
    house.service.begin_rollout(LEAD, made.id, made.revision, "now")
    now = house.service.board(VIEWER)[0]
    assert (now.live, now.rolling_out.partition(",")[0], now.proposed) == ("v1", "v2", ())
    assert now.as_json()["marks"] == {"champion": ["v1"], "staging": ["v2"]}


def test_what_scores_silently_is_said(house: World) -> None:
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now", shadows=[house.ids["1"]])
    house.service.finish_promotion(LEAD, operation)
    [one] = house.service.board(VIEWER)
    assert (one.live, one.silent, one.live_since) == ("v2", ("v1",), house.hands.at)


def test_an_mlflow_that_is_away_leaves_its_marks_as_they_were_seen(house: World) -> None:
    house.service.reconcile(WORKER)
    seen = house.hands.at
    house.context.registry.uri = "http://127.0.0.1:9"
    house.hands.turn(minutes=5)
    house.service.reconcile(WORKER)
    [one] = house.service.board(VIEWER)
    assert (one.reachable, one.seen_at, one.marks) == (False, seen, (("champion", ("v1",)),))


def test_many_models_take_no_more_statements_than_one(house: World) -> None:
    with counting(house.context) as few:
        house.service.board(VIEWER)
    for number in range(12):
        house.service.add_model(SCIENTIST, f"more {number}", source="external", task="regression", reason="theirs")
        house.service.record_version(WORKER, f"more {number}", "1")
    with counting(house.context) as many:
        assert len(house.service.board(VIEWER)) == 13
    assert len(many.statements) == len(few.statements) <= 10
