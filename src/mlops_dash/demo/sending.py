"""Flights as real clients send them: over HTTP, by MLflow's protocol, with a bearer token; outcomes in batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.demo.flights.columns import ZONE, Target, features_of
from mlops_dash.domain.access import Actor
from mlops_dash.errors import Unavailable

AFTER_THE_HOUR = timedelta(minutes=5)  # a client asks about an hour's flights once their weather is known
_TOKEN_DAYS = 30  # of this world, which goes by quickly
_FOLLOW_SECONDS = 30.0  # the gateway asks for the shared clock four times a second
_LABELS = 500  # in one request


@contextmanager
def client(services: Services, actor: Actor, *, label: str) -> Iterator[httpx.Client]:
    """A client of this installation's gateway, with a token of the demo's scientist that ends with it.

    Args:
        services: Whose gateway it is.
        actor: Who issues the token, and revokes it; also one that an earlier call, which was killed, left behind.
        label: Of the token, in the ledger.
    """
    for left in services.access.tokens(actor):
        if left.name == label and left.revoked_at is None:
            services.access.revoke_token(actor, left.id, reason="left by a process that was ended")
    issued = services.access.issue_token(actor, "scientist", label=label, days=_TOKEN_DAYS)
    settings = services.context.settings
    base, headers = f"http://{settings.host}:{settings.gateway_port}", {"Authorization": f"Bearer {issued.secret}"}
    try:
        with httpx.Client(base_url=base, headers=headers, timeout=30.0, trust_env=False) as made:
            yield made
    except httpx.TransportError as error:
        raise Unavailable(
            f"The gateway at {base} does not answer: {error!r}.", hint="Start it: mlops-dash up."
        ) from error
    finally:
        services.access.revoke_token(actor, issued.token.id, reason="all is sent")


def by_hour(rows: pd.DataFrame) -> list[tuple[datetime, pd.DataFrame]]:
    """Flights by the hour in New York that they are scheduled for, in order."""
    hours = rows["scheduled_at"].dt.tz_convert(ZONE).dt.floor("h")
    return [(pd.Timestamp(hour).to_pydatetime(), batch) for hour, batch in rows.groupby(hours, sort=True)]


def wait_for_clock(client: httpx.Client, at: datetime) -> None:
    """Until the gateway lives in that moment.

    Raises:
        Unavailable: it does not.
    """
    until = time.monotonic() + _FOLLOW_SECONDS
    while time.monotonic() < until:
        said = datetime.fromisoformat(answer(client.get("/healthz"))["now"])
        if abs(said - at) < timedelta(minutes=2):
            return
        time.sleep(0.05)
    raise Unavailable(
        "The gateway does not follow the demo's clock.", hint="See logs/gateway.jsonl in the demo's home."
    )


def is_sent(client: httpx.Client, batch_id: str) -> bool:
    """Whether the log knows the batch."""
    response = client.get(f"/v1/predictions/{batch_id}")
    if response.status_code == httpx.codes.NOT_FOUND:
        return False
    answer(response)
    return True


def score(client: httpx.Client, target: Target, batch: pd.DataFrame, batch_id: str) -> None:
    """Ask a model about these flights.

    Raises:
        Unavailable: the gateway refuses them.
    """
    frame = features_of(batch, target)
    frame.insert(0, "flight_id", batch["flight_id"].to_numpy())
    rows = [[None if pd.isna(value) else value for value in row] for row in frame.astype(object).to_numpy().tolist()]
    answer(
        client.post(
            f"/models/{target.model}/invocations",
            json={"dataframe_split": {"columns": list(frame.columns), "data": rows}},
            headers={"X-Prediction-Batch": batch_id, "X-Prediction-Ids-Column": "flight_id"},
        )
    )


def label(client: httpx.Client, target: Target, rows: pd.DataFrame) -> None:
    """Tell what became of these flights.

    Raises:
        Unavailable: the gateway refuses it.
    """
    values = zip(rows["flight_id"], rows[target.label].astype(float), rows[target.known_at], strict=True)
    labels = [
        {"prediction_id": flight, "value": value, "observed_at": known_at.isoformat()}
        for flight, value, known_at in values
    ]
    for start in range(0, len(labels), _LABELS):
        answer(client.post("/v1/labels", json={"model": target.model, "labels": labels[start : start + _LABELS]}))


def answer(response: httpx.Response) -> Any:
    """What the gateway said.

    Raises:
        Unavailable: it refused.
    """
    if response.is_error:
        raise Unavailable(
            f"The gateway answered {response.status_code} to {response.request.url.path}: {response.text[:200]}.",
            hint="See logs/gateway.jsonl in the demo's home.",
        )
    return response.json()
