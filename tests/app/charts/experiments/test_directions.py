"""Words, colours and marks of the pages for every direction of a metric."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np
import pytest

from app.charts.experiments import box, contour, curves, pareto, slices, table
from app.parts.experiments import controls, tradeoffs, url
from app.ui import theme
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.pictures import Curve, Front
from mlops_dash.domain.experiments.room import Column

TOKENS = theme.tokens("light")
NEAREST = {Direction.HIGHER: "highest: 2.0", Direction.LOWER: "lowest: −3.0", Direction.ZERO: "nearest 0: 0.5"}


@pytest.mark.parametrize(
    "known",
    [
        set(url._WAYS.values()) - {None}, set(pareto._ACROSS), set(table._WAY) - {None},
        set(table._SHORT) - {None},
    ],
)  # fmt: skip
def test_every_table_knows_every_direction(known: Collection[Direction]) -> None:
    assert set(known) == set(Direction)


def test_every_direction_can_be_chosen_and_is_read_back() -> None:
    assert set(controls._WAYS) == set(url._WAYS)
    assert set(tradeoffs._WAYS) == set(url._WAYS) - {"none"}
    for direction in (*Direction, None):
        assert url._WAYS[controls._word(direction)] is direction


def column(direction: Direction) -> Column:
    return Column("metrics.m", "metrics", "m", direction=direction)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_delta_is_better_where_the_direction_says_so(direction: Direction) -> None:
    up = table._delta(-0.5, -2.0, column(direction), 2)
    assert up["verdict"] == ("worse" if direction is Direction.LOWER else "better")
    assert table._delta(2.0, -0.5, column(direction), 2)["verdict"] == (
        "better" if direction is Direction.HIGHER else "worse"
    )


def test_a_delta_of_a_bias_says_nearer_or_farther_and_equal_distances_are_no_verdict() -> None:
    zero = column(Direction.ZERO)
    assert table._delta(-0.5, 2.0, zero, 2)["hint"] == "nearer 0 than the baseline by 1.50"
    assert table._delta(-3.0, 2.0, zero, 2)["hint"] == "farther from 0 than the baseline by 1.00"
    assert table._delta(-2.0, 2.0, zero, 2)["verdict"] == ""


@pytest.mark.parametrize("direction", list(Direction))
def test_curves_end_best_by_direction(direction: Direction) -> None:
    lines = [Curve(str(end), ("1",), np.array([0.0]), np.array([end])) for end in (-3.0, 2.0, 0.5, math.nan)]
    best = curves.best_of(lines, column(direction))
    assert best is not None
    assert curves.curves_finding(lines, column(direction), "m", 1) == f"{lines[best].label} ends {NEAREST[direction]}"


@pytest.mark.parametrize("direction", list(Direction))
def test_boxes_name_the_best_median(direction: Direction) -> None:
    groups = tuple(box.Group(str(one), np.array([one, one]), 0) for one in (-3.0, 2.0, 0.5))
    found = box.Boxes(Column("params.p", "params", "p"), column(direction), groups, False, 0)
    best = {
        Direction.HIGHER: "highest at p 2.0",
        Direction.LOWER: "lowest at p -3.0",
        Direction.ZERO: "nearest 0 at p 0.5",
    }
    assert f"Median m is {best[direction]}" in box.finding(found)


@pytest.mark.parametrize("direction", list(Direction))
def test_contours_are_strongest_where_it_is_best(direction: Direction) -> None:
    mean = np.array([[-3.0, 2.0], [0.5, np.nan]])
    ends = np.array([1.0, 2.0])
    param = Column("params.p", "params", "p")
    found = contour.Cells(param, param, column(direction), ends, ends, mean, np.array([[1, 1], [1, 0]]),
                              (ends, ends), 3, 0)  # fmt: skip
    word = {Direction.HIGHER: "highest", Direction.LOWER: "lowest", Direction.ZERO: "nearest 0"}[direction]
    assert f"m is {word} near" in contour.finding(found)
    look = contour._colours(found, TOKENS)
    strongest = [at for at, colour in look["colorscale"] if colour == TOKENS.sequential[-1]]
    assert strongest[0] == {Direction.HIGHER: 1.0, Direction.LOWER: 0.0, Direction.ZERO: 0.5}[direction]
    assert contour.figure(found, TOKENS).data


@pytest.mark.parametrize("direction", list(Direction))
def test_the_front_marks_its_axes_by_direction(direction: Direction) -> None:
    values = np.array([[0.1, 1.0, 3.0], [0.2, -2.0, 1.0]])
    found = Front(("a", "b", "c"), (), (direction,) * 3, values, (True, True), ("x", "y"), (("1",), ("2",)), 0,
                  grouped=False)  # fmt: skip
    figure = pareto.figure(found, TOKENS, {})
    sign = {Direction.HIGHER: "↑", Direction.LOWER: "↓", Direction.ZERO: "→0"}[direction]
    assert figure.layout.yaxis.title.text == f"b ({sign} better)"
    two = replace(found, metrics=("a", "b"), ways=(direction,) * 2, values=values[:, :2])
    stairs = [one for one in pareto.figure(two, TOKENS, {}).data if one.mode == "lines"]
    assert len(stairs) == (0 if direction is Direction.ZERO else 1)


@pytest.mark.parametrize("direction", [*Direction, None])
def test_a_part_of_a_difference_is_coloured_only_where_it_tells_something(direction: Direction | None) -> None:
    colour = slices._side_colour(0.5, direction, TOKENS)
    told = {
        Direction.HIGHER: TOKENS.good,
        Direction.LOWER: TOKENS.bad,
        Direction.ZERO: TOKENS.violet,
        None: TOKENS.violet,
    }
    assert colour == told[direction]
    assert slices._axis("part", direction).startswith("part")
