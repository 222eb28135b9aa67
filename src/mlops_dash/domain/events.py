"""What happened to a user, an account, a session after an answer: a purchase, a click, a complaint, as it is sent.

An event names its unit, what happened, and a number: an amount, or 1. Whether a model caused it is for an A/B test to
say. Must not: touch a database.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mlops_dash.domain.sent import LONGEST_ID, MEND, number_of, objects_of, only_fields, text_of, time_of
from mlops_dash.domain.written import name_of
from mlops_dash.errors import InvalidRow
from mlops_dash.ids import digest

FIELDS = frozenset({"id", "unit", "name", "value", "at"})


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        id: Names it for ever: the same id sent again is nothing new.
        unit: Whom it happened to: what an A/B test draws arms by.
        name: What happened, for example "revenue".
        value: How much, in the unit of its name; 1 where only that it happened counts.
        at: When.
        timed: Whether `at` was sent; else it is when it came.
    """

    id: str
    unit: str
    name: str
    value: float
    at: datetime
    timed: bool = True

    @property
    def said(self) -> tuple[str, str, float]:
        """What must be the same when the id comes again."""
        return self.unit, self.name, self.value


@dataclass(frozen=True)
class EventName:
    """One kind of event of a model, and how many there are.

    Attributes:
        model: Whose.
        name: What happened.
        events: How many are kept.
        first: The oldest.
        last: The newest.
    """

    model: str
    name: str
    events: int
    first: datetime
    last: datetime

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {**vars(self), "first": self.first.isoformat(), "last": self.last.isoformat()}


@dataclass(frozen=True)
class EventsKept:
    """What became of events that were sent."""

    new: int
    known: int
    left_out: tuple[InvalidRow, ...] = ()


def unit_name(value: Any) -> str:
    """A unit as text, the same from a request, a file or a model's input; "" where there is none.

    >>> unit_name(17), unit_name(17.0), unit_name(" it's Ana "), unit_name(None), unit_name(float("nan"))
    ('17', '17', "it's Ana", '', '')
    """
    if value is None or value != value:
        return ""
    name = name_of(value).strip()
    return name if len(name) <= LONGEST_ID and name.isprintable() else ""


def sift_events(rows: Any, *, now: datetime) -> tuple[tuple[tuple[int, Event], ...], tuple[InvalidRow, ...]]:
    """The events that can be kept, each with its place, and what is wrong with the others.

    Args:
        rows: Objects with `id`, `unit`, `name` and, if they say more, `value` (else 1) and `at` (else now).
        now: When they came.

    Raises:
        InvalidInput: not a list of objects, or too many.
    """
    fit: list[tuple[int, Event]] = []
    unfit: list[InvalidRow] = []
    seen: dict[str, tuple[str, str, float]] = {}
    for row, one in enumerate(objects_of(rows, "events")):
        try:
            only_fields(row, one, set(FIELDS))
            made = Event(
                id=text_of(row, "id", one.get("id")),
                unit=_unit(row, one.get("unit")),
                name=text_of(row, "name", one.get("name")),
                value=number_of(row, "value", one.get("value", 1)),
                at=time_of(row, "at", one.get("at"), now),
                timed=one.get("at") is not None,
            )
            if seen.setdefault(made.id, made.said) != made.said:
                raise InvalidRow(row, "id", made.id, "this id occurs twice, with another event", hint=MEND)
            fit.append((row, made))
        except InvalidRow as error:
            unfit.append(error)
    return tuple(fit), tuple(unfit)


def stable_ids(model: str, events: Iterable[tuple[str, str, float, datetime]]) -> list[str]:
    """Ids of events that came without: the same ones get the same ids, equal ones are numbered.

    >>> at = datetime(2026, 3, 1, tzinfo=UTC)
    >>> first, second = stable_ids("m", [("ana", "click", 1.0, at)] * 2)
    >>> first != second, [first, second] == stable_ids("m", [("ana", "click", 1.0, at)] * 2)
    (True, True)
    """
    seen: Counter[tuple[str, str, float, str]] = Counter()
    made = []
    for unit, name, value, at in events:
        key = (unit, name, value, at.astimezone(UTC).isoformat())
        made.append(f"e-{digest([model, *key, seen[key]])[:32]}")
        seen[key] += 1
    return made


def clash(row: int, one: Event, known: Sequence[Any]) -> InvalidRow | None:
    """Why an event cannot be kept beside the one of its id; None where they are one event.

    Args:
        row: Its place in what was sent.
        one: The event.
        known: Unit, name, value and time of the one that is kept.
    """
    unit, name, value, at = known
    parts = {"unit": unit != one.unit, "name": name != one.name, "value": value != one.value,
             "time": one.timed and at != one.at}  # fmt: skip
    other = next((part for part, differs in parts.items() if differs), "")
    return InvalidRow(row, "id", one.id, f"is known with another {other}", hint=MEND) if other else None


def _unit(row: int, value: Any) -> str:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise InvalidRow(row, "unit", value, "a text or a whole number is needed", hint=MEND)
    name = text_of(row, "unit", value if isinstance(value, str) else unit_name(value)).strip()
    return text_of(row, "unit", name)
