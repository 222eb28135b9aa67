"""What "better" means for every direction of a metric; a new one fails here until it has its words."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.cli import run_comparison as cli
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.comparison import Design, Outcome, conclude
from mlops_dash.stats.run_comparison import RunDifference

VALUES = np.array([-3.0, math.nan, 0.5, 2.0, -0.25, math.inf])


@pytest.mark.parametrize(
    "table", [directions.WORDS, directions.SIGNS, directions.BEST, directions.EXTREMES, directions.KEYS]
)
def test_every_table_knows_every_direction(table: Mapping[Direction, str]) -> None:
    assert set(table) == set(Direction)
    assert len(set(table.values())) == len(Direction)


def test_the_command_line_offers_every_direction() -> None:
    assert set(cli._WAYS.values()) == set(Direction)


@pytest.mark.parametrize(("direction", "at"), [("higher_is_better", 3), ("lower_is_better", 0),
                                               ("nearer_to_zero_is_better", 4)])  # fmt: skip
def test_the_best_value_is_the_best_finite_one(direction: str, at: int) -> None:
    assert directions.best(VALUES, Direction(direction)) == at


@pytest.mark.parametrize("direction", list(Direction))
def test_nothing_finite_has_no_best(direction: Direction) -> None:
    assert directions.best(np.array([math.nan, math.inf]), direction) is None
    assert directions.best(np.array([]), direction) is None


@pytest.mark.parametrize("direction", list(Direction))
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_best_gains_on_all_others_and_stands_first_in_the_table(direction: Direction, values: list[float]) -> None:
    column = np.array(values)
    best = directions.best(column, direction)
    assert best is not None
    assert all(directions.gain(column[best], one, direction) >= 0 for one in values)
    sorted_by = directions.sorted_by(column, direction)
    first = sorted_by.max() if directions.descends(direction) else sorted_by.min()
    assert sorted_by[best] == first


@pytest.mark.parametrize("direction", list(Direction))
def test_a_verdict_of_better_follows_the_direction(direction: Direction) -> None:
    def said(a: float, b: float) -> Outcome:
        found = RunDifference(a - b, 0.01, 20.0, a, b, n_runs=11)
        return conclude(
            Design.SEEDS_ROWS, "yes", found, direction=direction, margin=0.0, p_adjusted=0.001, equal_p_adjusted=1.0
        )

    higher = Outcome.BETTER if direction is Direction.HIGHER else Outcome.WORSE
    assert said(3.0, 2.0) is higher
    below = {Direction.HIGHER: Outcome.WORSE, Direction.LOWER: Outcome.BETTER, Direction.ZERO: Outcome.WORSE}
    assert said(-3.0, -2.0) is below[direction]
    if direction is Direction.ZERO:
        assert said(0.5, -2.0) is Outcome.DIFFERS  # which one is nearer 0 was not tested
