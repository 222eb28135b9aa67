"""Few rows of a span with many: from all hours of the day, also of one day, and also where rows come in batches."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from mlops_dash.services.command import Context
from mlops_dash.services.monitoring.samples import window_rows
from mlops_dash.services.monitoring.spread import HOUR, spread_rows
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import references
from tests.services.monitoring.monitoring_world import V1
from tests.services.monitoring.test_counting import counted as world_by_count
from tests.services.monitoring.test_counting import send

FIRST = datetime(2013, 3, 1, tzinfo=UTC)


def spread(at: Sequence[datetime], rows: int, **more: int) -> pd.DataFrame:
    """What is read of rows at these times."""
    table = pd.DataFrame({"at": pd.to_datetime(list(at))})
    hours = table["at"].dt.floor("h")

    def read(begins: Sequence[datetime], width: timedelta) -> pd.DataFrame:
        kept = np.zeros(len(table), dtype=bool)
        for begin in begins:
            kept |= ((table["at"] >= begin) & (table["at"] < begin + width)).to_numpy()
        return table[kept]

    counted = {hour.to_pydatetime(): int(n) for hour, n in hours.value_counts().items()}
    return spread_rows(counted, rows, read, **more)


def test_of_one_busy_day_every_hour_is_read_and_the_same_rows_each_time() -> None:
    day = [FIRST + timedelta(seconds=2 * n) for n in range(43_200)]
    found = spread(day, 1_500)
    assert found["at"].dt.hour.nunique() == 24
    assert 1_000 < len(found) < 2_000
    assert found.equals(spread(day, 1_500))


def test_of_weeks_no_hour_of_the_day_is_taken_alone() -> None:
    weeks = [FIRST + timedelta(minutes=n) for n in range(42 * 24 * 60)]
    found = spread(weeks, 2_520)  # one of 24
    assert found["at"].dt.hour.nunique() > 15
    assert spread(weeks, 2_520, most_hours=24)["at"].dt.floor("h").nunique() == 24
    assert len(spread(weeks[:500], 600)) == 500


def test_rows_that_come_at_one_instant_of_the_hour_are_found() -> None:
    batches = [FIRST + n * HOUR for n in range(48) for _ in range(400)]
    assert len(spread(batches, 800)) >= 400


def test_rows_of_a_window_of_the_log_are_of_all_hours(context: Context) -> None:
    made = world_by_count(context)
    begin = made.now
    send(made, 24 * 60)
    with reading(context.databases.app) as session:
        reference = references.reference(session, V1)
    assert reference is not None
    with reading(context.databases.log) as session:
        found = window_rows(session, reference, begin, made.now, most=30)
    assert found["at"].dt.hour.nunique() > 12
