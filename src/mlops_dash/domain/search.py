"""Search: what a person finds by typing, and which page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.domain.access import Permission

LONGEST = 100  # characters of a query that are read
PER_KIND = 5  # hits of one kind that are shown


class Kind(StrEnum):
    """What can be found, in the order it is shown."""

    MODEL = "model"
    VERSION = "version"
    RUN = "run"
    TEST = "test"
    ALERT = "alert"
    PERSON = "person"


LABELS: dict[Kind, str] = {
    Kind.MODEL: "Models",
    Kind.VERSION: "Versions",
    Kind.RUN: "Runs",
    Kind.TEST: "A/B tests",
    Kind.ALERT: "Alerts",
    Kind.PERSON: "People",
}
NEEDS: dict[Kind, Permission] = {
    Kind.MODEL: Permission.ROOM_READ,
    Kind.VERSION: Permission.ROOM_READ,
    Kind.RUN: Permission.ROOM_READ,
    Kind.TEST: Permission.ROOM_READ,
    Kind.ALERT: Permission.ROOM_READ,
    Kind.PERSON: Permission.AUDIT_READ,
}


@dataclass(frozen=True)
class Hit:
    """One thing found: what it is called, one line about it, and the page and parameters that open it."""

    kind: Kind
    title: str
    detail: str
    page: str
    parameters: tuple[tuple[str, str], ...]
    at: datetime


def words(text: str) -> tuple[str, ...]:
    """What is looked for: every word must occur somewhere in the thing's names; at most eight words count.

    >>> words("  flight-delay   v3 ")
    ('flight-delay', 'v3')
    """
    return tuple(text[:LONGEST].replace("\x00", " ").split()[:8])


def link(kind: Kind, subject: str, other: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Page and parameters of a thing.

    Args:
        kind: What it is.
        subject: The model's name; the run's, test's or person's id.
        other: A model's source, a version's number, an alert's state, whether a person decided anything ("1" or "0").
    """
    if kind is Kind.MODEL:
        return ("registry" if other == "mlflow" else "monitoring"), (("model", subject),)
    if kind is Kind.VERSION:
        return "registry", (("model", subject), ("version", other))
    if kind is Kind.RUN:
        return "retraining", (("run", subject),)
    if kind is Kind.TEST:
        return "ab", (("test", subject),)
    if kind is Kind.ALERT:
        return "monitoring", (("model", subject),)
    return "audit", (("actor", f"user:{subject}") if other == "1" else ("object", subject),)
