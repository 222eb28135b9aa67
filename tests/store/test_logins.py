"""Counts of tries: they wait, are paid off with time, and are forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from mlops_dash.domain.access import Allowance
from mlops_dash.services.command import Context
from mlops_dash.store import logins as store
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.access import LoginAttemptRow
from tests import factories
from tests.factories import NOON

OFFICE = Allowance(at_once=3, every_seconds=10.0)


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[Context]:
    """A context once on SQLite and once on Postgres."""
    made = factories.context(tmp_path, database_url=database_url)
    yield made
    made.databases.dispose()


@pytest.fixture
def session(both: Context) -> Iterator[Session]:
    """An open write transaction."""
    with transaction(both.databases.app) as opened:
        yield opened


def test_tries_wait_after_the_fifth_and_a_waiting_try_is_not_counted(session: Session) -> None:
    waits = [store.count_try(session, "ada", wall=NOON) for _ in range(7)]
    assert waits == [0, 0, 0, 0, 0, 2, 2]
    assert store.count_try(session, "ada", wall=NOON + timedelta(seconds=2)) == 0
    assert store.count_try(session, "ada", wall=NOON + timedelta(seconds=2)) == 4
    store.forget_tries(session, "ada")
    store.forget_tries(session, "nobody")
    assert store.count_try(session, "ada", wall=NOON) == 0


def test_an_allowance_is_spent_and_paid_off_with_time(session: Session) -> None:
    for _ in range(3):
        assert store.overdrawn_seconds(session, "@office", OFFICE, wall=NOON) == 0
        store.spend(session, "@office", OFFICE, wall=NOON)
    assert store.overdrawn_seconds(session, "@office", OFFICE, wall=NOON) == 10
    assert store.overdrawn_seconds(session, "@office", OFFICE, wall=NOON + timedelta(seconds=10)) == 0
    assert store.failures(session, "@office") == 3


def test_a_try_that_fitted_is_given_back(session: Session) -> None:
    for _ in range(3):
        store.spend(session, "@office", OFFICE, wall=NOON)
    store.give_back(session, "@office", OFFICE)
    assert store.overdrawn_seconds(session, "@office", OFFICE, wall=NOON) == 0
    assert store.failures(session, "@office") == 2
    store.give_back(session, "@nowhere", OFFICE)


@pytest.mark.parametrize("days", [1.1, 30])
def test_what_nobody_tried_for_a_day_is_forgotten_with_the_next_new_key(session: Session, days: float) -> None:
    for key in ("ada@1", "ada@2", "ada_x@1"):
        store.count_try(session, key, wall=NOON)
    store.count_try(session, "bob@1", wall=NOON + timedelta(days=days))
    assert session.exec(select(LoginAttemptRow.name)).all() == ["bob@1"]


def test_a_count_of_yesterday_begins_anew(session: Session) -> None:
    for _ in range(4):
        store.count_try(session, "ada@1", wall=NOON)
    later = NOON + timedelta(days=2)
    assert [store.count_try(session, "ada@1", wall=later) for _ in range(5)] == [0] * 5
    assert store.failures(session, "ada@1") == 5


def test_a_new_password_forgets_the_counts_of_that_name_alone(session: Session) -> None:
    for key in ("ada", "ada@1", "ada@2", "adam@1", "a_a@1"):
        store.count_try(session, key, wall=NOON)
    store.forget_name(session, "ada")
    store.forget_name(session, "a_")
    assert sorted(session.exec(select(LoginAttemptRow.name)).all()) == ["a_a@1", "adam@1"]
