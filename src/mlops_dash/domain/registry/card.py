"""A model card's human half: what people must say of a model, how much of it is said, and who stands behind it.

The other half are facts that are known anyway. Must not: read a store, know the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from mlops_dash.domain.access import person_of
from mlops_dash.domain.words import CardState
from mlops_dash.errors import Conflict, InvalidInput

FIELDS: Mapping[str, tuple[str, str]] = {
    "intended_use": ("Intended use", "which decision it serves, for whom"),
    "not_for": ("Not intended for", "uses that look near and are not meant"),
    "data": ("Data", "where training and evaluation rows come from, and who is in them"),
    "limits": ("Known limits", "where it is weak, and what it was never shown"),
    "ethics": ("Fairness and harm", "who may be harmed by its mistakes, and what is done about it"),
    "fallback": ("If it fails", "what happens without it, and who decides so"),
    "contact": ("Owner and contact", "who answers for it, and how they are reached"),
}
MOST_SIGNS = 5_000


@dataclass(frozen=True)
class Card:
    """What is written of a model; revision 0 = nobody has written anything yet."""

    model: str
    revision: int = 0
    fields: Mapping[str, str] | None = None
    edited_by: str = ""
    edited_at: datetime | None = None
    approved_by: str = ""
    approved_at: datetime | None = None
    approved_revision: int = 0
    writers: tuple[str, ...] = ()  # ids of everybody who wrote since the last approval, sorted

    def text(self, name: str) -> str:
        """What is written in a field."""
        return (self.fields or {}).get(name, "")

    @property
    def missing(self) -> tuple[str, ...]:
        """Labels of the fields that nobody has filled."""
        return tuple(label for name, (label, _) in FIELDS.items() if not self.text(name))

    @property
    def n_filled(self) -> int:
        """How many fields are filled."""
        return len(FIELDS) - len(self.missing)

    @property
    def state(self) -> CardState:
        """How far it has come; an edit ends an approval."""
        if self.missing:
            return CardState.INCOMPLETE
        return CardState.APPROVED if self.approved_revision == self.revision else CardState.COMPLETE

    def said(self) -> str:
        """In a sentence.

        >>> Card("m").said()[:48]
        '0 of 7 fields are written; missing: Intended use'
        """
        if self.missing:
            return f"{self.n_filled} of {len(FIELDS)} fields are written; missing: {', '.join(self.missing)}."
        if self.state is CardState.COMPLETE:
            return f"All {len(FIELDS)} fields are written; nobody has approved this revision yet."
        return f"All {len(FIELDS)} fields are written and approved by {self.approved_by.removeprefix('user:')}."


def edited(card: Card, changes: Mapping[str, object], *, by: str, at: datetime) -> Card:
    """The next revision.

    Raises:
        InvalidInput: a field is unknown, no text, or too long.
        Conflict: nothing would change.
    """
    fields = dict(card.fields or {})
    for name, value in changes.items():
        if name not in FIELDS:
            raise InvalidInput(f"A model card has no field {str(name)[:60]!r}.", hint=f"Known: {', '.join(FIELDS)}.")
        if not isinstance(value, str):
            raise InvalidInput(f"The field {name} is no text.", hint="Write words; in YAML put them in quotes.")
        text = "\n".join(line.rstrip() for line in value.strip().splitlines())
        if len(text) > MOST_SIGNS:
            raise InvalidInput(f"The field {name} has {len(text):,} signs.", hint=f"Use at most {MOST_SIGNS:,}.")
        if any(ord(sign) < 32 and sign not in "\n\t" for sign in text):
            raise InvalidInput(f"The field {name} holds signs that cannot be shown.", hint="Use plain text.")
        if text:
            fields[name] = text
        else:
            fields.pop(name, None)
    if fields == dict(card.fields or {}):
        raise Conflict(f"The card of {card.model} says that already.")
    writers = tuple(sorted({*card.writers, by}))
    return replace(card, revision=card.revision + 1, fields=fields, edited_by=by, edited_at=at, writers=writers)


def why_not_approve(card: Card, actor_id: str) -> str:
    """Why this person cannot approve it as it is; "" = may."""
    if card.missing:
        return f"It is not complete: {', '.join(card.missing)} missing."
    if card.state is CardState.APPROVED:
        return "This revision is approved already."
    return "You wrote some of it; somebody who did not approves it." if wrote(card, actor_id) else ""


def wrote(card: Card, actor_id: str) -> bool:
    """Whether this person wrote any of what nobody has approved yet; another's later comma does not change that."""
    return person_of(actor_id) in {person_of(one) for one in (*card.writers, card.edited_by)}
