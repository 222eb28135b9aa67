"""Links to reports as frames for a table: pure, records in, frame out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.reports.shares import Share, ShareState

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
            "Password": ["Asked for" if one.has_password else "None" for one in found],
            "Made by": [who(one.made_by) for one in found],
            "Made": [fmt.instant(one.made_at, zone) for one in found],
        }
    )
