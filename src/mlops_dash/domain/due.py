"""When does a schedule fire next?

A cron text that names hours means wall clocks: each of its slots is exactly one instant a day, whatever the clocks do.
One that takes every hour ("*/30 * * * *") means a rhythm and follows real time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from mlops_dash.domain.calendar import day_exists, wall_instant, zone_of
from mlops_dash.domain.cron import WEEKDAYS, cron_fields
from mlops_dash.domain.retraining import Schedule, ScheduleDraft, ScheduleKind, instant, interval_seconds

AHEAD = 5  # fire times kept on each schedule
_FARTHEST_DAYS = 366 * 29  # five times 29 February, over a century without one
_LAST_YEAR = 9998


def following(schedule: Schedule, after: datetime) -> tuple[datetime, ...]:
    """The next fire times of a schedule strictly after a moment, at most five; none for alerts.

    Cron counts in the schedule's own zone, daylight saving included; intervals count from the last slot.
    """
    if schedule.kind is ScheduleKind.CRON:
        return _of_cron(schedule.expression, schedule.zone, after)
    if schedule.kind is ScheduleKind.INTERVAL:
        step = timedelta(seconds=interval_seconds(schedule.expression))
        last = schedule.next_due_at or after
        first = last + step * max(1, (after - last) // step + 1)
        return tuple(first + step * n for n in range(AHEAD))
    if schedule.kind is ScheduleKind.ONCE and schedule.next_due_at is None:
        at = instant(schedule.expression).astimezone(UTC)
        return (at,) if at > schedule.updated_at else ()
    return ()


def of_draft(draft: ScheduleDraft, now: datetime) -> tuple[datetime, ...]:
    """When a schedule would fire if it were saved now, at most five; none for alerts.

    Raises:
        InvalidInput: its expression or zone cannot be used.
    """
    if draft.kind is ScheduleKind.CRON:
        return _of_cron(draft.expression, draft.zone, now)
    if draft.kind is ScheduleKind.INTERVAL:
        step = timedelta(seconds=interval_seconds(draft.expression))
        return tuple(now + step * n for n in range(1, AHEAD + 1))
    if draft.kind is ScheduleKind.ONCE:
        at = instant(draft.expression).astimezone(UTC)
        return (at,) if at > now else ()
    return ()


@dataclass(frozen=True)
class _Cron:
    """The values that each field of a cron text allows; None = all."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int] | None
    weekdays: frozenset[int] | None  # Sunday = 0

    @classmethod
    def of(cls, text: str) -> _Cron:
        fields = cron_fields(text)

        def values(name: str) -> frozenset[int] | None:
            return None if fields[name] == "*" else frozenset(int(value) for value in fields[name].split(","))

        named = fields["day_of_week"]
        return cls(
            minutes=values("minute") or frozenset(range(60)),
            hours=values("hour") or frozenset(range(24)),
            days=values("day"),
            months=values("month"),
            weekdays=None if named == "*" else frozenset(WEEKDAYS.index(name) for name in named.split(",")),
        )

    def allows(self, day: date) -> bool:
        """Whether it fires on that day at all."""
        return (
            (self.months is None or day.month in self.months)
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or day.isoweekday() % 7 in self.weekdays)
        )


def _of_cron(text: str, zone: str, after: datetime) -> tuple[datetime, ...]:
    cron = _Cron.of(text)
    times = _in_real_time if len(cron.hours) == 24 else _on_wall_clocks
    fires: list[datetime] = []
    for at in times(cron, zone, after):
        if at > after and at not in fires:  # two slots that the clocks skip are one instant
            fires.append(at)
        if len(fires) == AHEAD:
            break
    return tuple(fires)


def _days(cron: _Cron, first: date) -> Iterator[date]:
    """Days on which it fires, from a first one on."""
    for n in range(_FARTHEST_DAYS):
        day = first + timedelta(days=n)
        if day.year > _LAST_YEAR:
            return
        if cron.allows(day):
            yield day


def _on_wall_clocks(cron: _Cron, zone: str, after: datetime) -> Iterator[datetime]:
    """Each slot of each day once: the first time that the clocks show it, or skip it."""
    slots = [time(hour, minute) for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    for day in _days(cron, after.astimezone(zone_of(zone)).date() - timedelta(days=1)):
        if day_exists(day, zone):
            yield from (wall_instant(datetime.combine(day, slot), zone) for slot in slots)


def _in_real_time(cron: _Cron, zone: str, after: datetime) -> Iterator[datetime]:
    """Every instant at which the clocks show a slot, a repeated hour included."""
    at, local = after.astimezone(UTC), zone_of(zone)
    days = _days(cron, after.astimezone(local).date() - timedelta(days=1))
    next_day = next(days, None)
    while True:
        shown = at.astimezone(local)
        # the next whole minute of that clock
        at += timedelta(seconds=60 - shown.second, microseconds=-shown.microsecond)
        shown = at.astimezone(local)
        if cron.allows(shown.date()):
            if shown.minute in cron.minutes and shown.second == 0:
                yield at
            continue
        while next_day is not None and next_day <= shown.date():
            next_day = next(days, None)
        if next_day is None:
            return
        midnight = wall_instant(datetime.combine(next_day, time()), zone)
        # no minute of the days between fires; the clock's own minutes are counted from there
        at = max(at, midnight - timedelta(minutes=1))
