"""A stranger's pipeline over HTTP: evidence that gates read, and what live traffic is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.monitoring.room import OUT_OF_FOLD
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.services.registry import RegistryService
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import references
from tests import factories
from tests.factories import ADMIN, VIEWER, WORKER
from tests.gateway.test_app import HEADERS, KIOSK_HEADERS, Tokens, open_client

MINUTES, SPECIES = 'the "minutes" it\'s late', "species"
CLASSES = ["gentoo", 'it\'s an "adelie"']
FIRST = datetime(2013, 3, 1, 9, tzinfo=UTC)
DAYS, A_DAY = 42, 30


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path)
    registry = RegistryService(made)
    registry.add_model(ADMIN, MINUTES, task="regression", source="external", reason="late trains")
    registry.add_model(
        ADMIN,
        SPECIES,
        task="multiclass",
        class_names=["gentoo", 'it\'s an "adelie"'],
        source="external",
        reason="birds",
    )
    yield made
    made.databases.dispose()


@pytest.fixture
def client(home: Context) -> Iterator[httpx.Client]:
    with open_client(home, Tokens(), headers=HEADERS) as opened:
        yield opened


def trips(error: float) -> list[dict[str, Any]]:
    """What was true on forty days, and what a version of this error said."""
    rng = np.random.default_rng(5)
    took = rng.normal(30, 8, 1_200)
    said = took + np.random.default_rng(int(error)).normal(0, error, len(took))
    return [
        {"id": f"{n:05d}", "label": label, "score": score, "at": (FIRST + timedelta(days=n // 30)).isoformat(),
         "slices": {"depot": ["north", "NA"][n % 2]}}
        for n, (label, score) in enumerate(zip(took.tolist(), said.tolist(), strict=True))
    ]  # fmt: skip


def push(client: httpx.Client, version: str, rows: Any, **more: Any) -> httpx.Response:
    return client.post("/v1/evidence", json={"model": MINUTES, "version": version, "rows": rows, **more})


def reference(client: httpx.Client, **more: Any) -> httpx.Response:
    return client.post("/v1/reference", json={"model": MINUTES, "version": "1", **more})


def scored(days: int = DAYS) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    said, off = rng.normal(30, 8, days * A_DAY), rng.normal(0, 2, days * A_DAY)
    return [
        {"at": (FIRST + timedelta(days=n // A_DAY, minutes=n % A_DAY)).isoformat(), "score": float(score),
         "label": float(score + error), "features": {"waiting": int(score) % 9, "queue": ["007", "NA"][n % 2]}}
        for n, (score, error) in enumerate(zip(said, off, strict=True))
    ]  # fmt: skip


# --- evidence ---------------------------------------------------------------------------------------------------------


def test_two_versions_are_measured_and_compared_by_rows_that_were_sent(client: httpx.Client, home: Context) -> None:
    old, new = trips(6.0), trips(3.0)
    first = push(client, "1", old, source="nightly evaluation").json()
    assert (first["version"], first["rows"], first["changed"]) == (f"{MINUTES} v1", 1_200, True)
    assert {one["metric"] for one in first["evidence"]} == {"mae", "rmse"}
    assert first["evidence"][0]["n_clusters"] == 40
    assert push(client, "2", new).status_code == 200

    answer = client.post("/v1/evidence/comparisons", json={"model": MINUTES, "version": "2", "with": "1"})

    assert answer.status_code == 200, answer.text
    mae = next(one for one in answer.json()["evidence"] if one["metric"] == "mae")
    days = [one["at"][:10] for one in old]
    oracle = paired_difference(
        np.array([one["label"] for one in old]), np.array([one["score"] for one in new]),
        np.array([one["score"] for one in old]), np.array(days), metric="mae", direction="lower_is_better", level=0.95,
    )  # fmt: skip
    assert mae["value"] == pytest.approx(-oracle.value)
    registry = RegistryService(home)
    registry.serve_elsewhere(ADMIN, registry.version_id(ADMIN, MINUTES, "1"), reason="their service answers")
    again = client.post("/v1/evidence/comparisons", json={"model": MINUTES, "version": "2"})  # with what answers now
    assert again.json()["comparator"] == f"{MINUTES} v1"
    gates = {one["name"]: one["state"] for one in registry.gate(VIEWER, MINUTES, "2")["gates"]}
    assert gates["primary metric"] == "passed"
    entries = [one for one in registry.ledger(VIEWER, MINUTES) if one.action == Action.EVIDENCE_PUSHED]
    assert [one.after["source"] for one in entries] == ["HTTP", "nightly evaluation"]
    assert push(client, "1", old[::-1]).json()["changed"] is False


def test_probabilities_of_all_classes_are_measured(client: httpx.Client) -> None:
    rows = [
        {"id": n, "label": CLASSES[n % 2], "scores": {CLASSES[n % 2]: 0.7 if n % 5 else 0.4,
                                                      CLASSES[1 - n % 2]: 0.3 if n % 5 else 0.6}}
        for n in range(100)
    ]  # fmt: skip
    answer = client.post("/v1/evidence", json={"model": SPECIES, "version": "1", "rows": rows})
    assert answer.status_code == 200, answer.text
    found = {one["metric"]: one["value"] for one in answer.json()["evidence"]}
    assert found["accuracy"] == 0.8
    assert found["log_loss"] == pytest.approx(-(80 * np.log(0.7) + 20 * np.log(0.4)) / 100)
    assert 0.5 < found["auc_ovr"] < 1.0
    for row, scores, code in (
        (3, {CLASSES[0]: 0.9, CLASSES[1]: 0.9}, "INVALID_ROW"), (3, {CLASSES[0]: "high", CLASSES[1]: 1}, "INVALID_ROW"),
        (3, [0.5, 0.5], "INVALID_ROW"), (3, {"dodo": 0.5, CLASSES[0]: 0.5}, "INVALID_INPUT"),
    ):  # fmt: skip
        bad = [*rows[:row], {**rows[row], "scores": scores}, *rows[row + 1 :]]
        answer = client.post("/v1/evidence", json={"model": SPECIES, "version": "1", "rows": bad})
        assert (answer.status_code, answer.json()["error_code"]) == (422, code), answer.text
    mixed = [{**rows[0], "score": CLASSES[0]}, *rows[1:]]
    assert client.post("/v1/evidence", json={"model": SPECIES, "version": "1", "rows": mixed}).status_code == 422


def test_words_as_classes_are_measured(client: httpx.Client) -> None:
    names = ["gentoo", 'it\'s an "adelie"']
    rows = [{"id": n, "label": names[n % 2], "score": names[n % 2 if n % 5 else 0]} for n in range(100)]
    answer = client.post("/v1/evidence", json={"model": SPECIES, "version": 1, "rows": rows})
    assert answer.status_code == 200, answer.text
    accuracy = next(one for one in answer.json()["evidence"] if one["metric"] == "accuracy")
    assert accuracy["value"] == pytest.approx(0.9)
    assert "rows taken as independent" in accuracy["bound"]
    wrong = client.post("/v1/evidence", json={"model": SPECIES, "version": 1, "rows": [{**rows[0], "score": "emu"}]})
    assert (wrong.status_code, wrong.json()["column"], wrong.json()["value"]) == (422, "score", "'emu'")


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"score": "long"}, "score"),
        ({"label": None}, "label"),
        ({"id": None}, "id"),
        ({"id": "00000"}, "id"),
        ({"score": 10**400}, "score"),
        ({"score": [1]}, "score"),
        ({"at": None}, "at"),
        ({"at": "2013-03-01T09:00"}, "at"),
        ({"weight": 1}, "weight"),
        ({"slices": {"label": "x"}}, "label"),
        ({"slices": []}, "slices"),
        ({"slices": {"depot": {}}}, "depot"),
    ],
)
def test_a_bad_row_refuses_them_all_and_is_named(
    client: httpx.Client, home: Context, change: dict[str, Any], column: str
) -> None:
    rows = trips(3.0)[:10]
    rows[7] = {**rows[7], **change}
    answer = push(client, "1", rows)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_ROW"), answer.text
    assert (answer.json()["row"], answer.json()["column"]) == (7, column)
    assert AuditService(home).entries(ADMIN).entries[0].action == Action.MODEL_ADDED


@pytest.mark.parametrize("path", ["/v1/evidence", "/v1/reference", "/v1/evidence/comparisons"])
@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{}", b'{"surprise": 1}', b'{"model": [], "version": "1"}'])
def test_a_body_of_another_shape_is_refused(client: httpx.Client, path: str, body: bytes) -> None:
    answer = client.post(path, content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT"), answer.text


def test_what_is_not_there_is_said_with_the_next_step(client: httpx.Client) -> None:
    assert push(client, "1", trips(3.0)).status_code == 200
    for body, said in (
        ({"version": "1"}, "Name the other one in 'with'."),
        ({"version": "1", "with": "9"}, "Known: v1."),
        ({"version": "2", "with": "1"}, "Known: v1."),
    ):
        answer = client.post("/v1/evidence/comparisons", json={"model": MINUTES, **body})
        assert (answer.status_code, answer.json()["hint"]) == (404, said)
    assert client.post("/v1/evidence", json={"model": "ghost", "version": "1", "rows": []}).status_code == 404


@pytest.mark.parametrize("path", ["/v1/evidence", "/v1/reference", "/v1/evidence/comparisons"])
def test_who_may_not_is_refused(client: httpx.Client, home: Context, path: str) -> None:
    RegistryService(home).record_version(WORKER, MINUTES, "1")
    rows = trips(3.0) if path == "/v1/evidence" else scored()
    body = {"model": MINUTES, "version": "1", **({} if "comparisons" in path else {"rows": rows})}
    body |= {"with": "1"} if "comparisons" in path else {}
    for headers in (KIOSK_HEADERS, {"Authorization": "Bearer viewer-token"}):
        answer = client.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "NOT_ALLOWED"), answer.text


# --- references -------------------------------------------------------------------------------------------------------


def test_rows_become_what_live_traffic_is_compared_with(client: httpx.Client, home: Context) -> None:
    answer = reference(client, rows=scored(), source="the training run", out_of_fold=True)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["version"], told["rows"], told["days"], told["changed"]) == (f"{MINUTES} v1", 1_260, 42, True)
    with reading(home.databases.app) as session:
        kept = references.reference(session, RegistryService(home).version_id(ADMIN, MINUTES, "1"))
    assert kept is not None
    assert (kept.id, kept.n_rows, kept.method) == (told["id"], 1_260, OUT_OF_FOLD)
    kinds = {name: kept.kinds[name] for name in ("waiting", "queue")}
    assert kinds == {"waiting": "numeric", "queue": "category"}  # "007" was sent as a text, and stays one
    assert reference(client, rows=scored()).json()["changed"] is False


def test_another_reference_needs_to_be_asked_for_with_a_reason(client: httpx.Client, home: Context) -> None:
    assert reference(client, rows=scored()).status_code == 200
    clash = reference(client, rows=scored(20))
    assert (clash.status_code, clash.json()["error_code"]) == (409, "CONFLICT")
    silent = reference(client, rows=scored(20), replace=True)
    assert (silent.status_code, "needs a reason" in silent.json()["message"]) == (422, True)
    assert reference(client, rows=scored(20), replace=True, reason="winter").json()["days"] == 20
    entry = AuditService(home).entries(ADMIN).entries[0]
    assert (entry.action, entry.reason, entry.after["source"]) == (Action.REFERENCE_SET, "winter", "HTTP")


def test_the_log_itself_gives_one_by_window_or_first_days(client: httpx.Client, home: Context) -> None:
    RegistryService(home).record_version(WORKER, MINUTES, "1")
    rows = scored(30)
    sent = [
        {"prediction_id": f"t-{n}", "version": "1", **{name: one[name] for name in ("at", "score", "features")}}
        for n, one in enumerate(rows)
    ]
    truth = [{"prediction_id": f"t-{n}", "value": one["label"], "observed_at": one["at"]} for n, one in enumerate(rows)]
    assert client.post("/v1/predictions", json={"model": MINUTES, "predictions": sent}).json()["stored"] == 900
    assert client.post("/v1/labels", json={"model": MINUTES, "labels": truth}).json()["new"] == 900
    days = reference(client, first_days=20)
    assert (days.status_code, days.json()["rows"]) == (200, 600), days.text
    window = {"start": "2013-03-05T00:00:00Z", "end": "2013-03-09T00:00:00Z"}
    again = reference(client, window=window, replace=True, reason="another week")
    assert (again.json()["rows"], again.json()["days"]) == (120, 4)
    assert MonitoringService(home).models_to_profile(WORKER) != ()


def test_a_new_version_of_a_model_that_others_serve_comes_with_its_first_rows(
    client: httpx.Client, home: Context
) -> None:
    def send(*versions: Any) -> httpx.Response:
        rows = [{"version": one, "score": 1.0, "features": {"waiting": n}} for n, one in enumerate(versions)]
        return client.post("/v1/predictions", json={"model": MINUTES, "predictions": rows})

    assert send("2026.03", 7).json()["stored"] == 2
    registry = RegistryService(home)
    made = registry.version(VIEWER, registry.version_id(VIEWER, MINUTES, "2026.03"))
    assert (made.created_by, made.note) == ("system:gateway", "its first rows: scientist")
    for odd in ("v7", "no such one", [], None):
        refused = send(odd)
        assert (refused.status_code, refused.json()["column"]) == (422, "version"), odd
    assert send(*map(str, range(100, 130))).status_code == 422  # more at once are no versions


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rows": [], "first_days": 3},
        {"rows": []},
        {"rows": {}},
        {"first_days": 0},
        {"first_days": True},
        {"first_days": 10**30},
        {"window": "2013-03-01..2013-04-01"},
        {"window": {"start": "2013-03-01T00:00:00Z"}},
        {"window": {"start": "2013-03-01T00:00:00Z", "end": "2013-03-01T00:00:00"}},
        {"window": {"start": None, "end": None}},
        {"first_days": 3, "replace": "yes"},
        {"first_days": 3, "reason": 7},
    ],
)
def test_a_source_that_is_none_is_refused(client: httpx.Client, body: dict[str, Any]) -> None:
    answer = reference(client, **body)
    assert (answer.status_code, answer.json()["error_code"]) == (422, "INVALID_INPUT"), answer.text


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"at": None}, "at"),
        ({"label": None}, "label"),
        ({"score": "high"}, "score"),
        ({"features": []}, "features"),
        ({"features": {"waiting": 10**400}}, "waiting"),
        ({"version": "1"}, "version"),
    ],
)
def test_a_bad_row_of_a_reference_is_named(client: httpx.Client, change: dict[str, Any], column: str) -> None:
    rows = scored(1)
    rows[3] = {**rows[3], **change}
    answer = reference(client, rows=rows)
    assert (answer.status_code, answer.json().get("row"), answer.json().get("column")) == (422, 3, column), answer.text
