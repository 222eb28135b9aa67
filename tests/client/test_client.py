"""The client beside a real gateway and beside one that fails: nothing lost, nothing twice, never in the way."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.store.db import reading
from mlops_dash.store.prediction_log import LogCounts, counts, event_names
from mlops_dash_client import Client, Counters
from mlops_dash_client import client as module
from mlops_dash_client.counting import Tally
from mlops_dash_client.rows import line_of
from mlops_dash_client.spool import Segment
from tests import factories
from tests.architecture.tree import ROOT
from tests.factories import ADMIN, WORKER
from tests.gateway import test_app
from tests.gateway.test_app import Tokens, open_client

MINUTES, SPECIES = 'the "minutes" it\'s late', "species"
CLASSES = ["gentoo", 'it\'s an "adelie"']


class Fake:
    """A gateway that answers as it is told, and remembers what it was sent."""

    def __init__(self) -> None:
        self.answer: Callable[[str, list[dict[str, Any]]], tuple[int, dict[str, Any]]] = lambda _kind, _rows: (200, {})
        self.headers: dict[str, str] = {}
        self.seen: list[tuple[str, list[dict[str, Any]]]] = []
        self.tokens: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = self.path.partition("?")[0].removeprefix("/v1/")
                outer.seen.append((kind, body[kind]))
                outer.tokens.add(self.headers["Authorization"])
                status, said = outer.answer(kind, body[kind])
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def ids(self) -> list[str]:
        return [row["prediction_id"] for kind, rows in self.seen if kind == "predictions" for row in rows]

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def fake() -> Iterator[Fake]:
    made = Fake()
    yield made
    made.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@contextmanager
def opened(url: str, spool: Path, **more: Any) -> Iterator[Client]:
    client = Client(url, "kiosk-token", spool=spool, **{"linger": 0.0, "first_pause": 0.02, **more})
    try:
        yield client
    finally:
        client.close(0.0)


def log(client: Client, names: list[str]) -> None:
    for name in names:
        client.log_prediction(MINUTES, "1", 12.5, {"waiting": 3}, prediction_id=name)


def until(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not reached():
        assert time.monotonic() < end, "did not come about"
        time.sleep(0.01)


# --- beside the real gateway ------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path)
    registry = RegistryService(made)
    registry.add_model(ADMIN, MINUTES, task="regression", source="external", reason="late trains")
    registry.add_model(ADMIN, SPECIES, task="multiclass", class_names=CLASSES, source="external", reason="birds")
    for model in (MINUTES, SPECIES):
        registry.record_version(WORKER, model, "1")
    yield made
    made.databases.dispose()


@pytest.fixture
def gateway(home: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address; the token is a service account's of both models."""
    mine = replace(test_app.KIOSK, models=frozenset({MINUTES, SPECIES}))
    monkeypatch.setitem(test_app.TOKENS, "kiosk-token", mine)
    with open_client(home, Tokens()) as served:
        yield str(served.base_url)


def kept(home: Context, model: str = MINUTES) -> LogCounts:
    with reading(home.databases.log) as session:
        return counts(session, model)


def test_predictions_and_labels_of_two_models_come_through(gateway: str, home: Context, spool: Path) -> None:
    with opened(gateway, spool) as client:
        late = [client.log_prediction(MINUTES, "1", 10.0 + n, {"waiting": n, "queue": "007"}) for n in range(30)]
        birds = client.log_predictions(
            SPECIES, [{"version": 1, "score": CLASSES[n % 2], "features": {"bill": 39.1}} for n in range(8)]
        )
        even = {name: 1 / len(CLASSES) for name in CLASSES}
        birds += [client.log_prediction(SPECIES, "1", scores=even, features={"bill": 40.0}) for _ in range(2)]
        for name in late:
            client.log_label(MINUTES, name, 12)
        client.log_labels(SPECIES, ({"prediction_id": name, "value": CLASSES[0]} for name in birds))
        assert client.flush(15)
        assert client.counters == Counters(logged=80, delivered=80)
    assert (kept(home).predictions, kept(home).labelled) == (30, 30)
    assert (kept(home, SPECIES).predictions, kept(home, SPECIES).labelled) == (10, 10)
    assert len(set(late)) == 30


