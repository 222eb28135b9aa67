"""What a page is given: the verbs, who asks, this world's time, and how the browser shows it."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import streamlit as st

from app.shell import session
from app.ui import theme, widgets
from mlops_dash.bootstrap import Services
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor, Permission, Waiting

T = TypeVar("T")


@dataclass(frozen=True)
class Frame:
    """What a page is given: the verbs, who asks, this world's time, and how the browser shows it."""

    services: Services
    actor: Actor
    now: datetime
    mode: str  # light | dark
    tokens: theme.Tokens
    zone: str  # the browser's time zone, for lists; calendar windows use their model's own zone
    waiting: tuple[Waiting, ...] = ()

    def read(self, make: Callable[[], T], *key: Hashable, shared: bool = False, height: int = 900) -> T:
        """What `make` reads, kept a few seconds; `key` names the read and all its arguments.

        It is kept for this person, or, when it holds nothing of a person, `shared` by all of one role. While it takes
        longer than a moment, a skeleton of the page's `height` in px holds the place.

        When something does not answer, the last facts stay on the page under a line that says so.
        """
        whole = ("" if shared else self.actor.id, self.actor.role, *key)
        with st.skeleton(height=height):
            kept = session.reads().get(whole, self.services.freshness.mark(self.actor), make)
        if kept.failed:
            said = f"Updated {fmt.duration(kept.age)} ago, refresh failed: {kept.failed}"
            if widgets.stale(said, key=f"read-{key[0]}"):
                st.rerun()
        return kept.value

    def may(self, permission: Permission) -> bool:
        """Whether the person on the page has the permission."""
        return self.actor.may(permission)

    def why_not(self, permission: Permission) -> str:
        """Empty when allowed, else the reason for a disabled button."""
        return self.actor.why_not(permission)

    def instant(self, t: datetime | None) -> str:
        """A moment in the browser's zone."""
        return fmt.instant(t, self.zone)

    def ago(self, t: datetime | None) -> str:
        """How long ago in this world's time."""
        return fmt.ago(self.now, t)
