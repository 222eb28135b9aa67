"""The list names estimators one by one: what is on it is there, and what is not on it is not loaded."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.cluster import DBSCAN, SpectralBiclustering
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import PoissonRegressor, SGDClassifier
from sklearn.manifold import MDS
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from sklearn.utils import all_estimators

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.models import estimators, trust
from mlops_dash.tracking.models.loading import load

ROWS = np.abs(np.random.default_rng(0).normal(size=(40, 3)))
WORDS = np.where(ROWS[:, 0] > 0.6, "good", "bad")


def kept(model: object, folder: Path) -> Path:
    skops.io.dump(model, folder / "model.skops")
    return folder


def test_every_name_is_an_estimator_of_the_installed_library() -> None:
    for module, names in estimators._ESTIMATORS.items():
        for name in names.split():
            found = getattr(import_module(module), name)
            assert issubclass(found, BaseEstimator)
            assert estimators.public_name(f"{found.__module__}.{name}") in estimators.NAMED


@pytest.mark.parametrize("model", [GaussianNB(), SGDClassifier(), SVC(probability=True)], ids=type)
def test_a_strangers_classifier_of_named_types_is_trusted(tmp_path: Path, model: BaseEstimator) -> None:
    trust._require_trusted_types(kept(make_pipeline(model).fit(ROWS, WORDS), tmp_path), "model.skops")


def test_a_strangers_regression_of_named_types_is_trusted(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(np.log1p), PoissonRegressor()).fit(ROWS, ROWS[:, 1])
    trust._require_trusted_types(kept(model, tmp_path), "model.skops")


@pytest.mark.parametrize("model", [SpectralBiclustering(2), DBSCAN(), MDS(n_init=1), LedoitWolf()], ids=type)
def test_an_estimator_that_is_not_named_is_refused_although_its_library_is_trusted(
    tmp_path: Path, model: BaseEstimator
) -> None:
    skops_alone = set(skops.io.get_untrusted_types(file=kept(model.fit(ROWS), tmp_path) / "model.skops"))
    assert skops_alone <= set(trust.TRUSTED_TYPES)
    with pytest.raises(BrokenModel, match=rf"untrusted types: sklearn\..*\.{type(model).__name__}\."):
        trust._require_trusted_types(tmp_path, "model.skops")


def test_an_estimator_of_a_later_release_is_not_trusted_by_itself(tmp_path: Path) -> None:
    """Whatever the library adds: only names of the list pass, whoever fills skops's own list from the library."""
    named = {full for _, one in all_estimators() if (full := f"{one.__module__}.{one.__name__}")}
    unnamed = {full for full in named if estimators.public_name(full) not in estimators.NAMED}
    assert {full.rpartition(".")[2] for full in unnamed} >= {"TSNE", "OPTICS", "HDBSCAN", "SpectralClustering"}
    assert len(unnamed) < len(named) / 5


def test_a_model_of_unnamed_types_says_so_when_it_is_loaded(tmp_path: Path) -> None:
    kept(DBSCAN().fit(ROWS), tmp_path)
    (tmp_path / "MLmodel").write_text(
        "flavors:\n  python_function: {loader_module: mlflow.sklearn, model_path: model.skops}\n"
        "  sklearn: {pickled_model: model.skops, serialization_format: skops}\n"
    )
    with pytest.raises(BrokenModel, match=r"untrusted types: sklearn\.cluster\._dbscan\.DBSCAN"):
        load(tmp_path, "digest", allow_pickle=False)
