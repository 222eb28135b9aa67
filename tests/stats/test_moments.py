"""Moments agree with scipy and add up exactly."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.summaries import Moments, moments_by

numbers = st.lists(st.floats(-1e6, 1e6), max_size=30)


def test_moments_agree_with_scipy():
    values = np.random.default_rng(1).lognormal(size=500)
    moments = Moments.of(values)
    assert moments.mean == pytest.approx(values.mean(), rel=1e-12)
    assert moments.variance == pytest.approx(values.var(ddof=1), rel=1e-12)
    assert moments.skew == pytest.approx(scipy.stats.skew(values), rel=1e-10)
    assert moments.sum == pytest.approx(values.sum(), rel=1e-12)


@given(st.lists(numbers, max_size=6))
def test_merged_days_are_the_summary_of_all_rows(days):
    merged = Moments.total(Moments.of(day) for day in days)
    whole = Moments.of(np.concatenate([np.asarray(day, dtype=float) for day in days]) if days else [])
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, rel=1e-9, abs=1e-6)
    assert merged.m2 == pytest.approx(whole.m2, rel=1e-9, abs=1e-3)
    scale = max((abs(value) for day in days for value in day), default=0.0)
    assert merged.m3 == pytest.approx(whole.m3, rel=1e-9, abs=1e-9 * (1 + scale) ** 3)


def test_moments_by_group_are_the_moments_of_each_group():
    rng = np.random.default_rng(2)
    values, groups = rng.normal(1e3, 5, 400), rng.integers(0, 5, 400)
    values[::7] = np.nan
    for group, moments in enumerate(moments_by(values, groups, n_groups=6)):
        mine = values[(groups == group) & ~np.isnan(values)]
        alone = Moments.of(mine)
        assert moments.n == mine.size
        assert (moments.mean, moments.m2) == pytest.approx((alone.mean, alone.m2), rel=1e-9)
        assert moments.m3 == pytest.approx(alone.m3, rel=1e-6, abs=1e-6)


def test_too_few_numbers_have_no_variance_and_no_skew():
    assert Moments.of([]) == Moments.empty()
    assert math.isnan(Moments.of([]).variance)
    assert math.isnan(Moments.of([4.0]).variance)
    assert math.isnan(Moments.of([4.0, 4.0]).skew)


def test_an_infinite_value_is_refused():
    with pytest.raises(InvalidInput, match="infinities"):
        Moments.of([1.0, np.inf])


def test_moments_survive_being_stored():
    moments = Moments.of([1.0, 2.5, 9.0])
    assert Moments.from_dict(moments.to_dict()) == moments
