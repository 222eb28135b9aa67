"""What is measured of a roll-out: against scipy's own intervals, and over many looks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.rollouts import CELLS, cell_of, edges_of, exact, loss_rise, quantile_of_cells


@pytest.mark.parametrize(("successes", "n"), [(0, 7), (1, 1), (3, 40), (40, 40), (17, 900)])
def test_the_interval_of_failed_calls_is_scipy_s_exact_one(successes: int, n: int) -> None:
    oracle = binomtest(successes, n).proportion_ci(0.999, method="exact")
    assert exact(successes, n, level=0.999) == pytest.approx((oracle.low, oracle.high), abs=1e-12)


def test_without_calls_nothing_is_known_and_nonsense_is_refused() -> None:
    assert exact(0, 0, level=0.999) == (0.0, 1.0)
    with pytest.raises(InvalidInput, match="3 successes of 2 trials"):
        exact(3, 2, level=0.999)


def test_every_time_lies_in_its_cell() -> None:
    for seconds in np.geomspace(1e-5, 3_000, 400):
        low, high = edges_of(cell_of(float(seconds)))
        assert low * (1 - 1e-9) <= seconds <= high * (1 + 1e-9)
    assert cell_of(1e12) == CELLS - 1


def test_the_interval_of_a_quantile_holds_the_true_one_as_often_as_it_says() -> None:
    rng = np.random.default_rng(4)
    truth, missed = float(np.exp(-4 + 0.5 * 1.6448536)), 0
    for _ in range(300):
        counts: dict[int, int] = {}
        for one in np.exp(rng.normal(-4, 0.5, 200)):
            cell = cell_of(float(one))
            counts[cell] = counts.get(cell, 0) + 1
        _, low, high = quantile_of_cells(counts, 0.95, level=0.95)
        missed += not low <= truth <= high
    assert missed <= 15


def test_few_times_give_an_open_end_and_none_give_nothing() -> None:
    assert quantile_of_cells({20: 5}, 0.95, level=0.999)[2] == math.inf
    assert all(math.isnan(one) for one in quantile_of_cells({}, 0.95, level=0.999))


def test_a_version_as_good_as_the_champion_is_hardly_ever_called_worse_however_often_one_looks() -> None:
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(150):
        old, new = rng.exponential(1.0, 3_000), rng.exponential(1.0, 3_000)
        looks = range(100, 3_001, 100)
        wrong += any(loss_rise(new[:n], old[:n], np.zeros(n), margin=0.0, alpha=0.05).low > 0.0 for n in looks)
    assert wrong <= 12


def test_a_loss_that_rose_is_seen_by_days_and_by_rows() -> None:
    rng = np.random.default_rng(2)
    old = rng.exponential(1.0, 4_000)
    new = old * 1.4 + rng.normal(0, 0.1, 4_000)
    by_day = loss_rise(new, old, np.repeat(np.arange(20), 200), margin=0.05, alpha=0.01)
    by_row = loss_rise(new, old, np.zeros(4_000), margin=0.05, alpha=0.01)
    assert (by_day.n_clusters, by_row.n_clusters) == (20, None)
    assert by_day.low > 0.05
    assert by_row.low > 0.05
    assert by_day.value == pytest.approx(0.4, abs=0.02)
    assert by_day.low <= by_day.value <= by_day.high


def test_what_cannot_be_told_says_why() -> None:
    assert "50 of 100 rows" in loss_rise(np.ones(50), np.ones(50), np.zeros(50), margin=0.05, alpha=0.01).reason
    assert "no loss" in loss_rise(np.ones(200), np.zeros(200), np.zeros(200), margin=0.05, alpha=0.01).reason
    same = loss_rise(np.ones(200), np.ones(200), np.zeros(200), margin=0.05, alpha=0.01)
    assert "alike" in same.reason
    assert math.isnan(same.low)
