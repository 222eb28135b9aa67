"""The gateway's routes in process: who comes in, what is answered, what is stored, and how refusals read."""

from __future__ import annotations

import asyncio
import json
import socket
import sqlite3
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
import uvicorn
from sqlmodel import update

from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Role
from mlops_dash.errors import NotAuthenticated
from mlops_dash.gateway import access
from mlops_dash.gateway import app as gateway
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.command import Context
from mlops_dash.services.evidence import EvidenceService
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.services.scoring import ScoringService, following
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import counts, groups
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.tracking.models.loading import ModelCache
from tests import factories
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER
from tests.served import MODEL, Served, flights

KIOSK = Actor("user:kiosk", "kiosk", Role.SERVICE, kind="token", models=frozenset({MODEL}))
TOKENS = {"scientist-token": SCIENTIST, "viewer-token": VIEWER, "lead-token": LEAD, "admin-token": ADMIN,
          "kiosk-token": KIOSK}  # fmt: skip
HEADERS = {"Authorization": "Bearer scientist-token"}
KIOSK_HEADERS = {"Authorization": "Bearer kiosk-token"}
INVOCATIONS = f"/models/{MODEL}/invocations"


class Tokens:
    """The one method of the access service that the gateway uses."""

    def __init__(self) -> None:
        self.asked = 0
        self.revoked: set[str] = set()

    def actor_for_token(self, secret: str) -> Actor:
        self.asked += 1
        if secret in self.revoked or secret not in TOKENS:
            raise NotAuthenticated("The token is not valid.", hint="Ask an admin for one.")
        return TOKENS[secret]


def furnished(served: Served, folder: Path) -> Context:
    """A home in which version 1 of the served model is approved."""
    made = factories.context(folder, mlflow_uri=served.uri)
    with transaction(made.databases.app) as session:
        session.add(factories.model_row())
        session.add(factories.model_row("idle"))
        for version in ("1", "2"):
            session.add(factories.version_row(version, artifact_digest="", source_uri=served.sources[version]))
        session.flush()
        session.add(
            ServingRow(
                model=MODEL,
                alias="champion",
                version_id=f"{MODEL}-v1",
                shadow_version_ids=[],
                epoch=1,
                operation_id="op",
                since=NOON,
            )
        )
    return made


@pytest.fixture
def home(served: Served, tmp_path: Path) -> Iterator[Context]:
    made = furnished(served, tmp_path)
    yield made
    made.databases.dispose()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@contextmanager
def open_client(home: Context, tokens: Tokens, **kwargs: Any) -> Iterator[httpx.Client]:
    """A client of the gateway on a loopback port, in a thread of this process."""
    scoring = ScoringService(home, ModelCache(home.settings.mlflow_uri, home.settings.home))
    nouns = {"registry": RegistryService, "evidence": EvidenceService, "monitoring": MonitoringService,
             "policies": PolicyService, "retraining": RetrainingService}  # fmt: skip
    made = {name: noun(home) for name, noun in nouns.items()}
    services = cast(
        "Services", SimpleNamespace(context=home, scoring=scoring, access=tokens, ab_tests=ABTestService(home), **made)
    )
    app = gateway.create_app(services, process="gateway:test")
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", timeout_graceful_shutdown=5))
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with httpx.Client(base_url=base, trust_env=False, timeout=30.0, **kwargs) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def client(home: Context, tokens: Tokens) -> Iterator[httpx.Client]:
    with open_client(home, tokens, headers=HEADERS) as made:
        yield made


def split(rows: int) -> dict[str, Any]:
    return {"dataframe_split": json.loads(flights(rows).to_json(orient="split", index=False))}


def total(home: Context) -> int:
    with reading(home.databases.log) as session:
        return counts(session, MODEL).predictions


# --- who comes in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/ping", "/version", "/healthz"])
def test_health_paths_are_open(client: httpx.Client, path: str) -> None:
    assert client.get(path, headers={"Authorization": ""}).status_code == 200


