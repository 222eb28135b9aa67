"""Events in the log: once by id, counted by name, read by time, and gone when somebody is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlmodel import text

from mlops_dash.domain.events import Event
from mlops_dash.store import migrate, retention
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import Databases, connect, reading, transaction
from mlops_dash.store.prediction_log import to_us
from tests import factories

MODEL = 'queue "minutes"'
AT = datetime(2026, 3, 1, tzinfo=UTC)


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


def test_events_are_kept_once_counted_read_and_erased(both: Databases) -> None:
    bag = [Event(f"e{n}", f"u'{n % 3}", "click" if n % 2 else "revenue", n * 1.5, AT + timedelta(hours=n))
           for n in range(10)]  # fmt: skip
    with transaction(both.log) as session:
        assert log.append_events(session, MODEL, bag, received=AT) == 10
        assert log.append_events(session, MODEL, [*bag, Event("e99", "p-7", "click", 1.0, AT)], received=AT) == 1
        assert log.append_events(session, "other", bag[:2], received=AT) == 2
    with reading(both.log) as session:
        known = log.known_events(session, MODEL, ["e1", "e5", "ghost"])
        assert known == {"e1": ("u'1", "click", 1.5, bag[1].at), "e5": ("u'2", "click", 7.5, bag[5].at)}
        assert [(one.name, one.events) for one in log.event_names(session, MODEL)] == [("click", 6), ("revenue", 5)]
        assert {one.model for one in log.event_names(session)} == {MODEL, "other"}
        window = log.read_events(session, MODEL, ["click"], AT + timedelta(hours=2), AT + timedelta(hours=8))
        assert window["value"].tolist() == [4.5, 7.5, 10.5]
        assert window["at_us"].tolist() == [to_us(bag[n].at) for n in (3, 5, 7)]
        assert log.named(session, MODEL, "u'1").events == 3
    with transaction(both.log) as session:
        log.append(session, [log.Prediction(MODEL, "p-7", to_us(AT), "", 0, "k7", "{}")], [], marked_us=0)
        assert log.unit_keys(session, MODEL, AT, AT + timedelta(hours=1)) == {"p-7": "k7"}
        assert log.erase(session, MODEL, ["p-7"], marked_us=0, entity="u'1") == 1
    with reading(both.log) as session:
        left = log.read_events(session, MODEL, ["click", "revenue"], AT, AT + timedelta(days=9))
        assert sorted(left["unit"].unique()) == ["u'0", "u'2"]
        assert log.event_names(session, "other")[0].events == 1


def test_the_database_itself_counts_events_as_they_come_and_go(both: Databases) -> None:
    with both.log.begin() as connection:
        command.downgrade(migrate._config("log", connection), "0010")
    bag = [
        Event(f"e{n}", f"安 '{n % 3}", ("<b>点击</b>", "it's")[n % 2], 1.0, AT + timedelta(hours=n)) for n in range(10)
    ]

    def kept(model: str = MODEL) -> dict[str, int]:
        with reading(both.log) as session:
            names = log.event_names(session, model)
            counted = session.connection().execute(
                text("SELECT name, COUNT(*) FROM event WHERE model = :model GROUP BY name ORDER BY name"),
                {"model": model},
            )
            found = {one.name: one.events for one in names}
            assert found == {str(name): int(n) for name, n in counted}
            return found

    with transaction(both.log) as session:  # events of before the count are counted once by the upgrade
        log.append_events(session, MODEL, bag[:4], received=AT)
    migrate.upgrade(both)
    assert kept() == {"<b>点击</b>": 2, "it's": 2}
    with transaction(both.log) as session:
        assert log.append_events(session, MODEL, bag, received=AT) == 6
        assert log.append_events(session, "other", bag[:1], received=AT) == 1
    assert kept() == {"<b>点击</b>": 5, "it's": 5}
    with transaction(both.log) as session:  # what is undone is not counted
        log.append_events(session, MODEL, [Event("x", "u", "it's", 1.0, AT)], received=AT)
        session.rollback()
    with transaction(both.log) as session:
        assert log.erase(session, MODEL, [], marked_us=0, entity="安 '1") == 0
    assert kept() == {"<b>点击</b>": 4, "it's": 3}
    late = log.to_us(AT + timedelta(hours=9))
    assert sum(retention.remove(both.log, retention.events(late, but=["other"]), at_once=4)) == 6
    assert kept() == {"it's": 1}
    with reading(both.log) as session:
        (one,) = log.event_names(session, MODEL)
    assert (one.first, one.last) == (bag[9].at, bag[9].at)
    assert kept("other") == {"<b>点击</b>": 1}
