"""The one read of the page, and what the command line gets from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.errors import NotFound
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_the_gate_answers_what_the_page_shows(house: World) -> None:
    gate, room = house.service.gate(VIEWER, MODEL, "2"), house.service.room(VIEWER, MODEL, "v2")
    assert (gate["model"], gate["version"], gate["champion"]) == (MODEL, "v2", "v1")
    assert (gate["outcome"], gate["advisory"]) == ("needs_approval", False)
    assert [one["state"] for one in gate["gates"]] == [str(one.state) for one in room.gates] == ["passed"] * 4
    assert {"name", "state", "value", "low", "high", "limit", "n", "method", "reason"} <= set(gate["gates"][0])
    assert gate["policy"]["body"]["primary"] == "base_rate_free_loss"


def test_the_gate_passes_with_approval_and_for_what_serves_and_fails_on_a_failed_gate(house: World) -> None:
    made = house.approved()
    assert house.service.gate(VIEWER, MODEL, "2")["outcome"] == "pass"
    house.service.finish_promotion(LEAD, house.service.begin_promotion(LEAD, made.id, made.revision, "now"))
    assert house.service.gate(VIEWER, MODEL, "v2")["outcome"] == "pass"
    house.register("3", end=house.hands.at)
    house.measured("3", "2", low=0.01, high=0.02)
    assert house.service.gate(VIEWER, MODEL, "3")["outcome"] == "fail"
    with pytest.raises(NotFound, match="has no version 7"):
        house.service.gate(VIEWER, MODEL, "7")


def test_the_version_that_waits_is_shown_first_else_the_newest(house: World) -> None:
    house.register("3", end=house.hands.at)
    assert house.service.room(VIEWER, MODEL).selected.label == "v3"  # type: ignore[union-attr]
    made = house.proposal(version="2")
    room = house.service.room(VIEWER, MODEL)
    assert room.selected.label == "v2"  # type: ignore[union-attr]
    assert room.proposal == made
    assert house.service.room(VIEWER, MODEL, house.ids["1"]).selected.label == "v1"  # type: ignore[union-attr]
    assert house.service.room(VIEWER, MODEL, proposal=made.id).selected.label == "v2"  # type: ignore[union-attr]


def test_the_champion_is_shown_as_it_was_judged_when_it_became_champion(house: World) -> None:
    house.promoted()
    house.hands.turn(days=60)  # its evidence is too old to promote anybody by now
    line = house.service.room(VIEWER, MODEL).line_of(house.ids["2"])
    assert line is not None
    assert (line.through.said(), line.against) == ("4 of 4", "v1")
    other = house.service.room(VIEWER, MODEL).line_of(house.ids["1"])
    assert other is not None
    assert other.through.n < other.through.of
    assert other.against == "v2"


def test_a_rolled_back_version_says_so(house: World) -> None:
    house.promoted()
    house.service.finish_promotion(LEAD, house.service.begin_rollback(LEAD, MODEL, "worse"))
    lines = {line.version.label: line for line in house.service.room(VIEWER, MODEL).lines}
    assert (lines["v2"].was_rolled_back, lines["v1"].was_rolled_back) == (True, False)
    assert lines["v1"].against == ""  # judged as the first champion, against nobody


def test_who_could_approve_is_named(house: World) -> None:
    house.proposal()
    assert house.service.room(SCIENTIST, MODEL).may_approve == ("admin", "lead", "lead-too")
    made = house.service.open_proposal(VIEWER, MODEL)
    house.service.approve(LEAD, made.id, made.revision)
    assert house.service.room(SCIENTIST, MODEL).may_approve == ("admin", "lead-too")
    assert [one.id for one in house.service.open_proposals(VIEWER)] == [made.id]


def test_without_a_fresh_look_of_the_worker_the_page_looks_itself(house: World) -> None:
    house.hands.turn(minutes=5)
    house.mlflow.set_alias(MODEL, "baseline", "2")
    room = house.service.room(VIEWER, MODEL)
    assert room.mirror.as_of == house.hands.at
    assert room.mirror.aliases["2"] == ("baseline",)


def test_our_own_promotion_is_no_foreign_move_before_mlflow_was_looked_at_again(house: World) -> None:
    house.service.reconcile(WORKER)
    assert house.service.room(VIEWER, MODEL).mirror.champion_alias == "1"
    made = house.approved()
    operation = house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    decided = {line.version.label: line for line in house.service.room(VIEWER, MODEL).lines}
    assert [line.aliases for line in decided.values()] == [(), ()]  # on its way: it stands nowhere
    house.service.finish_promotion(LEAD, operation)

    room = house.service.room(VIEWER, MODEL)  # the worker's last look is older than the promotion
    assert {line.version.label: line.aliases for line in room.lines} == {"v2": ("champion",), "v1": ()}
    assert room.alias_moved_to == ""

    house.hands.turn(seconds=2)
    house.mlflow.set_alias(MODEL, "champion", "1")
    house.hands.turn(seconds=2)
    house.service.reconcile(WORKER)
    moved = house.service.room(VIEWER, MODEL)  # and a real move is told as before
    assert {line.version.label: line.aliases for line in moved.lines} == {"v2": (), "v1": ("champion",)}
    assert moved.alias_moved_to == "v1"


def test_promoting_over_an_alias_that_was_moved_outside_closes_its_alarm_at_once(house: World) -> None:
    made = house.approved()
    house.mlflow.set_alias(MODEL, "champion", "2")
    house.service.reconcile(WORKER)
    assert house.service.room(VIEWER, MODEL).alias_moved_to == "v2"
    house.service.finish_promotion(LEAD, house.service.begin_promotion(LEAD, made.id, made.revision, "now"))
    assert house.service.room(VIEWER, MODEL).alias_moved_to == ""