def test_every_other_path_needs_a_token_whether_it_exists_or_not(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["paths"].items()
    asked = [
        (method.upper(), path) for path, methods in described for method in methods if path not in access.OPEN_PATHS
    ]
    assert ("POST", "/models/{name}/invocations") in asked
    for method, path in [
        *asked,
        ("GET", "/docs"),
        ("HEAD", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/"),
        ("GET", "/nothing"),
        ("OPTIONS", "/v1/labels"),
        ("GET", "//ping"),
    ]:
        answer = client.request(method, path, headers={"Authorization": ""})
        assert answer.status_code == 401, (method, path)
        if method != "HEAD":
            assert answer.json()["error_code"] == "NOT_AUTHENTICATED"


@pytest.mark.parametrize("header", ["Bearer", "Bearer wrong", "Basic !!!", "scientist-token", "Digest scientist-token"])
def test_a_wrong_token_is_refused_with_the_next_step(client: httpx.Client, header: str) -> None:
    answer = client.get("/v1/serving", headers={"Authorization": header})
    assert answer.status_code == 401
    assert answer.json()["hint"]


def test_a_role_that_may_not_is_refused(client: httpx.Client, home: Context) -> None:
    viewer = {"Authorization": "Bearer viewer-token"}
    for path, body in ((INVOCATIONS, split(1)), ("/v1/labels", {"model": MODEL, "labels": []})):
        answer = client.post(path, json=body, headers=viewer)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "NOT_ALLOWED")
    assert total(home) == 0
    assert client.get("/v1/serving", headers=viewer).status_code == 200


def test_a_service_account_logs_for_its_models_and_sees_nothing(client: httpx.Client, home: Context) -> None:
    kiosk = {"Authorization": "Bearer kiosk-token"}
    sent = {"model": MODEL, "batch": "b", "predictions": made_elsewhere(2)}
    assert client.post("/v1/predictions", json=sent, headers=kiosk).json()["stored"] == 2
    truth = {"model": MODEL, "labels": [{"prediction_id": "b-0", "value": 1}]}
    assert client.post("/v1/labels", json=truth, headers=kiosk).json()["new"] == 1
    refused = [
        client.get("/v1/predictions/b", headers=kiosk),
        client.get("/v1/serving", headers=kiosk),
        client.post(INVOCATIONS, json=split(1), headers=kiosk),
        *(client.post("/v1/predictions", json={**sent, "model": other}, headers=kiosk) for other in ("idle", "ghost")),
        *(client.post("/v1/labels", json={**truth, "model": other}, headers=kiosk) for other in ("idle", "ghost")),
    ]
    assert [(one.status_code, one.json()["error_code"]) for one in refused] == [(403, "NOT_ALLOWED")] * 7
    assert total(home) == 2


def test_a_revoked_token_stops_working_within_seconds(
    client: httpx.Client, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/v1/serving").status_code == 200
    asked = tokens.asked
    assert client.get("/v1/serving").status_code == 200
    assert tokens.asked == asked  # believed for two seconds
    tokens.revoked.add("scientist-token")
    monkeypatch.setattr(access, "KNOWN_SECONDS", 0.0)
    assert client.get("/v1/serving").status_code == 401


@pytest.mark.parametrize(
    ("changes", "status"),
    [({}, 401), ({"open_invocations": True}, 200), ({"open_invocations": True, "host": "0.0.0.0"}, 401)],
)
def test_invocations_open_only_by_setting_and_on_loopback(
    served: Served, tmp_path: Path, home: Context, changes: dict[str, object], status: int
) -> None:
    settings = factories.settings(tmp_path, mlflow_uri=served.uri, **changes)
    opened = Context(settings, home.clock, home.new_id, home.databases, home.registry)
    with open_client(opened, Tokens()) as client:
        assert client.post(INVOCATIONS, json=split(1)).status_code == status
        assert client.get("/v1/serving").status_code == 401


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 401), ("x", 401)])
def test_open_invocations_are_open_to_this_machine_alone(address: str, status: int) -> None:
    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    said: list[int] = []

    async def send(message: Any) -> None:
        said.append(message.get("status", 0))

    async def receive() -> Any:
        return {"type": "http.request"}

    door = access.Doorkeeper(inside, actor_for_token=Tokens().actor_for_token, open_invocations=True)
    scope = {"type": "http", "path": INVOCATIONS, "method": "POST", "headers": [], "client": (address, 1)}
    asyncio.run(door(scope, receive, send))
    assert said[0] == status


# --- invocations ------------------------------------------------------------------------------------------------------


