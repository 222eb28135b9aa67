"""Of several classes: lost calibration is found though as many answers are right; what is no harm is left in peace."""

from __future__ import annotations

import math

import pytest

from tests.domain.monitoring.calibrate_log_loss import CASES, Case, measure, said


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=said)
def test_false_alarms_stay_below_alpha_and_lost_calibration_is_found(case: Case) -> None:
    runs = 40 if case.window == "hour" else 80
    found = measure(case, runs=runs, seed=2)
    assert found.false <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert found.found >= case.power - 3 * math.sqrt(case.power * (1 - case.power) / runs)
    assert found.by_answers <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_answers_alone_never_see_it() -> None:
    found = measure(Case("day", 28, 100, 40, 20), runs=4, seed=3)
    assert (found.false, found.by_answers) == (0.0, 0.0)
    assert found.worse > 0.15
