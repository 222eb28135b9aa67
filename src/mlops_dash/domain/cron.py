"""What does a five-field cron text say? When it fires is counted by `domain.due`."""

from __future__ import annotations

from mlops_dash.errors import InvalidInput

WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")  # cron's order: 0 (and 7) is Sunday
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def cron_fields(text: str) -> dict[str, str]:
    """Check a five-field cron text and say it in words that no scheduler can misread.

    Returns:
        minute, hour, day, month, day_of_week. Weekday numbers become names, because cron counts from Sunday and other
        schedulers from Monday ("0 6 * * 1" must fire on Monday).

    Raises:
        InvalidInput: not five fields, a value out of range, or both a day of the month and a weekday (cron reads that
            as "or", others as "and").

    >>> cron_fields("0 6 * * 1")["day_of_week"]
    'mon'
    >>> cron_fields("*/15 8-18 * * 5-7")["day_of_week"]
    'sun,fri,sat'
    """
    parts = text.split()
    if len(parts) != 5:
        raise InvalidInput(
            f"The cron text {text!r} has {len(parts)} fields.",
            hint='Give five: minute, hour, day of month, month, weekday. "0 6 * * 1" is Monday 06:00.',
        )
    minute = _cron_values(parts[0], "minute", 0, 59)
    hour = _cron_values(parts[1], "hour", 0, 23)
    day = _cron_values(parts[2], "day of month", 1, 31)
    month = _cron_values(parts[3], "month", 1, 12, MONTHS)
    weekday = _cron_values(parts[4], "weekday", 0, 7, WEEKDAYS)
    if day is not None and weekday is not None:
        raise InvalidInput(
            f"The cron text {text!r} names a day of the month and a weekday.",
            hint="Use one of them; make two schedules.",
        )
    if day is not None and month is not None and not _exists(day, month):
        raise InvalidInput(f"The cron text {text!r} names a day that no month has.", hint="Choose an earlier day.")

    def joined(values: set[int] | None) -> str:
        return "*" if values is None else ",".join(str(value) for value in sorted(values))

    named = "*" if weekday is None else ",".join(WEEKDAYS[n] for n in sorted({v % 7 for v in weekday}))
    return {"minute": joined(minute), "hour": joined(hour), "day": joined(day), "month": joined(month),
            "day_of_week": named}  # fmt: skip


def _cron_values(text: str, name: str, low: int, high: int, names: tuple[str, ...] = ()) -> set[int] | None:
    if text in {"*", "?"}:
        return None
    values: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if slash and (not step_text.isdecimal() or int(step_text) < 1):
            raise _bad_cron(part, name, low, high)
        if first_text == "*":
            # "*" is a whole week, not Sunday twice
            first, last = low, 6 if names is WEEKDAYS else high
        else:
            first = _cron_number(first_text, name, low, high, names)
            last = _cron_number(last_text, name, low, high, names) if dash else (high if slash else first)
        if dash and names is WEEKDAYS and last == 0:
            last = 7  # "fri-sun" ends on the Sunday after
        if last < first:
            raise _bad_cron(part, name, low, high)
        values.update(range(first, last + 1, int(step_text) if slash else 1))
    return values


def _cron_number(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + (low if names is MONTHS else 0)
    if text.isdecimal() and low <= int(text) <= high:
        return int(text)
    raise _bad_cron(text, name, low, high)


def _bad_cron(text: str, name: str, low: int, high: int) -> InvalidInput:
    return InvalidInput(f"The {name} {text!r} of the cron text cannot be used.", hint=f"It goes from {low} to {high}.")


def _exists(days: set[int], months: set[int]) -> bool:
    longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
    return any(min(days) <= longest.get(month, 31) for month in months)