def test_an_answer_names_its_batch_and_version_and_is_stored(client: httpx.Client, home: Context) -> None:
    answer = client.post(INVOCATIONS, json=split(3), headers={"X-Prediction-Batch": "b"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert (answer.headers["x-prediction-batch"], answer.headers["x-model-version"]) == ("b", "1")
    assert total(home) == 3
    mapped = client.get("/v1/predictions/b").json()
    assert [row["prediction_id"] for row in mapped["rows"]] == ["b-0", "b-1", "b-2"]
    scores = [row["answers"][0]["score"] for row in mapped["rows"]]
    assert scores == [row[1] for row in answer.json()["predictions"]]
    assert mapped["rows"][0]["answers"][0]["version"] == "1"


def test_a_batch_without_a_name_gets_one(client: httpx.Client) -> None:
    names = {client.post(INVOCATIONS, json=split(1)).headers["x-prediction-batch"] for _ in range(2)}
    assert len(names) == 2


def test_ids_may_come_in_a_column(client: httpx.Client) -> None:
    rows = flights(2).assign(flight=["x", "y"])
    records = json.loads(rows.to_json(orient="records"))
    sent = {"X-Prediction-Batch": "b", "X-Prediction-Ids-Column": "flight"}
    assert client.post(INVOCATIONS, json={"dataframe_records": records}, headers=sent).status_code == 200
    assert [row["prediction_id"] for row in client.get("/v1/predictions/b").json()["rows"]] == ["x", "y"]
    missing = client.post(INVOCATIONS, json=split(1), headers={"X-Prediction-Ids-Column": "number"})
    assert (missing.status_code, missing.json()["error_code"]) == (422, "INVALID_INPUT")
    twice = {"dataframe_records": [{**record, "flight": "x"} for record in records]}
    answer = client.post(INVOCATIONS, json=twice, headers={"X-Prediction-Ids-Column": "flight"})
    assert (answer.status_code, answer.json()["row"], answer.json()["column"]) == (422, 1, "flight")


def test_unknown_models_and_unapproved_ones_have_their_own_answers(client: httpx.Client) -> None:
    unknown = client.post("/models/nothing/invocations", json=split(1))
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "NOT_FOUND")
    idle = client.post("/models/idle/invocations", json=split(1))
    assert (idle.status_code, idle.json()["error_code"]) == (409, "NOTHING_TO_SERVE")
    assert unknown.json()["hint"]
    assert idle.json()["hint"]


def test_what_mlflow_refuses_is_refused_in_its_words(client: httpx.Client, home: Context) -> None:
    answer = client.post(INVOCATIONS, content=b"not json", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "BAD_REQUEST")
    assert "x-prediction-batch" not in answer.headers
    assert client.post(INVOCATIONS, content=b"<x/>", headers={"Content-Type": "text/xml"}).status_code == 415
    assert client.post(INVOCATIONS, content=b"").status_code == 415
    assert total(home) == 0


def test_a_batch_name_must_be_printable(client: httpx.Client) -> None:
    answer = client.post(INVOCATIONS, json=split(1), headers={"X-Prediction-Batch": "x" * 201})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT")


def test_a_promotion_is_served(client: httpx.Client, home: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    assert client.post(INVOCATIONS, json=split(1)).headers["x-model-version"] == "1"
    with transaction(home.databases.app) as session:
        row = session.get_one(ServingRow, (MODEL, "champion"))
        row.version_id, row.epoch = f"{MODEL}-v2", 2
        session.add(row)
    assert client.post(INVOCATIONS, json=split(1)).headers["x-model-version"] == "2"
    (served,) = client.get("/v1/serving").json()
    assert (served["version"], served["epoch"], served["error"]) == ("2", 2, "")


def test_no_answer_leaves_before_its_row_is_stored(client: httpx.Client, home: Context) -> None:
    assert client.post(INVOCATIONS, json=split(1)).status_code == 200
    with home.databases.log.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        connection.commit()
    other = sqlite3.connect(home.settings.home / "log.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        answer = client.post(INVOCATIONS, json=split(2))
    finally:
        other.rollback()
        other.close()
    assert (answer.status_code, answer.json()["error_code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["retry-after"]
    assert "Nothing was changed" in answer.json()["hint"]
    assert total(home) == 1
    assert client.post(INVOCATIONS, json=split(2)).status_code == 200


# --- predictions and labels -------------------------------------------------------------------------------------------


def made_elsewhere(rows: int) -> list[dict[str, Any]]:
    return [{"version": "2", "score": 0.5, "features": {"hour": row}} for row in range(rows)]


def test_predictions_made_elsewhere_are_stored_once(client: httpx.Client, home: Context) -> None:
    body = {"model": MODEL, "batch": "b", "predictions": made_elsewhere(3)}
    first = client.post("/v1/predictions", json=body)
    assert first.json() == {"batch": "b", "stored": 3, "known": 0, "prediction_ids": ["b-0", "b-1", "b-2"]}
    assert client.post("/v1/predictions", json=body).json()["known"] == 3
    assert total(home) == 3


def test_a_bad_row_refuses_the_whole_batch(client: httpx.Client, home: Context) -> None:
    rows = made_elsewhere(3)
    rows[2]["score"] = "high"
    answer = client.post("/v1/predictions", json={"model": MODEL, "predictions": rows})
    assert answer.status_code == 422
    said = answer.json()
    assert (said["error_code"], said["row"], said["column"], said["value"]) == ("INVALID_ROW", 2, "score", "'high'")
    assert said["reason"]
    assert said["hint"]
    assert total(home) == 0


BAD = ({"score": "high"}, {"version": "9"}, {"at": "noon"}, {"features": {"hour": []}}, {"surprise": 1})


def test_the_good_rows_of_a_batch_are_stored_where_that_is_asked_for(client: httpx.Client, home: Context) -> None:
    rows = [row for bad in BAD for row in (made_elsewhere(1)[0], {**made_elsewhere(1)[0], **bad})]
    body = {"model": MODEL, "batch": "b", "predictions": rows}
    answer = client.post("/v1/predictions?on_error=skip", json=body).json()
    assert (answer["stored"], answer["prediction_ids"]) == (5, ["b-0", "b-2", "b-4", "b-6", "b-8"])
    said = [(one["row"], one["column"]) for one in answer["left_out"]]
    assert said == [(1, "score"), (3, "version"), (5, "at"), (7, "hour"), (9, "surprise")]
    assert answer["left_out"][0]["value"] == "'high'"
    assert all(one["reason"] for one in answer["left_out"])
    assert [row["row"] for row in client.get("/v1/predictions/b").json()["rows"]] == [0, 2, 4, 6, 8]
    for _ in range(2):  # sent again, the same rows are set aside once
        client.post("/v1/predictions?on_error=skip", json=body)
        with reading(home.databases.log) as session:
            aside = groups(session, MODEL)
        assert {(one.column, one.rows, one.logged) for one in aside} == {
            (column, 1, False) for column in ("score", "version", "at", "hour", "surprise")
        }  # fmt: skip
    assert {one.column: one.samples[0][1] for one in aside}["score"] == "'high'"
    mended = {**body, "predictions": [{**row, **made_elsewhere(1)[0]} for row in made_elsewhere(10)]}
    assert client.post("/v1/predictions?on_error=skip", json=mended).json()["stored"] == 5  # what was bad, and no more
    assert total(home) == 10


def test_ids_that_cannot_be_are_left_out_one_by_one(client: httpx.Client, home: Context) -> None:
    def named(*names: str | None, hour: int = 0) -> dict[str, Any]:
        row = {"version": "2", "score": 0.5, "features": {"hour": hour}}
        return {"model": MODEL, "predictions": [{**row, "prediction_id": name} for name in names]}

    client.post("/v1/predictions", json=named('it\'s "known"', hour=7))
    answer = client.post("/v1/predictions?on_error=skip", json=named("a", None, "a", 'it\'s "known"', "b")).json()
    assert (answer["stored"], answer["prediction_ids"]) == (2, ["a", "b"])
    assert [(one["row"], one["reason"]) for one in answer["left_out"]] == [
        (1, "some rows have an id and this one has none"),
        (2, "this id occurs twice in the batch"),
        (3, "is known with another row of features"),
    ]
    assert total(home) == 3


def test_good_labels_are_stored_where_that_is_asked_for(client: httpx.Client, home: Context) -> None:
    client.post("/v1/predictions", json={"model": MODEL, "batch": "b", "predictions": made_elsewhere(3)})
    labels = [{"prediction_id": f"b-{n}", "value": value} for n, value in enumerate((1, "late", 0))]
    body = {"model": MODEL, "labels": [*labels, {"value": 1}]}
    assert client.post("/v1/labels", json=body).status_code == 422
    answer = client.post("/v1/labels?on_error=skip", json=body).json()
    assert (answer["new"], [(one["row"], one["column"]) for one in answer["left_out"]]) == (
        2, [(1, "value"), (3, "prediction_id")],
    )  # fmt: skip
    with reading(home.databases.log) as session:
        aside = {one.column: one.samples for one in groups(session, MODEL)}
    assert aside["value"] == (("b-1", "'late'"),)
    assert aside["prediction_id"][0][0].startswith("row-")
    assert "left_out" not in client.post("/v1/labels?on_error=skip", json={"model": MODEL, "labels": labels[:1]}).json()


@pytest.mark.parametrize("path", ["/v1/predictions", "/v1/labels"])
def test_another_word_for_errors_is_refused(client: httpx.Client, path: str) -> None:
    answer = client.post(f"{path}?on_error=ignore", json={"model": MODEL})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT")
    assert "'ignore'" in answer.json()["message"]


@pytest.mark.parametrize("path", ["/v1/predictions", "/v1/labels"])
@pytest.mark.parametrize(
    "body", [b"", b"no", b"[]", b"\xff", b'{"model": "flight-delay"}', b"{}", b'{"surprise": 1}', b"[" * 100_000]
)
def test_a_body_of_another_shape_is_refused(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT")


def test_labels_join_and_are_revised(client: httpx.Client) -> None:
    client.post(INVOCATIONS, json=split(1), headers={"X-Prediction-Batch": "b"})

    def send(value: object, prediction_id: str = "b-0") -> httpx.Response:
        label = {"prediction_id": prediction_id, "value": value}
        return client.post("/v1/labels", json={"model": MODEL, "labels": [label]})

    assert send(0).json() == {"new": 1, "revised": 0, "unchanged": 0, "pending": 0}
    assert send(0).json()["unchanged"] == 1
    assert send(1).json()["revised"] == 1
    assert send(1, "later").json()["pending"] == 1
    bad = send(7)
    assert (bad.status_code, bad.json()["row"], bad.json()["column"]) == (422, 0, "value")


def test_no_labels_are_no_error(client: httpx.Client) -> None:
    assert client.post("/v1/labels", json={"model": MODEL, "labels": []}).json()["new"] == 0


def test_a_body_that_is_too_large_is_refused(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "MOST_BYTES", 10)
    answer = client.post("/v1/labels", json={"model": MODEL, "labels": []})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT")


def test_a_client_that_leaves_in_the_middle_leaves_no_trace(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (f"POST {INVOCATIONS} HTTP/1.1", "Host: x", "Authorization: Bearer scientist-token", "Content-Length: 100")
    head = "\r\n".join([*lines, "", ""])
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as leaving:
        leaving.sendall(head.encode() + b"{")
    assert client.post(INVOCATIONS, json=split(1)).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_unknown_batch_or_path_is_not_found(client: httpx.Client) -> None:
    for path in ("/v1/predictions/none", "/nothing"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "NOT_FOUND")
    assert client.get(INVOCATIONS).status_code == 405


# --- docs -------------------------------------------------------------------------------------------------------------


def test_docs_load_nothing_from_outside(client: httpx.Client) -> None:
    basic = "Basic " + b64encode(b"anybody:viewer-token").decode()
    page = client.get("/docs", headers={"Authorization": basic})
    assert page.status_code == 200
    for word in ("<script", "src=", "http://", "https://", "@import", "url("):
        assert word not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for path in client.get("/openapi.json").json()["paths"]:
        assert path in page.text
    assert "X-Prediction-Ids-Column" in page.text


def test_a_browsers_password_opens_nothing_but_the_docs(client: httpx.Client) -> None:
    basic = "Basic " + b64encode(b"anybody:scientist-token").decode()
    assert client.get("/v1/serving", headers={"Authorization": basic}).status_code == 401


def test_health_says_the_time_of_this_world(client: httpx.Client) -> None:
    said = client.get("/healthz").json()
    assert (said["status"], said["now"], said["process"]) == ("ok", NOON.isoformat(), "gateway:test")


def test_an_error_of_ours_is_an_incident(home: Context, tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ScoringService, "serving", fail)
    with open_client(home, tokens, headers=HEADERS) as client:
        answer = client.get("/v1/serving")
    assert (answer.status_code, answer.json()["error_code"]) == (500, "INTERNAL")
    assert "incident" in answer.json()["message"]


def test_a_body_that_never_ends_is_cut_off(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "BODY_SECONDS", 0.3)
    held = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b'{"model": '
        held.wait(3.0)
        yield b"1}"

    try:
        answer = client.post("/v1/labels", content=slowly())
    except httpx.TransportError:  # the answer came and the connection was closed while we still sent
        return
    assert answer.status_code == 408


def test_health_names_a_model_that_answers_nothing(home: Context, tokens: Tokens) -> None:
    with transaction(home.databases.app) as session:
        session.add(factories.version_row("9", artifact_digest="", source_uri="/nowhere/9"))
        session.flush()
        session.exec(update(ServingRow).values(version_id=f"{MODEL}-v9"))  # type: ignore[call-overload]
    with open_client(home, tokens, headers=HEADERS) as client:
        until = time.monotonic() + 60
        while client.get("/healthz").json()["status"] == "ok" and time.monotonic() < until:
            time.sleep(0.2)
        health = client.get("/healthz").json()
    assert health["status"] == "degraded"
    assert MODEL in health["why"]
