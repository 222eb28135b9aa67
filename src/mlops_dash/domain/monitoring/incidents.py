"""What was done about an alert, by whom, and whether it helped: one story, from the alert's opening to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Deed:
    """One thing that happened because of an alert.

    Attributes:
        at: When.
        who: An account's name, or a process of ours; "" = nobody in particular.
        what: In words, without a full stop.
        page: Which page shows it; "" = none.
        parameters: Of that page's address.
        helped: Whether the rows of a new version confirmed it; None where that is not what it says.
    """

    at: datetime
    who: str
    what: str
    page: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    helped: bool | None = None

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {"at": self.at.isoformat(), "who": self.who, "what": self.what, "helped": self.helped}


@dataclass(frozen=True)
class Incident:
    """An alert with what was done about it, oldest first."""

    alert_id: str
    title: str
    state: str
    version: str
    opened_at: datetime
    closed_at: datetime | None
    deeds: tuple[Deed, ...]

    @property
    def sentence(self) -> str:
        """How it stands.

        >>> from datetime import UTC
        >>> at = datetime(2026, 3, 1, tzinfo=UTC)
        >>> Incident("a", "Harm", "open", "1", at, None, ()).sentence
        'Nothing was done about it yet.'
        >>> Incident("a", "Harm", "open", "1", at, None, (Deed(at, "Ana", "acknowledged it"),)).sentence
        'Whether what was done helped is not known yet.'
        """
        if not any(one.who for one in self.deeds):
            return "Nothing was done about it yet." if self.closed_at is None else "It ended by itself."
        known = [one.helped for one in self.deeds if one.helped is not None]
        if not known:
            return "Whether what was done helped is not known yet." if self.closed_at is None else ""
        return "What was done helped." if known[-1] else "What was done did not help so far."

    def as_json(self) -> dict[str, Any]:
        """As commands print it."""
        return {
            "id": self.alert_id, "title": self.title, "state": self.state, "version": self.version,
            "opened_at": self.opened_at.isoformat(),
            "closed_at": None if self.closed_at is None else self.closed_at.isoformat(),
            "sentence": self.sentence, "deeds": [one.as_json() for one in self.deeds],
        }  # fmt: skip
