"""Intervals agree with statsmodels and with the textbook."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from mlops_dash.errors import InvalidInput
from mlops_dash.stats import intervals


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.8, 0.95]))
def test_wilson_agrees_with_statsmodels(counts, level):
    successes, n = counts
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert intervals.wilson(successes, n, level=level) == pytest.approx(expected, abs=1e-12)


def test_no_trials_have_no_interval_and_impossible_counts_are_refused():
    assert all(math.isnan(end) for end in intervals.wilson(0, 0, level=0.95))
    with pytest.raises(InvalidInput, match="5 successes of 4 trials"):
        intervals.wilson(5, 4, level=0.95)


def test_the_jackknife_of_a_mean_is_the_t_interval():
    x = np.random.default_rng(1).normal(5, 2, size=40)
    found = intervals.jackknife(x.mean(), (x.sum() - x) / 39, level=0.9)
    assert found == pytest.approx(scipy.stats.t.interval(0.9, 39, x.mean(), scipy.stats.sem(x)), rel=1e-10)


@pytest.mark.parametrize(("scale", "low", "high"), [("logit", 0, 1), ("log", 0, math.inf)])
def test_the_scale_keeps_the_interval_inside(scale, low, high):
    found = intervals.jackknife(0.02, np.array([0.001, 0.02, 0.3, 0.01]), level=0.95, scale=scale)
    assert low < found[0] < 0.02 < found[1] < high


@pytest.mark.parametrize("without", [[0.5], [0.5, math.nan], [0.5, 1.0]])
def test_too_few_or_undefined_values_give_no_interval(without):
    assert all(math.isnan(end) for end in intervals.jackknife(0.5, np.asarray(without), level=0.95, scale="logit"))


def test_leave_one_out_of_sums_is_the_statistic_of_the_others():
    sums = np.random.default_rng(2).integers(1, 9, size=(6, 2)).astype(float)
    value, without = intervals.of_sums(lambda s: intervals.ratio(s[..., 0], s[..., 1]), sums)
    assert value == pytest.approx(sums[:, 0].sum() / sums[:, 1].sum())
    for g in range(6):
        others = np.delete(sums, g, axis=0)
        assert without[g] == pytest.approx(others[:, 0].sum() / others[:, 1].sum())
