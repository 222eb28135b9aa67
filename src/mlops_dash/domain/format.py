"""Numbers and times in sentences that leave the pages: the same words as on them (a test holds both to one another).

Missing is an em dash, never 0 and never NaN; minus is a true minus.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from mlops_dash.domain.calendar import zone_of

MISSING = "—"
MINUS = "−"


def metric(value: float | None, decimals: int = 3) -> str:
    """A metric's value.

    >>> metric(0.8712), metric(-0.5, 1), metric(None)
    ('0.871', '−0.5', '—')
    """
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def delta(value: float | None, decimals: int = 3) -> str:
    """A difference, always signed; what rounds to nothing is `0.000`.

    >>> delta(0.0312), delta(-0.0312), delta(-0.0001)
    ('+0.031', '−0.031', '0.000')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:+.{decimals}f}"
    return (text[1:] if float(text) == 0 else text).replace("-", MINUS)


def interval(low: float | None, high: float | None, decimals: int = 3, *, signed: bool = True) -> str:
    """An interval in brackets.

    >>> interval(0.0091, 0.0312), interval(0.8612, 0.8831, signed=False)
    ('[+0.009, +0.031]', '[0.861, 0.883]')
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return MISSING
    show = delta if signed else metric
    return f"[{show(low, decimals)}, {show(high, decimals)}]"


def percent(value: float | None, decimals: int = 1) -> str:
    """A share in [0, 1] as a percentage.

    >>> percent(0.0245), percent(None)
    ('2.5 %', '—')
    """
    shown = metric(None if value is None else value * 100, decimals)
    return shown if shown == MISSING else f"{shown} %"


def whole(value: float | None) -> str:
    """A count in full.

    >>> whole(336776)
    '336,776'
    """
    return MISSING if value is None or not math.isfinite(value) else f"{value:,.0f}".replace("-", MINUS)


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "run"), plural(3, "entry", "entries")
    ('1 run', '3 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def day(t: datetime | None, zone: str = "UTC") -> str:
    """A calendar day in a zone: `3 Jun 2013`."""
    if t is None:
        return MISSING
    local = t.astimezone(zone_of(zone))
    return f"{local.day} {local:%b %Y}"


def instant(t: datetime | None, zone: str = "UTC") -> str:
    """A moment with its zone: `3 Jun 2013, 12:00 EDT`."""
    if t is None:
        return MISSING
    local = t.astimezone(zone_of(zone))
    return f"{local.day} {local:%b %Y}, {local:%H:%M} {local.tzname()}"


def period(start: datetime | None, end: datetime | None, zone: str = "UTC") -> str:
    """A half-open window of whole days, said with its last day: `1 May to 31 May 2013`."""
    if start is None or end is None:
        return MISSING
    first, last = (one.astimezone(zone_of(zone)) for one in (start, end - timedelta(microseconds=1)))
    if first.date() == last.date():
        return day(start, zone)
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} to {last.day} {last:%b %Y}"
