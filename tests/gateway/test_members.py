"""Several gateways behind one port, as real processes: what was answered survives kill -9 of one, on both databases."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from sqlmodel import select

from mlops_dash.services.command import Context
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import batch_rows
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.registry import ServingRow
from tests import factories
from tests.gateway.test_app import INVOCATIONS, split
from tests.gateway.test_process import SOURCE, approved
from tests.machine import free_port
from tests.served import MODEL, Served

pytestmark = pytest.mark.journey
MEMBERS = 2


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(served: Served, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Context]:
    """Migrated databases with version 1 approved."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    both = {"database_url": url, "log_database_url": url} if url else {}
    yield from approved(served, factories.settings(tmp_path, mlflow_uri=served.uri, **both))


def environment_of(world: Context, port: int) -> dict[str, str]:
    settings = world.settings
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        "MLOPS_DASH_HOME": str(settings.home),
        "MLOPS_DASH_DATABASE_URL": settings.database_url,
        "MLOPS_DASH_LOG_DATABASE_URL": settings.log_database_url,
        "MLFLOW_TRACKING_URI": settings.mlflow_uri,
        "MLOPS_DASH_GATEWAY_PORT": str(port),
        "MLOPS_DASH_OPEN_INVOCATIONS": "1",
    }


@contextmanager
def running(world: Context, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`mlops-dash gateway --processes 2`, once every member says that it is well."""
    home = world.settings.home
    with (home / "gateway.out").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_dash.cli", "gateway", "--processes", str(MEMBERS)],
            env=environment_of(world, port), stdout=log, stderr=log, cwd=home, start_new_session=True,
        )  # fmt: skip
    family: list[psutil.Process] = []
    try:
        assert wait(lambda: said(world).count("ready in") == MEMBERS, 90), said(world)
        family = psutil.Process(process.pid).children(recursive=True)
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        assert wait(lambda: not any(one.is_running() for one in family), 10)


def said(world: Context) -> str:
    return (world.settings.home / "gateway.out").read_text()


def members_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The members that run now, without the guard."""
    children = psutil.Process(process.pid).children(recursive=True)
    return [one for one in children if "--member" in one.cmdline()]


def wait(holds: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def ask_one(port: int, batch: str) -> int:
    """Ask on a connection of its own: the kernel chooses who answers. 0 when it broke."""
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60.0) as client:
            return client.post(INVOCATIONS, json=split(2), headers={"X-Prediction-Batch": batch}).status_code
    except httpx.TransportError:
        return 0


def test_nothing_answered_is_lost_when_a_member_is_killed_and_a_promotion_reaches_all(world: Context) -> None:
    port, over = free_port(), threading.Event()
    answered: list[str] = []

    def ask(name: str) -> None:
        number = 0
        while not over.is_set():
            batch = f"{name}-{number}"
            number += 1
            if ask_one(port, batch) == 200:
                answered.append(batch)

    def versions() -> set[tuple[str, str]]:
        with reading(world.databases.log) as session:
            return {(one.process, one.version_id) for one in session.exec(select(HeartbeatRow))}

    names = {f"gateway:{port}/{number}" for number in range(1, MEMBERS + 1)}
    with running(world, port) as process:
        threads = [threading.Thread(target=ask, args=(f"t{number}",)) for number in range(4)]
        for thread in threads:
            thread.start()
        try:
            assert wait(lambda: len(answered) >= 60, 60)
            counted = {path.stem for path in (world.settings.home / "metrics").glob("counter_*.db")}
            assert counted == {f"counter_{one.pid}" for one in members_of(process)}  # any of them gives the sums
            assert versions() == {(name, f"{MODEL}-v1") for name in names}
            random.choice(members_of(process)).kill()
            before = len(answered)
            assert wait(lambda: len(answered) >= before + 5, 10)  # by the others
            assert wait(lambda: said(world).count("back in") == 1, 90)
            before = len(answered)
            assert wait(lambda: len(answered) >= before + 60, 60)
        finally:
            over.set()
            for thread in threads:
                thread.join()
        with transaction(world.databases.app) as session:
            row = session.get_one(ServingRow, (MODEL, "champion"))
            row.version_id, row.epoch = f"{MODEL}-v2", 2
            session.add(row)
        assert wait(lambda: versions() == {(name, f"{MODEL}-v2") for name in names}, 20), versions()
        address = f"http://127.0.0.1:{port}/healthz"
        assert {httpx.get(address, trust_env=False).json()["process"] for _connection in range(40)} == names
    with reading(world.databases.log) as session:
        lost = [batch for batch in answered if len(batch_rows(session, batch)) != 2]
    assert lost == []


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_a_port_that_another_installation_uses_is_not_shared(world: Context) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # the kernel alone would let us in
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "mlops_dash.gateway"],
            env={**environment_of(world, port), "MLOPS_DASH_GATEWAY_PROCESSES": "3"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"gateway: The gateway cannot listen on 127.0.0.1:{port}")


@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_members_end_with_a_parent_that_was_killed(world: Context) -> None:
    with running(world, free_port()) as process:
        members = members_of(process)
        assert len(members) == MEMBERS
        process.send_signal(signal.SIGKILL)
        assert wait(lambda: not any(one.is_running() for one in members), 15)
