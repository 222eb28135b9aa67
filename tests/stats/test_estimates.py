"""An estimate over clusters says what it can and no more."""

import math

import numpy as np
import pytest

from mlops_dash.stats.estimates import cluster_estimate, jackknifed_estimate, proportion
from mlops_dash.stats.intervals import ratio


def share(sums):
    return ratio(sums[..., 0], sums[..., 1])


def test_a_share_with_all_misses_on_one_day_keeps_an_interval_inside_0_to_1():
    days = np.array([[10.0, 10.0]] * 11 + [[2.0, 10.0]])
    found = cluster_estimate(days, share, n=120, level=0.95, scale="logit", unit="days")
    assert found.value == pytest.approx(112 / 120)
    assert 0.7 < found.low < found.value < found.high <= 1.0
    assert found.method == "jackknife over days"


def test_empty_days_are_not_counted():
    days = np.array([[1.0, 4.0], [0.0, 0.0], [2.0, 4.0], [1.0, 4.0], [3.0, 4.0], [1.0, 4.0]])
    assert cluster_estimate(days, share, n=20, level=0.95).n_clusters == 5


@pytest.mark.parametrize("scale", ["plain", "logit"])
def test_one_day_that_holds_a_whole_class_gives_a_value_without_interval(scale):
    without = np.array([0.5, 0.5, math.nan, 0.5, 0.5])
    found = jackknifed_estimate(0.5, without, n=50, level=0.95, scale=scale, unit="days")
    assert found.value == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.reason == "no interval: one of the days holds a whole class"


def test_a_proportion_of_nothing_is_a_reason():
    found = proportion(0, 0, level=0.95)
    assert math.isnan(found.value)
    assert found.reason == "not computable: no rows"
