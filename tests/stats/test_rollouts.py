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
    same = loss_rise(np.ones(200), np.ones(200), np.zeros(200), margin=0.05, alpha=0.01)
    assert "alike" in same.reason
    assert math.isnan(same.low)


def test_where_the_old_one_made_no_error_the_difference_itself_is_bounded() -> None:
    rng = np.random.default_rng(5)
    days, none = np.repeat(np.arange(20), 30), np.zeros(600)
    some = (rng.random(600) < 0.3).astype(float)
    for wrong in (np.ones(600), some):
        for at in (days, np.zeros(600)):
            found = loss_rise(wrong, none, at, margin=0.05, alpha=0.01)
            assert found.absolute
            assert 0.0 < found.low < found.value < found.high


def test_one_loss_that_is_not_finite_is_left_out_and_counted() -> None:
    rng = np.random.default_rng(6)
    old = rng.exponential(1.0, 600)
    new = old * 1.5 + rng.normal(0, 0.1, 600)
    plain = loss_rise(new, old, np.zeros(600), margin=0.05, alpha=0.01)
    for bad in (math.inf, math.nan):
        found = loss_rise(np.append(new, bad), np.append(old, 1.0), np.zeros(601), margin=0.05, alpha=0.01)
        assert (found.low, found.n, found.left_out) == (plain.low, 600, 1)


def test_no_spread_between_losses_that_differ_is_judged_all_the_same() -> None:
    days = np.repeat(np.arange(20), 30)
    for at in (days, np.zeros(600)):
        worse = loss_rise(np.full(600, 0.9), np.full(600, 0.1), at, margin=0.05, alpha=0.01)
        assert 0.05 < worse.low < worse.value
        better = loss_rise(np.full(600, 0.1), np.full(600, 0.9), at, margin=0.05, alpha=0.01)
        assert better.value == pytest.approx(-8 / 9)
        assert better.low < better.high < 1.0


def test_versions_that_hardly_ever_err_are_hardly_ever_called_worse() -> None:
    rng = np.random.default_rng(8)
    wrong = 0
    for _ in range(150):
        old, new = ((rng.random(3_000) < 0.003).astype(float) for _ in range(2))
        looks = range(100, 3_001, 100)
        wrong += any(loss_rise(new[:n], old[:n], np.zeros(n), margin=0.0, alpha=0.05).low > 0.0 for n in looks)
    assert wrong <= 12