def test_events_come_through_and_the_same_id_is_stored_once(gateway: str, home: Context, spool: Path) -> None:
    with opened(gateway, spool) as client:
        for _ in range(2):
            client.log_event(
                MINUTES, "user-17", "revenue", Decimal("24.90"), event_id="order-1", at="2013-03-01T09:00Z"
            )
        client.log_event(MINUTES, "it's Ana", "click")
        client.log_event(MINUTES, "bo", "revenue", float("nan"))
        assert client.flush()
        assert (client.counters.delivered, client.counters.refused) == (3, 1)
    with reading(home.databases.log) as session:
        found = {one.name: one.events for one in event_names(session, MINUTES)}
    assert found == {"click": 1, "revenue": 1}


def test_the_same_rows_again_are_stored_once(gateway: str, home: Context, spool: Path) -> None:
    at = datetime(2013, 6, 3, 12, tzinfo=UTC)
    for _ in range(2):
        with opened(gateway, spool) as client:
            client.log_prediction(MINUTES, "1", 1.5, {"waiting": 3}, prediction_id="t-1", at=at)
            client.log_label(MINUTES, "t-1", 2.0, observed_at=at)
            assert client.flush(15)
            assert client.counters.delivered == 2
    assert (kept(home).predictions, kept(home).labelled) == (1, 1)


