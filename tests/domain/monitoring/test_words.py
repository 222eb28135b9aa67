"""The sentences of monitoring: what moved, how far, and whether it still does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from mlops_dash.domain.monitoring.readings import FeatureReading, Reading, feature_to_row
from mlops_dash.domain.monitoring.words import alarm_cause, inputs_cause
from mlops_dash.domain.tasks import REGRESSION
from mlops_dash.domain.words import Drift, Health
from tests.factories import NOON


def window(number: int, excess: dict[str, float]) -> Reading:
    """The window that starts `number` days later; a column moved when its excess PSI is above .25."""
    rows = [
        feature_to_row(
            FeatureReading(
                name, "numeric", Drift.WATCH, value, value, 0.0, 9.0, 1.0, value, 0.0, 0.0, 0.0, 0.0, 0.0, 900
            )
        )
        for name, value in excess.items()
    ]
    moved = [name for name, value in excess.items() if value > 0.25]
    start = NOON + timedelta(days=number)
    return Reading(
        "m", "1", "v", start, start + timedelta(days=7), 900, 900, True, Drift.WATCH, Health.INPUTS_MOVED,
        {"moved": moved, "features": rows},
    )  # fmt: skip


DAYS = {NOON + timedelta(days=number): date(2013, 10, 28) + timedelta(days=number) for number in range(10)}


def test_what_still_moves_is_said_without_an_end():
    stretch = [window(0, {"temp": 9.24}), window(1, {"temp": 3.0})]
    assert inputs_cause(stretch, DAYS) == (
        "temp excess PSI up to 9.24, 9.2 times its usual swing. Moved inputs alone are not harm."
    )


def test_what_came_back_is_said_with_its_last_day():
    stretch = [window(0, {"temp": 9.24, "wind": 0.5}), window(1, {"temp": 1.0, "wind": 0.6}), window(2, {"wind": 0.4})]
    said = inputs_cause(stretch, DAYS)
    assert "temp excess PSI up to 9.24, 9.2 times its usual swing, last on 29 Oct" in said
    assert "wind excess PSI up to 0.60, 0.6 times its usual swing; temp" in said
    assert "last on" not in inputs_cause(stretch)  # whoever does not know the days says none


def test_a_cause_that_is_over_is_not_told_as_if_it_lasted() -> None:
    loss, now = REGRESSION.harm_watches[0], "No input moves now: what lasts has another cause"
    over = [window(0, {"temp": 9.24}), window(1, {"temp": 3.0}), window(2, {"temp": 0.01})]
    for stretch, said in ((over, True), (over[:2], False)):
        told = alarm_cause(
            [replace(one, body={**one.body, "task": "regression", "metrics": {}}) for one in stretch], loss, 152.7, DAYS
        )
        assert told.startswith("Likely cause: temp moved (temp excess PSI up to 9.24")
        assert (now in told) is said
