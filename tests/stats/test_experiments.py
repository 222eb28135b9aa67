"""Repeats: parity with scipy and statsmodels, and what the seed alone may not be taken for."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from mlops_dash.stats.experiments import band, repeats, seed_difference, smoothed

rng = np.random.default_rng(5)
A, B = rng.normal(0.70, 0.01, 6), rng.normal(0.69, 0.02, 6)
SEEDS = list("123456")


def test_repeats_agree_with_scipy_group_by_group() -> None:
    values, codes = np.concatenate([A, B, [0.5]]), np.repeat([0, 1, 2], [6, 6, 1])
    made = repeats(values, codes, 4)
    for code, part in ((0, A), (1, B)):
        low, high = stats.t.interval(0.95, 5, part.mean(), stats.sem(part))
        assert (made.mean[code], made.sd[code]) == pytest.approx((part.mean(), part.std(ddof=1)))
        assert (made.low[code], made.high[code]) == pytest.approx((low, high))
    assert made.n.tolist() == [6, 6, 1, 0]
    assert (made.mean[2], math.isnan(made.sd[2]), math.isnan(made.low[2])) == (0.5, True, True)
    assert math.isnan(made.mean[3])


def test_infinite_values_are_counted_and_left_out() -> None:
    made = repeats(np.array([1.0, np.inf, np.nan]), np.array([0, 0, 0]), 1)
    assert (made.n[0], made.n_finite[0], made.mean[0]) == (3, 1, 1.0)


def test_equal_keys_make_a_paired_test_whatever_their_order() -> None:
    shuffled = [3, 1, 5, 0, 2, 4]
    made = seed_difference(A, B[shuffled], SEEDS, [SEEDS[at] for at in shuffled])
    theirs = stats.ttest_rel(A, B)
    interval = theirs.confidence_interval(0.95)
    assert made.n_pairs == 6
    assert made.p_value == pytest.approx(theirs.pvalue)
    assert (made.low, made.high) == pytest.approx((interval.low, interval.high))


def test_other_keys_make_welchs_test() -> None:
    for keys in ((SEEDS, list("uvwxyz")), ([None] * 6, [None] * 6), (["1"] * 6, ["1"] * 6)):
        made = seed_difference(A, B[:4], keys[0], keys[1][:4])
        theirs = stats.ttest_ind(A, B[:4], equal_var=False)
        interval = theirs.confidence_interval(0.95)
        assert (made.n_pairs, made.n) == (0, 4)
        assert made.p_value == pytest.approx(theirs.pvalue)
        assert (made.low, made.high) == pytest.approx((interval.low, interval.high))


def test_too_few_runs_or_identical_ones_are_not_tested() -> None:
    few = seed_difference(A[:2], B, SEEDS[:2], SEEDS)
    assert (few.reason, math.isnan(few.p_value)) == ("fewer than 3 runs a side: no test", True)
    assert few.value == pytest.approx(A[:2].mean() - B.mean())
    lost = seed_difference(np.array([0.7, np.nan, 0.7]), A[:3], SEEDS[:3], SEEDS[:3])
    assert (lost.n, lost.reason) == (2, "fewer than 3 runs a side: no test")
    same = seed_difference(np.full(3, 0.7), np.full(3, 0.6), SEEDS[:3], SEEDS[:3])
    assert (same.reason, same.value) == ("the repeats are identical: no noise to judge by", pytest.approx(0.1))
    assert math.isnan(seed_difference(np.array([]), A, [], SEEDS).value)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_the_seed_alone_is_taken_for_a_difference_in_at_most_five_per_cent(seeds: int) -> None:
    draws, keys = 4_000, [str(one) for one in range(seeds)]
    noise = np.random.default_rng(seeds).normal(size=(draws, 2, seeds)) * [[0.01], [0.02]]
    found = np.mean([seed_difference(a, b, keys, keys).p_value < 0.05 for a, b in noise])
    assert found <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / draws)


def test_a_band_covers_curves_of_different_lengths() -> None:
    made = band([(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])), (np.array([1.0]), np.array([6.0]))])
    assert made.x.tolist() == [0, 1, 2]
    assert (made.mean.tolist(), made.low.tolist(), made.high.tolist()) == ([1, 4, 3], [1, 2, 3], [1, 6, 3])
    assert made.n.tolist() == [1, 2, 1]


def test_smoothing_keeps_gaps_and_the_level_of_a_flat_line() -> None:
    flat = smoothed(np.full(50, 0.7), 0.9)
    np.testing.assert_allclose(flat, 0.7)
    gap = smoothed(np.array([1.0, np.nan, 1.0]), 0.5)
    assert (gap[0], math.isnan(gap[1]), gap[2]) == (1.0, True, 1.0)
    assert smoothed(A, 0.0) is A
