"""The calibration of docs/experiments.md on few data sets: no design errs beyond 5 % and Monte-Carlo error."""

from __future__ import annotations

import pytest

from mlops_dash.bench.run_comparison import RUNS, Rate, lines, measure
from mlops_dash.domain.experiments.comparison import Design

N = 80


@pytest.fixture(scope="module")
def rates() -> tuple[Rate, ...]:
    return measure(N, seed=5)


def test_no_design_calls_equal_recipes_better_beyond_chance(rates: tuple[Rate, ...]) -> None:
    assert {one.design for one in rates} == set(Design)
    for design in set(Design) - {Design.SAME_ROWS}:
        assert {one.n_runs for one in rates if one.design is design} == set(RUNS)
    assert {one.what: one.better for one in rates if one.better > one.bar} == {}
    assert {one.what: one.equal for one in rates if one.equal is not None and one.equal > one.bar} == {}


def test_what_the_page_forbids_would_err_far_more_often(rates: tuple[Rate, ...]) -> None:
    seeds = {one.n_runs: one for one in rates if one.design is Design.SEEDS}
    assert [seeds[n].better for n in RUNS] == [0, 0, 0]
    forbidden = [seeds[n].otherwise or 0.0 for n in RUNS]
    assert forbidden == sorted(forbidden)
    assert forbidden[-1] > 0.4
    folds = [one.otherwise or 0.0 for one in rates if one.design is Design.FOLDS]
    assert min(folds) > 0.12
    assert "| seeds, run metrics only | 10 | 0.0 |" in lines(rates)
