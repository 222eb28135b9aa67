"""What is kept for long enough goes a few rows at a time: writers get in between, and a killed run loses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.events import Event
from mlops_dash.store import migrate, retention
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import Databases, connect, reading, transaction
from mlops_dash.store.retention import Old
from tests import factories

MODEL = """it's the "queue" of 点击"""
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = log.to_us(AT + timedelta(days=1))


@pytest.fixture
def both(database_url: str, tmp_path: Path) -> Iterator[Databases]:
    """SQLite files, or the schemas of one Postgres database."""
    made = factories.settings(tmp_path)
    if database_url.startswith("postgresql"):
        made = replace(made, database_url=database_url, log_database_url=database_url)
    opened = connect(made)
    migrate.upgrade(opened)
    yield opened
    opened.dispose()


def fill(both: Databases, first: int, end: int, *, at: datetime = AT) -> None:
    """Events whose ids do not sort as they came."""
    bag = [Event(f"e'{n * 7919 % 1000}-{n}", f"u{n}", "click", 1.0, at) for n in range(first, end)]
    with transaction(both.log) as session:
        log.append_events(session, MODEL, bag, received=at)


def left(both: Databases, old: Old) -> int:
    with reading(both.log) as session:
        return retention.count(session, old)


def test_every_lot_is_a_transaction_and_others_write_in_between(both: Databases) -> None:
    old = retention.events(LATER, but=())
    fill(both, 0, 95)
    fill(both, 500, 503, at=AT + timedelta(days=9))  # young: they stay
    steps, seen = [], []
    for number, gone in enumerate(retention.remove(both.log, old, at_once=20)):
        steps.append(gone)
        seen.append(left(both, old))  # of another connection: what is done is done
        fill(both, 600 + number, 601 + number, at=AT + timedelta(days=9))  # and another writer is not kept out
    assert max(steps) <= 20
    assert seen == [95 - sum(steps[: at + 1]) for at in range(len(steps))]
    assert (sum(steps), seen[-1]) == (95, 0)
    with reading(both.log) as session:
        (one,) = log.event_names(session, MODEL)
    assert one.events == 3 + len(steps)


def test_a_run_that_is_killed_is_ended_by_the_next(both: Databases) -> None:
    old = retention.events(LATER, but=())
    fill(both, 0, 50)
    begun = retention.remove(both.log, old, at_once=20)
    assert next(begun) == 20
    begun.close()  # what comes of it is what a kill leaves: whole lots
    assert left(both, old) == 30
    assert list(retention.remove(both.log, old, at_once=20)) == [20, 10]
    assert list(retention.remove(both.log, old, at_once=20)) == []


def test_keys_of_several_columns_and_numbers_are_told_apart(both: Databases) -> None:
    """Two rows that share a part of their key are two; none is left, none goes twice."""
    from sqlmodel import text

    with transaction(both.log) as session:
        for reference in ("a", "it's b"):
            for hour in range(7):
                session.connection().execute(
                    text(
                        "INSERT INTO profile_hour (reference_id, hour_us, version_id, n, n_labelled, packed, "
                        "computed_at_us) VALUES (:reference, :hour, 'v', 1, 0, :packed, :computed)"
                    ),
                    {"reference": reference, "hour": hour, "packed": b"", "computed": 5 if hour < 5 else 50},
                )
    hours = retention.profiles(10)[0]
    assert list(retention.remove(both.log, hours, at_once=3)) == [3, 2, 2, 3]
    with reading(both.log) as session:
        kept = session.connection().execute(text("SELECT reference_id, hour_us FROM profile_hour ORDER BY 1, 2")).all()
    assert [tuple(one) for one in kept] == [("a", 5), ("a", 6), ("it's b", 5), ("it's b", 6)]


def test_a_label_is_nobodys_only_while_its_prediction_has_not_come(both: Databases) -> None:
    us = log.to_us(AT)
    with transaction(both.log) as session:
        log.append_labels(session, [log.Label(MODEL, f"r{n}", 1.0, us, us) for n in range(6)])
        rows = [log.Prediction(MODEL, f"r{n}", us, "b", 0, "", "{}") for n in (1, 4)]
        log.append(session, rows, [], marked_us=us)
    assert list(retention.remove(both.log, retention.labels_of_nobody(LATER), at_once=3)) == [2, 2]
    with reading(both.log) as session:
        assert retention.count(session, retention.labels_of_nobody(LATER)) == 0
        assert retention.count(session, Old(retention.LabelRow, retention.LabelRow.received_at_us < LATER)) == 2
