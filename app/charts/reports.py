"""Links to reports, their schedules and deliveries as frames for a table: pure, records in, frame out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.levels import LEVEL_LABELS
from mlops_dash.domain.reports.plans import Plan, said_to
from mlops_dash.domain.reports.shares import Share, ShareState
from mlops_dash.domain.retraining import Schedule

STATES = {
    ShareState.OPEN: "Open",
    ShareState.EXPIRED: "Expired",
    ShareState.REVOKED: "Revoked",
    ShareState.STOPPED: "Stopped: its maker's account is disabled",
}


def links(found: Sequence[Share], *, wall: datetime, zone: str) -> pd.DataFrame:
    """One row a link, in the order given: for whom, how it stands, how often it was opened."""
    return pd.DataFrame(
        {
            "State": [STATES[one.state(wall)] for one in found],
            "Opened": [one.opens for one in found],
            "For whom": [one.reason for one in found],
            "Until": [fmt.instant(one.expires_at, zone) for one in found],
            "Last opened": [fmt.instant(one.last_opened_at, zone) for one in found],
            "Level": [LEVEL_LABELS[one.level] for one in found],
            "Password": ["Asked for" if one.has_password else "None" for one in found],
            "Made by": [who(one.made_by) for one in found],
            "Made": [fmt.instant(one.made_at, zone) for one in found],
        }
    )


def schedules(made: Sequence[Schedule], last: Mapping[str, Delivery], *, zone: str) -> pd.DataFrame:
    """One row a schedule: name, how its last one ended, the next, what, to whom, whose. `last` is by the plan's id."""
    plans = [Plan.of(one.arguments) for one in made]
    latest = [last.get(one.id) for one in plans]
    return pd.DataFrame(
        {
            "Name": [one.name for one in made],
            "Last": [_became(one, zone) for one in latest],
            "Next": [_next(one, zone) for one in made],
            "Report": [one.words() for one in plans],
            "When": [one.when for one in made],
            "To": [", ".join(one.said_to) for one in plans],
            "Owner": [one.owner for one in plans],
            "As": [", ".join(str(kind).upper() for kind in one.formats) for one in plans],
            "When nothing changed": ["Left out" if one.only_changed else "Sent" for one in plans],
        }
    )


def deliveries(found: Sequence[Delivery], zone: str) -> pd.DataFrame:
    """One row a delivery, in the order given: when, how it stands, to whom, what, and what became of it."""
    return pd.DataFrame(
        {
            "When": [fmt.instant(one.sent_at or one.created_at, zone) for one in found],
            "State": [str(one.state).capitalize() for one in found],
            "To": [said_to(one.recipient, one.level) or "Nobody" for one in found],
            "What became of it": [one.note or fmt.MISSING for one in found],
            "Report": [one.about for one in found],
            "Asked by": [one.plan for one in found],
            "Tried": [one.attempts for one in found],
        }
    )


def _became(one: Delivery | None, zone: str) -> str:
    return "Never" if one is None else f"{str(one.state).capitalize()}, {fmt.instant(one.created_at, zone)}"


def _next(one: Schedule, zone: str) -> str:
    if not one.enabled:
        return f"Paused: {one.pause_reason}"
    if one.upcoming is None:
        return "Not planned yet"
    return fmt.instant(one.ahead[0], zone) if one.ahead else fmt.MISSING
