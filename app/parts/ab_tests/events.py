"""Which events were sent: what a test can count of users, accounts, sessions."""

from __future__ import annotations

import pandas as pd

from app.ui import widgets
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.room import ABRoom

HOW = "Send what happened to a user afterwards: POST /v1/events, client.log_event, or mlops-dash events FILE."


def draw(room: ABRoom) -> None:
    """The card."""
    with widgets.card("events", "Events", "What happened to units: revenue, clicks, complaints"):
        if not room.events:
            widgets.empty("bolt", "No event was sent yet", HOW, key="events")
            return
        zone = "UTC" if room.test is None else room.test.design.zone
        columns: dict[str, list[str]] = {} if room.test is not None else {"Model": [one.model for one in room.events]}
        columns |= {
            "Event": [one.name for one in room.events],
            "Sent": [f"{one.events:,}" for one in room.events],
            "First": [fmt.day(one.first, zone) for one in room.events],
            "Last": [fmt.day(one.last, zone) for one in room.events],
        }
        widgets.table(pd.DataFrame(columns))
