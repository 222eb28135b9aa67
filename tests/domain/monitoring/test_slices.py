"""What is said of parts of the rows: a word only when it is sure and large, too few never in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_dash.domain.monitoring.slices import Before, Slice, Slices, SliceState, slices_of, worst_first

MADE = Slice('kind is "barn"', ("kind",), True, 400, 20, 9.0, 8.0, 10.0, 5.0, 4.0, 3.0, 5.0, 0.001)


def judged(one: Slice) -> SliceState:
    return one.judged(alpha=0.05, tolerance=0.5, floor=100).state


def test_a_part_is_worse_only_when_that_is_sure_and_beyond_the_tolerance() -> None:
    assert judged(MADE) is SliceState.WORSE
    assert judged(replace(MADE, more=-4.0)) is SliceState.BETTER
    assert judged(replace(MADE, q=0.2)) is SliceState.UNSURE
    assert judged(replace(MADE, more=0.4)) is SliceState.UNSURE
    few = replace(MADE, n=40).judged(alpha=0.05, tolerance=0.5, floor=100)
    assert (few.state, few.reason) == (SliceState.FEW, "40 labelled rows, 100 are needed")


def test_worse_ones_come_first_and_those_with_too_few_rows_last() -> None:
    worse, worst = replace(MADE, state=SliceState.WORSE), replace(MADE, state=SliceState.WORSE, more_low=3.5)
    unsure, few = replace(MADE, state=SliceState.UNSURE), replace(MADE, state=SliceState.FEW)
    assert worst_first([few, worse, unsure, worst]) == (worst, worse, unsure, few)


def test_what_is_kept_is_read_back_and_said_in_the_unit() -> None:
    one = replace(MADE, state=SliceState.WORSE, before=(Before("2026-01-01", "2026-01-29", 4.0, None, None, 300),))
    assert Slice.of(one.as_json()) == one
    found = Slices("absolute error", "min", 0.5, (one,), 1_200, "28 days", reason="")
    assert found.sentence == (
        'Worst: kind is "barn". Absolute error 9.00 min (8.00 min to 10.00 min), 4.00 min more than other rows '
        "(3.00 min to 5.00 min); 400 rows."
    )
    calm = replace(found, parts=(replace(one, state=SliceState.UNSURE), replace(one, state=SliceState.FEW)))
    assert calm.sentence == "None of 1 part is worse than the other rows for sure; 1 part has too few rows."


@pytest.mark.parametrize("reference", ["r-1", "r-2"])
def test_nobody_measured_is_said(reference: str) -> None:
    assert slices_of([], reference).sentence == (
        "Not known in which part of the rows it is worse: nobody has measured them yet."
    )
