"""Hours, weekdays and dates in which nothing starts: read, said, and exact where the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain.blackout import blackout_of, said
from mlops_dash.domain.due import following, of_draft
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.retraining import Misfire, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.triggers import Guards, would_run
from mlops_dash.errors import InvalidInput

NEW_YORK = "America/New_York"
FRIDAY = datetime(2026, 1, 2, 12, tzinfo=UTC)


def planned(expression: str, guards: Guards, after: datetime, *, zone: str = "UTC") -> tuple[datetime, ...]:
    made = Schedule(
        id="s", name="nightly", kind=ScheduleKind.CRON, expression=expression, zone=zone, task=Task.RETRAIN,
        recipe="minutes", arguments=guards.beside({"model": "m"}), enabled=True, misfire=Misfire.RUN_ONCE,
        pause_reason="", paused_until=None, next_due_at=None, upcoming=None, updated_at=after,
    )  # fmt: skip
    return following(made, after)


def words(times: tuple[datetime, ...]) -> list[str]:
    return [f"{at:%a %H:%M}" for at in times]


def test_a_skipped_blackout_is_seen_once_and_what_runs_comes_after_it() -> None:
    guards = Guards(not_between="22:00-06:00", not_on="sat,sun")
    times = planned("0 */3 * * *", guards, FRIDAY)
    assert words(times) == ["Fri 15:00", "Fri 18:00", "Fri 21:00", "Sat 00:00", "Mon 06:00", "Mon 09:00"]
    draft = ScheduleDraft("x", ScheduleKind.CRON, "0 */3 * * *", recipe="r", arguments=guards.beside({}))
    assert words(of_draft(draft, FRIDAY)) == ["Fri 15:00", "Fri 18:00", "Fri 21:00", "Mon 06:00", "Mon 09:00"]


def test_slots_that_wait_meet_at_the_end_of_the_blackout() -> None:
    guards = Guards(not_between="22:00-05:30", in_blackout="wait")
    assert words(planned("*/30 * * * *", guards, FRIDAY + timedelta(hours=9, minutes=15))) == [
        "Fri 21:30", "Sat 05:30", "Sat 06:00", "Sat 06:30", "Sat 07:00",
    ]  # fmt: skip


def test_a_night_is_one_stretch_whatever_the_clocks_do() -> None:
    night = blackout_of("00:30-01:30", "")
    first, second = datetime(2026, 11, 1, 5, 15, tzinfo=UTC), datetime(2026, 11, 1, 6, 15, tzinfo=UTC)
    assert night.until(first, NEW_YORK) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    assert night.until(second, NEW_YORK) is None, "the hour that comes again is another one"
    gap = blackout_of("02:15-02:45", "")
    assert all(
        gap.until(datetime(2026, 3, 8, 6, tzinfo=UTC) + timedelta(minutes=n), NEW_YORK) is None for n in range(180)
    )


def test_dates_are_whole_days_of_the_zone_and_have_names() -> None:
    closing = blackout_of("", "the audit=2026-12-24..2027-01-02")
    assert closing.until(datetime(2026, 12, 24, 4, 59, tzinfo=UTC), NEW_YORK) is None
    assert closing.until(datetime(2026, 12, 24, 5, tzinfo=UTC), NEW_YORK) == datetime(2027, 1, 3, 5, tzinfo=UTC)
    assert said("", "the audit=2026-12-24..2027-01-02") == "not on the audit=2026-12-24..2027-01-02"


@pytest.mark.parametrize(
    ("not_between", "not_on"),
    [
        ("22-6", ""), ("25:00-26:00", ""), ("06:00-06:00", ""), ("00:00-12:00,12:00-24:00", ""), ("23:00-24:30", ""),
        ("", "someday"), ("", "2026-02-30"), ("", "2026-05-02..2026-05-01"), ("", "mon,tue,wed,thu,fri,sat,sun"),
        ("", "x" * 500),
    ],
)  # fmt: skip
def test_nonsense_is_one_sentence(not_between: str, not_on: str) -> None:
    with pytest.raises(InvalidInput):
        Guards(not_between=not_between, not_on=not_on).check()


@pytest.mark.parametrize("wrong", [{"overlap": "often"}, {"in_blackout": "maybe"}])
def test_an_unknown_policy_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="There is no policy"):
        Guards(**wrong).check()


@given(
    st.integers(0, 24 * 60 * 500), st.sampled_from(["UTC", NEW_YORK, "Pacific/Apia", "America/Sao_Paulo"]),
    st.sampled_from(["", "22:00-06:00", "12:00-13:00,18:00-02:30"]),
    st.sampled_from(["", "sat,sun", "mon,2011-12-29..2012-01-05", "fri, 2012-03-11"]),
)  # fmt: skip
def test_a_blackout_ends_later_and_is_over_then(minutes: int, zone: str, not_between: str, not_on: str) -> None:
    at = datetime(2011, 10, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    dark = blackout_of(not_between, not_on)
    end = dark.until(at, zone)
    if end is not None:
        assert end > at
        assert dark.until(end, zone) is None
        assert dark.until(end - timedelta(seconds=1), zone) == end


def test_a_trigger_waits_for_the_end_and_the_budget_of_the_month_it_ends_in() -> None:
    guards = Guards(runs_a_month=1, not_on="2026-01-31..2026-02-01")
    asked = [datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 31, 9, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)]
    runs = would_run(asked, guards, "UTC", until=datetime(2026, 12, 1, tzinfo=UTC), each=True)
    assert [f"{at:%m-%d}" for at in runs] == ["01-05", "02-02", "03-01"]
