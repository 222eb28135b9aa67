"""What a person reads when something went wrong, and what the log keeps about it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from app.shell.counted import INCIDENTS
from mlops_dash.errors import MlopsDashError, NotAllowed, NotFound, Unavailable
from mlops_dash.ids import new_id

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Said:
    """An error in words: what did not work, what to do next, and the id of the log line when it was a surprise."""

    title: str
    next_step: str
    incident: str = ""
    kind: str = "broken"  # broken | refused (not allowed) | missing (no such thing) | away (something does not answer)

    def sentence(self) -> str:
        """All of it in one line."""
        tail = f" Incident {self.incident}." if self.incident else ""
        return f"{self.title} {self.next_step}".strip() + tail


def explain(error: Exception) -> Said:
    """Our own errors speak for themselves; anything else is logged with its traceback under an id."""
    if isinstance(error, MlopsDashError):
        return Said(error.message, error.hint, kind=_kind(error))
    incident = new_id()[:10]
    INCIDENTS.inc()
    _log.error("incident", exc_info=error, extra={"incident": incident})
    return Said(
        "Something of ours broke while making this page.",
        "Try again; if it stays, give the incident id to whoever runs this server.",
        incident,
    )


def _kind(error: MlopsDashError) -> str:
    if isinstance(error, NotAllowed):
        return "refused"
    if isinstance(error, NotFound):
        return "missing"
    return "away" if isinstance(error, Unavailable) else "broken"
