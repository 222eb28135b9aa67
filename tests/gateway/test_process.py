"""The real process: an answered prediction survives kill -9, a promotion arrives within seconds, signals end it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from mlops_dash import gateway
from mlops_dash.services.command import Context
from mlops_dash.settings import Settings
from mlops_dash.store import migrate
from mlops_dash.store.db import connect, reading, transaction
from mlops_dash.store.prediction_log import batch_rows
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.factories import NOON
from tests.gateway.test_app import INVOCATIONS, split
from tests.machine import free_port
from tests.served import MODEL, Served

SOURCE = Path(gateway.__file__).parents[2]
pytestmark = pytest.mark.journey


@pytest.fixture
def world(served: Served, tmp_path: Path) -> Iterator[Context]:
    """Migrated databases with version 1 approved."""
    yield from approved(served, factories.settings(tmp_path, mlflow_uri=served.uri))


def approved(served: Served, made: Settings) -> Iterator[Context]:
    """Migrate the databases of these settings and approve version 1 of the served model in them."""
    databases = connect(made)
    migrate.upgrade(databases)
    home = Context(made, factories.fixed(NOON), factories.new_id, databases, factories.MlflowRegistry(made.mlflow_uri))
    with transaction(databases.app) as session:
        session.add(factories.model_row())
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
    yield home
    databases.dispose()


@contextmanager
def running(world: Context, port: int) -> Iterator[subprocess.Popen[bytes]]:
    home = world.settings.home
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "MLOPS_DASH_HOME": str(home),
        "MLFLOW_TRACKING_URI": world.settings.mlflow_uri,
        "MLOPS_DASH_GATEWAY_PORT": str(port),
        "MLOPS_DASH_OPEN_INVOCATIONS": "1",
    }
    with (home / "gateway.out").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_dash.gateway"], env=environment, stdout=log, stderr=log, cwd=home
        )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        else:
            pytest.fail((home / "gateway.out").read_text()[-3000:])
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


@pytest.fixture
def port() -> int:
    return free_port()


def test_nothing_that_was_answered_is_lost_by_kill_9(world: Context, port: int) -> None:
    answered: list[str] = []
    body = split(2)

    def ask(name: str) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client:
            number = 0
            while True:
                batch = f"{name}-{number}"
                number += 1
                try:
                    answer = client.post(INVOCATIONS, json=body, headers={"X-Prediction-Batch": batch})
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    answered.append(batch)

    for kill in range(2):
        with running(world, port) as process:
            before = len(answered)
            threads = [threading.Thread(target=ask, args=(f"k{kill}t{number}",)) for number in range(4)]
            for thread in threads:
                thread.start()
            until = time.monotonic() + 60
            while len(answered) < before + 40 * (kill + 1) and time.monotonic() < until:
                time.sleep(0.01)
            process.kill()
            for thread in threads:
                thread.join()
        assert len(answered) >= before + 40 * (kill + 1)
    with reading(world.databases.log) as session:
        lost = [batch for batch in answered if len(batch_rows(session, batch)) != 2]
    assert lost == []


def test_a_promotion_arrives_within_five_seconds_and_a_signal_ends_it(world: Context, port: int) -> None:
    with running(world, port) as process:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client:
            assert client.post(INVOCATIONS, json=split(1)).headers["x-model-version"] == "1"
            with transaction(world.databases.app) as session:
                row = session.get_one(ServingRow, (MODEL, "champion"))
                row.version_id, row.epoch = f"{MODEL}-v2", 2
                session.add(row)
            since = time.monotonic()
            while client.post(INVOCATIONS, json=split(1)).headers["x-model-version"] != "2":
                assert time.monotonic() - since < 5.0
                time.sleep(0.05)
            while True:
                with reading(world.databases.log) as session:
                    beat = session.exec(select(HeartbeatRow)).one()
                if beat.epoch == 2:
                    break
                assert time.monotonic() - since < 10.0
                time.sleep(0.1)
            assert (beat.process, beat.version_id, beat.error) == (f"gateway:{port}", f"{MODEL}-v2", "")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in {0, -signal.SIGTERM}


def test_a_taken_port_is_one_clear_sentence(world: Context, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        ended = subprocess.run(
            [sys.executable, "-m", "mlops_dash.gateway"],
            env={
                **os.environ,
                "PYTHONPATH": str(SOURCE),
                "MLOPS_DASH_HOME": str(world.settings.home),
                "MLOPS_DASH_GATEWAY_PORT": str(port),
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"gateway: The gateway cannot listen on 127.0.0.1:{port}")
    assert "MLOPS_DASH_GATEWAY_PORT" in ended.stderr
