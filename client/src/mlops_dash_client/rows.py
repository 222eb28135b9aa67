"""Rows as JSON lines, made when they are logged: what a program changes afterwards does not change them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any, NamedTuple

PREDICTION, LABEL, EVENT = "predictions", "labels", "events"
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class Row(NamedTuple):
    """One line of the spool, read back."""

    kind: str  # predictions | labels | events
    model: str
    sent: Mapping[str, Any]


def line_of(kind: str, model: str, sent: Mapping[str, Any]) -> bytes:
    """A row as a line of ASCII.

    Raises:
        ValueError, TypeError: no JSON can hold it.
    """
    return (_ENCODER.encode([kind, model, sent]) + "\n").encode("ascii")


def row_of(line: bytes) -> Row:
    """The row of a line.

    Raises:
        ValueError: it is none, or only the beginning of one.
    """
    said = json.loads(line)
    if not line.endswith(b"\n") or not isinstance(said, list) or len(said) != 3:
        raise ValueError("no whole line")
    kind, model, sent = said
    if kind not in (PREDICTION, LABEL, EVENT) or not isinstance(model, str) or not isinstance(sent, dict):
        raise ValueError("no row")
    return Row(kind, model, sent)


def features_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Features as JSON holds them.

    Raises:
        ValueError, TypeError: a value is none that can be logged.
    """
    return {str(name): plain(value) for name, value in given.items()}


def probabilities_of(given: Mapping[Any, Any]) -> dict[str, Any]:
    """Probabilities of classes as JSON holds them; a class is its word.

    >>> probabilities_of({"cat": 0.25, 7: 0.75})
    {'cat': 0.25, '7': 0.75}

    Raises:
        ValueError, TypeError: one is no number.
    """
    return {str(plain(name)): plain(value) for name, value in given.items()}


def plain(value: Any) -> Any:
    """A value as JSON holds it: numpy's numbers as Python's, times in ISO 8601, NaN and NaT as null.

    >>> plain(float("nan")), plain(date(2026, 3, 1)), plain(7)
    (None, '2026-03-01', 7)

    Raises:
        ValueError, TypeError: it is infinite, or a thing that has no place in a row.
    """
    if value is None or isinstance(value, (str, bool)):
        return value
    if type(value).__name__ == "NAType":  # pandas' word for missing
        return None
    if isinstance(value, Decimal):
        value = float(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError("an infinite number cannot be logged")
        return None if math.isnan(value) else float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat() if value == value else None  # pandas' NaT is a datetime that differs from itself
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "ndim", 0) == 0:
        return plain(item())
    raise TypeError(f"a {type(value).__name__} cannot be logged")


def moment(at: datetime | str | None) -> str:
    """A time with its zone as ISO 8601; now, when there is none.

    Raises:
        ValueError: a datetime without a zone: it could be any hour.
    """
    if at is None:
        return datetime.now(timezone.utc).isoformat()
    if isinstance(at, str):
        return at
    if at.tzinfo is None:
        raise ValueError("a time needs a zone, such as datetime.now(timezone.utc)")
    return at.isoformat()
