"""The last day comes over HTTP, as real clients send it: MLflow's protocol, a bearer token, labels in batches."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.demo.flights.columns import LABEL, ZONE, features_of
from mlops_dash.demo.story import ADMIN, MODEL
from mlops_dash.errors import Unavailable
from mlops_dash.store import world
from mlops_dash.store.db import transaction

_FOLLOW_SECONDS = 30.0  # the gateway asks for the shared clock four times a second


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
    made = services.context.settings
    rows = flights[(flights["scheduled_at"] >= day) & (flights["scheduled_at"] < midnight)]
    issued = services.access.issue_token(ADMIN, "scientist", label="demo: the last day over HTTP", days=1)
    base = f"http://{made.host}:{made.gateway_port}"
    headers = {"Authorization": f"Bearer {issued.secret}"}
    hours = rows["scheduled_at"].dt.tz_convert(ZONE).dt.floor("h")
    with httpx.Client(base_url=base, headers=headers, timeout=30.0, trust_env=False) as client:
        for number, (hour, batch) in enumerate(rows.groupby(hours, sort=True)):
            at = pd.Timestamp(hour).to_pydatetime() + timedelta(minutes=5)
            set_world_clock(services, at)
            _wait_for_clock(client, at)
            _score(client, batch, f"http-{pd.Timestamp(hour):%Y%m%dT%H}")
            tell((number + 1) / (hours.nunique() + 1), f"Sending {pd.Timestamp(hour):%H:%M} of {day:%d %B} over HTTP")
        set_world_clock(services, midnight)
        _wait_for_clock(client, midnight)
        landed = flights["landed_at"]
        known = flights[(landed >= day) & (landed < midnight) & flights[LABEL].notna()]
        _label(client, known)
    services.access.revoke_token(ADMIN, issued.token.id, reason="the last day is sent")


def _wait_for_clock(client: httpx.Client, at: datetime) -> None:
    """Until the gateway lives in that hour."""
    until = time.monotonic() + _FOLLOW_SECONDS
    while time.monotonic() < until:
        said = datetime.fromisoformat(_answer(client.get("/healthz"))["now"])
        if abs(said - at) < timedelta(minutes=2):
            return
        time.sleep(0.05)
    raise Unavailable("The gateway does not follow the demo's clock.", hint="See data/local/demo/logs/gateway.jsonl.")


def _score(client: httpx.Client, batch: pd.DataFrame, batch_id: str) -> None:
    frame = features_of(batch)
    frame.insert(0, "flight_id", batch["flight_id"].to_numpy())
    rows = [[None if pd.isna(value) else value for value in row] for row in frame.astype(object).to_numpy().tolist()]
    split = {"columns": list(frame.columns), "data": rows}
    _answer(
        client.post(
            f"/models/{MODEL}/invocations",
            json={"dataframe_split": split},
            headers={"X-Prediction-Batch": batch_id, "X-Prediction-Ids-Column": "flight_id"},
        )
    )


def _label(client: httpx.Client, rows: pd.DataFrame) -> None:
    labels = [
        {"prediction_id": flight, "value": float(late), "observed_at": landed.isoformat()}
        for flight, late, landed in zip(rows["flight_id"], rows[LABEL].astype(float), rows["landed_at"], strict=True)
    ]
    for start in range(0, len(labels), 500):
        _answer(client.post("/v1/labels", json={"model": MODEL, "labels": labels[start : start + 500]}))


def _answer(response: httpx.Response) -> Any:
    if response.is_error:
        raise Unavailable(
            f"The gateway answered {response.status_code} to {response.request.url.path}: {response.text[:200]}.",
            hint="See data/local/demo/logs/gateway.jsonl.",
        )
    return response.json()
