"""Many rows and long lists in one round trip, on SQLite and Postgres: a list travels as one JSON text or array."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlmodel import Session

from mlops_dash.store.db import is_sqlite


def insert(
    session: Session,
    table: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    conflict: str = "ON CONFLICT DO NOTHING",
) -> int:
    """Add rows past the ORM, in one round trip on Postgres; returns how many were new."""
    if not rows:
        return 0
    names = ", ".join(columns)
    connection = session.connection()
    if is_sqlite(session):
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}"  # noqa: S608 - names are ours
        return connection.exec_driver_sql(statement, [tuple(row) for row in rows]).rowcount
    arrays = ", ".join(f"%s::{_POSTGRES.get(column, 'text')}[]" for column in columns)
    statement = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {conflict}"  # noqa: S608
    return connection.exec_driver_sql(statement, tuple(list(column) for column in zip(*rows, strict=True))).rowcount


_POSTGRES = {
    **dict.fromkeys(
        ("at_us", "scored_at_us", "observed_at_us", "received_at_us", "hour_us", "marked_us", "noted_at_us"), "bigint"
    ),
    **dict.fromkeys(("row_number", "revision"), "int"),
    **dict.fromkeys(("score", "value"), "float8"),
    "logged": "boolean",
    "probabilities": "bytea",
}


def texts_of(session: Session, name: str) -> str:
    """A query with one column `value`: the texts of a bound list."""
    return _listed(session, name, "text")


def numbers_of(session: Session, name: str) -> str:
    """A query with one column `value`: the whole numbers of a bound list."""
    return _listed(session, name, "bigint")


def bound(session: Session, values: Sequence[Any]) -> Any:
    """A list as `texts_of` and `numbers_of` read it."""
    return json.dumps(list(values)) if is_sqlite(session) else list(values)


def _listed(session: Session, name: str, kind: str) -> str:
    if is_sqlite(session):
        return f"SELECT value FROM json_each(:{name})"  # noqa: S608 - names are ours
    return f"SELECT unnest(CAST(:{name} AS {kind}[])) AS value"
