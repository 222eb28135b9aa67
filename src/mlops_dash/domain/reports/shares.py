"""Read-only links to one frozen report, for people without an account: what a link is, and when it opens.

Times are the machine's, not a replayed world's: a link ends when its reader's calendar says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mlops_dash.domain.reports.levels import Level
from mlops_dash.errors import InvalidInput

USUAL_DAYS, MOST_DAYS = 14, 366
PATH = "/shared/"


class ShareState(StrEnum):
    """How a link stands."""

    OPEN = "open"
    EXPIRED = "expired"
    REVOKED = "revoked"
    STOPPED = "stopped"  # the account that made it is disabled


class ShareFace(StrEnum):
    """What somebody meets who asks for a link."""

    UNKNOWN = "unknown"  # no link has this secret
    OVER = "over"  # one had, and opens nothing any more
    LOCKED = "locked"  # it asks for its password
    OPEN = "open"


@dataclass(frozen=True)
class Share:
    """A link to one frozen report; its secret is kept as a hash and is not in here.

    Attributes:
        about: The report in words.
        reason: For whom, and why.
        opens: How often the report was shown by it.
        has_password: Whether it asks for one.
        stopped: Whether the account that made it is disabled.
        level: For whom the report is written that it shows.
    """

    id: str
    report_id: str
    about: str
    reason: str
    made_by: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    opens: int
    last_opened_at: datetime | None
    has_password: bool
    stopped: bool = False
    level: Level = Level.TECHNICAL

    def state(self, wall: datetime) -> ShareState:
        """How it stands at a moment of the machine's clock."""
        if self.revoked_at is not None:
            return ShareState.REVOKED
        if self.stopped:
            return ShareState.STOPPED
        return ShareState.OPEN if wall < self.expires_at else ShareState.EXPIRED


@dataclass(frozen=True)
class NewShare:
    """A link that was just made; `secret` is known to nobody afterwards."""

    share: Share
    secret: str
    url: str


def checked_days(days: int) -> int:
    """How long a link lives, in whole days.

    Raises:
        InvalidInput: not 1 to 366.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput(f"A link cannot live for {days} days.", hint=f"Use 1 to {MOST_DAYS}.")
    return days
