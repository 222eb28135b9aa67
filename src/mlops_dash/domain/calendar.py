"""Calendar windows of a monitor's zone: where a day begins and ends in UTC, daylight saving included."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops_dash.errors import InvalidInput


@lru_cache
def zone_of(name: str) -> ZoneInfo:
    """The zone of this name.

    Raises:
        InvalidInput: there is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInput(f"The time zone {name!r} is not known.", hint="Use a name like America/New_York.") from error


def day_start(day: date, zone: str) -> datetime:
    """The first instant of a calendar day, in UTC.

    >>> day_start(date(2013, 7, 1), "America/New_York").isoformat()
    '2013-07-01T04:00:00+00:00'
    """
    return datetime.combine(day, time(), tzinfo=zone_of(zone)).astimezone(UTC)


def day_of(at: datetime, zone: str) -> date:
    """The calendar day of an instant."""
    return at.astimezone(zone_of(zone)).date()


def days_between(first: date, last: date) -> tuple[date, ...]:
    """All days from first to last, both included; none when last is earlier."""
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))
