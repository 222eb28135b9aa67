"""Fields of a JSON body by their type: what they hold, or a sentence that names the field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlops_dash.errors import InvalidInput


def text(sent: Mapping[str, Any], name: str) -> str:
    """A name, a word or a title: 1 to 200 printable characters.

    Raises:
        InvalidInput: it is missing, or none.
    """
    value = sent.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= len(value) <= 200 or not value.isprintable():
        raise InvalidInput(f"{name!r} is missing, or no text of 1 to 200 printable characters.")
    return value


def words(sent: Mapping[str, Any], name: str) -> str:
    """Sentences, such as a reason: up to 2,000 characters, also on several lines.

    Raises:
        InvalidInput: it is missing, or none.
    """
    value = sent.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > 2_000:
        raise InvalidInput(f"{name!r} is missing, or no text of 1 to 2,000 characters.")
    return value


def number(value: Any, name: str) -> float:
    """A finite number.

    Raises:
        InvalidInput: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput(f"{name!r} is no number.")
    return float(value)


def whole(value: Any, name: str) -> int:
    """A whole number.

    Raises:
        InvalidInput: it is none.
    """
    if number(value, name) % 1:
        raise InvalidInput(f"{name!r} is no whole number.")
    return int(value)


def flag(value: Any, name: str) -> bool:
    """True or false.

    Raises:
        InvalidInput: it is neither.
    """
    if not isinstance(value, bool):
        raise InvalidInput(f"{name!r} is neither true nor false.")
    return value
