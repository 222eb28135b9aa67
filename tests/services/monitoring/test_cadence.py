"""Windows of a week: a batch is judged when it has come, ripens by time alone, and a week is put together of days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Health
from mlops_dash.services.command import Context
from mlops_dash.store.db import transaction
from mlops_dash.store.monitoring import references
from mlops_dash.store.tables.registry import PolicyVersionRow
from tests import factories
from tests.services.monitoring.monitoring_world import MODEL, ROWS, V1, World, world

DAY = timedelta(days=1)


@pytest.fixture
def weekly(context: Context) -> World:
    """Six weeks of reference, judged by the week; live days begin on Tuesday, 12 February 2013."""
    made = world(context)
    policy = MonitoringPolicy(label_delay_hours=72.0, window="week")
    with transaction(context.databases.app) as session:
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = policy.as_json(), policy.digest
    made.reference()
    return made


def test_a_batch_is_judged_a_day_after_it_came_and_ripens_although_no_row_arrives(weekly: World) -> None:
    weekly.live(1, labels=False)
    assert weekly.evaluate().windows == 0  # more of it may come today
    first = weekly.evaluate(later=DAY)
    (one,) = weekly.monitoring.summary(factories.ADMIN, MODEL)["windows"]
    assert (one["n"], one["ripe"]) == (ROWS, False)
    assert (one["start"][:10], one["end"][:10]) == ("2013-02-11", "2013-02-14")
    assert first.again_at is not None
    looks = 0
    while not weekly.monitoring.summary(factories.ADMIN, MODEL)["windows"][0]["ripe"]:  # as the worker does
        weekly.now = first.again_at
        first = weekly.monitoring.evaluate(factories.WORKER, MODEL)
        looks += 1
        assert looks < 5
    assert weekly.now == datetime(2013, 2, 16, tzinfo=UTC)  # the end of Tuesday and 72 hours


def test_weeks_are_put_together_of_days_and_say_what_they_rest_on(weekly: World) -> None:
    weekly.live(6 + 7 * 7)  # to Sunday, and seven weeks
    weekly.evaluate(later=4 * DAY)
    room = weekly.room()
    windows = weekly.monitoring.summary(factories.ADMIN, MODEL)["windows"]
    assert [one["n"] for one in windows] == [6 * ROWS] + [7 * ROWS] * 7
    assert (room.health, room.judged_by) == (Health.OK, "week")
    assert "over the last 8 ripe weeks" in room.headline
    assert room.basis == (
        "Judged by the week: rows of one day are taken together (42 days); usual swing unknown: 7 reference weeks, "
        "at least 20 are needed; judged by the noise floor alone."
    )
    assert room.drift is not None
    assert [(end - start).days for start, end in zip(room.drift.starts, room.drift.ends, strict=True)] == [7] * 8
    assert room.detail is not None
    assert room.detail.n_live == 7 * ROWS


def test_moved_inputs_of_weeks_without_a_known_swing_are_moved_and_no_more(weekly: World) -> None:
    weekly.live(6)
    weekly.live(21, moved=3.0)
    weekly.evaluate(later=4 * DAY)
    room = weekly.room()
    assert room.health is Health.INPUTS_MOVED
    wind = next(one for one in room.features if one.name == "wind")
    assert (str(wind.verdict), "noise floor alone" in wind.reason) == ("watch", True)


def test_between_two_batches_nothing_is_old_and_after_a_missed_one_it_is(weekly: World) -> None:
    for _ in range(8):
        weekly.live(1)
        weekly.now += 6 * DAY
    weekly.evaluate()
    for days, health in ((0, Health.OK), (6, Health.OK), (12, Health.NOT_KNOWN)):
        weekly.now += days * DAY
        assert weekly.room().health is health, days
        weekly.now -= days * DAY


def test_a_reference_kept_before_days_were_noted_says_that_it_must_be_pushed_again(weekly: World) -> None:
    weekly.live(7)
    with transaction(weekly.context.databases.app) as session:
        kept = references.reference(session, V1)
        assert kept is not None
        old = {name: value for name, value in kept.baseline.items() if name not in ("days", "window")}
        references.save_baseline(session, replace(kept, baseline=old))
    assert "push it again to be judged by the week" in weekly.evaluate(later=2 * DAY).reason
