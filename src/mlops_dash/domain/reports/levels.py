"""For whom a report is written: one page to decide on, the pages as they are, or everything that is kept.

A level is a way to read the same facts: it changes no number, no sentence and no hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from mlops_dash.errors import InvalidInput


class Level(StrEnum):
    """How much of a report is shown."""

    EXECUTIVE = "executive"
    TECHNICAL = "technical"
    AUDIT = "audit"


LEVEL_LABELS: Mapping[Level, str] = {
    Level.EXECUTIVE: "Executive",
    Level.TECHNICAL: "Technical",
    Level.AUDIT: "Audit",
}
LEVEL_HELP: Mapping[Level, str] = {
    Level.EXECUTIVE: "One page: the verdict, three numbers with their intervals, what is to be decided",
    Level.TECHNICAL: "Charts and tables, how the numbers were computed, and what the words mean",
    Level.AUDIT: "All of that, and every kept number with its method, every digest and the ledger's rows",
}


def level_of(name: str) -> Level:
    """The level of a name.

    Raises:
        InvalidInput: there is no such level.

    >>> level_of(" Executive ")
    <Level.EXECUTIVE: 'executive'>
    """
    try:
        return Level(name.strip().lower())
    except ValueError as error:
        raise InvalidInput(f"There is no level {name[:40]!r}.", hint=f"Use one of: {', '.join(Level)}.") from error
