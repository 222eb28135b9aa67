"""The same bytes as the real `mlflow models serve` for the same model, for good requests and for bad ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from mlops_dash.services.command import Context
from tests.gateway.test_app import HEADERS, INVOCATIONS, Tokens, home, open_client
from tests.machine import free_port, unmeasured
from tests.served import MODEL, Served, flights

__all__ = ["home"]


@pytest.fixture(scope="module")
def rival(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """`mlflow models serve` on version 1."""
    from mlops_dash.tracking.models.loading import ModelCache

    folder = tmp_path_factory.mktemp("rival")
    files = shutil.copytree(ModelCache(served.uri, folder).get(MODEL, "1").folder, folder / "model")
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(files), "-p", str(port), "--env-manager"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "local"], stdout=log, stderr=log, env={**unmeasured(), "PATH": path}, start_new_session=True
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30.0) as client:
                _wait(client, process, folder / "serve.log")
                yield client
        finally:
            os.killpg(process.pid, 15)
            process.wait(20)


def _wait(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 150
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.get("/ping").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(log.read_text()[-2000:])


@pytest.fixture
def ours(home: Context) -> Iterator[httpx.Client]:
    settings = replace(home.settings, protocol_traces=True)  # MLflow's own server sends stack traces
    with open_client(replace(home, settings=settings), Tokens(), headers=HEADERS) as client:
        yield client


ROWS = flights(4, seed=9)
SPLIT = json.loads(ROWS.to_json(orient="split", index=False))
RECORDS = json.loads(ROWS.to_json(orient="records"))
COLUMNS: dict[str, list[Any]] = {name: [record[name] for record in RECORDS] for name in ROWS}


def changed(**changes: object) -> list[dict[str, object]]:
    return [*RECORDS[:-1], {**RECORDS[-1], **changes}]


JSON: dict[str, object] = {
    "split": {"dataframe_split": SPLIT},
    "records": {"dataframe_records": RECORDS},
    "inputs as columns": {"inputs": COLUMNS},
    "inputs as records": {"inputs": RECORDS},
    "instances": {"instances": RECORDS},
    "one row": {"dataframe_records": RECORDS[:1]},
    "with params": {"dataframe_records": RECORDS, "params": {"x": 1}},
    "more columns": {"dataframe_records": changed(more=1)},
    "optional column missing": {"dataframe_records": [{"carrier": "AA", "hour": 7.0}]},
    "required column missing": {"dataframe_records": [{"carrier": "AA", "wind": 7.0}]},
    "text for a number": {"dataframe_records": changed(hour="noon")},
    "number for a text": {"dataframe_records": changed(carrier=7)},
    "null for a required number": {"dataframe_records": changed(hour=None)},
    "whole numbers": {"dataframe_records": changed(hour=7)},
    "no rows": {"dataframe_records": []},
    "two formats": {"dataframe_records": RECORDS, "inputs": COLUMNS},
    "no format": {"rows": RECORDS},
    "a list": RECORDS,
    "a number": 7,
    "split without data": {"dataframe_split": {"columns": ["carrier"]}},
    "split of another shape": {"dataframe_split": 7},
    "uneven columns": {"inputs": {"carrier": ["AA"], "hour": [1.0, 2.0], "wind": [1.0]}},
    "unknown category": {"dataframe_records": changed(carrier="ZZ")},
}


def settled(body: bytes) -> bytes:
    """MLflow prints a set of four format names, whose order differs from process to process."""
    return re.sub(rb"fields \{('[a-z_]+'(, )?){4}\}", b"fields {FORMATS}", body)


def same(rival: httpx.Client, ours: httpx.Client, **kwargs: Any) -> httpx.Response:
    theirs, answer = rival.post("/invocations", **kwargs), ours.post(INVOCATIONS, **kwargs)
    assert settled(answer.content) == settled(theirs.content)
    assert answer.status_code == theirs.status_code
    assert answer.headers["content-type"] == theirs.headers["content-type"]
    return answer


def test_json_has_the_same_bytes(rival: httpx.Client, ours: httpx.Client) -> None:
    seen = {name: same(rival, ours, json=body).status_code for name, body in JSON.items()}
    assert {200, 400} <= set(seen.values()), seen
    assert seen["split"] == seen["instances"] == 200


def test_many_at_once_have_the_same_bytes(rival: httpx.Client, ours: httpx.Client) -> None:
    good = [name for name in JSON if not name.startswith(("split without", "two", "no f", "a "))]
    bodies = [*(JSON[name] for name in good), *({"dataframe_records": [one]} for one in RECORDS)] * 3
    theirs = [rival.post("/invocations", json=body) for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda body: ours.post(INVOCATIONS, json=body), bodies))
    assert [(one.status_code, one.content) for one in answers] == [(one.status_code, one.content) for one in theirs]


def test_csv_has_the_same_bytes(rival: httpx.Client, ours: httpx.Client) -> None:
    csv = ROWS.to_csv(index=False).encode()
    kind = {"Content-Type": "text/csv"}
    assert same(rival, ours, content=csv, headers=kind).status_code == 200
    assert same(rival, ours, content=csv, headers={"Content-Type": "text/csv; charset=utf-8"}).status_code == 200
    assert same(rival, ours, content=b"carrier,hour,wind\nAA,noon,1\n", headers=kind).status_code == 400
    assert same(rival, ours, content=b"\xff\xfe", headers=kind).status_code == 400


def test_other_bodies_have_the_same_refusals(rival: httpx.Client, ours: httpx.Client) -> None:
    kind = {"Content-Type": "application/json"}
    for content in (b"", b"{", b'{"a": \xff}', b"null"):
        assert same(rival, ours, content=content, headers=kind).status_code == 400
    for other in ("text/plain", "application/json; charset=latin-1", "application/json; more=1"):
        assert same(rival, ours, content=b"{}", headers={"Content-Type": other}).status_code == 415


def test_ping_and_version_are_the_same(rival: httpx.Client, ours: httpx.Client) -> None:
    for path in ("/ping", "/version"):
        theirs, answer = rival.get(path), ours.get(path)
        assert (answer.content, answer.status_code) == (theirs.content, theirs.status_code)
        assert answer.headers["content-type"] == theirs.headers["content-type"]
