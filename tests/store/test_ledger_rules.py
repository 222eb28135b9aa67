"""The database itself refuses to change the ledger, on SQLite and Postgres; entries are added as before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import text

from mlops_dash.domain.audit import Action
from mlops_dash.store import audit, migrate
from mlops_dash.store.db import Databases, connect, is_sqlite, reading, transaction
from tests import factories
from tests.factories import NOON


@pytest.fixture
def databases(database_url: str, tmp_path: Path) -> Iterator[Databases]:
    log_url = database_url.replace("app.db", "log.db")
    made = connect(factories.settings(tmp_path, database_url=database_url, log_database_url=log_url))
    migrate.upgrade(made)
    for _ in range(2):
        add(made)
    yield made
    made.dispose()


def add(databases: Databases) -> None:
    with transaction(databases.app, ledger=True) as session:
        audit.append(
            session, key=b"k", at=NOON, wall=NOON, actor="user:ann", action=Action.MODEL_ADDED,
            object_="""it's "ours\"""", model="", before={}, after={}, reason="", evidence_ids=(),
        )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET reason = 'another' WHERE number = 1",
        "DELETE FROM ledger WHERE number = 2",
        "DELETE FROM ledger",
    ],
)
def test_an_entry_cannot_be_changed_or_deleted(databases: Databases, statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), transaction(databases.app) as session:
        session.connection().execute(text(statement))
    with reading(databases.app) as session:
        assert [(one.number, one.reason) for one in audit.entries(session)] == [(1, ""), (2, "")]
    add(databases)


def test_an_entry_cannot_be_put_in_place_of_another(databases: Databases) -> None:
    with reading(databases.app) as session:
        replace = "INSERT OR REPLACE INTO ledger" if is_sqlite(session) else "TRUNCATE ledger; INSERT INTO ledger"
    with pytest.raises(DBAPIError, match="append-only"), transaction(databases.app) as session:
        session.connection().execute(text(f"{replace} SELECT * FROM ledger WHERE number = 1"))
