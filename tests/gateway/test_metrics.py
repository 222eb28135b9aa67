"""What the gateway tells Prometheus, asked over HTTP as Prometheus asks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_dash.gateway.metrics import MOST_MODELS, OTHER, GatewayMetrics, Measured
from mlops_dash.services.command import Context
from tests.gateway.test_app import HEADERS, INVOCATIONS, KIOSK_HEADERS, Tokens, furnished, open_client, split
from tests.served import MODEL, Served
from tests.test_metrics import read

ROUTE = "/models/{name}/invocations"


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Iterator[Context]:
    made = furnished(served, tmp_path)
    yield made
    made.databases.dispose()


@pytest.fixture
def client(home: Context) -> Iterator[httpx.Client]:
    with open_client(home, Tokens(), headers=HEADERS) as made:
        yield made


def labels(**named: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(named.items()))


def test_requests_rows_and_latencies_are_counted_by_route_and_model(client: httpx.Client) -> None:
    assert client.post(INVOCATIONS, json=split(3), headers={"X-Prediction-Batch": "b"}).status_code == 200
    client.post(INVOCATIONS, json=split(3), headers={"X-Prediction-Batch": "b"})  # known already
    client.post("/v1/labels", json={"model": MODEL, "labels": [{"prediction_id": "b-0", "value": 1}]})
    client.post("/models/no such model/invocations", json=split(1))
    client.get("/v1/serving", headers={"Authorization": "Bearer wrong"})
    told = read(client.get("/metrics").content)
    name = "mlops_dash_gateway_requests_total"
    assert told[name, labels(route=ROUTE, model=MODEL, status="200")] == 2
    assert told[name, labels(route=ROUTE, model="", status="404")] == 1
    assert told[name, labels(route="none", model="", status="401")] == 1
    assert told["mlops_dash_gateway_request_seconds_count", labels(route=ROUTE, model=MODEL)] == 2
    assert told["mlops_dash_gateway_request_seconds_sum", labels(route=ROUTE, model=MODEL)] > 0
    rows = "mlops_dash_gateway_rows_total"
    assert told[rows, labels(model=MODEL, kind="prediction")] == 3
    assert told[rows, labels(model=MODEL, kind="label")] == 1
    assert told["mlops_dash_gateway_waiting", labels(what="disk")] == 0
    assert ("mlops_dash_gateway_degraded", ()) in told


def test_who_may_see_nothing_sees_no_numbers(client: httpx.Client) -> None:
    assert client.get("/metrics", headers={"Authorization": ""}).status_code == 401
    assert client.get("/metrics", headers=KIOSK_HEADERS).status_code == 403


def test_nobody_makes_series_without_end() -> None:
    numbers = GatewayMetrics()
    seen = {numbers.model(f"m{number}") for number in range(MOST_MODELS + 50)}
    assert len(seen) == MOST_MODELS + 1
    assert OTHER in seen
    assert numbers.model("m3") == "m3"


def test_a_request_that_ends_in_a_surprise_is_counted_as_500() -> None:
    numbers = GatewayMetrics()

    async def breaks(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("no")

    measured = Measured(breaks, metrics=numbers, now=iter([1.0, 1.3]).__next__)
    with pytest.raises(RuntimeError):
        asyncio.run(measured({"type": "http"}, breaks, breaks))  # type: ignore[arg-type]
    told = read(numbers.all.text())
    assert told["mlops_dash_gateway_requests_total", labels(route="none", model="", status="500")] == 1
    assert told["mlops_dash_gateway_request_seconds_sum", labels(route="none", model="")] == pytest.approx(0.3)
