"""What tests need from the machine: sockets closed to the outside, a throw-away Postgres, the path of Chromium.

A part that is missing skips only its tests, with the package that brings it; with MLOPS_DASH_REQUIRE_ALL=1 (continuous
integration) the same tests fail instead.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event

from mlops_dash import ports

_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
_PORTS = itertools.cycle(range(15_000 + 13 * (os.getpid() % 1_000), 32_000))  # below those of outgoing connections
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def pytest_configure(config: pytest.Config) -> None:
    """Close sockets to the outside and silence telemetry before any test module is imported."""
    _keep_bytecode()
    os.environ.update(_QUIET)
    for name in _PROXIES:
        os.environ.pop(name, None)
    _guard_sockets()


def _keep_bytecode() -> None:
    """As bootstrap.py does: without any, each process that a test starts compiles MLflow anew (15 s instead of 4)."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).resolve().parents[1] / ".venv" / "bytecode"))
        sys.dont_write_bytecode, sys.pycache_prefix = False, os.environ["PYTHONPYCACHEPREFIX"]


def missing_part(part: str, package: str) -> NoReturn:
    """Skip this test for a missing part of the machine, or fail it where nothing may be skipped."""
    reason = f"{part} is missing (Debian: apt install {package})"
    if os.environ.get("MLOPS_DASH_REQUIRE_ALL") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


# --- processes of a test ----------------------------------------------------------------------------------------------


def unmeasured() -> dict[str, str]:
    """The environment without coverage, for processes whose lines other tests run too: tracing doubles their time."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


def free_port() -> int:
    """A port of loopback where nobody listens, kept for this process: test processes beside it get another one."""
    return ports.free_port(next(_PORTS))


# --- sockets ----------------------------------------------------------------------------------------------------------


class OutsideNetwork(RuntimeError):
    """A test reached for an address beyond this machine."""


def _guard_sockets() -> None:
    if getattr(socket.socket.connect, "guarded", False):
        return
    plain_connect, plain_connect_ex, plain_lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def connect(self: socket.socket, address: Any) -> None:
        _refuse_outside(address)
        plain_connect(self, address)

    def connect_ex(self: socket.socket, address: Any) -> int:
        _refuse_outside(address)
        return plain_connect_ex(self, address)

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host is not None:
            _refuse_outside((host, 0))
        return plain_lookup(host, *args, **kwargs)

    connect.guarded = True  # type: ignore[attr-defined]
    socket.socket.connect = connect  # type: ignore[method-assign]
    socket.socket.connect_ex = connect_ex  # type: ignore[method-assign]
    socket.getaddrinfo = lookup


def _refuse_outside(address: Any) -> None:
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    if host in {"", "localhost", "0.0.0.0", "::", socket.gethostname()}:
        return
    try:
        local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        local = False
    if not local:
        raise OutsideNetwork(f"A test may only talk to this machine, and reached for {host!r}.")


# --- Postgres ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PostgresServer:
    """A running throw-away cluster; `url` is its maintenance database."""

    port: int

    @property
    def url(self) -> str:
        """Address of the database that is always there."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """Address of one database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def run(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())


def postgres_programs() -> Path | None:
    """The folder with initdb and postgres (Debian keeps them off PATH), the newest first; None when there is none."""
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    folders = sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A Postgres cluster of this session (one for each xdist worker), without fsync, gone afterwards."""
    programs = postgres_programs()
    if programs is None:
        missing_part("PostgreSQL", "postgresql")
    # Below the system's temporary folder, not pytest's: that one is closed to other users, and as root the server must
    # run as another user.
    home = Path(tempfile.mkdtemp(prefix="mlops-dash-postgres-"))
    as_user = _become_postgres(home)
    try:
        subprocess.run(
            [*as_user, programs / "initdb", "-D", home / "cluster", "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--no-sync", "--locale=C.UTF-8"],
            check=True, capture_output=True, timeout=60, cwd=home,
        )  # fmt: skip
        server = PostgresServer(free_port())
        options = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=127.0.0.1",
                   "unix_socket_directories=", "max_connections=60", "shared_buffers=32MB"]  # fmt: skip
        log = (home / "server.log").open("wb")
        process = subprocess.Popen(
            [*as_user, programs / "postgres", "-D", home / "cluster", "-p", str(server.port),
             *(word for option in options for word in ("-c", option))],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=home,
        )  # fmt: skip
        try:
            _wait_until_it_answers(server, process, home / "server.log")
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # "fast" shutdown: open connections are cut
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _become_postgres(home: Path) -> list[str]:
    """Return the words that run a program as another user when we are root (Postgres refuses root)."""
    if os.geteuid() != 0:
        return []
    import pwd

    name = next((user for user in ("postgres", "nobody") if _user_exists(user)), None)
    setpriv = shutil.which("setpriv")
    if name is None or setpriv is None:
        missing_part("a user that Postgres may run as", "postgresql util-linux")
    user = pwd.getpwnam(name)
    os.chown(home, user.pw_uid, user.pw_gid)
    # PDEATHSIG: a killed test run leaves no server behind.
    return [setpriv, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]


def _user_exists(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _wait_until_it_answers(server: PostgresServer, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"Postgres did not start: {log.read_text(errors='replace')[-1000:]}", pytrace=False)


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()


@event.listens_for(Engine, "engine_connect")
def _connected(connection: Connection) -> None:
    """Remember every engine that connects: to look for them among all objects takes seconds."""
    _ENGINES.add(connection.engine)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a fresh, empty Postgres database of this test."""
    name = f"t_{secrets.token_hex(6)}"
    postgres_server.run(f'CREATE DATABASE "{name}"')
    yield postgres_server.url_of(name)
    for one in list(_ENGINES):  # MLflow keeps its engines; a connection that the collector closes is a warning
        if one.url.database == name:
            one.dispose()
    postgres_server.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh database; a test that asks for it runs once on SQLite and once on Postgres."""
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'app.db'}"


# --- Chromium ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of an installed Chromium, for Playwright's `executable_path`."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    missing_part("Chromium", "chromium")
