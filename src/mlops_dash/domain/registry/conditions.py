"""What an approver asks beside the approval: conditions, and a day by which the version is looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from mlops_dash.domain.access import Actor, Permission, Waiting, person_of
from mlops_dash.domain.format import day
from mlops_dash.errors import InvalidInput

CONDITION, REVIEW = "condition", "review"
MOST_CONDITIONS, LONGEST_CONDITION, LONGEST_REVIEW_DAYS = 10, 500, 730


@dataclass(frozen=True)
class Condition:
    """One thing that was asked, of one proposal; it stands until somebody says that it is done."""

    id: str
    kind: str  # CONDITION | REVIEW
    model: str
    version: str  # its number
    proposal_id: str
    proposer: str
    text: str
    by: str
    at: datetime
    due_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str = ""
    done_note: str = ""
    promoted: bool = False  # the version that it was asked of became champion

    def is_due(self, now: datetime) -> bool:
        """Whether it is not done and its day is over; what has no day is due from the version's promotion on."""
        if self.done_at is not None:
            return False
        return self.promoted if self.due_at is None else now >= self.due_at

    def said(self, zone: str) -> str:
        """As people read it."""
        if self.kind == REVIEW:
            return f"Review v{self.version} by {_last_day(self, zone)}"
        return self.text

    def as_json(self, now: datetime) -> dict[str, Any]:
        """What the command prints."""
        return {
            "id": self.id, "kind": self.kind, "model": self.model, "version": self.version, "text": self.text,
            "by": self.by, "at": self.at.isoformat(),
            "due_at": None if self.due_at is None else self.due_at.isoformat(), "due": self.is_due(now),
            "done_at": None if self.done_at is None else self.done_at.isoformat(),
            "done_by": self.done_by, "done_note": self.done_note,
        }  # fmt: skip


def _last_day(one: Condition, zone: str) -> str:
    return "no day" if one.due_at is None else day(one.due_at - timedelta(seconds=1), zone)


def conditions_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Conditions as they are kept: one a line, empty ones left out, each once.

    >>> conditions_of(["watch Dream", "", "watch Dream", "tell the shift"])
    ('watch Dream', 'tell the shift')

    Raises:
        InvalidInput: too many, or one is too long.
    """
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    found = tuple(dict.fromkeys(lines))
    if len(found) > MOST_CONDITIONS:
        raise InvalidInput(f"{len(found)} conditions are too many.", hint=f"At most {MOST_CONDITIONS}, one a line.")
    if any(len(one) > LONGEST_CONDITION for one in found):
        raise InvalidInput("A condition is too long.", hint=f"At most {LONGEST_CONDITION} letters each.")
    return found


def review_day(text: str) -> date | None:
    """A day as somebody typed it; None for nothing.

    >>> review_day("2026-03-01"), review_day("")
    (datetime.date(2026, 3, 1), None)

    Raises:
        InvalidInput: it is no day.
    """
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(f"{text[:40]!r} is no day.", hint="Write it as 2026-03-01.") from error


def review_due(by: date | None, now: datetime, zone: str) -> datetime | None:
    """When a review by a day is due: at the end of that day in the model's zone.

    Raises:
        InvalidInput: the day is over, or more than two years away.
    """
    if by is None:
        return None
    today = now.astimezone(ZoneInfo(zone)).date()
    if not today <= by <= today + timedelta(days=LONGEST_REVIEW_DAYS):
        raise InvalidInput(
            f"A review by {by.isoformat()} cannot be.", hint=f"From today to {LONGEST_REVIEW_DAYS} days from now."
        )
    return datetime(by.year, by.month, by.day, tzinfo=ZoneInfo(zone)) + timedelta(days=1)


def why_not_done(actor: Actor, one: Condition) -> str:
    """A lead or admin who did not propose the version says that it is done."""
    if not actor.may(Permission.PROPOSAL_JUDGE):
        return actor.why_not(Permission.PROPOSAL_JUDGE)
    if actor.person == person_of(one.proposer):
        return "You proposed the version, so somebody else says whether it is done."
    return "It is done already." if one.done_at is not None else ""


def condition_waits(actor: Actor, one: Condition, now: datetime) -> Waiting | None:
    """What a due review or condition asks of this person, or nothing."""
    if not one.is_due(now) or why_not_done(actor, one):
        return None
    title = f"Review {one.model} v{one.version}" if one.kind == REVIEW else f"Condition of {one.model} v{one.version}"
    parameters = (("model", one.model), ("version", one.version))
    who = one.by.removeprefix("user:")
    return Waiting(title, f"asked by {who}: {one.text}", "event_upcoming", "registry", parameters, one.at, one.due_at)
