"""Which units count is told by their first row alone: ramp, pauses and the end leave some out, and say how many."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mlops_dash.domain.ab_tests.assigning import ROW
from mlops_dash.domain.ab_tests.rules import check
from mlops_dash.errors import InvalidInput
from mlops_dash.services.ab_tests.admitting import admitted
from mlops_dash.store.prediction_log import to_us
from tests.services.ab_tests.test_unit_reading import BASE, START, a_test

DAY = timedelta(days=1)
DESIGN = check(replace(BASE, ramp=(0.1,), ramp_days=2.0, days=10, exposure_hours=48.0, entity="it's <b>who</b>"))


def of(days: list[float], *pauses: tuple[float, float | None]) -> tuple[list[bool], tuple[str, ...]]:
    """Which units with a first row so many days after the start count, with pauses from day to day."""
    held = tuple((START + since * DAY, None if until is None else START + until * DAY) for since, until in pauses)
    first = np.array([to_us(START + one * DAY) for one in days])
    counts, notes = admitted(replace(a_test(DESIGN), pauses=held), first)
    return counts.tolist(), notes


def test_a_unit_counts_whose_whole_time_lay_in_its_arm() -> None:
    counts, notes = of([0.0, 1.9, 2.0, 10.0, 10.1, 11.0])  # the ramp ends on day 2, the test on day 12
    assert counts == [False, False, True, True, False, False]
    assert [one.split(" ")[0] for one in notes] == ["2", "2"]
    assert "came in the ramp already" in notes[0]
    assert "the test ends within their time" in notes[1]


def test_a_pause_leaves_those_out_whose_time_it_cuts_and_moves_the_end() -> None:
    counts, notes = of([3.0, 3.1, 5.5, 6.0, 13.0, 13.1], (5.0, 8.0))  # the end is day 15
    assert counts == [True, False, False, False, True, False]
    assert notes[0].startswith("3 units had a pause within their time")
    assert of([3.0, 3.1, 9.0], (5.0, None))[0] == [True, False, False]  # it goes on
    assert of([2.5, 6.5], (5.0, 6.0))[0] == [True, True]


def test_rows_as_units_have_all_their_time_at_once() -> None:
    test = replace(a_test(replace(DESIGN, unit=ROW, entity="")), pauses=((START + 5 * DAY, None),))
    counts, notes = admitted(test, np.array([to_us(START + one * DAY) for one in (2, 5, 11.9)]))
    assert (counts.tolist(), notes) == ([True] * 3, ())


def test_a_test_in_which_no_unit_could_count_is_refused() -> None:
    with pytest.raises(InvalidInput, match="make it longer"):
        check(replace(DESIGN, exposure_hours=24.0 * 9.5))
    with pytest.raises(InvalidInput, match="whose units enter for 8 days"):
        check(replace(DESIGN, min_days=9))
    assert check(replace(DESIGN, unit=ROW, entity="", min_days=9)).enters_for == 10 * DAY
