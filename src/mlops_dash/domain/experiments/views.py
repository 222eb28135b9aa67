"""Saved views of the Experiments page, and notes on a comparison of runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from mlops_dash.domain.access import Actor, Role
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import canonical_json, sha256_text

LONGEST_NAME: Final = 80
LONGEST_NOTE: Final = 2_000
_LONGEST_STATE: Final = 20_000


@dataclass(frozen=True)
class SavedView:
    """A page kept under a name: the parameters of its URL."""

    id: str
    name: str
    owner: str  # an actor's id
    shared: bool  # everybody may open it
    state: Mapping[str, str]
    created_at: datetime
    updated_at: datetime

    def open_to(self, actor: Actor) -> bool:
        """Whether the actor may open it."""
        return self.shared or self.owner == actor.id

    def why_not_change(self, actor: Actor) -> str:
        """Empty when the actor may rename, share or delete it, else the reason."""
        if self.owner == actor.id or actor.role is Role.ADMIN:
            return ""
        return f"It belongs to {self.owner.removeprefix('user:')}; save a copy under a name of your own."


@dataclass(frozen=True)
class RunNote:
    """What somebody wrote on a comparison of runs."""

    id: str
    run_ids: tuple[str, ...]
    author: str
    text: str
    at: datetime


@dataclass(frozen=True)
class Kept:
    """What the page shows of what was kept: views to open, notes on the runs that are compared now."""

    views: tuple[SavedView, ...]
    notes: tuple[RunNote, ...]


def comparison_key(run_ids: Collection[str]) -> str:
    """One key for the same runs in any order, 64 hex digits.

    >>> comparison_key(["b", "a"]) == comparison_key(["a", "b", "b"])
    True
    """
    return sha256_text(canonical_json(sorted(set(run_ids))))


def view_name(text: str) -> str:
    """A name as it is kept.

    Raises:
        InvalidInput: it is empty or too long.

    >>> view_name("  best   depth ")
    'best depth'
    """
    name = " ".join(text.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(f"A view needs a name of 1 to {LONGEST_NAME} characters.", hint="Say what it shows.")
    return name


def view_state(state: Mapping[str, str]) -> dict[str, str]:
    """The parameters as they are kept.

    Raises:
        InvalidInput: there are too many of them for a link.
    """
    kept = {str(name): str(value) for name, value in state.items() if value}
    if sum(len(name) + len(value) for name, value in kept.items()) > _LONGEST_STATE:
        raise InvalidInput("This page has too much in its address to be kept.", hint="Choose fewer columns.")
    return kept


def note_text(text: str) -> str:
    """A note as it is kept.

    Raises:
        InvalidInput: it is empty or too long.
    """
    said = text.strip()
    if not 1 <= len(said) <= LONGEST_NOTE:
        raise InvalidInput(f"A note has 1 to {LONGEST_NOTE:,} characters.", hint="Say what the comparison showed.")
    return said
