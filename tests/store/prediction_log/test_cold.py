"""Whose the folder of cold files is, and that one process at a time moves or erases rows, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine
from sqlmodel import text

from mlops_dash.errors import StoreUnavailable
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.prediction_log import cold, moving
from mlops_dash.store.tables.log import LOG

DAY_US = log.to_us(datetime(2026, 1, 5, tzinfo=UTC))
MODEL = 'O\'Brien & "Söhne"'


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA log"))
        first.dispose()
    made = at_home(engine(database_url, schema="log"), tmp_path / "cold")
    LOG.create_all(made)
    yield made
    made.dispose()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """The log of another installation, with the folder of `database`."""
    made = at_home(engine(f"sqlite:///{tmp_path / 'staging.db'}", schema="log"), tmp_path / "cold")
    LOG.create_all(made)
    yield made
    made.dispose()


def at_home(target: Engine, folder: Path) -> Engine:
    return target.execution_options(mlops_dash_cold=str(folder))


def archive_a_row(database: Engine) -> None:
    with transaction(database) as session:
        log.append(session, [log.Prediction(MODEL, "p", DAY_US, "", 0, "", "{}")], [], marked_us=DAY_US)
    list(moving.move_day(database, MODEL, DAY_US, now_us=DAY_US))


def sweep(database: Engine) -> int:
    with cold.locked(database), reading(database) as session:
        return cold.sweep(session, older_than=datetime.now(UTC) + timedelta(days=1))


def files(tmp_path: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in (tmp_path / "cold").rglob("*") if path.is_file())


@pytest.mark.parametrize("tied", [True, False])  # False: the files are older than this check
def test_the_files_of_another_log_are_left_alone(database: Engine, other: Engine, tmp_path: Path, tied: bool) -> None:
    if tied:
        assert sweep(database) == 0
    archive_a_row(database)
    with pytest.raises(StoreUnavailable, match="is not the one of this log") as said:
        sweep(other)
    assert "move them away" in said.value.hint
    assert "prediction" in files(tmp_path)
    assert sweep(database) == 0
    assert files(tmp_path) == ["installation", "lock", "prediction"]


@pytest.mark.parametrize("tied", [True, False])
def test_a_folder_of_its_own_on_another_host_is_said(database: Engine, tmp_path: Path, tied: bool) -> None:
    if tied:
        sweep(database)
    archive_a_row(database)
    elsewhere = at_home(database, tmp_path / "elsewhere" / "cold")
    with pytest.raises(StoreUnavailable, match="is not the one of this log"):
        sweep(elsewhere)
    assert sweep(database) == 0


def test_a_copy_of_the_folder_is_taken_once_its_installation_is_written_as_said(
    database: Engine, tmp_path: Path
) -> None:
    sweep(database)
    elsewhere = at_home(database, tmp_path / "copy")
    with pytest.raises(StoreUnavailable) as said:
        sweep(elsewhere)
    token = (tmp_path / "cold" / "installation").read_text().strip()
    assert said.value.hint.endswith(f"write {token} into {tmp_path / 'copy' / 'installation'}.")
    (tmp_path / "copy" / "installation").write_text(token)
    assert sweep(elsewhere) == 0


def test_a_second_process_waits_for_the_folder(
    database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cold, "_PATIENCE", 0.2)
    with cold.locked(database):
        assert (tmp_path / "cold" / "lock").is_file()
        with pytest.raises(StoreUnavailable, match="Another process moves rows"):
            sweep(database)
    assert sweep(database) == 0


def test_on_postgres_the_database_locks_where_the_file_system_does_not(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.dialect.name != "postgresql":
        pytest.skip("SQLite is on one host")
    monkeypatch.setattr(cold, "_PATIENCE", 0.2)
    monkeypatch.setattr(cold.fcntl, "flock", lambda *_: None)
    with cold.locked(database), pytest.raises(StoreUnavailable, match="Another process moves rows"):
        sweep(database)
    assert sweep(database) == 0


def test_a_folder_that_cannot_be_made_is_said(database: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="cannot be written: Not a directory"):
        sweep(at_home(database, tmp_path / "file" / "cold"))
