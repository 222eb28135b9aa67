"""`bench gateway`: real servers with one model, asked in turn; every answer of ours is in the log, or no figure."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mlops_dash import cli
from mlops_dash.bench import gateway
from mlops_dash.bench.http_load import Load, closed, paced, request
from mlops_dash.errors import Unavailable
from tests.machine import unmeasured


@pytest.fixture(autouse=True)
def untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - unmeasured().keys():  # what is timed is not traced
        monkeypatch.delenv(name)


@pytest.mark.journey
def test_ours_and_mlflow_answer_the_same_requests() -> None:
    words = ["bench", "gateway", "--connections", "3", "--repeats", "1", "--seconds", "1", "--json"]
    # a process of its own, as the browser of these tests keeps an event loop in this one
    done = subprocess.run(
        [sys.executable, "-m", "mlops_dash.cli", *words], capture_output=True, text=True, check=False, env=unmeasured()
    )
    assert done.returncode == 0, done.stderr
    ours, theirs = json.loads(done.stdout)
    assert (ours["name"], ours["connections"], ours["ratio"]) == (gateway.OURS, 3, 1.0)
    assert (theirs["name"], theirs["connections"]) == (gateway.MLFLOW, 3)
    for one in (ours, theirs):
        assert 0 < one["p50_ms"] <= one["p99_ms"]
        assert 0 < one["slowest"] <= one["rate"] <= one["fastest"]
        assert one["cpu_ms"] > 0


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--rival", "nobody=python"], "nobody is no rival that is known here."),
        (["--rival", "bentoml"], "bentoml does not say where the rival is."),
        (["--rival", "bentoml=/nowhere/python"], "BentoML, batching cannot be started."),
        (["--repeats", "0"], "That cannot be measured here."),
        (["--seconds", "0"], "That cannot be measured here."),
        (["--connections", "4", "501"], "So many cannot ask at once here."),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    given: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench", "gateway", *given]) in {2, 3}
    assert sentence in capsys.readouterr().err


def test_quantiles_are_of_answers() -> None:
    load = Load(2.0, tuple(float(one) for one in range(100, 0, -1)))
    assert (load.rate, load.quantile(0.5), load.quantile(0.99), load.quantile(1.0)) == (50.0, 50.0, 99.0, 100.0)


def in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run it beside the event loop that a browser of other tests may keep in this thread."""
    with ThreadPoolExecutor(1) as threads:
        threads.submit(asyncio.run, work).result()


@asynccontextmanager
async def server(status: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """Answers with what it was sent."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readline()):
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            body = await reader.readexactly(length)
            asked.append(head.split()[1] + b" " + body)
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        writer.close()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1], asked
    finally:
        made.close()


def test_every_answer_is_counted_once() -> None:
    sent = [request("/x", body) for body in (b"one", b"two")]

    async def work() -> None:
        async with server(b"200 OK") as (port, asked):
            load = await closed(port, sent, connections=2, seconds=0.1)
            assert len(load.milliseconds) == len(asked) >= 2
            assert set(asked) == {b"/x one", b"/x two"}
            asked.clear()
            load = await paced(port, sent, rate=200, connections=3, seconds=0.1)
            assert len(load.milliseconds) == len(asked) == 20

    in_a_thread(work())


def test_an_answer_that_is_an_error_is_no_figure() -> None:
    async def work() -> None:
        async with server(b"503 Busy") as (port, _):
            await closed(port, [request("/x", b"why")], connections=2, seconds=5)

    with pytest.raises(Unavailable, match="error") as refused:
        in_a_thread(work())
    assert "why" in refused.value.hint
