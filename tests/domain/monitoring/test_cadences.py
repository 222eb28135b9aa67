"""By every cadence a model of several classes that did not get worse is left in peace, and one that did is found."""

from __future__ import annotations

import math

import pytest

from tests.domain.monitoring.calibrate_cadences import CASES, Case, measure, said


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=said)
def test_false_alarms_stay_below_alpha_and_a_drop_of_ten_points_is_found(case: Case) -> None:
    runs = 60 if case.window == "hour" else 150
    found = measure(case, runs=runs, seed=2)
    if case.is_promised:
        assert found.false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found.found >= case.power - 3 * math.sqrt(case.power * (1 - case.power) / runs)
