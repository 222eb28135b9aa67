"""The last day comes over HTTP, as real clients send it: MLflow's protocol, a bearer token, labels in batches."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.demo import sending
from mlops_dash.demo.flights.columns import LABEL, LATE_ARRIVAL
from mlops_dash.demo.story import ADMIN
from mlops_dash.store import world
from mlops_dash.store.db import transaction


def set_world_clock(services: Services, at: datetime) -> None:
    """Make it `at` in every process of this installation, from now on."""
    offset = at - services.context.clock.wall()
    with transaction(services.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, offset.total_seconds())


def play(services: Services, flights: pd.DataFrame, *, day: datetime, midnight: datetime, tell: Any) -> None:
    """Send one day's flights hour by hour, then the outcomes of the planes that landed.

    Raises:
        Unavailable: the gateway does not answer, or refuses a batch.
    """
    rows = flights[(flights["scheduled_at"] >= day) & (flights["scheduled_at"] < midnight)]
    with sending.client(services, ADMIN, label="demo: the last day over HTTP") as client:
        hours = sending.by_hour(rows)
        for number, (hour, batch) in enumerate(hours):
            at = hour + sending.AFTER_THE_HOUR
            set_world_clock(services, at)
            sending.wait_for_clock(client, at)
            sending.score(client, LATE_ARRIVAL, batch, f"http-{hour:%Y%m%dT%H}")
            tell((number + 1) / (len(hours) + 1), f"Sending {hour:%H:%M} of {day:%d %B} over HTTP")
        set_world_clock(services, midnight)
        sending.wait_for_clock(client, midnight)
        landed = flights["landed_at"]
        sending.label(client, LATE_ARRIVAL, flights[(landed >= day) & (landed < midnight) & flights[LABEL].notna()])
