"""Parts of the rows that are worse: found ones hold on days that were not searched, and chance makes none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_dash.stats.drift import benjamini_hochberg
from mlops_dash.stats.slices import (
    Condition,
    Rule,
    found_rules,
    members,
    p_value,
    searched_clusters,
    slice_estimate,
)

DAYS, PER_DAY, RUNS = 28, 60, 200
LEVELS = [False, False, False, True, True]


def world(rng: np.random.Generator, extra: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs, losses and days: days differ by a fifth; level 2 of the fourth column errs more by `extra`."""
    n = DAYS * PER_DAY
    day = np.repeat(np.arange(DAYS), PER_DAY)
    values = np.column_stack([rng.normal(size=(n, 3)), rng.integers(0, 5, n), rng.integers(0, 3, n)])
    losses = np.abs(rng.normal(size=n)) * (1 + rng.normal(0, 0.2, DAYS)[day]) + extra * (values[:, 3] == 2)
    return values, losses, day


def tried(
    values: np.ndarray, losses: np.ndarray, day: np.ndarray, *, same: bool = False
) -> tuple[list[Rule], list[float]]:
    """Parts found on one half of the days, and their q on the other, or on the same."""
    searched = searched_clusters(DAYS)[day]
    rules = found_rules(values[searched], losses[searched], LEVELS, least=0.05 * losses.mean())
    judging = searched if same else ~searched
    codes = np.unique(day[judging], return_inverse=True)[1]
    p = [
        slice_estimate(losses[judging], members(rule, values[judging]), codes, int(codes.max()) + 1).p_value
        for rule in rules
    ]
    return list(rules), list(benjamini_hochberg(p)) if p else []


def test_chance_makes_no_part_worse_and_searched_rows_would() -> None:
    rng = np.random.default_rng(5)
    worlds = [world(rng) for _ in range(RUNS)]
    false = np.mean([min(tried(*one)[1], default=1.0) < 0.05 for one in worlds])
    same = np.mean([min(tried(*one, same=True)[1], default=1.0) < 0.05 for one in worlds[:50]])
    print(f"false parts: {false:.1%} of {RUNS} worlds; judged on the searched days {same:.0%}")
    assert false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / RUNS)
    assert same > 0.5


def test_a_part_that_errs_more_is_found_by_its_level() -> None:
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(30):
        rules, q = tried(*world(rng, extra=0.4))
        found += any(one < 0.05 and Condition(3, levels=(2,)) in rule for rule, one in zip(rules, q, strict=True))
    assert found >= 27


def test_the_difference_is_that_of_two_means_and_a_days_own_luck_is_none() -> None:
    values, losses, day = world(np.random.default_rng(7), extra=0.5)
    held = values[:, 3] == 2
    made = slice_estimate(losses, held, day, DAYS)
    assert made.more.value == pytest.approx(losses[held].mean() - losses[~held].mean())
    assert made.inside.n + made.outside.n == len(losses)
    assert made.more.low < 0.5 < made.more.high
    luckier = slice_estimate(losses + 10.0 * np.arange(DAYS)[day], held, day, DAYS)
    assert luckier.inside.high - luckier.inside.low > 20 * (luckier.more.high - luckier.more.low) / 8
    assert made.p_value == p_value(made.more, level=0.95) < 1e-6
    assert math.isnan(slice_estimate(losses[:120], held[:120], day[:120], 2).p_value)


def test_a_missing_value_is_in_no_part_and_small_parts_are_not_looked_at() -> None:
    values, losses, _ = world(np.random.default_rng(8))
    losses = losses + 3.0 * (values[:, 0] > 1.5)
    values[::5, 0] = np.nan
    rules = found_rules(values, losses, LEVELS, least=0.1)
    assert any(one.column == 0 for one in rules[0])
    assert not members((Condition(0, low=-9.0),), values)[::5].any()
    assert found_rules(values[:150], losses[:150], LEVELS, least=0.1) == ()
    assert found_rules(values, np.ones(len(losses)), LEVELS, least=0.1) == ()


def test_a_part_inside_another_is_told_only_where_it_is_worse_than_that() -> None:
    rng = np.random.default_rng(9)
    values, losses, _ = world(rng, extra=1.0)
    rules = found_rules(values, losses, LEVELS, least=0.5)
    assert rules == ((Condition(3, levels=(2,)),),)