def test_what_the_gateway_never_takes_is_counted_and_costs_no_other_row(
    gateway: str, home: Context, spool: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(gateway, spool) as client:
        for n, (version, score) in enumerate(
            [("1", 1.0), ("no such one", 1.0), ("1", "long"), ("1", None), ("1", 2.0)]
        ):
            client.log_prediction(MINUTES, version, score, {"waiting": n}, prediction_id=f"t-{n}")
        client.log_label(MINUTES, "t-0", "soon")
        client.log_prediction(MINUTES, "1", 3.0, {"score": 1}, prediction_id="t-5")  # a name of the log's own columns
        assert client.flush(15)
        assert client.counters == Counters(logged=7, delivered=2, refused=5)
    assert kept(home).predictions == 2
    assert "has no such version" in caplog.text


def test_a_model_that_is_not_known_yet_waits_and_holds_up_no_other(gateway: str, home: Context, spool: Path) -> None:
    with opened(gateway, spool) as client:
        client.log_prediction("tomorrow's", "1", 1.0, {"waiting": 1})
        log(client, ["t-1"])
        until(lambda: client.counters.delivered == 1)
        until(lambda: client.counters.retries >= 2)
        assert (client.counters.waiting, client.counters.refused) == (1, 0)
        assert client.counters.last_error.startswith('403: "tomorrow\'s" is none of the models')
        assert not client.flush(0.1)
    assert kept(home).predictions == 1


# --- beside one that fails --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403, 404, 408, 429, 500, 502, 503, 302])
def test_an_outage_of_any_kind_loses_nothing(fake: Fake, spool: Path, status: int) -> None:
    fake.answer = lambda _kind, _rows: (status if len(fake.seen) < 3 else 200, {"message": "not now", "hint": "later"})
    fake.headers = {"Location": "http://127.0.0.1:9/v1/predictions"}
    with opened(fake.url, spool) as client:
        log(client, ["t-1", "t-2"])
        until(lambda: client.counters.delivered == 2)
        assert (client.counters.retries, client.counters.last_error) == (2, "")
    assert set(fake.ids()) == {"t-1", "t-2"}
    assert fake.tokens == {"Bearer kiosk-token"}


def test_a_server_that_is_away_costs_the_caller_nothing(spool: Path) -> None:
    with opened("http://127.0.0.1:9", spool) as client:
        before = time.monotonic()
        log(client, [f"t-{n}" for n in range(2_000)])
        assert time.monotonic() - before < 2.0
        until(lambda: client.counters.retries > 0)
        assert client.counters.waiting == 2_000
        assert "127.0.0.1:9" in client.counters.last_error


def test_a_server_that_never_answers_holds_up_neither_caller_nor_close(spool: Path) -> None:
    with opened(_silent_server(), spool, timeout=60) as client:
        log(client, ["t-1"])
        before = time.monotonic()
        assert not client.flush(0.2)
        assert not client.close(0.1)
        assert time.monotonic() - before < 5.0
    with opened("http://127.0.0.1:9", spool) as after:
        assert after.counters.waiting == 1


def _silent_server() -> str:
    import socket

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    _silent.append(listening)
    return f"http://127.0.0.1:{listening.getsockname()[1]}"


_silent: list[Any] = []


@pytest.fixture(autouse=True)
def _close_silent() -> Iterator[None]:
    yield
    while _silent:
        _silent.pop().close()


def test_pauses_grow_and_the_gateways_wish_is_kept(fake: Fake, spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answer = lambda _kind, _rows: (503, {"message": "busy"})
    fake.headers = {"Retry-After": "30"}
    with opened(fake.url, spool) as client:
        log(client, ["t-1"])
        until(lambda: client.counters.retries == 1)
        time.sleep(0.3)
        assert len(fake.seen) == 1  # it asked for half a minute
        assert client.counters.last_error == "503: busy"
        fake.headers = {}
        monkeypatch.setattr(module, "_LONGEST_PAUSE", 0.05)
        client.flush(0.3)  # looks again at once
        assert 3 <= len(fake.seen) <= 40


def test_a_batch_that_is_refused_together_is_halved_until_the_bad_row_stands_alone(fake: Fake, spool: Path) -> None:
    def answer(_kind: str, rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        bad = any(row["prediction_id"] == "t-5" for row in rows)
        return (409, {"message": "known with another row"}) if bad else (200, {})

    fake.answer = answer
    with opened(fake.url, spool, linger=0.2) as client:
        log(client, [f"t-{n}" for n in range(16)])
        assert client.flush(15)
        assert client.counters == Counters(logged=16, delivered=15, refused=1)


def test_rows_that_are_settled_are_not_counted_again_when_the_rest_is_sent_again(fake: Fake, spool: Path) -> None:
    fake.answer = lambda kind, _rows: (500 if kind == "labels" and len(fake.seen) < 4 else 200, {})
    with opened(fake.url, spool, linger=0.2) as client:
        log(client, ["t-1"])
        client.log_label(MINUTES, "t-1", 12)
        until(lambda: client.counters.waiting == 0)
        assert client.counters._replace(retries=0) == Counters(logged=2, delivered=2)
        assert fake.ids() == ["t-1"]


def test_predictions_and_labels_that_are_logged_by_turns_go_in_one_batch_each(tmp_path: Path) -> None:
    segment = Segment(MINUTES, tmp_path / "segment")
    for number in range(50):
        segment.add([line_of("predictions", MINUTES, {"prediction_id": f"t-{number}"})])
        segment.add([line_of("labels", MINUTES, {"prediction_id": f"t-{number}", "value": number})])
    rows = segment.unsettled(Tally())
    assert [row.kind for row in rows] == ["predictions"] * 50 + ["labels"] * 50
    assert [row.sent["value"] for row in rows[50:]] == list(range(50))  # a later label of one row comes later
    segment.settle(50)
    assert {row.kind for row in segment.unsettled(Tally())} == {"labels"}


def test_many_rows_go_in_batches(fake: Fake, spool: Path) -> None:
    with opened(fake.url, spool, linger=0.5) as client:
        names = [f"t-{n:05d}" for n in range(5_500)]
        log(client, names)
        assert client.flush(15)
    assert fake.ids() == names  # in their order
    assert max(len(rows) for _, rows in fake.seen) == 1_000
    assert len(fake.seen) <= 12


# --- a restart --------------------------------------------------------------------------------------------------------

WRITES = """
import sys, time
from mlops_dash_client import Client
client = Client("http://127.0.0.1:9", "token", spool=sys.argv[1])
for n in range(50):
    client.log_prediction(sys.argv[2], "1", 1.0 + n, {"waiting": n}, prediction_id=f"t-{n}")
client.log_label(sys.argv[2], "t-0", 2.0)
if sys.argv[3] == "killed":
    while client._queue or client._spooling:
        time.sleep(0.01)
    print("ready", flush=True)
    time.sleep(60)
"""


def write(spool: Path, how: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-S", "-c", WRITES, str(spool), MINUTES, how]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client" / "src")}
    return subprocess.Popen(words, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_rows_survive_a_program_that_ends_while_the_gateway_is_away(
    gateway: str, home: Context, spool: Path, how: str
) -> None:
    program = write(spool, how)
    if how == "killed":
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(signal.SIGKILL)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == (0 if how == "ended" else -signal.SIGKILL), errors
    assert all(stat.st_mode & 0o077 == 0 for stat in (one.stat() for one in spool.rglob("*")))  # their owner's alone
    with opened(gateway, spool) as client:
        assert client.flush(15)
        assert client.counters == Counters(logged=51, delivered=51)
    assert (kept(home).predictions, kept(home).labelled) == (50, 1)
    assert [one for one in spool.iterdir() if any(one.glob("*.rows"))] == []


def test_two_programs_of_one_spool_do_not_take_each_others_rows(fake: Fake, spool: Path) -> None:
    with opened("http://127.0.0.1:9", spool) as away:
        log(away, ["theirs"])
        until(lambda: away.counters.retries > 0)
        with opened(fake.url, spool) as client:
            log(client, ["ours"])
            assert client.flush(15)
        assert fake.ids() == ["ours"]
    with opened(fake.url, spool) as after:  # its program has ended
        assert after.flush(15)
    assert fake.ids() == ["ours", "theirs"]


def test_a_torn_line_is_counted_and_costs_no_other(fake: Fake, spool: Path) -> None:
    write(spool, "ended").communicate(timeout=60)
    (path,) = spool.rglob("*.rows")
    path.write_bytes(path.read_bytes()[:-20])
    with opened(fake.url, spool) as client:
        assert client.flush(15)
        assert client.counters == Counters(logged=51, delivered=50, unreadable=1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_logs_by_itself_and_sends_nothing_twice(fake: Fake, spool: Path) -> None:
    code = """
import os, sys
from mlops_dash_client import Client
client = Client(sys.argv[1], "token", spool=sys.argv[2], linger=0)
client.log_prediction("queue", "1", 1.0, {}, prediction_id="parent")
child = os.fork()
if not child:
    client.log_prediction("queue", "1", 1.0, {}, prediction_id="child")
    assert client.flush(10), client.counters
    assert client.counters.delivered == 1, client.counters
    client.close()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert client.flush(10)
assert client.counters.delivered == 1
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client" / "src")}
    words = [sys.executable, "-S", "-c", code, fake.url, str(spool)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sorted(fake.ids()) == ["child", "parent"]


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_a_full_spool_keeps_what_came_first_and_counts_the_rest(fake: Fake, spool: Path) -> None:
    fake.answer = lambda _kind, _rows: (503, {"message": "busy"})
    with opened(fake.url, spool, spool_bytes=20_000, linger=0.05) as client:
        log(client, [f"t-{n:03d}" for n in range(500)])
        until(lambda: client.counters.dropped > 0 and not client._queue)
        dropped = client.counters.dropped
        assert sum(one.stat().st_size for one in spool.rglob("*.rows")) <= 20_000
        fake.answer = lambda _kind, _rows: (200, {})
        assert client.flush(15)
        assert client.counters.delivered == 500 - dropped > 50
        log(client, ["again"])
        assert client.flush(15)  # there is room again
        assert client.counters.dropped == dropped
    names = list(dict.fromkeys(fake.ids()))
    assert names == [*(f"t-{n:03d}" for n in range(500 - dropped)), "again"]


def test_a_full_memory_drops_and_counts(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_IN_MEMORY", 0)
    with opened("http://127.0.0.1:9", spool) as client:
        log(client, ["t-1", "t-2"])
        assert client.counters == Counters(logged=2, dropped=2)


def test_a_disk_that_takes_nothing_leaves_rows_in_memory(fake: Fake, tmp_path: Path) -> None:
    path = tmp_path / "a file"
    path.touch()
    with opened(fake.url, path / "spool") as client:
        log(client, ["t-1", "t-2"])
        assert client.flush(15)
        assert client.counters.delivered == 2
    with opened("http://127.0.0.1:9", path / "spool") as client:
        assert "cannot be written" in client.counters.last_error
        log(client, ["t-3"])
        until(lambda: client.counters.retries > 1)
    assert client.counters.dropped == 1  # said, when the client ends


def test_a_disk_that_fills_up_meanwhile_leaves_rows_in_memory(
    fake: Fake, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.answer = lambda _kind, _rows: (503, {"message": "busy"})
    with opened(fake.url, spool, linger=0.5) as client:
        log(client, ["t-1"])
        until(lambda: any(spool.rglob("*.rows")))
        monkeypatch.setattr(os, "write", lambda _file, _data: 0)
        log(client, ["t-2", "t-3"])
        until(lambda: not client._queue and not client._spooling)
        fake.answer = lambda _kind, _rows: (200, {})
        assert client.flush(15)
        assert client.counters.delivered == 3
    assert list(dict.fromkeys(fake.ids())) == ["t-1", "t-2", "t-3"]


# --- never in the way -------------------------------------------------------------------------------------------------


class Rude:
    """What breaks whoever touches it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("do not touch")


def broken_rows() -> Iterator[dict[str, Any]]:
    yield {"version": "1", "score": 1.0, "features": {}}
    raise RuntimeError("the rows end badly")


def test_nothing_that_is_logged_breaks_the_caller(fake: Fake, spool: Path) -> None:
    with opened(fake.url, spool) as client:
        name = client.log_prediction(MINUTES, "1", float("inf"), {})
        assert name
        client.log_prediction(MINUTES, "1", 1.0, {"a": float("-inf")})
        client.log_prediction(MINUTES, "1", 1.0, {"a": [1]})
        client.log_prediction(MINUTES, "1", 1.0, {"a": Rude()})
        client.log_prediction(MINUTES, "1", 1.0, None)  # type: ignore[arg-type]
        client.log_prediction(MINUTES, "1", 1.0, {}, at=datetime(2026, 3, 1))  # noqa: DTZ001
        client.log_label(MINUTES, name, Rude())
        assert client.log_predictions(MINUTES, [{"version": "1"}, {"surprise": 1}, None]) == ["", "", ""]  # type: ignore[list-item]
        assert len(client.log_predictions(MINUTES, broken_rows())) == 1
        client.log_labels(MINUTES, [{}])
        assert client.flush(15)
        assert client.counters == Counters(logged=13, delivered=1, unreadable=12)
    client.log_prediction(MINUTES, "1", 1.0, {})  # closed
    assert client.counters.dropped == 1
    assert client.close() is True


def test_values_of_numpy_and_pandas_are_read_when_they_are_logged(fake: Fake, spool: Path) -> None:
    features = {
        "a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": float("nan"), "e": pd.NaT, "f": pd.NA,
        "g": pd.Timestamp("2026-03-01", tz="UTC"), "h": Decimal("1.5"), "i": np.str_("007"), "j": None, 7: 1,
    }  # fmt: skip
    with opened(fake.url, spool, linger=0.2) as client:
        client.log_prediction(MINUTES, "1", np.float64(2.5), features, prediction_id="t")
        features["a"] = "changed afterwards"
        assert client.flush(15)
    ((_, (row,)),) = fake.seen
    assert row["score"] == 2.5
    assert row["features"] == {
        "a": 3, "b": 0.5, "c": True, "d": None, "e": None, "f": None, "g": "2026-03-01T00:00:00+00:00", "h": 1.5,
        "i": "007", "j": None, "7": 1,
    }  # fmt: skip
    assert datetime.fromisoformat(row["at"]).tzinfo is not None


@pytest.mark.parametrize(
    ("url", "token"), [("ftp://x", "t"), ("127.0.0.1:8601", "t"), ("http://", "t"), ("http://x", "")]
)
def test_only_the_construction_refuses(url: str, token: str) -> None:
    with pytest.raises(ValueError, match=r"address|token"):
        Client(url, token)


def test_the_token_is_in_no_line_of_the_log(spool: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), opened("http://127.0.0.1:9", spool) as client:
        log(client, ["t-1"])
        until(lambda: client.counters.retries > 0)
    assert "not delivered" in caplog.text
    assert "kiosk-token" not in caplog.text
