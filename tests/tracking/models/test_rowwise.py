"""Models that are named answer a row with the same bits alone and beside others; models that need not are not named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mlops_dash.tracking.models.rowwise import answers_row_by_row
from tests.served import flights

ROWS = flights(400, seed=3)
MINUTES = np.asarray(ROWS["hour"] * 3 + ROWS["wind"].fillna(10.0))
WORDS = np.where(MINUTES > 50, "late", np.where(MINUTES > 30, 'it\'s "fine"', "early"))


def columns(numbers: Any) -> ColumnTransformer:
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer([("words", words, ["carrier"]), ("numbers", numbers, ["hour", "wind"])])


BINS = make_pipeline(SimpleImputer(), KBinsDiscretizer(4, encode="ordinal", strategy="uniform"))
FILLED = make_pipeline(SimpleImputer(), StandardScaler())
MODELS: dict[str, tuple[Any, Any]] = {
    "boosting of words": (
        Pipeline([("columns", columns("passthrough")), ("model", HistGradientBoostingClassifier(max_iter=10))]), WORDS,
    ),
    "boosting of minutes": (
        make_pipeline(columns(StandardScaler()), HistGradientBoostingRegressor(max_iter=10)), MINUTES,
    ),
    "a forest": (make_pipeline(columns(FILLED), RandomForestClassifier(20, random_state=1)), WORDS),
    "very random trees": (make_pipeline(columns(FILLED), ExtraTreesRegressor(20, random_state=1)), MINUTES),
    "old boosting": (make_pipeline(columns(FILLED), GradientBoostingClassifier(n_estimators=10)), WORDS),
    "a tree of bins": (make_pipeline(columns(BINS), DecisionTreeClassifier()), WORDS),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_row_has_the_same_bits_alone_and_beside_others(name: str) -> None:
    model, label = MODELS[name]
    model.fit(ROWS, label)
    asked = flights(64, seed=4)
    ask = getattr(model, "predict_proba", model.predict)
    alone = np.concatenate([ask(asked.iloc[[row]]) for row in range(len(asked))])

    assert answers_row_by_row(model)
    assert ask(asked).tobytes() == alone.tobytes()


class Ranking(DecisionTreeClassifier):
    """A subclass may do anything, rank the rows of a request for one."""


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        make_pipeline(FunctionTransformer(lambda rows: rows - rows.mean()), DecisionTreeClassifier()),
        KNeighborsClassifier(),
        RandomForestClassifier(n_jobs=-1),
        Ranking(),
        FeatureUnion([("a", StandardScaler()), ("b", FunctionTransformer(np.sort))]),
        ColumnTransformer([("words", OrdinalEncoder(), ["carrier"])]),  # not fitted: its parts are not known
        None,
        pd.DataFrame(),
    ],
)
def test_others_are_not_named(model: Any) -> None:
    assert not answers_row_by_row(model)
