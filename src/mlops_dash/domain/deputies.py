"""Who approves in whose name while they are away: one person, from a moment until another, with a reason.

Nobody gets a right by it: a deputy may judge by their own account already. What it changes is whose absence holds
nothing up, and what the ledger says: ben for ada. Four eyes hold for both of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission, User, person_of
from mlops_dash.domain.format import instant

LONGEST_DAYS = 180
MAY = Permission.PROPOSAL_JUDGE


@dataclass(frozen=True)
class Deputy:
    """One naming: `deputy` may approve in the name of `principal`."""

    id: str
    principal: str  # whose name
    deputy: str  # who acts
    since: datetime
    until: datetime  # not included
    reason: str
    at: datetime  # when it was said
    ended_at: datetime | None = None  # before its time
    ended_by: str = ""

    @property
    def over_at(self) -> datetime:
        """From when on it does not stand any more."""
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def stands(self, now: datetime) -> bool:
        """Whether the deputy may act at this moment."""
        return self.since <= now < self.over_at

    def state(self, now: datetime) -> str:
        """In a word: standing, to come, over, or ended before its time."""
        if self.ended_at is not None:
            return "ended"
        return "standing" if self.stands(now) else "to come" if now < self.since else "over"

    def as_json(self, now: datetime) -> dict[str, Any]:
        """What the command prints."""
        return {
            "id": self.id, "principal": self.principal.removeprefix("user:"),
            "deputy": self.deputy.removeprefix("user:"), "from": self.since.isoformat(),
            "until": self.until.isoformat(), "reason": self.reason, "state": self.state(now),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "ended_by": self.ended_by.removeprefix("user:"),
        }  # fmt: skip


def why_not_name(
    actor: Actor, deputy: User, since: datetime, until: datetime, now: datetime, others: Sequence[Deputy]
) -> str:
    """A lead or admin names one other person who may judge too; `others` are those the actor named before."""
    if not actor.may(MAY):
        return actor.why_not(MAY)
    if actor.person == person_of(deputy.id):
        return "You cannot stand in for yourself."
    if deputy.disabled or not Actor(deputy.id, deputy.name, deputy.role).may(MAY):
        what = "disabled" if deputy.disabled else f"{deputy.role}"
        return f"{deputy.name} is {what} and may not judge proposals; a deputy gets no right that they lack."
    if not since < until or until <= now:
        return "It would be over before it begins." if until > now else "It would be over already."
    if until - since > timedelta(days=LONGEST_DAYS):
        return f"It is longer than {LONGEST_DAYS} days; whoever is away for longer should not be asked at all."
    crossed = next((one for one in others if one.since < until and since < one.over_at and now < one.over_at), None)
    if crossed is not None:
        person = crossed.deputy.removeprefix("user:")
        return f"{person} stands in for you until {instant(crossed.until)} already. End that first."
    return ""


def why_not_end(actor: Actor, one: Deputy, now: datetime) -> str:
    """Either of the two ends it, or an admin."""
    if now >= one.over_at:
        return "It is over already."
    if actor.person in {person_of(one.principal), person_of(one.deputy)} or actor.may(Permission.USERS_EDIT):
        return ""
    return "Only the two of them or an admin end it."


def named(actor: str, in_name_of: str) -> str:
    """Who did it and for whom, in short: the ids as people read them.

    >>> named("user:ben", "user:ada"), named("user:ben", "")
    ('ben for ada', 'ben')
    """
    own = actor.removeprefix("user:")
    return f"{own} for {in_name_of.removeprefix('user:')}" if in_name_of else own
