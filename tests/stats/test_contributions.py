"""What columns add to one answer: exact of what adds up, Shapley's values else, and always up to the answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.contributions import Ask, additive, shapley


def asks(f: Callable[[Floats], Floats], row: Floats, others: Floats) -> Ask:
    def ask(which: Ints, own: Bools) -> Floats:
        return f(np.where(own, row, others[which]))

    return ask


def by_all_orders(ask: Ask, n: int, columns: int) -> Floats:
    """Shapley's values by their definition: the mean over every order and every reference row."""
    orders = list(permutations(range(columns)))
    found, which = np.zeros(columns), np.arange(n)
    for order in orders:
        own = np.zeros((n, columns), dtype=bool)
        for column in order:
            before = ask(which, own)
            own[:, column] = True
            found[column] += (ask(which, own) - before).mean() / len(orders)
    return found


def crossed(x: Floats) -> Floats:
    return np.asarray(x[:, 0] * x[:, 1] + 3.0 * np.maximum(x[:, 2], x[:, 0]) + x[:, 3])


def test_a_linear_answer_is_told_exactly_by_coefficients_times_distance_from_the_mean() -> None:
    rng = np.random.default_rng(3)
    others, row, slopes = rng.normal(size=(80, 5)), rng.normal(size=5), np.array([3.0, -2.0, 0.5, 0.0, 1e-4])
    made = additive(asks(lambda x: 7.0 + x @ slopes, row, others), 80, 5)
    assert made is not None
    told = [made.of(np.array([column]))[0] for column in range(5)]
    assert told == pytest.approx((slopes * (row - others.mean(axis=0))).tolist(), abs=1e-10)
    assert np.isnan(made.of(np.array([0]))[1])


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_an_answer_that_crosses_two_columns_is_not_taken_for_a_sum(scale: float) -> None:
    rng = np.random.default_rng(4)
    others, row = rng.normal(size=(60, 4)), np.array([1.0, 2.0, -1.0, 0.5])
    assert additive(asks(lambda x: scale * crossed(x), row, others), 60, 4) is None
    assert additive(asks(lambda x: scale * x.sum(axis=1), row, others), 60, 4) is not None


def test_a_crossing_that_all_columns_together_hide_is_found_by_the_drawn_half() -> None:
    def crossing(x: Floats) -> Floats:
        return np.asarray(x[:, 0] + 9.0 * (x[:, 1] > 0.5) * (x[:, 2] < 0.5) * (x[:, 3] < 0.5) * (x[:, 0] > 0.5))

    others, row = np.zeros((60, 4)), np.ones(4)
    assert additive(asks(crossing, row, others), 60, 4) is None


def test_numbers_that_are_not_finite_add_up_to_nothing() -> None:
    assert additive(asks(lambda x: np.where(x[:, 0] > 0, np.inf, 0.0), np.ones(2), np.zeros((30, 2))), 30, 2) is None


def test_drawn_orders_come_near_the_definition_and_their_intervals_hold_it() -> None:
    held = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        everyone, row = rng.normal(size=(4_000, 4)), np.array([1.5, 1.0, -0.5, 2.0])
        truth = by_all_orders(asks(crossed, row, everyone), 4_000, 4)
        made = shapley(asks(crossed, row, everyone[:100]), 100, 4)
        for column in range(4):
            value, low, high = made.of(np.array([column]))
            assert value == pytest.approx(truth[column], abs=1.5)
            held.append(low <= truth[column] <= high)
    assert 0.9 <= np.mean(held) <= 0.99


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 40))
def test_parts_and_base_add_up_to_the_answer(seed: int, columns: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(columns, columns))
    ask = asks(lambda x: np.tanh(x @ weights).prod(axis=1), rng.normal(size=columns), rng.normal(size=(n, columns)))
    made = shapley(ask, n, columns)
    assert np.allclose(made.parts.sum(axis=1) + made.base, made.answer)


def test_a_column_that_changes_nothing_adds_nothing() -> None:
    made = shapley(asks(lambda x: x[:, 0] ** 2, np.array([3.0, 5.0]), np.random.default_rng(1).normal(size=(50, 2))),
                   50, 2)  # fmt: skip
    assert made.of(np.array([1])) == (0.0, 0.0, 0.0)


def test_of_many_columns_fewer_reference_rows_are_asked() -> None:
    asked = []

    def ask(which: Ints, own: Bools) -> Floats:
        asked.append(which.size)
        return np.asarray(own.sum(axis=1), dtype=np.float64) ** 2

    made = shapley(ask, 500, 600)
    assert made.base.size == 50
    assert sum(asked) < 61_000
