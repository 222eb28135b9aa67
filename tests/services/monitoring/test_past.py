"""A promotion does not erase the model's past: its windows stay, each judged against its own reference."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.monitoring.room import AlertView
from mlops_dash.domain.words import AlertState, Health
from mlops_dash.services.command import Context
from mlops_dash.services.fleet import FleetService
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.factories import SCIENTIST, VIEWER
from tests.services.monitoring.monitoring_world import MODEL, ROWS, V1, World, world
from tests.services.monitoring.test_regression import POLICY, V2, Minutes

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> Minutes:
    """Arrival minutes of a stranger: v1 served three weeks, the last two with 12 minutes too much; v2 waits."""
    base = world(context)
    minutes = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: minutes.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    minutes.reference(V1)
    minutes.worse = 3.0  # v2 is known to be a little worse out of sample than v1 was
    minutes.reference(V2)
    minutes.worse = 0.0
    minutes.live(9)
    minutes.worse = 12.0
    minutes.live(14)
    minutes.evaluate(timedelta(days=1))
    minutes.worse = 0.0
    return minutes


def taken_over(w: World, *, days: int, labels: bool = True) -> None:
    """v2 serves from 21 minutes past midnight on, so many whole days."""
    w.now += timedelta(minutes=21)
    w.promote(V2)
    w.now -= timedelta(minutes=21)
    if days:
        w.live(days, version_id=V2, labels=labels)
    w.evaluate(timedelta(hours=1))


def test_right_after_a_promotion_the_past_is_there_and_the_new_version_is_said_to_be_unknown(made: Minutes) -> None:
    before = made.room()
    taken_over(made, days=0)
    room = made.room()
    assert (room.empty, room.version, room.health) == ("", "2", Health.NOT_KNOWN)
    assert room.headline == "v1 until 8 Mar 2013, 00:21 UTC, v2 since; nothing judged yet."
    assert room.why == "its first day is judged when it is over"  # and not once more that nothing is judged
    assert before.performance is not None
    assert room.performance is not None
    assert room.performance.points == before.performance.points
    assert [tick.text for tick in room.performance.ticks if tick.kind == "promote"] == ["Promoted v2"]
    assert room.drift is not None
    assert len(room.drift.ends) == len(room.performance.points)
    assert (room.features, room.detail, room.until) == ((), None, None)
    assert any(tick.kind == "alert" for tick in room.performance.ticks)


def test_windows_of_two_versions_are_never_pooled(made: Minutes) -> None:
    taken_over(made, days=4)
    made.evaluate(DAY)
    data = made.room().performance
    assert data is not None
    assert [one.version for one in data.limits] == ["1", "2"]
    first, second = data.limits
    assert first.baseline is not None
    assert second.baseline is not None
    assert second.baseline > first.baseline
    assert first.end <= second.start
    assert (data.baseline, data.bound) == (second.baseline, second.bound)
    own = [one for one in data.points if one.version == "2"]
    assert [one.trailing.n_days for one in own if one.trailing is not None] == [1, 2, 3, 4]
    assert data.last is not None
    assert data.last.version == "2"
    assert {one.version for one in data.points[:23]} == {"1"}


def test_the_headline_is_the_new_versions_from_its_first_ripe_day_on(made: Minutes) -> None:
    taken_over(made, days=1, labels=False)
    assert made.room().headline.endswith("v2 since.")
    assert "no ripe labels yet" in made.room().why
    made.live(1, version_id=V2)
    made.evaluate(DAY)
    room = made.room()
    assert "over the one ripe day" in room.headline
    assert room.health is not Health.HARMED
    assert room.cause == ""  # what v1's alert named is no cause of anything v2 does


def test_a_version_that_scored_silently_does_not_take_the_days_of_the_one_that_served(made: Minutes) -> None:
    made.live(5)
    made.now -= 5 * DAY
    made.live(5, version_id=V2, role="shadow")
    taken_over(made, days=3)
    made.evaluate(DAY)
    data = made.room().performance
    assert data is not None
    days = [one.start for one in data.points]
    assert days == sorted(set(days))
    assert [one.version for one in data.points[-9:]] == ["1"] * 5 + ["2"] * 4
    assert len(data.silent) == 5
    assert {one.version for one in data.silent} == {"2"}


def test_after_a_rollback_the_days_between_are_still_those_of_the_other_version(made: Minutes) -> None:
    taken_over(made, days=3)
    made.evaluate(DAY)
    made.promote(V1, before=V2, kind="rollback")
    made.live(3)
    made.evaluate(DAY)
    data = made.room().performance
    assert data is not None
    assert [one.version for one in data.limits] == ["1", "2", "1"]


def test_overview_says_the_same_and_keeps_the_models_days(made: Minutes) -> None:
    fleet = FleetService(made.context)
    (before,) = fleet.room(VIEWER).rows
    volume = fleet.room(VIEWER).volume
    taken_over(made, days=0)
    room = fleet.room(VIEWER)
    (row,) = room.rows
    page = made.room()
    assert (row.headline, row.health, row.why, row.as_of) == (page.headline, page.health, page.why, page.until)
    assert row.headline.startswith("v1 until 8 Mar 2013")
    assert (row.estimate, row.trend) == (None, ())  # nothing of v1 is said to be v2's
    assert row.usual_day == before.usual_day == ROWS
    assert room.volume == volume


# --- the alert that the promotion answers -----------------------------------------------------------------------------


def harm_alert(w: World, version: str = "1") -> AlertView:
    return next(one for one in w.room().alerts if (one.kind, one.version) == ("harm", version))


def ledger(w: World) -> list[tuple[str, str, str]]:
    with reading(w.context.databases.app) as session:
        return [(entry.action, entry.actor, entry.reason) for entry in audit.entries(session)]


def test_an_alert_waits_for_the_new_versions_own_days_and_can_be_answered_meanwhile(made: Minutes) -> None:
    taken_over(made, days=3)
    made.evaluate(DAY)
    alert = harm_alert(made)
    assert alert.state is AlertState.OPEN
    assert "after a week of ripe days of v2 without harm" in alert.waits
    assert ledger(made) == []
    made.monitoring.close(SCIENTIST, alert.id, "v2 was trained on the new routes")
    assert harm_alert(made).state is AlertState.CLOSED


def test_a_week_of_ripe_days_without_harm_closes_it_by_rule_with_a_ledger_entry(made: Minutes) -> None:
    taken_over(made, days=8)
    made.evaluate(DAY)
    assert harm_alert(made).state is AlertState.CLOSED
    (entry,) = [one for one in ledger(made) if one[0] == Action.ALERT_CONFIRMED]
    assert entry[1] == "system:worker"
    assert "ripe days of v2 without harm: MAE " in entry[2]
    assert " min [" in entry[2]
    made.evaluate(DAY)
    assert len(ledger(made)) == 1


def test_harm_of_the_new_version_opens_it_again_although_somebody_had_acknowledged_it(made: Minutes) -> None:
    made.monitoring.acknowledge(SCIENTIST, harm_alert(made).id, "v2 is on its way")
    made.worse = 14.0
    taken_over(made, days=10)
    made.evaluate(DAY)
    assert made.room().health is Health.HARMED
    alert = harm_alert(made)
    assert (alert.state, alert.owner) == (AlertState.OPEN, "")
    assert "v2 is harmed too" in alert.waits
    assert [action for action, *_ in ledger(made)] == [Action.ALERT_ACKNOWLEDGED, Action.ALERT_REOPENED]
    made.evaluate(DAY)
    assert len(ledger(made)) == 2


def test_an_earlier_window_is_shown_beside_the_reference_of_the_version_that_served_it(made: Minutes) -> None:
    taken_over(made, days=9)
    latest = made.room()
    assert latest.drift is not None
    assert latest.detail is not None
    assert not latest.looked_back
    told = [end for end, value in zip(latest.drift.ends, latest.drift.excess[0], strict=True) if value is not None]
    before, after = told[0], told[-3]
    for end in (before, after):
        room = made.monitoring.room(VIEWER, MODEL, at=end)
        assert (room.looked_back, room.features_end) == (True, end)
        assert room.detail is not None
        row = latest.drift.columns.index(room.detail.reading.name)
        excess = max(0.0, room.detail.reading.excess or 0.0)  # as the map draws it
        assert excess == latest.drift.excess[row][latest.drift.ends.index(end)]
        assert room.detail.until == end
        assert (room.health, room.headline, room.drift) == (latest.health, latest.headline, latest.drift)
    own = made.monitoring.room(VIEWER, MODEL, at=before).detail
    assert own is not None
    assert own.n_live <= 8 * ROWS  # the rows of that week, not the latest


def test_a_window_that_is_not_there_is_the_latest(made: Minutes) -> None:
    room = made.monitoring.room(VIEWER, MODEL, at=made.now + timedelta(days=400))
    assert not room.looked_back
    assert room.detail is not None
