"""Engines and transactions on SQLite and Postgres: all or nothing, one writer, our own errors with the next step."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import text

from mlops_dash.errors import InvalidInput, StoreUnavailable
from mlops_dash.settings import Settings
from mlops_dash.store import db
from mlops_dash.store.db import connect, engine, is_sqlite, reading, transaction
from tests import factories


@pytest.fixture
def target(database_url: str) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA app"))
        first.dispose()
    made = engine(database_url, schema="app")
    with transaction(made) as session:
        session.connection().execute(text("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield made
    made.dispose()


def add(target: Engine, number: int, name: str = "") -> None:
    with transaction(target) as session:
        session.connection().execute(
            text("INSERT INTO thing (id, name) VALUES (:id, :name)"), {"id": number, "name": name or f"n{number}"}
        )


def count(target: Engine) -> int:
    with reading(target) as session:
        return int(session.connection().execute(text("SELECT COUNT(*) FROM thing")).scalar_one())


def test_a_transaction_commits_at_its_end(target: Engine) -> None:
    add(target, 1)
    assert count(target) == 1


def test_a_transaction_that_fails_leaves_nothing(target: Engine) -> None:
    def fail() -> None:
        with transaction(target) as session:
            session.connection().execute(text("INSERT INTO thing (id) VALUES (1)"))
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        fail()
    assert count(target) == 0


def test_a_broken_rule_of_the_database_is_not_hidden(target: Engine) -> None:
    add(target, 1)
    with pytest.raises(IntegrityError):
        add(target, 1)
    assert count(target) == 1


def test_a_read_writes_nothing(target: Engine) -> None:
    with reading(target) as session:
        session.connection().execute(text("INSERT INTO thing (id) VALUES (1)"))
    assert count(target) == 0


def test_a_read_sees_one_moment_while_others_write(target: Engine) -> None:
    add(target, 1)
    with reading(target) as session:
        first = session.connection().execute(text("SELECT COUNT(*) FROM thing")).scalar_one()
        add(target, 2)  # does not wait for the reader
        again = session.connection().execute(text("SELECT COUNT(*) FROM thing")).scalar_one()
    assert (first, again) == (1, 1)
    assert count(target) == 2


@pytest.mark.parametrize("ledger", [False, True])
def test_writers_take_turns(target: Engine, ledger: bool) -> None:
    """Each reads the greatest number and adds the next: two at once would collide."""
    failures: list[Exception] = []

    def write() -> None:
        try:
            for _ in range(10):
                with transaction(target, ledger=ledger) as session:
                    connection = session.connection()
                    if not ledger and not is_sqlite(session):
                        connection.execute(text("LOCK TABLE thing IN EXCLUSIVE MODE"))
                    last = connection.execute(text("SELECT COALESCE(MAX(id), 0) FROM thing")).scalar_one()
                    connection.execute(text("INSERT INTO thing (id) VALUES (:id)"), {"id": int(last) + 1})
        except Exception as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(target) == 40


def test_a_missing_table_says_how_to_make_it(target: Engine) -> None:
    with pytest.raises(StoreUnavailable) as caught, reading(target) as session:
        session.connection().execute(text("SELECT * FROM missing"))
    assert caught.value.hint == "Run: mlops-dash db upgrade."


def test_a_statement_of_ours_that_is_wrong_stays_visible(target: Engine) -> None:
    with pytest.raises(Exception, match=r"(?i)syntax") as caught, reading(target) as session:
        session.connection().execute(text("SELEKT 1"))
    assert "Check that the database can be reached" not in str(getattr(caught.value, "hint", ""))


# --- SQLite alone -----------------------------------------------------------------------------------------------------


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    made = engine(f"sqlite:///{tmp_path / 'app.db'}", schema="app")
    with transaction(made) as session:
        session.connection().execute(text("CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"))
    yield made
    made.dispose()


def test_sqlite_is_durable_and_keeps_its_foreign_keys(sqlite: Engine) -> None:
    with reading(sqlite) as session:
        asked = {
            name: session.connection().execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_a_locked_database_is_a_clear_error(sqlite: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "BUSY_SECONDS", 0)
    other = engine(str(sqlite.url), schema="app")
    with transaction(sqlite) as session:
        session.connection()
        with pytest.raises(StoreUnavailable, match="locked") as caught:
            add(other, 2)
    other.dispose()
    assert "Another process is writing" in caught.value.hint
    add(sqlite, 1)


def test_a_read_only_file_is_a_clear_error_and_can_be_read(sqlite: Engine, tmp_path: Path) -> None:
    add(sqlite, 1)
    frozen = engine(f"sqlite:///file:{tmp_path / 'app.db'}?mode=ro&uri=true", schema="app")
    assert count(frozen) == 1
    with pytest.raises(StoreUnavailable) as caught:
        add(frozen, 2)
    frozen.dispose()
    assert caught.value.hint == "Make the file writable. Nothing was changed."


def test_a_full_disk_is_a_clear_error_and_nothing_is_half_written(sqlite: Engine) -> None:
    with sqlite.connect() as connection:  # the pool's one connection: a file of this size and no page more
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.commit()

    def fill() -> None:
        with transaction(sqlite) as session:
            for number in range(1_000):
                session.connection().execute(
                    text("INSERT INTO thing VALUES (:id, :name)"), {"id": number, "name": f"{number}" * 50}
                )

    with pytest.raises(StoreUnavailable, match="full") as caught:
        fill()
    assert "Nothing was half-written" in caught.value.hint
    assert count(sqlite) == 0


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    lost = engine(f"sqlite:///{tmp_path / 'nowhere' / 'app.db'}", schema="app")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        count(lost)
    lost.dispose()


# --- addresses --------------------------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_a_clear_error() -> None:
    away = engine("postgresql://nobody@127.0.0.1:9/none?connect_timeout=2", schema="app")
    with pytest.raises(StoreUnavailable) as caught:
        count(away)
    away.dispose()
    assert "database" in caught.value.hint


def test_a_password_is_never_in_the_message() -> None:
    away = engine("postgresql://me:hunter2@127.0.0.1:9/none?connect_timeout=2", schema="app")
    with pytest.raises(StoreUnavailable) as caught:
        count(away)
    away.dispose()
    assert "hunter2" not in caught.value.sentence()


@pytest.mark.parametrize("address", ["mysql://localhost/x", "not an address", ""])
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        engine(address, schema="app")
    assert caught.value.hint


def test_both_databases_are_opened_and_closed(tmp_path: Path) -> None:
    both = factories.databases(factories.settings(tmp_path))
    with transaction(both.app) as session:
        session.add(factories.model_row())
    both.dispose()
    assert (tmp_path / "app.db").is_file()
    assert (tmp_path / "log.db").is_file()


def test_databases_are_closed_to_people_outside_their_group(tmp_path: Path) -> None:
    names = ("app.db", "app.db-wal", "app.db-shm", "log.db", "mine.txt")
    for name in names:
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o666)
    made = Settings(
        home=tmp_path / "home", database_url=f"sqlite:///{tmp_path}/app.db", mlflow_uri="", mlflow_is_ours=True,
        log_database_url=f"sqlite:///{tmp_path}/log.db",
    )  # fmt: skip
    connect(made).dispose()
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in names] == [0o660] * 4 + [0o666]
