"""What fitted models say of themselves, mapped back through a pipeline to the columns that were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from mlops_dash.tracking.models.own_importance import own_importance


@pytest.fixture
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    kind = rng.choice(["Adélie", "Gentoo", 'it\'s "Chinstrap"'], 600)
    return pd.DataFrame({"bill": rng.normal(size=600), "kind": kind, "kind_of": rng.choice(["a", "b"], 600)})


def encoder() -> ColumnTransformer:
    return ColumnTransformer([("num", StandardScaler(), ["bill"]), ("cat", OneHotEncoder(), ["kind", "kind_of"])])


@pytest.mark.parametrize("last", [LogisticRegression(), RandomForestClassifier(20, random_state=1)])
def test_a_pipeline_says_it_by_the_columns_that_it_was_given(rows: pd.DataFrame, last: object) -> None:
    fitted = make_pipeline(encoder(), last).fit(rows, rows["kind"] == "Gentoo")
    found = own_importance(fitted, list(rows))
    assert set(found) == {"bill", "kind", "kind_of"}
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["kind"] > 0.7
    assert max(found, key=lambda name: found[name]) == "kind"


def test_where_names_cannot_be_mapped_back_or_nothing_is_kept_nothing_is_said(rows: pd.DataFrame) -> None:
    labels = rows["kind"] == "Gentoo"
    mixed = make_pipeline(encoder(), PCA(2), LogisticRegression()).fit(rows, labels)
    assert own_importance(mixed, list(rows)) == {}
    assert own_importance(make_pipeline(encoder(), SVC()).fit(rows, labels), list(rows)) == {}
    assert own_importance(None, list(rows)) == {}
    fitted = LogisticRegression().fit(rows[["bill"]], labels)
    assert own_importance(fitted, ["bill", "more"]) == {}


def test_a_raw_coefficient_counts_times_the_spread_of_its_column() -> None:
    rng = np.random.default_rng(2)
    homes = pd.DataFrame({"income": rng.normal(40_000, 10_000, 500), "rooms": rng.integers(1, 8, 500)})
    price = 0.0023 * homes["income"] + 4.0 * homes["rooms"]
    fitted = LinearRegression().fit(homes, price)
    spreads = {name: float(homes[name].std()) for name in homes}
    assert own_importance(fitted, list(homes), spreads)["income"] > 0.7
    scaled = make_pipeline(StandardScaler(), LinearRegression()).fit(homes, price)
    found = own_importance(scaled, list(homes), spreads)  # its coefficients are of scaled columns already
    assert found["income"] == pytest.approx(own_importance(fitted, list(homes), spreads)["income"], abs=0.01)
