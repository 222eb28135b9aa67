"""Reports are kept once, under the hash of their facts, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import text

from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, sha256_of, week_ending
from mlops_dash.store import reports as store
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.tables.app import APP
from tests.factories import NOON, model_row
from tests.rendering.facts import FACTS

WEEK = week_ending(date(2013, 6, 1), "America/New_York")


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA app"))
        first.dispose()
    made = engine(database_url, schema="app")
    APP.create_all(made)
    with transaction(made) as session:
        session.add(model_row())
    yield made
    made.dispose()


def report(name: str = "a", **changes: object) -> Report:
    line = ReportLine(name, ReportKind.WEEKLY, "flight-delay", WEEK, sha256_of(FACTS), "user:lead", NOON)
    return Report(replace(line, **changes), FACTS)  # type: ignore[arg-type]


def test_what_was_kept_is_read_as_it_was(database: Engine) -> None:
    kept = report()
    with transaction(database) as session:
        store.add(session, kept)
    with reading(database) as session:
        assert store.report(session, "a") == kept
        assert store.with_hash(session, kept.line.sha256) == kept
        assert store.same(session, ReportKind.WEEKLY, "flight-delay", kept.line.sha256) == kept
        assert store.lines(session) == (kept.line,)
        assert sha256_of(store.report(session, "a").facts) == kept.line.sha256  # type: ignore[union-attr]


def test_what_was_never_kept_is_none(database: Engine) -> None:
    with reading(database) as session:
        assert store.report(session, "a") is None
        assert store.with_hash(session, "0" * 64) is None
        assert store.same(session, ReportKind.WEEKLY, "flight-delay", "0" * 64) is None
        assert store.lines(session) == ()


def test_the_newest_comes_first_and_the_list_ends(database: Engine) -> None:
    kept = [report(f"{n}", sha256=f"{n}" * 64, made_at=NOON + timedelta(minutes=n)) for n in range(4)]
    with transaction(database) as session:
        for one in kept:
            store.add(session, one)
    with reading(database) as session:
        assert [one.id for one in store.lines(session, limit=3)] == ["3", "2", "1"]


def test_the_database_refuses_the_same_facts_twice(database: Engine) -> None:
    with transaction(database) as session:
        store.add(session, report())
    with pytest.raises(IntegrityError), transaction(database) as session:
        store.add(session, report("b"))
