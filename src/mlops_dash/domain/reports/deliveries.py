"""What became of a report on its way to one recipient, and the signed link by which a recipient ends it.

As with alerts, a delivery is marked before it leaves the house: when our process ends in between, nobody can say
whether it arrived; it is then *not known* and only a person sends it again.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.levels import Level

UNSUBSCRIBE = "/unsubscribe/"
_TOKEN = re.compile(r"([0-9a-z]{26})\.([0-9a-f]{64})")


@dataclass(frozen=True)
class Delivery:
    """One report to one recipient; times are the machine's.

    Attributes:
        batch_id: The job, or the click, that asked for it: one batch reaches a recipient once.
        plan_id: Of the schedule's plan; "" = a person sent it by hand.
        plan: The schedule's name then, or who sent it.
        report_id: None where none was made.
        about: The report in words.
        recipient: As `plans.destination_of` reads it; "" where nothing was to be sent.
        note: Why it is held, what went wrong, or where it went.
    """

    id: str
    batch_id: str
    plan_id: str
    plan: str
    report_id: str | None
    about: str
    recipient: str
    formats: tuple[str, ...]
    state: NoticeState
    not_before: datetime
    attempts: int
    note: str
    created_at: datetime
    sent_at: datetime | None
    level: Level = Level.TECHNICAL


def token_of(key: bytes, delivery_id: str) -> str:
    """What the link to unsubscribe ends with: the delivery's id under the installation's key."""
    return f"{delivery_id}.{_seal(key, delivery_id)}"


def delivery_named(key: bytes, token: str) -> str | None:
    """The id of the delivery that a token of ours names; None for any other.

    >>> named = token_of(b"key", "0" * 26)
    >>> delivery_named(b"key", named) == "0" * 26, delivery_named(b"other", named)
    (True, None)
    """
    found = _TOKEN.fullmatch(token)
    if found is None or not hmac.compare_digest(found[2], _seal(key, found[1])):
        return None
    return found[1]


def _seal(key: bytes, delivery_id: str) -> str:
    return hmac.new(key, b"unsubscribe:" + delivery_id.encode(), hashlib.sha256).hexdigest()
