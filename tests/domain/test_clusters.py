"""Groups of customers: whole customers in each, and intervals that hold where rows taken as independent do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.cadence import GROUP, GROUPS, cadence_named
from mlops_dash.domain.clusters import groups_of
from mlops_dash.stats.performance import regression_metrics

REPEATS, CUSTOMERS, EACH = 200, 150, 40


def covered(rng: np.random.Generator, spread: float) -> tuple[bool, bool]:
    """Whether the interval of the MAE by groups, and that by rows, holds the MAE of all customers that there are."""
    scale = np.exp(rng.normal(0.0, spread, CUSTOMERS))
    of_row = np.repeat(np.arange(CUSTOMERS), rng.poisson(EACH, CUSTOMERS))
    error = rng.normal(0.0, 1.0, len(of_row)) * scale[of_row]
    names = pd.Series([f'customer "{one}"' for one in of_row])
    true = np.sqrt(2.0 / np.pi) * np.exp(spread**2 / 2.0)
    by = (groups_of(names), None)
    found = [regression_metrics(error, np.zeros(len(error)), level=0.95, clusters=one)["mae"] for one in by]
    return found[0].low <= true <= found[0].high, found[1].low <= true <= found[1].high


def test_intervals_by_groups_hold_where_customers_differ_and_those_by_rows_are_too_narrow() -> None:
    rng = np.random.default_rng(11)
    held = np.asarray([covered(rng, 0.5) for _ in range(REPEATS)]).mean(axis=0)
    assert held[0] >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / REPEATS), held
    assert held[1] < 0.7, held


def test_where_customers_are_alike_groups_say_what_rows_say() -> None:
    rng = np.random.default_rng(12)
    held = np.asarray([covered(rng, 0.0) for _ in range(REPEATS)]).mean(axis=0)
    assert held.min() >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / REPEATS), held


def test_a_customer_lies_in_one_group_and_all_rows_without_one_in_one_more() -> None:
    names = pd.Series(["京", "京", 7.0, "7", None, None])
    found = groups_of(names).tolist()
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert all(0 <= one < GROUPS for one in found[:4])
    assert found[4:] == [GROUPS, GROUPS]
    assert groups_of(pd.Series([None, None], dtype=object)).tolist() == [GROUPS, GROUPS]


@pytest.mark.parametrize(
    ("window", "n_days", "column", "unit"),
    [("day", 12, "customer", GROUP), ("day", 20, "customer", "day"), ("week", 12, "customer", GROUP),
     ("week", 12, "", "week"), ("batch:run", 40, "customer", "batch"), ("batch:run", 12, "customer", GROUP),
     ("rows:500", 30, "customer", "day")],
)  # fmt: skip
def test_what_belongs_together_is_the_day_where_there_are_enough_else_the_column(
    window: str, n_days: int, column: str, unit: str
) -> None:
    assert cadence_named(window).cluster(n_days, column) == unit
