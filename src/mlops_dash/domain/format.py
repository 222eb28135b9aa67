"""Numbers and times as people read them, on pages, in sentences and in files.

Missing is an em dash, never 0 and never NaN; minus is a true minus.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from mlops_dash.domain.calendar import zone_of

MISSING = "—"
MINUS = "−"

_SCALES = ((1e9, "B"), (1e6, "M"), (1e3, "K"))


def metric(value: float | None, decimals: int = 3) -> str:
    """A metric's value.

    >>> metric(0.8712), metric(-0.5, 1), metric(None)
    ('0.871', '−0.5', '—')
    """
    return MISSING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}".replace("-", MINUS)


def with_unit(value: float, decimals: int, unit: str) -> str:
    """A metric's value with its unit.

    >>> with_unit(8.917, 2, "min"), with_unit(.6573, 3, "")
    ('8.92 min', '0.657')
    """
    return f"{metric(value, decimals)} {unit}" if unit else metric(value, decimals)


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


def points(value: float | None, decimals: int = 1) -> str:
    """A difference of shares in percentage points: `+1.2 pp`."""
    return MISSING if value is None or not math.isfinite(value) else f"{delta(value * 100, decimals)} pp"


def count(value: float | None) -> str:
    """A count, compact from ten thousand on: `9,412`, `412 K`, `41 M`."""
    if value is None or not math.isfinite(value):
        return MISSING
    if abs(value) >= 10_000:
        for index, (scale, letter) in enumerate(_SCALES):
            if abs(value) >= scale:
                scaled = value / scale
                if abs(round(scaled)) >= 1_000 and index > 0:  # 999,960 is 1.0 M, not 1000 K
                    scale, letter = _SCALES[index - 1]
                    scaled = value / scale
                digits = 1 if abs(scaled) < 10 else 0
                return f"{scaled:.{digits}f} {letter}".replace("-", MINUS)
    return f"{value:,.0f}".replace("-", MINUS)


def whole(value: float | None) -> str:
    """A count in full.

    >>> whole(336776)
    '336,776'
    """
    return MISSING if value is None or not math.isfinite(value) else f"{value:,.0f}".replace("-", MINUS)


def psi(value: float | None) -> str:
    """A population stability index, two decimals."""
    return metric(value, 2)


def p_value(value: float | None) -> str:
    """A p- or q-value: three decimals, `< 0.001` below."""
    if value is None or not math.isfinite(value):
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> plural(1, "run"), plural(3, "entry", "entries")
    ('1 run', '3 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(span: timedelta | float | None) -> str:
    """How long: `42 s`, `9 min`, `6 h`, `3 d` (a float is seconds)."""
    if span is None:
        return MISSING
    seconds = abs(span.total_seconds() if isinstance(span, timedelta) else span)
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 1:
        return "under 1 s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds // 60:.0f} min"
    if seconds < 48 * 3_600:
        hours = seconds / 3_600
        return f"{hours:.1f} h" if hours < 3 and round(hours, 1) != round(hours) else f"{hours:.0f} h"
    return f"{seconds // 86_400:.0f} d"


def ago(now: datetime, t: datetime | None) -> str:
    """How long ago: `just now`, `9 min ago`, `6 h ago`; a time to come reads `in 2 h`."""
    if t is None:
        return MISSING
    span = now - t
    if span < timedelta(seconds=-1):
        return until(now, t)
    return "just now" if span < timedelta(seconds=45) else f"{duration(span)} ago"


def until(now: datetime, t: datetime | None) -> str:
    """How long from now: `in 2 h`; a time already gone reads `now` or `9 min late`."""
    if t is None:
        return MISSING
    span = t - now
    if span < timedelta(seconds=-45):
        return f"{duration(span)} late"
    return "now" if span < timedelta(seconds=1) else f"in {duration(span)}"


def day(t: datetime | None, zone: str = "UTC") -> str:
    """A calendar day in a zone: `3 Jun 2013`."""
    if t is None:
        return MISSING
    local = t.astimezone(zone_of(zone))
    return f"{local.day} {local:%b %Y}"


def instant(t: datetime | None, zone: str = "UTC", *, seconds: bool = False) -> str:
    """A moment with its zone: `3 Jun 2013, 12:00 EDT`."""
    if t is None:
        return MISSING
    local = t.astimezone(zone_of(zone))
    hour = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
    return f"{local.day} {local:%b %Y}, {hour} {local.tzname()}"


def period(start: datetime | None, end: datetime | None, zone: str = "UTC") -> str:
    """A half-open window of whole days, said with its last day: `1 May to 31 May 2013`."""
    if start is None or end is None:
        return MISSING
    first, last = (one.astimezone(zone_of(zone)) for one in (start, end - timedelta(microseconds=1)))
    if first.date() == last.date():
        return day(start, zone)
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} to {last.day} {last:%b %Y}"


def short(digest: str, length: int = 8) -> str:
    """The beginning of a digest or id."""
    return digest[:length] if digest else MISSING
