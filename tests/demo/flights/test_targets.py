"""The other models of the flights: their labels, when these are known, and a regression fitted like the classifiers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error
from threadpoolctl import threadpool_limits

from mlops_dash.demo.flights.columns import (
    AIR_TIME,
    LATE_ARRIVAL,
    LATE_DEPARTURE,
    MODEL_NAME,
    features_of,
    load_flights,
    target_of,
    training_rows,
)
from mlops_dash.demo.flights.recipes import ErrorPoint, FittedModel, Recipe, dataset_digest, fit, new_york
from mlops_dash.errors import InvalidInput

SMALL = Recipe(
    name="small",
    model_name="air-time",
    parameters={"max_iter": 12, "learning_rate": 0.3, "min_samples_leaf": 50},
    start=new_york(date(2013, 1, 1)),
    end=new_york(date(2013, 1, 22)),
    seed=3,
    validation_days=5,
    folds=2,
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights(Path(__file__).resolve().parents[3] / "data" / "flights-2013.parquet")


@pytest.fixture(scope="module")
def fitted(flights: pd.DataFrame) -> FittedModel:
    return fit(SMALL, flights, lambda _done, _of, _text: None)


def test_each_model_has_its_own_label_and_the_instant_it_is_known() -> None:
    assert target_of("departure-delay") is LATE_DEPARTURE
    assert target_of("air-time") is AIR_TIME
    assert target_of(MODEL_NAME) is LATE_ARRIVAL
    with pytest.raises(InvalidInput, match="no label for the model 'credit-scoring'"):
        target_of("credit-scoring")
    assert (AIR_TIME.task, AIR_TIME.label, AIR_TIME.known_at) == ("regression", "air_time", "landed_at")
    assert not {"dep_delay", "arr_delay", "air_time", "landed_at", "late"} & set(AIR_TIME.feature_names)
    assert set(AIR_TIME.feature_names) < set(LATE_DEPARTURE.feature_names)


def test_a_departure_is_late_after_15_minutes_and_known_when_it_leaves(flights: pd.DataFrame) -> None:
    left = flights[flights["dep_delay"].notna()]
    assert (left["departed_late"] == (left["dep_delay"] > 15)).all()
    waited = (left["departed_at"] - left["scheduled_at"]).dt.total_seconds() / 60
    assert (waited == left["dep_delay"]).all()
    cancelled = flights[flights["cancelled"]]
    assert cancelled["departed_late"].isna().all()
    assert cancelled["departed_at"].isna().all()


def test_training_rows_of_a_departure_need_no_landing(flights: pd.DataFrame) -> None:
    end = new_york(date(2013, 1, 8)).replace(hour=12)
    departed = training_rows(flights, new_york(date(2013, 1, 1)), end, LATE_DEPARTURE)
    landed = training_rows(flights, new_york(date(2013, 1, 1)), end, AIR_TIME)
    assert (departed["departed_at"] <= end).all()
    assert (landed["landed_at"] <= end).all()
    assert set(landed["flight_id"]) < set(departed["flight_id"])


def test_a_regression_is_judged_in_minutes_on_days_it_never_saw(fitted: FittedModel) -> None:
    evaluation, reference = fitted.evaluation, fitted.reference
    assert evaluation["label"].dtype == np.float64
    assert fitted.metrics["valid_mae"] == pytest.approx(mean_absolute_error(evaluation["label"], evaluation["score"]))
    rmse = root_mean_squared_error(reference["label"], reference["score"])
    assert fitted.metrics["reference_rmse"] == pytest.approx(rmse)
    assert fitted.metrics["reference_bias"] == pytest.approx((reference["score"] - reference["label"]).mean())
    assert 5 < fitted.metrics["reference_mae"] < 25
    assert set(evaluation["day"]) == {f"2013-01-{day}" for day in range(17, 22)}


def test_the_learning_curve_of_a_regression_ends_where_its_metrics_are(fitted: FittedModel) -> None:
    assert [point.step for point in fitted.history] == [5, 10, 12]
    first, last = fitted.history[0], fitted.history[-1]
    assert isinstance(first, ErrorPoint)
    assert isinstance(last, ErrorPoint)
    assert last.valid_mae == pytest.approx(fitted.metrics["valid_mae"])
    assert first.train_mae > last.train_mae


def test_the_version_takes_its_own_features_and_strange_values(flights: pd.DataFrame, fitted: FittedModel) -> None:
    assert list(fitted.input_example.columns) == list(AIR_TIME.feature_names)
    rows = features_of(flights.head(3), AIR_TIME).assign(carrier="??", temp=np.nan)
    assert np.isfinite(fitted.model.predict(rows)).all()


def test_the_digest_covers_the_targets_own_columns(flights: pd.DataFrame) -> None:
    rows = flights.head(500)
    assert dataset_digest(rows, AIR_TIME) != dataset_digest(rows, LATE_DEPARTURE) != dataset_digest(rows)
    assert dataset_digest(rows.assign(visib=0.0), AIR_TIME) == dataset_digest(rows, AIR_TIME)
    assert dataset_digest(rows.assign(air_time=0.0), AIR_TIME) != dataset_digest(rows, AIR_TIME)


def test_the_same_recipe_gives_the_same_regression(flights: pd.DataFrame, fitted: FittedModel) -> None:
    again = fit(replace(SMALL, folds=0), flights, lambda _done, _of, _text: None)
    assert again.reference.empty
    assert "reference_mae" not in again.metrics
    assert again.evaluation["score"].tolist() == fitted.evaluation["score"].tolist()
