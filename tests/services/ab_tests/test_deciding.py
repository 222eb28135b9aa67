"""Decisions on tests that are over: with the test one person decides, against it two, and the archive finds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mlops_dash.domain.ab_tests.archive import archived
from mlops_dash.domain.ab_tests.room import waits_for
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.store import ab_tests as store
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.services.ab_tests.test_ab_tests import World

OTHER = replace(LEAD, id="user:other", name="other")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.context.databases.dispose()


def over(world: World, *, better: float, days: int = 12) -> ABTest:
    test = world.started()
    world.days(test, days, better=better)
    return world.service.stop(SCIENTIST, test.id, test.revision, reason="enough")


def test_what_the_test_says_is_decided_by_one_and_found_by_any_word_of_it(world: World) -> None:
    test = over(world, better=0.35)
    learned = 'Night "rush" users pay more, it\'s the 北 queue'
    after = world.service.decide(SCIENTIST, test.id, test.revision, "ship", reason="shown", learned=learned)
    assert after.decision is not None
    assert (after.decision.settled, after.decision.against, after.learned) == (True, False, learned)
    (line,) = archived(world.service.room(VIEWER).tests)
    for text in ("RUSH 北", "brier", "base-rate", "flight-delay v2", "better?", "ship shown"):
        assert line.matches(text), text
    assert not line.matches("rush tomorrow")
    assert (line.matches("", verdict="ship"), line.matches("", verdict="keep")) == (True, False)
    assert line.as_json()["decision"]["word"] == "ship"
    assert world.service.room(SCIENTIST, test.id).may["propose"] == ""
    with pytest.raises(Conflict, match="decided to ship the challenger already"):
        world.service.decide(SCIENTIST, test.id, after.revision, "keep", reason="no")
    assert world.actions()[-1] == Action.TEST_DECIDED


def test_against_the_test_a_second_person_must_stand_behind_it(world: World) -> None:
    test = over(world, better=-0.35)
    assert "does not say" in world.service.room(LEAD, test.id).may["propose"]
    asked = world.service.decide(LEAD, test.id, test.revision, "ship", reason="the old one costs too much")
    assert asked.decision is not None
    assert (asked.decision.against, asked.decision.settled) == (True, False)
    room = world.service.room(LEAD, test.id)
    assert ("second person" in room.may["propose"], "another lead" in room.may["second"]) == (True, True)
    with pytest.raises(NotAllowed, match="two people"):
        world.service.second(LEAD, test.id, asked.revision, reason="me again")
    with pytest.raises(NotAllowed):
        world.service.second(SCIENTIST, test.id, asked.revision, reason="too low")
    with reading(world.context.databases.app) as session:
        assert [one.id for one in store.asking(session)] == [test.id]
    waiting = waits_for(OTHER, asked, world.at)
    assert waiting is not None
    assert waiting.title == f"Second the decision on {test.name} of {test.model}"
    assert waits_for(LEAD, asked, world.at) is None
    after = world.service.second(OTHER, test.id, asked.revision, reason="agreed")
    assert after.decision is not None
    assert (after.decision.settled, after.decision.seconded_by) == (True, OTHER.id)
    assert world.service.room(SCIENTIST, test.id).may["propose"] == ""
    with pytest.raises(Conflict, match="waits for a second"):
        world.service.second(OTHER, test.id, after.revision, reason="again")
    assert world.actions()[-2:] == [Action.TEST_DECIDED, Action.TEST_SECONDED]


def test_a_decision_that_waits_may_be_replaced_and_the_ledger_names_it(world: World) -> None:
    test = over(world, better=-0.35)
    asked = world.service.decide(LEAD, test.id, test.revision, "ship", reason='"rush" costs, 北')
    world.service.decide(SCIENTIST, test.id, asked.revision, "keep", reason="as it says")
    with reading(world.context.databases.app) as session:
        entry = list(audit.entries(session))[-1]
    assert (entry.before["decision"], entry.before["by"], entry.before["why"]) == ("ship", LEAD.id, '"rush" costs, 北')
    assert entry.after["decision"] == "keep"


def test_stopped_without_a_look_nothing_is_known_so_only_keeping_needs_nobody_else(world: World) -> None:
    test = over(world, better=0.35, days=2)
    (line,) = archived(world.service.room(VIEWER).tests)
    assert line.verdict is not None
    assert str(line.verdict.word) == "undecided"
    kept = world.service.decide(SCIENTIST, test.id, test.revision, "keep", reason="no time")
    assert kept.decision is not None
    assert kept.decision.settled
    assert "keep v1" in world.service.room(SCIENTIST, test.id).may["propose"]


def test_what_cannot_be_decided_is_refused(world: World) -> None:
    running = world.started()
    with pytest.raises(Conflict, match="not over"):
        world.service.decide(SCIENTIST, running.id, running.revision, "ship", reason="now")
    test = world.service.stop(SCIENTIST, running.id, running.revision, reason="stop")
    with pytest.raises(InvalidInput, match="no decision"):
        world.service.decide(SCIENTIST, test.id, test.revision, "maybe", reason="?")
    with pytest.raises(InvalidInput, match="needs a reason"):
        world.service.decide(SCIENTIST, test.id, test.revision, "keep", reason=" ")
    with pytest.raises(NotAllowed):
        world.service.decide(VIEWER, test.id, test.revision, "keep", reason="me")
