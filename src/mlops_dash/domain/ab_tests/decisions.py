"""What was decided on a test that is over."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Decision:
    """What was decided on a test that is over: "ship" the challenger or "keep" the control."""

    word: str
    reason: str
    by: str
    at: datetime
    against: bool  # of what the test says
    seconded_by: str = ""
    seconded_at: datetime | None = None

    @property
    def settled(self) -> bool:
        """Whether it stands: one against the test needs a second person."""
        return not self.against or bool(self.seconded_by)

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        seconded = None if self.seconded_at is None else self.seconded_at.isoformat()
        return {**asdict(self), "at": self.at.isoformat(), "seconded_at": seconded, "settled": self.settled}
