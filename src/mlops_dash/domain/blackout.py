"""When nothing may start: hours of the day, days of the week, dates; each is a stretch between two instants of a zone.

`22:00-06:00` is one stretch a night whatever the clocks do; `sat`, `2026-12-24` and `holidays=2026-12-24..2027-01-02`
are whole days. Several hold together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache

from mlops_dash.domain.calendar import day_of, day_start, wall_instant
from mlops_dash.errors import InvalidInput

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]?\d|2[0-3]):([0-5]\d) ?[-–] ?([01]?\d|2[0-4]):([0-5]\d)")
_DATES = re.compile(r"(?:([^=,]{1,40})=)?(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?")
_DAY_MINUTES = 24 * 60
_LONGEST = 400  # characters
_DAY = timedelta(days=1)
_LAST_YEAR = 9990


class InBlackout(StrEnum):
    """What happens to a slot in a blackout."""

    SKIP = "skip"
    WAIT = "wait"  # it is moved to the end of the blackout


@dataclass(frozen=True)
class _Dates:
    name: str
    first: date
    last: date


@dataclass(frozen=True)
class Blackout:
    """Stretches in which nothing starts.

    Attributes:
        hours: (from, to) in minutes after midnight; `to` is on the next day where it is not after `from`.
        days: Of the week, Monday = 0.
        dates: From a first day to a last one, both included, with a name or "".
    """

    hours: tuple[tuple[int, int], ...] = ()
    days: frozenset[int] = frozenset()
    dates: tuple[_Dates, ...] = ()

    def until(self, at: datetime, zone: str) -> datetime | None:
        """When the stretches end that `at` lies in, one after another; None where nothing forbids it.

        >>> night = blackout_of("22:00-06:00", "sat, sun")
        >>> night.until(datetime(2026, 1, 2, 23, tzinfo=UTC), "UTC").isoformat()  # Friday night, then the weekend
        '2026-01-05T06:00:00+00:00'
        >>> night.until(datetime(2026, 1, 5, 6, tzinfo=UTC), "UTC") is None
        True
        """
        if not (self.hours or self.days or self.dates):
            return None
        end = at
        while end.year < _LAST_YEAR:
            later = max((to for to in self._ends(end, zone)), default=None)
            if later is None:
                break
            end = later
        return None if end == at else end

    def _ends(self, at: datetime, zone: str) -> Iterator[datetime]:
        today = day_of(at, zone)
        for start, to in self.hours:
            for day in (today - _DAY, today):  # of the night before, or of this day
                last = day if to > start else day + _DAY
                if _moment(day, start, zone) <= at < (end := _moment(last, to, zone)):
                    yield end
        if today.weekday() in self.days:
            yield day_start(today + _DAY, zone)
        for one in self.dates:
            if one.first <= today <= one.last:
                yield day_start(one.last + _DAY, zone)


@lru_cache(256)
def blackout_of(not_between: str, not_on: str) -> Blackout:
    """Read what people write; "" forbids nothing.

    Args:
        not_between: Hours, as `22:00-06:00, 12:00-13:00`.
        not_on: Weekdays, dates, or from..to with or without a name: `sat, 2026-05-01, audit=2026-12-24..2027-01-02`.

    Raises:
        InvalidInput: a part cannot be read, or no minute of a week would be left.
    """
    if max(len(not_between), len(not_on)) > _LONGEST:
        raise InvalidInput("That blackout is too long.", hint=f"Use at most {_LONGEST} characters.")
    hours = tuple(_hours(part) for part in _parts(not_between))
    days, dates = set(), []
    for part in _parts(not_on):
        word = part.lower()[:3]
        if word in _DAYS and part.isalpha():
            days.add(_DAYS.index(word))
        else:
            dates.append(_dates(part))
    if len(days) == len(_DAYS) or (hours and not _minutes_left(hours)):
        raise InvalidInput("Nothing would ever run.", hint="Leave some hours of some day.")
    return Blackout(hours, frozenset(days), tuple(dates))


def said(not_between: str, not_on: str) -> str:
    """What they forbid, "" for nothing.

    >>> said("22:00-06:00", "sat,sun"), said("", "")
    ('not between 22:00-06:00, not on sat, sun', '')
    """
    found = [("between", not_between), ("on", not_on)]
    return ", ".join(f"not {word} {', '.join(_parts(text))}" for word, text in found if text)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _hours(text: str) -> tuple[int, int]:
    read = _HOURS.fullmatch(text)
    minutes = (int(read[1]) * 60 + int(read[2]), int(read[3]) * 60 + int(read[4])) if read else (0, 0)
    if minutes[0] == minutes[1] or minutes[1] > _DAY_MINUTES:
        raise InvalidInput(f"The hours {text!r} cannot be read.", hint="Write 22:00-06:00.")
    return minutes


def _dates(text: str) -> _Dates:
    read = _DATES.fullmatch(text)
    try:
        first = date.fromisoformat(read[2]) if read else None
        last = date.fromisoformat(read[3]) if read and read[3] else first
    except ValueError:
        first = last = None
    if read is None or first is None or last is None or not first <= last or last.year >= _LAST_YEAR:
        raise InvalidInput(
            f"The day {text!r} cannot be read.", hint="Write sat, 2026-05-01 or holidays=2026-12-24..2027-01-02."
        )
    return _Dates((read[1] or "").strip(), first, last)


def _minutes_left(hours: tuple[tuple[int, int], ...]) -> bool:
    taken: set[int] = set()
    for start, to in hours:
        taken.update(range(start, to) if to > start else [*range(start, _DAY_MINUTES), *range(to)])
    return len(taken) < _DAY_MINUTES


def _moment(day: date, minutes: int, zone: str) -> datetime:
    if minutes == _DAY_MINUTES:
        day, minutes = day + _DAY, 0
    return wall_instant(datetime.combine(day, time(minutes // 60, minutes % 60)), zone).astimezone(UTC)
