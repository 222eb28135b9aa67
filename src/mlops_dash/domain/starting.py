"""What starts a schedule: kinds, and what people type (cron texts, intervals, instants), read and said in words."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.cron import WEEKDAYS, cron_fields
from mlops_dash.domain.triggers import labels_needed, span
from mlops_dash.errors import InvalidInput

_LONG = {"sun": "Sunday", "mon": "Monday", "tue": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "fri": "Friday",
         "sat": "Saturday"}  # fmt: skip
SHORTEST_INTERVAL = 60
ALERT_KINDS = ("harm", "label_shift", "inputs", "schema")


class ScheduleKind(StrEnum):
    """What starts a schedule."""

    CRON = "cron"
    INTERVAL = "interval"
    ONCE = "once"
    ALERT = "alert"
    LABELS = "labels"
    FILE = "file"
    RECIPE = "recipe"
    CALL = "call"


CALLED = "call"  # the expression of a schedule that is called: it waits for nothing else
# Not of the clock: the worker looks for them, or a program calls.
TRIGGERS = (ScheduleKind.ALERT, ScheduleKind.LABELS, ScheduleKind.FILE, ScheduleKind.RECIPE, ScheduleKind.CALL)


def instant(text: str) -> datetime:
    """An aware instant from ISO 8601.

    Raises:
        InvalidInput: it cannot be read, or it has no zone.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"The time {text!r} cannot be read.", hint="Use 2014-01-31T06:00+00:00.") from error
    if at.tzinfo is None:
        raise InvalidInput(f"The time {text!r} has no zone.", hint="Add one: 2014-01-31T06:00+00:00.")
    return at


def interval_seconds(text: str) -> int:
    """Seconds between two runs, at least 60.

    Raises:
        InvalidInput: not a whole number of seconds, or too short.
    """
    if not text.strip().isdecimal() or int(text) < SHORTEST_INTERVAL:
        raise InvalidInput(
            f"The interval {text!r} cannot be used.", hint=f"Give whole seconds, at least {SHORTEST_INTERVAL}."
        )
    return int(text)


def describe(kind: ScheduleKind, expression: str, zone: str) -> str:
    """When a schedule runs, in words a person would use.

    >>> describe(ScheduleKind.CRON, "0 6 * * 1", "America/New_York")
    'Mondays at 06:00 (New York)'
    >>> describe(ScheduleKind.INTERVAL, "21600", "UTC")
    'every 6 h'
    """
    if kind is ScheduleKind.ALERT:
        return f"when an alert “{expression}” opens"
    if kind is ScheduleKind.LABELS:
        return f"when {labels_needed(expression):,} new labels have come"
    if kind is ScheduleKind.FILE:
        return f"when {expression} changes"
    if kind is ScheduleKind.RECIPE:
        return f"after {expression} made a version"
    if kind is ScheduleKind.CALL:
        return "when a program calls"
    if kind is ScheduleKind.ONCE:
        at = instant(expression).astimezone(zone_of(zone))
        return f"once, {at.day} {at:%b %Y} at {at:%H:%M} ({place(zone)})"
    if kind is ScheduleKind.INTERVAL:
        return f"every {span(interval_seconds(expression))}"
    fields = cron_fields(expression)
    if not (fields["minute"].isdecimal() and fields["hour"].isdecimal()) or fields["month"] != "*":
        return f"cron {expression} ({place(zone)})"
    time = f"{int(fields['hour']):02d}:{int(fields['minute']):02d}"
    if fields["day"].isdecimal():
        return f"day {fields['day']} of the month at {time} ({place(zone)})"
    if fields["day"] != "*":
        return f"cron {expression} ({place(zone)})"
    if fields["day_of_week"] == "*":
        return f"daily at {time} ({place(zone)})"
    days = fields["day_of_week"].split(",")
    word = "weekdays" if days == list(WEEKDAYS[1:6]) else ", ".join(f"{_LONG[day]}s" for day in days)
    return f"{word} at {time} ({place(zone)})"


def place(zone: str) -> str:
    """A zone's everyday name: "America/New_York" is New York."""
    return zone.rsplit("/", 1)[-1].replace("_", " ")
