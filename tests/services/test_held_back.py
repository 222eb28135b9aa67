"""A week is asked for once, by whom may run jobs; a second click joins it, and nothing is left when the data end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.held_back import HeldBack, Stretch, stretch_of
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, NotAllowed, NotFound
from tests import factories
from tests.factories import LEAD, NOON, SCIENTIST, VIEWER, WORKER, Time

MODEL = """it's "the" [queue]"""
ZONE = "America/New_York"


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(tmp_path: Path, time: Time) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    yield made
    made.close()


def hold_back(house: Services, until: datetime) -> None:
    house.held_back.keep(WORKER, HeldBack(MODEL, ZONE, NOON, NOON, until))


def test_a_home_of_ones_own_has_nothing_to_play(house: Services) -> None:
    assert house.held_back.room(VIEWER) is None
    with pytest.raises(NotFound, match="Nothing is held back here"):
        house.held_back.play_week(LEAD)
    assert house.audit.entries(LEAD).entries == ()


def test_a_viewer_may_not_and_nothing_happens(house: Services) -> None:
    hold_back(house, NOON + timedelta(days=30))
    with pytest.raises(NotAllowed, match="viewer"):
        house.held_back.play_week(VIEWER)
    room = house.held_back.room(VIEWER)
    assert room is not None
    assert room.job is None


def test_the_second_click_joins_the_run_of_the_first(house: Services) -> None:
    hold_back(house, NOON + timedelta(days=30))
    first = house.held_back.play_week(SCIENTIST)
    assert house.held_back.play_week(LEAD) == first
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    assert house.held_back.play_week(LEAD) == first
    assert len(house.jobs.recent(VIEWER)) == 1
    (entry,) = house.audit.entries(LEAD).entries
    assert entry.action == Action.WEEK_ASKED
    assert sentence(entry) == "scientist had the demo play 3 Jun to 9 Jun 2013"
    assert (entry.model, stretch_of(entry.after)) == (MODEL, stretch_of(job.arguments))


def test_a_week_that_ended_is_told_and_the_next_one_begins_where_it_ended(house: Services, time: Time) -> None:
    hold_back(house, NOON + timedelta(days=30))
    house.held_back.play_week(SCIENTIST)
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    week = stretch_of(job.arguments)
    house.held_back.keep(WORKER, HeldBack(MODEL, ZONE, week.end, week.end, NOON + timedelta(days=30)))
    time.at = week.end
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"flights": 9})
    room = house.held_back.room(VIEWER)
    assert room is not None
    assert (room.job, room.last.id if room.last else "") == (None, job.id)
    assert room.coming == Stretch(week.end, week.end + timedelta(days=7))
    assert house.held_back.play_week(SCIENTIST) != job.id


def test_after_the_end_of_the_data_it_says_so(house: Services) -> None:
    hold_back(house, NOON)
    with pytest.raises(Conflict, match="Nothing is left after 3 Jun 2013"):
        house.held_back.play_week(SCIENTIST)
    assert house.jobs.recent(VIEWER) == ()
