"""What wrong answers cost: a threshold acts at a border or not at all, and the labels' shares alone cost nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.tasks.binary import ClassSummary
from mlops_dash.domain.tasks.costs import Costs, cost_of_a_row, costs_by_class, first_yes, why_no_price
from mlops_dash.domain.tasks.told_classes import ClassCounts
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.moments import Moments

NONE = (Moments.empty(), Moments.empty())


def test_a_threshold_above_the_last_cut_is_no_cell_and_below_the_first_every_cell() -> None:
    scale = {"edges": [0.3, 0.6, 0.9]}
    assert [first_yes(scale, one) for one in (0.04, 0.28, 0.3, 0.62, 0.97)] == [0, 1, 1, 2, 4]
    table = np.array([[40, 1], [30, 2], [20, 3], [10, 4]])
    nobody, _ = costs_by_class(ClassSummary(table, NONE, 0.0), scale, Costs(1.0, 10.0, 0.97))
    assert nobody.tolist() == [0.0, 100.0], "every yes is missed, and no answer acts as a wrong yes"
    everybody, _ = costs_by_class(ClassSummary(table, NONE, 0.0), scale, Costs(1.0, 10.0, 0.04))
    assert everybody.tolist() == [100.0, 0.0]


@pytest.mark.parametrize("edges", [[], [0.01, 0.02], [0.2, 0.8]])
def test_where_no_border_is_near_the_threshold_that_is_the_reason_and_no_amount(edges: list[float]) -> None:
    why = why_no_price(BINARY, {"edges": edges}, Costs(1.0, 10.0, 0.5))
    assert why == "the cells of the reference's scores have no border within 0.05 of the threshold 0.5"
    assert not why_no_price(BINARY, {"edges": [*edges, 0.52]}, Costs(1.0, 10.0, 0.5))
    assert not why_no_price(REGRESSION, {"edges": edges}, Costs(2.0))


def test_twice_as_many_yes_that_are_answered_as_before_cost_nothing_more() -> None:
    def sums(no: int, yes: int, recall: float = 0.6) -> Floats:
        table = np.array([[0.8 * no, (1 - recall) * yes], [0.2 * no, recall * yes]]).round().astype(np.int64)
        rows = ClassSummary(table, NONE, 0.0)
        return np.hstack(costs_by_class(rows, {"edges": [0.5]}, Costs(1.0, 10.0)))

    usual = sums(9_000, 1_000)
    assert cost_of_a_row(usual, usual) == pytest.approx(0.9 * 0.2 + 0.1 * 0.4 * 10)
    assert cost_of_a_row(sums(8_000, 2_000), usual) == pytest.approx(cost_of_a_row(usual, usual))
    assert cost_of_a_row(sums(8_000, 2_000, recall=0.5), usual) - cost_of_a_row(usual, usual) == pytest.approx(0.1)
    assert cost_of_a_row(sums(8_000, 0), usual) == pytest.approx(cost_of_a_row(usual, usual)), "no yes, nothing known"
    assert np.isnan(cost_of_a_row(np.zeros(4), usual))


def test_more_rows_of_a_word_that_was_always_hard_cost_nothing_more() -> None:
    def sums(*tables: list[list[int]]) -> Floats:
        return np.vstack([np.hstack(costs_by_class(ClassCounts(np.array(t)), {}, Costs(3.0))) for t in tables])

    usual = sums([[90, 10, 0], [50, 50, 0], [0, 0, 100]])[0]
    more = sums([[90, 10, 0], [500, 500, 0], [0, 0, 10]], [[90, 10, 0], [60, 40, 0], [0, 0, 100]])
    assert cost_of_a_row(more, usual) == pytest.approx([3 * 60 / 300, 3 * 70 / 300])
