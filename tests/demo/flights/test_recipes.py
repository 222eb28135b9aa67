"""Training runs: honest rows, honest evidence, the same answer twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from mlops_dash.demo.flights.columns import FEATURE_NAMES, features_of, load_flights, training_rows
from mlops_dash.demo.flights.recipes import (
    APRIL_FIRST_WEEKS,
    APRIL_ONLY,
    BASE,
    CHALLENGER_JAN_APR,
    CHALLENGER_JAN_SEP,
    CHAMPION_JAN_FEB,
    RECIPES,
    FittedModel,
    Recipe,
    as_json,
    dataset_digest,
    fit,
    from_json,
    new_york,
    sweep,
)
from mlops_dash.errors import InvalidInput

COMMITTED = Path(__file__).resolve().parents[3] / "data" / "flights-2013.parquet"
SMALL = Recipe(
    name="three-weeks",
    model_name="flight-delay",
    parameters={"max_iter": 12, "min_samples_leaf": 50, "max_features": 0.5},
    start=new_york(date(2013, 1, 1)),
    end=new_york(date(2013, 1, 22)),
    seed=3,
    validation_days=5,
    folds=3,
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights(COMMITTED)


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int, str]]:
    return []


@pytest.fixture(scope="module")
def fitted(flights: pd.DataFrame, told: list[tuple[int, int, str]]) -> FittedModel:
    return fit(SMALL, flights, lambda done, of, text: told.append((done, of, text)))


def nothing(done: int, of: int, text: str) -> None:
    """Ignore progress."""


def test_version_is_fitted_on_the_whole_window_and_judged_on_later_days(fitted: FittedModel) -> None:
    days = sorted(set(fitted.evaluation["day"]))
    assert days == [f"2013-01-{day}" for day in range(17, 22)]
    assert fitted.metrics["rows"] == len(fitted.reference)
    assert fitted.metrics["days"] == 21


def test_validation_metrics_agree_with_scikit_learn(fitted: FittedModel) -> None:
    label, score = fitted.evaluation["label"], fitted.evaluation["score"]
    assert score.between(0.01, 0.99).all()  # so that our clip changes nothing and the oracle is exact
    assert fitted.metrics["valid_auc"] == pytest.approx(roc_auc_score(label, score), abs=1e-12)
    assert fitted.metrics["valid_log_loss"] == pytest.approx(log_loss(label, score), abs=1e-12)
    assert fitted.metrics["valid_brier"] == pytest.approx(brier_score_loss(label, score), abs=1e-12)


def test_learning_curve_ends_where_the_validation_metrics_are(fitted: FittedModel) -> None:
    assert [point.step for point in fitted.history] == [5, 10, 12]
    last = fitted.history[-1]
    assert last.valid_auc == pytest.approx(fitted.metrics["valid_auc"], abs=1e-12)
    assert last.valid_log_loss == pytest.approx(fitted.metrics["valid_log_loss"], abs=1e-12)
    assert fitted.history[0].train_log_loss > last.train_log_loss


def test_reference_scores_every_row_once_without_its_own_day(flights: pd.DataFrame, fitted: FittedModel) -> None:
    rows = training_rows(flights, SMALL.start, SMALL.end)
    assert fitted.reference["row_id"].tolist() == rows["flight_id"].tolist()
    seen = fitted.model.predict_proba(features_of(rows))[:, 1]
    in_sample = roc_auc_score(fitted.reference["label"], seen)
    assert fitted.metrics["reference_auc"] < in_sample - 0.03


def test_scores_of_a_day_do_not_change_when_the_labels_of_that_day_do(flights: pd.DataFrame) -> None:
    recipe = replace(SMALL, refit=False)
    changed = flights.copy()
    day = (changed["scheduled_at"] >= new_york(date(2013, 1, 9))) & (
        changed["scheduled_at"] < new_york(date(2013, 1, 10))
    )
    changed.loc[day, "late"] = ~changed.loc[day, "late"]
    before, after = fit(recipe, flights, nothing).reference, fit(recipe, changed, nothing).reference
    of_day = before["day"] == "2013-01-09"
    assert of_day.sum() > 800
    assert before.loc[of_day, "score"].tolist() == after.loc[of_day, "score"].tolist()
    assert before.loc[~of_day, "score"].tolist() != after.loc[~of_day, "score"].tolist()


def test_evidence_frames_have_id_label_score_day_and_slices(fitted: FittedModel) -> None:
    expected = ["row_id", "label", "score", "day", "origin", "carrier"]
    for frame in (fitted.evaluation, fitted.reference):
        assert list(frame.columns) == expected
        assert frame["row_id"].is_unique
        assert set(frame["label"]) == {0, 1}
        assert not frame.isna().to_numpy().any()


def test_input_example_is_complete_and_can_be_scored(fitted: FittedModel) -> None:
    assert list(fitted.input_example.columns) == list(FEATURE_NAMES)
    assert len(fitted.input_example) == 5
    assert not fitted.input_example.isna().to_numpy().any()
    assert fitted.model.predict_proba(fitted.input_example).shape == (5, 2)


def test_progress_counts_up_to_the_end_and_says_what_happens(
    fitted: FittedModel, told: list[tuple[int, int, str]]
) -> None:
    assert fitted.recipe is SMALL
    assert [done for done, _, _ in told] == list(range(7))
    assert {of for _, of, _ in told} == {6}
    assert "earlier flights" in told[0][2]
    assert told[-1][2].startswith("trained on")


def test_an_exception_of_the_progress_callback_ends_the_run(flights: pd.DataFrame) -> None:
    def stop(done: int, of: int, text: str) -> None:
        if done == 1:
            raise InterruptedError(text)

    with pytest.raises(InterruptedError, match="judging"):
        fit(SMALL, flights, stop)


def test_the_same_recipe_gives_the_same_scores_and_another_seed_does_not(flights: pd.DataFrame) -> None:
    quick = replace(SMALL, refit=False, folds=0)
    first, again = fit(quick, flights, nothing), fit(quick, flights, nothing)
    other = fit(replace(quick, seed=4), flights, nothing)
    assert first.evaluation.equals(again.evaluation)
    assert first.evaluation["row_id"].tolist() == other.evaluation["row_id"].tolist()
    assert first.evaluation["score"].tolist() != other.evaluation["score"].tolist()
    assert first.dataset_sha256 == other.dataset_sha256


def test_without_refit_the_version_is_the_model_that_was_judged(flights: pd.DataFrame) -> None:
    made = fit(replace(SMALL, refit=False, folds=0), flights, nothing)
    rows = flights.set_index("flight_id").loc[made.evaluation["row_id"]]
    assert made.model.predict_proba(features_of(rows))[:, 1].tolist() == made.evaluation["score"].tolist()
    assert made.reference.empty
    assert list(made.reference.columns) == list(made.evaluation.columns)
    assert not any(name.startswith("reference") for name in made.metrics)


def test_digest_covers_every_row_and_ignores_their_order(flights: pd.DataFrame) -> None:
    rows = training_rows(flights, SMALL.start, SMALL.end)
    assert len(rows) > 10_000
    digest = dataset_digest(rows)
    assert digest == dataset_digest(rows.sample(frac=1, random_state=1))
    changed = rows.copy()
    changed.iloc[-1, changed.columns.get_loc("distance")] += 1
    assert dataset_digest(changed) != digest
    assert dataset_digest(rows.iloc[:-1]) != digest


def test_digest_knows_missing_from_zero_and_one_kind_of_missing(flights: pd.DataFrame) -> None:
    rows = flights.head(100).copy()
    rows["precip"] = np.nan
    digest = dataset_digest(rows)
    strange = rows.copy()
    strange["precip"] = np.array([0xFFF8000000000001] * 100, dtype="uint64").view("float64")
    assert dataset_digest(strange) == digest
    assert dataset_digest(rows.assign(precip=0.0)) != digest


@pytest.mark.parametrize("validation_days", [0, 21, 40])
def test_validation_days_must_leave_earlier_days(flights: pd.DataFrame, validation_days: int) -> None:
    with pytest.raises(InvalidInput, match="leave nothing to train on"):
        fit(replace(SMALL, validation_days=validation_days), flights, nothing)


def test_one_outcome_only_is_refused(flights: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="one outcome only"):
        fit(SMALL, flights.assign(late=pd.array([True] * len(flights), dtype="boolean")), nothing)


@pytest.mark.parametrize("folds", [1, 22])
def test_folds_must_fit_the_days(flights: pd.DataFrame, folds: int) -> None:
    with pytest.raises(InvalidInput, match="cannot be dealt"):
        fit(replace(SMALL, folds=folds), flights, nothing)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_recipe_survives_json(recipe: Recipe) -> None:
    again = from_json(json.loads(json.dumps(as_json(recipe))))
    assert as_json(again) == as_json(recipe)
    assert (again.start, again.end) == (recipe.start, recipe.end)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": "yesterday"}, "cannot be read"),
        ({"start": "2013-01-01T00:00:00"}, "no time zone"),
        ({"colour": "red"}, "cannot be read"),
    ],
)
def test_unreadable_recipe_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        from_json({**as_json(SMALL), **change})


def test_recipe_without_a_window_is_refused() -> None:
    values = as_json(SMALL)
    del values["end"]
    with pytest.raises(InvalidInput, match="cannot be read"):
        from_json(values)


def test_named_recipes_cover_the_months_they_name() -> None:
    assert (CHAMPION_JAN_FEB.start.isoformat(), CHAMPION_JAN_FEB.end.isoformat()) == (
        "2013-01-01T00:00:00-05:00",
        "2013-03-01T00:00:00-05:00",
    )
    assert (APRIL_ONLY.start.isoformat(), APRIL_ONLY.end.isoformat()) == (
        "2013-04-01T00:00:00-04:00",
        "2013-05-01T00:00:00-04:00",
    )
    assert (APRIL_FIRST_WEEKS.start, APRIL_FIRST_WEEKS.end) == (APRIL_ONLY.start, new_york(date(2013, 4, 21)))
    assert CHALLENGER_JAN_APR.end == new_york(date(2013, 5, 1))
    assert CHALLENGER_JAN_SEP.end == new_york(date(2013, 10, 1))
    assert all(recipe.parameters == BASE for recipe in RECIPES.values())


def test_sweep_is_a_full_grid_with_the_champions_settings_in_it() -> None:
    runs = list(sweep())
    assert len(runs) == 27
    assert len({run.name for run in runs}) == 27
    assert {run.seed for run in runs} == {1, 2, 3}
    assert {(run.start, run.end, run.validation_days) for run in runs} == {
        (CHAMPION_JAN_FEB.start, CHAMPION_JAN_FEB.end, CHAMPION_JAN_FEB.validation_days)
    }
    assert [run for run in runs if run.parameters == BASE and run.seed == CHAMPION_JAN_FEB.seed]


def by_day_difference(candidate: pd.Series, champion: pd.Series, days: pd.Series) -> tuple[float, float]:
    """The mean difference of two row losses and its standard error with days as clusters (jackknife)."""
    difference = candidate - champion
    total, count = difference.groupby(days).sum(), difference.groupby(days).count()
    without = (total.sum() - total) / (count.sum() - count)
    n = len(without)
    return float(difference.mean()), float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("challenger", "first", "after", "auc_gain", "brier_worse_at_most"),
    [
        (CHALLENGER_JAN_APR, date(2013, 5, 1), date(2013, 6, 1), 0.03, 0.005),
        (CHALLENGER_JAN_SEP, date(2013, 10, 1), date(2014, 1, 1), 0.01, 0.005),
    ],
    ids=["May", "October-December"],
)
def test_the_demos_challenger_beats_the_first_version_on_flights_neither_saw(
    flights: pd.DataFrame,
    challenger: Recipe,
    first: date,
    after: date,
    auc_gain: float,
    brier_worse_at_most: float,
) -> None:
    rows = training_rows(flights, new_york(first), new_york(after + timedelta(days=1)))
    label = rows["late"].astype(int)
    days = rows["scheduled_at"].dt.tz_convert("America/New_York").dt.date
    old, new = (
        pd.Series(
            fit(replace(recipe, folds=0), flights, nothing).model.predict_proba(features_of(rows))[:, 1], rows.index
        )
        for recipe in (CHAMPION_JAN_FEB, challenger)
    )
    assert roc_auc_score(label, new) - roc_auc_score(label, old) > auc_gain
    change, error = by_day_difference((new - label) ** 2, (old - label) ** 2, days)
    assert change < 0
    assert change + 1.96 * error < brier_worse_at_most


@pytest.mark.slow
def test_the_april_version_wins_auc_and_loses_calibration_in_autumn(flights: pd.DataFrame) -> None:
    rows = training_rows(flights, new_york(date(2013, 9, 1)), new_york(date(2013, 11, 1)))
    label, days = rows["late"].astype(int), rows["scheduled_at"].dt.tz_convert("America/New_York").dt.date
    old, april = (
        pd.Series(
            fit(replace(recipe, folds=0), flights, nothing).model.predict_proba(features_of(rows))[:, 1], rows.index
        )
        for recipe in (CHAMPION_JAN_FEB, APRIL_ONLY)
    )
    assert roc_auc_score(label, april) - roc_auc_score(label, old) > 0.02
    change, error = by_day_difference((april - label) ** 2, (old - label) ** 2, days)
    assert change - 2 * error > 0
