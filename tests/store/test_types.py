"""Times stay aware UTC, and JSON stays canonical, on SQLite and Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import StatementError
from sqlmodel import text

from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.types import JsonText, UtcDateTime

ROWS = Table(
    "typed",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime),
    Column("body", JsonText),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    made = engine(database_url, schema="public")
    ROWS.metadata.create_all(made)
    yield made
    made.dispose()


def there_and_back(database: Engine, **values: Any) -> Any:
    with transaction(database) as session:
        session.connection().execute(insert(ROWS).values(id=1, **values))
    with reading(database) as session:
        return session.connection().execute(select(*(ROWS.c[name] for name in values))).one()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2013, 3, 10, 6, 59, 59, 999_999, tzinfo=UTC),
        datetime(2013, 11, 3, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York")),
        datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    ],
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(database: Engine, moment: datetime) -> None:
    (back,) = there_and_back(database, at=moment)
    assert back == moment.astimezone(UTC)
    assert back.utcoffset() == timedelta(0)


def test_times_compare_in_the_database(database: Engine) -> None:
    there_and_back(database, at=datetime(2013, 6, 1, 12, tzinfo=UTC))
    with reading(database) as session:
        later = datetime(2013, 6, 1, 8, 0, 1, tzinfo=ZoneInfo("America/New_York"))
        found = session.connection().execute(select(ROWS.c.id).where(ROWS.c.at < later)).all()
    assert len(found) == 1


def test_a_naive_moment_never_reaches_the_database(database: Engine) -> None:
    with pytest.raises(StatementError, match="naive"):
        there_and_back(database, at=datetime(2013, 1, 1))  # noqa: DTZ001


def test_missing_stays_missing(database: Engine) -> None:
    assert tuple(there_and_back(database, at=None, body=None)) == (None, None)


@pytest.mark.parametrize("body", [{}, [], {"b": [1, 2.5, None, True], "a": "é 漢"}, "text", 0, False])
def test_json_comes_back_equal(database: Engine, body: object) -> None:
    (back,) = there_and_back(database, body=body)
    assert back == body


def test_equal_json_is_equal_text(database: Engine) -> None:
    there_and_back(database, body={"b": 1, "a": 2})
    with reading(database) as session:
        assert session.connection().execute(text("SELECT body FROM typed")).scalar_one() == '{"a":2,"b":1}'


@pytest.mark.parametrize("body", [float("nan"), {"x": float("inf")}])
def test_numbers_that_are_none_are_refused(database: Engine, body: object) -> None:
    with pytest.raises(StatementError, match="JSON compliant"):
        there_and_back(database, body=body)
