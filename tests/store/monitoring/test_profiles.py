"""Profiles and their marks, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy.engine import Engine
from sqlmodel import text

from mlops_dash.domain.tasks import BINARY
from mlops_dash.store import prediction_log as log
from mlops_dash.store.db import engine, reading, transaction
from mlops_dash.store.monitoring import profiles
from mlops_dash.store.monitoring.parts import Layout, Part, clip_of, count_rows, empty, layout_of
from mlops_dash.store.tables.log import LOG

DAY_US = log.to_us(datetime(2013, 6, 3, tzinfo=UTC))
HOUR = log.HOUR_US


@pytest.fixture
def database(database_url: str) -> Iterator[Engine]:
    if database_url.startswith("postgresql"):
        first = engine(database_url, schema="public")
        with transaction(first) as session:
            session.connection().execute(text("CREATE SCHEMA log"))
        first.dispose()
    made = engine(database_url, schema="log")
    LOG.create_all(made)
    yield made
    made.dispose()


def rows(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(n)
    return pd.DataFrame({"x": rng.normal(size=n), "score": rng.random(n), "label": (rng.random(n) < 0.3).astype(float)})


@pytest.fixture(scope="module")
def layout() -> Layout:
    return layout_of(rows(2_000), features=["x"], clip=clip_of(0.01), task=BINARY)[0]


def part(layout: Layout, n: int) -> Part:
    return count_rows(layout, rows(n), np.zeros(n, dtype=np.int64), 1)[0]


def test_hours_are_replaced_read_by_range_and_removed_when_empty(database: Engine, layout: Layout) -> None:
    with transaction(database) as session:
        profiles.save_hours(
            session, "ref", "v1", {DAY_US: part(layout, 5), DAY_US + HOUR: part(layout, 7)}, computed_at_us=1
        )
    with transaction(database) as session:
        again = {DAY_US: part(layout, 9), DAY_US + HOUR: empty(layout)}
        profiles.save_hours(session, "ref", "v1", again, computed_at_us=2)
    with reading(database) as session:
        found = profiles.hour_parts(session, layout, "ref", DAY_US, DAY_US + 24 * HOUR, known={})
        none = profiles.hour_parts(session, layout, "another", DAY_US, DAY_US + 24 * HOUR, known={})
    assert {hour: one.n for hour, one in found.items()} == {DAY_US: 9}
    assert none == {}


def test_days_come_in_order_with_their_counts(database: Engine, layout: Layout) -> None:
    later = DAY_US + 24 * HOUR
    with transaction(database) as session:
        profiles.save_days(session, "ref", "v1", {later: part(layout, 4), DAY_US: part(layout, 3)}, computed_at_us=5)
    with reading(database) as session:
        found = profiles.day_profiles(session, "ref")
        part_of = profiles.day_profiles(session, "ref", start_us=later, end_us=later + 1)
    assert [(one.at_us, one.n, one.n_labelled) for one in found] == [(DAY_US, 3, 3), (later, 4, 4)]
    assert [one.at_us for one in part_of] == [later]


def test_the_past_of_a_version_is_marked_from_its_first_to_its_last_answer(database: Engine) -> None:
    asked = [log.Prediction("m", f"r{i}", DAY_US + i * HOUR, "b", i, "", "{}") for i in range(5)]
    answers = [log.Score("m", f"r{i}", "v1", "shadow", "1", DAY_US + i * HOUR, 0.5, DAY_US) for i in range(1, 4)]
    with transaction(database) as session:
        log.append(session, asked, answers, marked_us=1)
        log.clear_dirty(session, log.dirty_hours(session, limit=99))
        assert profiles.n_dirty(session, ["m"]) == 0
        assert profiles.mark_past_of(session, "m", "v1", marked_us=2) == 3
        assert profiles.mark_past_of(session, "m", "v2", marked_us=2) == 0
        assert profiles.n_dirty(session, ["m"]) == 3
        hours = [one.hour for one in log.dirty_hours(session, limit=99)]
    assert hours[0] == datetime(2013, 6, 3, 1, tzinfo=UTC)
    assert hours[-1] - hours[0] == timedelta(hours=2)
