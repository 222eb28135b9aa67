"""A program that adds and edits models and writes policies over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from tests import factories
from tests.factories import ADMIN
from tests.gateway.test_app import KIOSK_HEADERS, Tokens, open_client

MINUTES = 'the "minutes" it\'s late'
AS = {name: {"Authorization": f"Bearer {name}-token"} for name in ("viewer", "scientist", "lead", "admin")}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path)
    yield made
    made.databases.dispose()


@pytest.fixture
def client(home: Context) -> Iterator[httpx.Client]:
    with open_client(home, Tokens(), headers=AS["scientist"]) as opened:
        yield opened


def add(client: httpx.Client, **more: Any) -> httpx.Response:
    sent = {"name": MINUTES, "source": "external", "task": "regression", "reason": "late trains", **more}
    return client.post("/v1/models", json=sent)


def names(client: httpx.Client, **asked: str) -> list[str]:
    return [one["name"] for one in client.get("/v1/models", params=asked, headers=AS["viewer"]).json()["models"]]


def test_a_model_is_added_edited_archived_and_restored(client: httpx.Client, home: Context) -> None:
    added = add(client, window="week", do_not_log=["postcode"], owner="ana")
    assert added.status_code == 200, added.text
    assert (added.json()["window"], added.json()["do_not_log"], added.json()["tier"]) == ("week", ["postcode"], 2)
    edited = client.patch("/v1/models", json={"name": MINUTES, "tier": 1, "window": "month", "reason": "it matters"})
    assert (edited.json()["tier"], edited.json()["window"], edited.json()["owner"]) == (1, "month", "ana")
    edited = client.patch("/v1/models", json={"name": MINUTES, "cluster": "agent", "reason": "ten of them"})
    assert edited.json()["cluster"] == "agent"
    for window in ("hour", "rows:5000", "batch:run id"):
        again = client.patch("/v1/models", json={"name": MINUTES, "window": window, "reason": "as it comes"})
        assert again.json()["window"] == window
    gone = client.post("/v1/models/archive", json={"name": MINUTES, "reason": "replaced"}, headers=AS["lead"])
    assert gone.json()["archived_at"] is not None
    assert names(client) == []
    assert names(client, archived="true") == [MINUTES]
    back = client.post("/v1/models/restore", json={"name": MINUTES, "reason": "not replaced"}, headers=AS["lead"])
    assert back.json()["archived_at"] is None
    assert names(client) == [MINUTES]
    told = [(one.action, one.reason) for one in RegistryService(home).ledger(ADMIN, MINUTES)]
    assert (Action.MODEL_EDITED, "it matters") in told
    assert (Action.MODEL_ARCHIVED, "replaced") in told


def test_words_as_classes_come_with_the_model(client: httpx.Client) -> None:
    classes = ["gentoo", 'it\'s an "adelie"']
    added = add(client, name="species", task="multiclass", class_names=classes)
    assert added.json()["class_names"] == classes
    assert add(client, name="other", task="multiclass").json()["error_code"] == "INVALID_INPUT"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"reason": "   "}, 422), ({"tier": "1"}, 422), ({"tier": 9}, 422), ({"tier": True}, 422),
        ({"task": "art"}, 422),
        ({"window": "fortnight"}, 422), ({"window": "batch:"}, 422), ({"window": "rows:9"}, 422),
        ({"window": "rows:"}, 422), ({"cluster": "label"}, 422),
        ({"title": 5}, 422), ({"do_not_log": "postcode"}, 422),
        ({"do_not_log": [""]}, 422), ({"colour": "red"}, 422), ({"name": ""}, 422),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_and_adds_nothing(
    client: httpx.Client, sent: dict[str, Any], status: int
) -> None:
    answer = add(client, **sent)
    assert (answer.status_code, answer.json()["error_code"]) == (status, "INVALID_INPUT"), answer.text
    assert names(client) == []


def test_who_may_not_is_refused(client: httpx.Client) -> None:
    assert add(client).status_code == 200
    assert add(client).json()["error_code"] == "CONFLICT"
    for headers in (AS["viewer"], KIOSK_HEADERS):
        sent = {"name": "other", "reason": "mine"}
        assert client.post("/v1/models", json=sent, headers=headers).status_code == 403
    assert client.get("/v1/models", headers=KIOSK_HEADERS).status_code == 403
    archive = client.post("/v1/models/archive", json={"name": MINUTES, "reason": "mine"})
    assert archive.status_code == 403
    assert client.patch("/v1/models", json={"name": "nobody's", "tier": 1, "reason": "x"}).status_code == 404
    assert client.patch("/v1/models", json={"name": MINUTES, "reason": "x"}).status_code == 422
    assert client.get("/v1/models", params={"archived": "maybe"}).status_code == 422
    assert names(client) == [MINUTES]


def test_a_policy_is_written_by_one_and_activated_by_another(client: httpx.Client) -> None:
    add(client)
    before = client.get("/v1/policy", params={"model": MINUTES}, headers=AS["viewer"]).json()
    assert (before["number"], before["waiting"]) == (0, [])
    assert {"name", "value", "default", "meaning", "choices"} == set(before["fields"][0])

    wish = {"model": MINUTES, "policy": {"floor_metric": "mae", "floor": 12.5}, "reason": "what we promised"}
    assert client.put("/v1/policy", json=wish).status_code == 403
    written = client.put("/v1/policy", json=wish, headers=AS["lead"]).json()
    assert (written["number"], written["state"]) == (1, "waits for a second person")
    assert written["policy"] == {**before["policy"], "floor_metric": "mae", "floor": 12.5}
    assert client.put("/v1/policy", json=wish, headers=AS["lead"]).status_code == 409
    yes = {"id": written["id"], "reason": "read and agreed"}
    assert client.post("/v1/policy/activate", json=yes, headers=AS["lead"]).status_code == 403
    held = client.post("/v1/policy/activate", json=yes, headers=AS["admin"])
    assert (held.json()["state"], held.json()["approver"]) == ("in force", ADMIN.id)
    assert client.get("/v1/policy", params={"model": MINUTES}).json()["policy"]["floor"] == 12.5
    watching = client.get("/v1/policy", params={"model": MINUTES, "kind": "monitoring"}).json()
    assert (watching["kind"], watching["number"]) == ("monitoring", 0)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"policy": {"flor": 1}}, 422), ({"policy": None}, 422), ({"policy": {"floor": "high"}}, 422),
     ({"kind": "moon"}, 422), ({"kind": ["promotion"]}, 422), ({"model": "nobody's"}, 404), ({"reason": None}, 422)],
)  # fmt: skip
def test_a_policy_that_cannot_hold_is_refused(client: httpx.Client, change: dict[str, Any], status: int) -> None:
    add(client)
    wish = {"model": MINUTES, "policy": {"floor_metric": "mae", "floor": 12.5}, "reason": "ours", **change}
    assert client.put("/v1/policy", json=wish, headers=AS["lead"]).status_code == status
    assert client.get("/v1/policy", params={"model": MINUTES}).json()["waiting"] == []
