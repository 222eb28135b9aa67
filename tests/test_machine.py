"""The tests' own ground: no way out of the machine, a real Postgres, loud when a part is missing."""

from __future__ import annotations

import socket

import psycopg
import pytest

from tests.machine import OutsideNetwork, PostgresServer, missing_part


def test_a_socket_to_the_outside_is_refused() -> None:
    with socket.socket() as sock, pytest.raises(OutsideNetwork, match=r"198\.51\.100\.1"):
        sock.connect(("198.51.100.1", 80))


def test_a_name_on_the_outside_is_not_looked_up() -> None:
    with pytest.raises(OutsideNetwork, match=r"example\.org"):
        socket.create_connection(("example.org", 80), timeout=1)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


@pytest.mark.postgres
def test_postgres_gives_each_test_an_empty_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'")
        assert tables.fetchone() == (0,)
        connection.execute("CREATE TABLE seen (n int)")


@pytest.mark.postgres
def test_postgres_leaves_no_database_behind(postgres_server: PostgresServer) -> None:
    with psycopg.connect(postgres_server.url) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 't\\_%'").fetchall()
    assert rows == []


def test_a_missing_part_skips_here_and_fails_where_nothing_may_be_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLOPS_DASH_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Left-pad is missing"):
        missing_part("Left-pad", "left-pad")
    monkeypatch.setenv("MLOPS_DASH_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="apt install left-pad"):
        missing_part("Left-pad", "left-pad")
