"""A slot of the wall clock is one instant a day; a rhythm follows real time. Over every zone that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from mlops_dash.domain.due import following, of_draft
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.retraining import Misfire, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind

FIRST, LAST = datetime(1987, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def cron(text: str, zone: str) -> Schedule:
    return Schedule(
        "s1", "s", ScheduleKind.CRON, text, zone, Task.RETRAIN, "weekly-batch", {}, True, Misfire.RUN_ONCE, "", None,
        None, None, FIRST,
    )  # fmt: skip


def fires(text: str, zone: str, after: datetime) -> list[datetime]:
    return [at.astimezone(ZoneInfo(zone)) for at in following(cron(text, zone), after)]


@pytest.mark.parametrize(
    ("text", "zone", "day"),
    [
        ("30 1 * * *", "America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
        ("0 2 * * *", "Europe/Berlin", datetime(2026, 10, 25, tzinfo=UTC)),
        ("15 1 * * 0", "Europe/London", datetime(2026, 10, 25, tzinfo=UTC)),
        ("*/20 1 * * *", "America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),
    ],
)
def test_a_fixed_time_fires_once_when_the_hour_comes_twice(text: str, zone: str, day: datetime) -> None:
    found = [at.time() for at in fires(text, zone, day - timedelta(days=1)) if at.date() == day.date()]
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4)),
        ("Asia/Beirut", date(2022, 3, 27)),
        ("Africa/Cairo", date(2026, 4, 24)),
        ("America/Havana", date(2026, 3, 8)),
    ],
)
def test_a_midnight_job_fires_at_the_first_instant_of_a_day_without_a_midnight(zone: str, day: date) -> None:
    found = fires("0 0 * * *", zone, datetime.combine(day, time(), tzinfo=UTC) - timedelta(days=2))
    assert [at.time() for at in found if at.date() == day] == [time(1)]


def test_a_day_that_the_calendar_leaves_out_has_no_slot() -> None:
    found = fires("0 6 * * *", "Pacific/Apia", datetime(2011, 12, 28, 20, tzinfo=UTC))
    assert [at.day for at in found] == [29, 31, 1, 2, 3]


def test_two_slots_that_the_clocks_skip_together_are_one_run() -> None:
    found = fires("0,30 2 * * *", "America/New_York", datetime(2026, 3, 7, 12, tzinfo=UTC))
    assert [at.strftime("%d %H:%M") for at in found[:3]] == ["08 03:00", "09 02:00", "09 02:30"]


@pytest.mark.parametrize("day", [datetime(2026, 11, 1, 4, 10, tzinfo=UTC), datetime(2026, 3, 8, 5, 40, tzinfo=UTC)])
def test_a_rhythm_keeps_its_steps_while_the_clocks_change(day: datetime) -> None:
    found = following(cron("*/30 * * * *", "America/New_York"), day)
    assert {b - a for a, b in pairwise(found)} == {timedelta(minutes=30)}
    assert found[0] - day <= timedelta(minutes=30)


def test_a_rhythm_of_one_weekday_begins_with_that_day() -> None:
    found = fires("0 * * * mon", "Europe/Berlin", datetime(2026, 11, 3, tzinfo=UTC))
    assert [at.strftime("%a %d %H:%M") for at in found[:2]] == ["Mon 09 00:00", "Mon 09 01:00"]
    rare = fires("59 * 29 2 *", "UTC", datetime(2096, 3, 1, tzinfo=UTC))
    assert rare[0] == datetime(2104, 2, 29, 0, 59, tzinfo=UTC)  # 2100 has no 29 February


def test_five_leap_days_are_found() -> None:
    found = fires("0 12 29 2 *", "UTC", datetime(2093, 1, 1, tzinfo=UTC))
    assert [at.year for at in found] == [2096, 2104, 2108, 2112, 2116]


@lru_cache
def transitions(zone: str) -> tuple[datetime, ...]:
    """Instants of 40 years at which a zone's offset changes; those alike in shape once."""
    local, shapes = ZoneInfo(zone), {}
    step, at = timedelta(days=7), FIRST
    while at < LAST:
        low, high = at, at + step
        if low.astimezone(local).utcoffset() != high.astimezone(local).utcoffset():
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) // timedelta(seconds=2) * timedelta(seconds=1)
                same = middle.astimezone(local).utcoffset() == low.astimezone(local).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            before, after = low.astimezone(local), high.astimezone(local)
            shapes.setdefault((before.utcoffset(), after.utcoffset(), before.time()), high)
        at += step
    return tuple(shapes.values())


