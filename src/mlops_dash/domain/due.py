"""When does a schedule fire next?

A cron text that names hours means wall clocks: each of its slots is exactly one instant a day, whatever the clocks do.
One that takes every hour ("*/30 * * * *") means a rhythm and follows real time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial

from mlops_dash.domain.blackout import InBlackout
from mlops_dash.domain.calendar import day_exists, wall_instant, zone_of
from mlops_dash.domain.cron import WEEKDAYS, cron_fields
from mlops_dash.domain.retraining import Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind, instant, interval_seconds
from mlops_dash.domain.triggers import Guards

AHEAD = 5  # fire times kept on each schedule
_FARTHEST_DAYS = 366 * 29  # five times 29 February, over a century without one
_LAST_YEAR = 9998
_MOST_KEPT = 40  # slots of one plan, those in blackouts included
_INSTANT = timedelta(microseconds=1)


def following(schedule: Schedule, after: datetime) -> tuple[datetime, ...]:
    """The next fire times of a schedule strictly after a moment, at most five runs; none for triggers.

    Cron counts in the schedule's own zone, daylight saving included; intervals count from the last slot. Of the slots
    in a blackout the first one is kept, so that somebody may see it skipped, or all wait until its end together.
    """
    guards, zone = schedule.guards, schedule.zone
    if schedule.kind is ScheduleKind.CRON:
        return _around(guards, zone, after, partial(_of_cron, schedule.expression, zone))
    if schedule.kind is ScheduleKind.INTERVAL:
        step = timedelta(seconds=interval_seconds(schedule.expression))
        return _around(guards, zone, after, partial(_of_interval, step, schedule.next_due_at or after))
    if schedule.kind is ScheduleKind.ONCE and schedule.next_due_at is None:
        at = instant(schedule.expression).astimezone(UTC)
        return _around(guards, zone, after, partial(_of_once, at)) if at > schedule.updated_at else ()
    return ()


def of_draft(draft: ScheduleDraft, now: datetime) -> tuple[datetime, ...]:
    """When a schedule would run if it were saved now, at most five times; none for triggers.

    Raises:
        InvalidInput: its expression, zone or blackout cannot be used.
    """
    guards, zone = Guards.of(draft.arguments), draft.zone
    if draft.kind is ScheduleKind.CRON:
        slots = partial(_of_cron, draft.expression, zone)
    elif draft.kind is ScheduleKind.INTERVAL:
        slots = partial(_of_interval, timedelta(seconds=interval_seconds(draft.expression)), now)
    elif draft.kind is ScheduleKind.ONCE:
        slots = partial(_of_once, instant(draft.expression).astimezone(UTC))
    else:
        return ()
    return tuple(at for at in _around(guards, zone, now, slots) if guards.dark_until(at, zone) is None)


def _around(
    guards: Guards, zone: str, after: datetime, slots: Callable[[datetime], Iterable[datetime]]
) -> tuple[datetime, ...]:
    """Slots after a moment, around blackouts: at most five that run, and the first of those that each one forbids."""
    found: list[datetime] = []
    runs, kept, waits = 0, 0, guards.in_blackout == InBlackout.WAIT
    begun = None if waits else guards.dark_until(after, zone)  # its first slot was seen already
    ahead = iter(slots(after if begun is None else begun - _INSTANT))
    while runs < AHEAD and kept < _MOST_KEPT and (at := next(ahead, None)) is not None:
        dark = guards.dark_until(at, zone)
        if dark is None:
            runs += 1
        else:
            ahead = iter(slots(dark - _INSTANT))
        at = dark if dark is not None and waits else at
        if at not in found:  # the last slot before the end of a blackout, and one at its end
            found.append(at)
        kept += 1
    return tuple(found)


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


def _of_cron(text: str, zone: str, after: datetime) -> Iterator[datetime]:
    cron = _Cron.of(text)
    times = _in_real_time if len(cron.hours) == 24 else _on_wall_clocks
    last = after
    for at in times(cron, zone, after):
        if at > last:  # two slots that the clocks skip are one instant
            yield at
            last = at


def _of_interval(step: timedelta, grid: datetime, after: datetime) -> Iterator[datetime]:
    """Instants after a moment that lie whole steps after `grid`."""
    at = grid + step * max(1, (after - grid) // step + 1)
    while at.year < _LAST_YEAR:
        yield at
        at += step


def _of_once(at: datetime, after: datetime) -> Iterator[datetime]:
    if at > after:
        yield at


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
