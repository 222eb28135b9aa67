"""Calendar windows of a monitor's zone: where a day begins and ends in UTC, daylight saving included."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.errors import InvalidInput

_SECOND = timedelta(seconds=1)


@lru_cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name.

    Raises:
        InvalidInput: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # "Europe" is a folder of zones
        raise InvalidInput(f"The time zone {name!r} is not known.", hint="Use a name like Europe/Berlin.") from error


def day_start(day: date, zone: str) -> datetime:
    """The first instant of a calendar day, in UTC.

    >>> day_start(date(2013, 7, 1), "America/New_York").isoformat()
    '2013-07-01T04:00:00+00:00'
    """
    return datetime.combine(day, time(), tzinfo=zone_of(zone)).astimezone(UTC)


def wall_instant(wall: datetime, zone: str) -> datetime:
    """The one instant, in UTC, that a wall-clock time stands for.

    A time that comes twice is its first coming; a time that the clocks skip is the first instant after the gap, so
    that what is due at midnight is due at 01:00 where the day begins at 01:00.

    Args:
        wall: A time without a zone.
        zone: Whose clocks.

    >>> wall_instant(datetime(2026, 11, 1, 1, 30), "America/New_York").isoformat()  # 01:30 comes twice
    '2026-11-01T05:30:00+00:00'
    >>> wall_instant(datetime(2018, 11, 4, 0, 0), "America/Sao_Paulo").isoformat()  # the day begins at 01:00
    '2018-11-04T03:00:00+00:00'
    """
    local = zone_of(zone)
    readings = [wall.replace(tzinfo=local, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = [at for at in readings if at.astimezone(local).replace(tzinfo=None) == wall]
    if shown:
        return min(shown)
    before, after = min(readings), max(readings)  # the clocks jump over `wall` between these two
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(local).replace(tzinfo=None) < wall:
            before = middle
        else:
            after = middle
    return after


def day_exists(day: date, zone: str) -> bool:
    """Whether the zone's calendar has that day: Samoa went from 29 to 31 December 2011.

    >>> day_exists(date(2011, 12, 30), "Pacific/Apia"), day_exists(date(2011, 12, 31), "Pacific/Apia")
    (False, True)
    """
    return day_of(wall_instant(datetime.combine(day, time()), zone), zone) == day


def from_ms(ms: float | None) -> datetime | None:
    """An instant from milliseconds since 1970, as MLflow counts; None and NaN are none.

    >>> from_ms(0), from_ms(None)
    (datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    return None if ms is None or math.isnan(ms) else datetime.fromtimestamp(ms / 1000, tz=UTC)


def day_of(at: datetime, zone: str) -> date:
    """The calendar day of an instant."""
    return at.astimezone(zone_of(zone)).date()


def days_between(first: date, last: date) -> tuple[date, ...]:
    """All days from first to last, both included; none when last is earlier."""
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