def shapes_of_all_zones() -> Iterator[tuple[str, datetime]]:
    seen = set()
    for zone in sorted(available_timezones()):
        found = transitions(zone)
        for at in found:
            key = (at, *(near.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for near in (at, at - timedelta(1))))
            if key not in seen:
                seen.add(key)
                yield zone, at


def test_every_fixed_time_fires_once_on_every_day_of_every_zone() -> None:
    checked = 0
    for zone, at in shapes_of_all_zones():
        local = ZoneInfo(zone)
        shown = [near.astimezone(local) for near in (at - timedelta(minutes=20), at, at + timedelta(minutes=20))]
        for hour, minute in {(0, 0), *((one.hour, one.minute) for one in shown)}:
            found = fires(f"{minute} {hour} * * *", zone, at - timedelta(hours=40))
            for earlier, later in pairwise(found):
                assert _follows(earlier, later, time(hour, minute), local), (zone, hour, minute, earlier, later)
                checked += 1
            for one in found:
                assert _first_coming(one, time(hour, minute), local), (zone, hour, minute, one)
    assert checked > 5_000  # 20 s of work: each shape of a change once a zone


def _follows(earlier: datetime, later: datetime, slot: time, local: ZoneInfo) -> bool:
    """Whether no day that has an hour lies between two runs, and each is of its own day."""
    days = (later.date() - earlier.date()).days
    if days == 1:
        return True
    first_after = datetime.combine(earlier.date() + timedelta(days=1), time(12), tzinfo=local)
    if days == 2:  # the day between does not exist
        return first_after.astimezone(UTC).astimezone(local).date() != first_after.date()
    # a slot just before a midnight that the clocks jump over falls on it, and that day has its own slot too
    return days == 0 and earlier.time() < slot and earlier.time() == time(0)


def _first_coming(at: datetime, slot: time, local: ZoneInfo) -> bool:
    """Whether the clocks show the slot for the first time, or jump over it at this very second."""
    before = (at.astimezone(UTC) - timedelta(seconds=1)).astimezone(local).replace(tzinfo=None)
    naive = at.replace(tzinfo=None)
    if at.time() != slot:
        day = before.date() if at.time() < slot else naive.date()
        return before < datetime.combine(day, slot) < naive
    earlier = [at.astimezone(UTC) - timedelta(minutes=15 * n) for n in range(1, 13)]
    return all(one.astimezone(local).replace(tzinfo=None) != naive for one in earlier)


@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        (ScheduleKind.CRON, "30 2 * * *"),
        (ScheduleKind.CRON, "*/30 * * * *"),
        (ScheduleKind.INTERVAL, "21600"),
        (ScheduleKind.ONCE, "2014-04-01T06:00+00:00"),
        (ScheduleKind.ALERT, "harm"),
    ],
)
def test_what_is_said_before_saving_is_what_the_metronome_then_plans(kind: ScheduleKind, expression: str) -> None:
    now = datetime(2014, 3, 8, 12, tzinfo=UTC)  # the clocks change in the night
    draft = ScheduleDraft("s", kind, expression, "America/New_York", recipe="weekly-batch")
    saved = replace(cron(expression, draft.zone), kind=kind, updated_at=now)
    assert of_draft(draft, now) == following(saved, now)


def test_a_moment_that_has_passed_is_never() -> None:
    draft = ScheduleDraft("s", ScheduleKind.ONCE, "2014-01-01T00:00+00:00", recipe="weekly-batch")
    assert of_draft(draft, datetime(2014, 3, 8, tzinfo=UTC)) == ()
