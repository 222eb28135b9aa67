"""Streamlit's files from memory, behind the gate; answers that leave at once."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.components import lean, source
from app.components.ahead import scripts
from app.shell import gate, sockets
from app.ui import assets

with warnings.catch_warnings():  # starlette wants a client that is not in our lock; the one that is works
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

COOKIE = "mlops_dash_test"
HOST = "http://127.0.0.1:8501"


class World:
    """An app that counts what it is asked for, and a door that counts whom it asks about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.secrets: list[str] = []
        app = Starlette(
            routes=[Route("/{path:path}", self.answer)],
            middleware=[
                Middleware(gate.SecurityHeaders),
                Middleware(gate.Gate, cookie=COOKIE, knows=self.knows),
                Middleware(assets.Assets),
                Middleware(GZipMiddleware, minimum_size=100, compresslevel=5),
            ],
        )
        self.client = TestClient(app, base_url=HOST, follow_redirects=False)
        self.client.cookies.set(COOKIE, "good")

    async def answer(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        missing = "missing" in request.url.path
        return PlainTextResponse("x" * 5_000, status_code=404 if missing else 200, headers={"x-file": "yes"})

    def knows(self, secret: str) -> bool:
        self.secrets.append(secret)
        return secret == "good"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.client:
        yield made


def test_a_file_is_read_once_and_answered_alike_from_then_on(world: World) -> None:
    first, second = (world.client.get("/static/js/index.abc.js") for _ in range(2))
    assert world.asked == ["/static/js/index.abc.js"]
    assert (first.status_code, first.text, first.headers) == (second.status_code, second.text, second.headers)
    assert second.headers["content-encoding"] == "gzip"
    assert second.headers["x-content-type-options"] == "nosniff"
    assert len(second.headers.get_list("content-security-policy")) == 1
    plain = world.client.get("/static/js/index.abc.js", headers={"accept-encoding": "identity"})
    assert (plain.text, "content-encoding" in plain.headers) == (first.text, False)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/static/js/missing.js", {}),
        ("/static/js/a.js?v=1", {}),
        ("/static/js/a.js", {"if-none-match": "x"}),
        ("/static/js/a.js", {"range": "bytes=0-9"}),
        ("/media/picture.png", {}),
        ("/_stcore/host-config", {}),
    ],
)
def test_what_may_differ_is_asked_for_each_time(world: World, path: str, headers: dict[str, str]) -> None:
    world.client.get(path, headers=headers)
    world.client.get(path, headers=headers)
    assert len(world.asked) == 2


def test_no_more_than_the_limit_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assets, "_MOST_BYTES", 200)  # one answer of 5,000 equal letters is about 40 bytes
    for _ in range(2):
        for number in range(20):
            world.client.get(f"/static/js/{number}.js")
    assert 20 < len(world.asked) < 40


def test_a_kept_file_is_for_who_has_a_session(world: World) -> None:
    world.client.get("/static/js/index.abc.js")
    world.client.cookies.clear()
    assert world.client.get("/static/js/index.abc.js").status_code == 401
    world.client.cookies.set(COOKIE, "bad")
    assert world.client.get("/static/js/index.abc.js").status_code == 401


def test_a_session_is_asked_for_once_for_many_files_but_always_for_pages(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        world.client.get(f"/static/js/{number}.js")
    assert len(world.secrets) == 1
    world.client.get("/registry")
    world.client.get("/_stcore/host-config")
    assert len(world.secrets) == 3
    monkeypatch.setattr(gate, "KNOWN_SECONDS", 0.0)
    world.client.get("/registry")
    world.client.get("/static/js/9.js")
    assert len(world.secrets) == 5


def test_accepted_connections_do_not_wait_for_acknowledgements() -> None:
    with socket.socket(socket.AF_INET) as listening, socket.socket(socket.AF_INET) as other:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        other.bind(("127.0.0.1", 0))
        assert sockets.without_delay() >= 1
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not other.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_locks_on_files_are_kept(tmp_path: Path) -> None:
    """Closing any copy of a file's descriptor drops this process's locks on it: another would write in between."""
    path = tmp_path / "held.db"
    ask = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0).execute('BEGIN IMMEDIATE')"
    with closing(sqlite3.connect(path, isolation_level=None)) as held:
        held.execute("CREATE TABLE t (x)")
        held.execute("BEGIN IMMEDIATE")
        sockets.without_delay()
        done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=60, check=False)
        assert "database is locked" in done.stderr
        held.execute("COMMIT")


def test_the_scripts_to_load_ahead_are_those_of_the_installed_streamlit() -> None:
    names = {one.removeprefix("/static/js/").partition(".")[0] for one in scripts()}
    assert {"PlotlyChart", "DataFrame", "Selectbox", "ButtonGroup"} <= names


def test_a_script_loses_its_comments_and_indentation_and_no_line_of_code():
    assert lean("// why\nif (a) {\n\n  b();  // because\n}\n") == "if (a) {\nb();  // because\n}"
    assert "export default function" in source("palette.js")
