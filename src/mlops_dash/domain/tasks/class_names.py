"""Which words can be the classes of a model, and which word is an answer as it was sent?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MOST_CLASSES: Final = 50
LONGEST_NAME: Final = 100  # characters of a class's name


def why_not_names(names: Sequence[str]) -> str:
    """Why these cannot be the classes of a model; "" when they can.

    >>> why_not_names(["cat", " "])
    "the class ' ' is blank, not printable or longer than 100 characters"
    """
    if not 2 <= len(names) <= MOST_CLASSES:
        return f"{len(names)} classes are named; 2 to {MOST_CLASSES} can be told apart"
    for number, name in enumerate(names):
        if name in names[:number]:
            return f"the class {name!r} is named twice"
        if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
            return f"the class {name!r} is blank, not printable or longer than {LONGEST_NAME} characters"
    return ""


def as_word(value: Any) -> str:
    """A class as it was sent: a whole number of a typed column has no point.

    >>> as_word(7.0), as_word("7.0")
    ('7', '7.0')
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
