"""Which rows the flights' program trains on, and which parameters it reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash.demo.flights.columns import load_flights
from mlops_dash.demo.flights.train import recipe_of, window_of
from mlops_dash.errors import InvalidInput
from mlops_dash.training.contract import Request, Window

ROOT = Path(__file__).parents[3]
LATER = datetime(2013, 3, 1, 5, tzinfo=UTC)  # midnight in New York
SMALL = {"train_start": "2013-01-01T00:00:00-05:00", "validation_days": 7, "folds": 2, "seed": 1}


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Every eighth flight until the middle of March."""
    frame = pd.read_parquet(ROOT / "data" / "flights-2013.parquet")
    path = tmp_path_factory.mktemp("data") / "few.parquet"
    frame[frame["scheduled_at"] < pd.Timestamp("2013-03-15", tz="UTC")].iloc[::8].to_parquet(path, index=False)
    return load_flights(path)


def asked(now: datetime, **parameters: object) -> Request:
    window = Window(now - timedelta(days=90), now - timedelta(days=28), now)
    return Request("", "flight-delay", "flight-delay", "refresh", window, {**SMALL, **parameters}, "j1", 1)


def test_the_training_window_counts_back_from_the_last_known_label(flights: pd.DataFrame) -> None:
    now = LATER + timedelta(hours=20)
    live = window_of(asked(now, holdout_days=10), flights)
    assert (live.end, live.edge) == (LATER - timedelta(days=10), now)
    # the last flight of the file is on 14 March: a world that lives on keeps the same later rows
    end = datetime(2013, 3, 15, 4, tzinfo=UTC)
    for days in (2, 400):
        after = window_of(asked(end + timedelta(days=days), holdout_days=10), flights)
        assert (after.end, after.edge) == (datetime(2013, 3, 5, 5, tzinfo=UTC), end)


@pytest.mark.parametrize("changes", [{"holdout_days": 400}, {"train_start": "2013-01-01"}])
def test_a_window_that_cannot_be_meant_is_refused(flights: pd.DataFrame, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        window_of(asked(LATER, **changes), flights)


def test_a_parameter_that_nobody_reads_is_refused(flights: pd.DataFrame) -> None:
    for changes in ({"hold_out_days": 3}, {"parameters": {"max_itr": 3}}):
        request = asked(LATER, **changes)
        with pytest.raises(InvalidInput, match=r"parameters nobody reads: (hold_out_days|max_itr)"):
            recipe_of(request, window_of(asked(LATER), flights))
