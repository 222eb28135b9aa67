"""The gap between two groups: a difference of two means, covered by its interval although days differ."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_dash.stats.group_gaps import group_gap

RUNS = 400


def test_without_a_gap_the_interval_holds_zero_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(4), 0
    for _ in range(RUNS):
        day = np.repeat(np.arange(28), 40)
        group = rng.random(day.size) < 0.3
        rate = np.clip(0.3 + rng.normal(0, 0.1, 28)[day], 0, 1)
        yes = (rng.random(day.size) < rate).astype(float)
        made = group_gap(yes, np.ones(day.size, bool), group, ~group, day, 28)
        held += made.gap.low <= 0 <= made.gap.high
    print(f"coverage {held / RUNS:.1%}")
    assert held / RUNS >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / RUNS)


def test_only_rows_that_count_are_in_a_rate_of_those_that_are_yes() -> None:
    rng = np.random.default_rng(5)
    day, group, label = np.repeat(np.arange(10), 30), rng.random(300) < 0.5, rng.random(300) < 0.4
    yes = rng.random(300) < np.where(group, 0.9, 0.4)
    made = group_gap(yes.astype(float), label, group, ~group, day, 10)
    assert made.own.value == pytest.approx(yes[group & label].mean())
    assert made.base.value == pytest.approx(yes[~group & label].mean())
    assert (made.own.n, made.base.n) == ((group & label).sum(), (~group & label).sum())
    assert made.p_value < 0.001
    assert math.isnan(group_gap(yes.astype(float), label, group, ~group, day // 5, 2).p_value)
