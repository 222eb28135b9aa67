"""The sentences of monitoring: what moved, how far, and whether it still does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from mlops_dash.domain.monitoring.judging import LONG_DAYS
from mlops_dash.domain.monitoring.readings import Estimate, FeatureReading, Reading, estimate_to_row, feature_to_row
from mlops_dash.domain.monitoring.words import alarm_cause, inputs_cause, value_sentence
from mlops_dash.domain.tasks import REGRESSION, task_named
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


def told(stretch: list[Reading]) -> str:
    known = [replace(one, body={**one.body, "task": "regression", "metrics": {}}) for one in stretch]
    return alarm_cause(known, REGRESSION.harm_watches[0], 152.7, DAYS)


def test_what_moved_before_the_harm_and_still_does_is_its_likely_cause() -> None:
    said = told([window(0, {"temp": 9.24, "(score)": 5.0}), window(1, {"temp": 3.0, "(score)": 5.0})])
    assert said.startswith("Likely cause: temp has moved since before that, and still does (temp excess PSI up to 9.24")
    assert "score" not in said  # an answer is no cause of its own error


def test_a_move_that_is_over_is_no_likely_cause() -> None:
    said = told([window(0, {"temp": 9.24}), window(1, {"temp": 3.0}), window(2, {"temp": 0.01})])
    assert "Likely cause" not in said
    assert said.startswith("No likely cause among the inputs: temp moved, but no input does now (temp excess PSI up to")
    assert "last on 29 Oct" in said


def test_a_move_that_came_after_the_harm_is_no_likely_cause() -> None:
    calm = [window(number, {"temp": 0.0}) for number in range(7)]
    said = told([*calm, *(window(number, {"temp": 2.0}) for number in (7, 8, 9))])
    assert "Likely cause" not in said
    assert "temp moved, only after it got worse" in said
    week_late = told([*calm[:4], *(window(number, {"temp": 2.0}) for number in (4, 5, 6))])
    assert week_late.startswith("Likely cause: temp")  # a window tells the week that ends there


def test_where_nothing_moved_the_relation_is_named() -> None:
    assert told([window(0, {"temp": 0.0})]).startswith("Likely cause: no input moved beyond its usual swing, so the")


def test_a_cause_is_told_of_every_cadence() -> None:
    for name in ("hour", "day", "week", "month", "batch"):
        stretch = [window(0, {"temp": 9.24}), window(1, {"temp": 3.0})]
        said = told([replace(one, body={**one.body, "window": name}) for one in stretch])
        assert said.startswith("Likely cause: temp has moved"), name


@pytest.mark.parametrize(
    ("task", "key", "facts", "said"),
    [
        ("binary", "day_auc", {"positive": "it's <b>spam</b>"},
         ("Tells it's <b>spam</b> from the rest: ROC AUC within the day 0.600 over the last 9 ripe days, "
         "0.100 worse than its reference")),
        ("binary", "log_loss", {},
         ("How far off its probabilities are, sure mistakes most: Log-loss 0.600 over the last 9 ripe days, "
         "0.300 above its reference")),
        ("regression", "mae", {"unit": "min"},
         "Distance from the truth: MAE 0.60 min over the last 9 ripe days, 0.30 min worse than its reference"),
    ],
)  # fmt: skip
def test_a_headline_begins_with_plain_words_and_says_which_way_is_worse(
    task: str, key: str, facts: dict[str, str], said: str
) -> None:
    """What labels alone can move says "above" or "below": that is no news of the model."""
    watch = next(one for one in task_named(task).watches if one.key == key)
    mean = estimate_to_row(Estimate(0.6, 0.5, 0.7, 900, 9))
    body = {"task": task, "metrics": {str(LONG_DAYS): {key: mean}}, **facts}

    assert value_sentence(replace(window(0, {}), body=body), watch, 0.3) == said


@pytest.mark.parametrize(("task", "made"), [
    ("binary", ", at the reference's share of yes"), ("multiclass", ", at the reference's shares of the classes"),
    ("regression", ""),
])  # fmt: skip
def test_how_an_amount_is_made_says_at_which_shares(task: str, made: str) -> None:
    row = estimate_to_row(Estimate(70.0, 60.0, 80.0, 900, 28))
    body = {
        "cost_shares": task_named(task).cost_shares,
        "metrics": {str(LONG_DAYS): {"cost_more_a_week": row, "brier": row}},
    }
    reading = replace(window(0, {}), body=body)
    plain, money = (reading.estimate(name, LONG_DAYS) for name in ("brier", "cost_more_a_week"))
    assert plain is not None
    assert money is not None
    assert money.method == plain.method + made
