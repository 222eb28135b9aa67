"""Which units of a test count: those whose whole time lay in the arm that was drawn for them.

It is told by a unit's first row alone, which no arm has touched yet; so leaving units out bends no comparison.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from mlops_dash.domain.ab_tests.assigning import ENTITY
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.stats.arrays import Bools, Ints
from mlops_dash.store.prediction_log import to_us

_HOUR_US: Final = 3_600_000_000


def admitted(test: ABTest, first: Ints) -> tuple[Bools, tuple[str, ...]]:
    """Which units count, bool[units], and what is said of the others.

    A row as unit has all its time in its one answer, so each counts. A unit that a column names does not count when

    - it came in the ramp: until its end some were in the other arm, and what lies before was the challenger's already;
    - the test ends within its time, or a pause falls into it: the champion answered then.

    Args:
        test: The test; it has started.
        first: Moment of each unit's first row since the start, microseconds since 1970.
    """
    every: Bools = np.ones(len(first), dtype=np.bool_)
    if test.design.unit != ENTITY or test.reads_from is None or test.ends_at is None:
        return every, ()
    last = first + int(test.design.exposure_hours * _HOUR_US)
    ramp = first < to_us(test.reads_from)
    held = np.zeros(len(first), dtype=np.bool_)
    for since, until in test.pauses:
        goes_on = every if until is None else first < to_us(until)
        held |= (last > to_us(since)) & goes_on & ~ramp
    late = (last > to_us(test.ends_at)) & ~ramp & ~held
    said = (
        (ramp, "units came in the ramp already and do not count: their arm was not theirs from the first row on"),
        (held, "units had a pause within their time and do not count"),
        (late, "units came so late that the test ends within their time, and do not count"),
    )
    notes = tuple(f"{int(which.sum()):,} {what}." for which, what in said if which.any())
    return ~(ramp | held | late), notes
