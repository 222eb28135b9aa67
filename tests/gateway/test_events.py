"""Events over HTTP: a service account sends them of its model, each once, and a bad one stores nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from tests import factories
from tests.factories import ADMIN
from tests.gateway import test_app
from tests.gateway.test_app import HEADERS, KIOSK_HEADERS, Tokens, open_client

MINUTES = 'the "minutes" it\'s late'
ORDER = {"id": "order-1", "unit": 'it\'s "Ana"', "name": "revenue", "value": 24.9, "at": "2013-03-01T09:00:00Z"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Context]:
    made = factories.context(tmp_path)
    RegistryService(made).add_model(ADMIN, MINUTES, task="regression", source="external", reason="late trains")
    monkeypatch.setitem(test_app.TOKENS, "kiosk-token", replace(test_app.KIOSK, models=frozenset({MINUTES})))
    yield made
    made.databases.dispose()


@pytest.fixture
def client(home: Context) -> Iterator[httpx.Client]:
    with open_client(home, Tokens(), headers=HEADERS) as opened:
        yield opened


def send(client: httpx.Client, *events: Any, ask: str = "", model: str = MINUTES, **headers: str) -> httpx.Response:
    return client.post(f"/v1/events{ask}", json={"model": model, "events": list(events)}, headers=headers)


def test_a_program_sends_events_of_its_model_and_twice_is_once(client: httpx.Client) -> None:
    sent = send(client, ORDER, {"id": "c-1", "unit": 17, "name": "complaint"}, **KIOSK_HEADERS)
    assert (sent.status_code, sent.json()) == (200, {"new": 2, "known": 0})
    assert send(client, ORDER, **KIOSK_HEADERS).json() == {"new": 0, "known": 1}
    assert send(client, ORDER, model="ghost", **KIOSK_HEADERS).status_code == 403
    listed = client.get("/v1/events", params={"model": MINUTES}).json()["events"]
    assert [(one["name"], one["events"]) for one in listed] == [("complaint", 1), ("revenue", 1)]
    assert client.get("/v1/events", headers=KIOSK_HEADERS).status_code == 403
    assert client.get("/v1/events", params={"model": "ghost"}).status_code == 404


def test_a_bad_event_stores_nothing_unless_the_others_are_asked_for(client: httpx.Client) -> None:
    bad = {**ORDER, "id": "order-2", "value": "much"}
    refused = send(client, ORDER, bad)
    assert (refused.status_code, refused.json()["row"], refused.json()["column"]) == (422, 1, "value")
    assert client.get("/v1/events").json() == {"events": []}
    taken = send(client, ORDER, bad, ask="?on_error=skip").json()
    assert (taken["new"], taken["left_out"][0]["row"]) == (1, 1)
    other = send(client, {**ORDER, "value": 25})
    assert (other.status_code, "another value" in other.json()["message"]) == (409, True)
    assert send(client, {**ORDER, "value": 25}, {**ORDER, "id": "new"}, ask="?on_error=skip").json()["new"] == 1
    assert send(client, ORDER, model="ghost").status_code == 404
    assert client.post("/v1/events", json={"events": [ORDER]}).status_code == 422
