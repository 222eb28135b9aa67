"""Days of a monitor's zone: also where they begin within an hour, and when the policy changes the zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.services.command import Context
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from mlops_dash.store.tables.registry import PolicyVersionRow
from tests import factories
from tests.services.monitoring.monitoring_world import FIRST, LIVE, MODEL, ROWS, V1, World, world

ZONES = ("Asia/Kolkata", "Asia/Kathmandu", "America/New_York", "America/St_Johns", "Pacific/Chatham", "UTC")


@pytest.fixture
def made(context: Context) -> World:
    return world(context)


def change_zone(w: World, zone: str, number: int = 2) -> None:
    policy = MonitoringPolicy(zone=zone)
    with transaction(w.context.databases.app) as session:
        session.add(
            PolicyVersionRow(id=f"policy-{number}", model=MODEL, kind="monitoring", number=number,
                             body=policy.as_json(), digest=policy.digest, author="a", approver="b", active_from=FIRST)
        )  # fmt: skip


def per_day(w: World, zone: str) -> dict[date, int]:
    """Rows of each day by the log itself."""
    with reading(w.context.databases.log) as session:
        frame = prediction_log.read_window(session, V1, LIVE, w.now)
    days = [day_of(at.to_pydatetime(), zone) for at in frame["at"]]
    return {day: days.count(day) for day in sorted(set(days))}


def profiled(w: World, zone: str) -> dict[date, int]:
    with reading(w.context.databases.app) as session:
        reference = references.reference(session, V1)
    assert reference is not None
    with reading(w.context.databases.log) as session:
        found = profiles.day_profiles(session, reference.id)
    assert all(
        datetime.fromtimestamp(one.at_us / 1e6, UTC) == day_start(day_of_us(one.at_us, zone), zone) for one in found
    )
    return {day_of_us(one.at_us, zone): one.n for one in found}


def day_of_us(us: int, zone: str) -> date:
    return day_of(datetime.fromtimestamp(us / 1e6, UTC), zone)


@pytest.mark.parametrize("zone", ZONES)
def test_every_row_is_counted_on_its_own_day_of_the_zone(made: World, zone: str) -> None:
    change_zone(made, zone)
    made.reference()
    made.live(3)
    made.evaluate()
    assert profiled(made, zone) == per_day(made, zone)
    assert sum(per_day(made, zone).values()) == 3 * ROWS


def test_a_changed_zone_cuts_the_days_anew_and_leaves_no_window_of_the_old_one(made: World) -> None:
    made.reference()
    made.live(4)
    made.evaluate()
    for number, zone in enumerate(ZONES, start=2):
        change_zone(made, zone, number)
        assert made.monitoring.models_to_profile(factories.WORKER) in ((MODEL,), ())
        judged = made.evaluate()
        assert judged.reason == ""
        assert profiled(made, zone) == per_day(made, zone), zone
        with reading(made.context.databases.app) as session:
            windows = store.readings(session, V1)
        whole = {day: n for day, n in per_day(made, zone).items() if day < day_of(made.now, zone)}
        assert {day_of(one.start, zone): one.n for one in windows} == whole, zone
    assert made.monitoring.models_to_profile(factories.WORKER) == ()


def test_nothing_is_judged_between_the_change_and_the_new_days(made: World) -> None:
    made.reference()
    made.live(4)
    made.evaluate()
    change_zone(made, "Asia/Kolkata")
    judged = made.monitoring.evaluate(factories.WORKER, MODEL)
    assert judged.windows == 0
    assert "cut anew" in judged.reason
    assert judged.again_at is not None


def test_a_long_silence_makes_sixty_windows_and_not_thousands(made: World) -> None:
    made.reference()
    at = to_us(datetime(1990, 3, 1, tzinfo=UTC))
    with transaction(made.context.databases.log) as session:
        prediction_log.append(
            session,
            [Prediction(MODEL, "old", at, "b", 0, "", '{"x":1.0}')],
            [Score(MODEL, "old", V1, "champion", "1", at, 0.5, at)],
            marked_us=at,
        )
    made.live(3)
    made.evaluate(later=timedelta(hours=1))
    with reading(made.context.databases.app) as session:
        windows = store.readings(session, V1)
    assert len(windows) == 1 + 60 + 3
    assert [one.n for one in windows if one.n] == [1, *([ROWS] * 3)]
