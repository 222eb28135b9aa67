"""What does a cell of a table that somebody brings say?"""

from __future__ import annotations

WORDS_FOR_NONE = frozenset({"", "na", "n/a", "nan", "null", "none", "<na>", "-nan", "#n/a"})  # in a column of numbers


def name_of(value: object) -> str:
    """A cell that is a name, as text: a whole number of a typed column has no point.

    >>> name_of(7.0), name_of("007"), name_of(7.5)
    ('7', '007', '7.5')
    """
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
