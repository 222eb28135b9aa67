"""A real MLflow store with real versions of a small model, made once a session: scoring and gateway tests serve it."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

MODEL = "flight-delay"
FEATURES = ("carrier", "hour", "wind")


@dataclass(frozen=True)
class Served:
    """A MLflow store with `flight-delay` 1 and 2 (skops), 3 (a pickle) and 4 (no input example, no signature)."""

    uri: str
    sources: dict[str, str]  # version -> MLflow's source


def flights(rows: int, *, seed: int = 0) -> pd.DataFrame:
    """Small flights: two numeric features and a category, some missing."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "carrier": rng.choice(np.array(["AA", "DL", "UA"], dtype=object), rows),
            "hour": rng.integers(0, 24, rows).astype(float),
            "wind": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(10.0, 3.0, rows)),
        }
    )


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Served:
    """The store; tests must not change it."""
    home = tmp_path_factory.mktemp("served")
    (home / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    uri = f"sqlite:///{home / 'mlflow.db'}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, about its own dependencies
        return Served(uri, _log_versions(uri, home))


def _log_versions(uri: str, home: Path) -> dict[str, str]:
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from mlops_dash.tracking.models.loading import TRUSTED_TYPES

    def fitted(iterations: int) -> Pipeline:
        rows = flights(600, seed=1)
        late = (rows["hour"] + rows["wind"].fillna(10.0) > 22).astype(int)
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        columns = ColumnTransformer([("carrier", encoder, ["carrier"])], remainder="passthrough")
        boosting = HistGradientBoostingClassifier(max_iter=iterations, categorical_features=[0], random_state=1)
        return Pipeline([("columns", columns), ("boosting", boosting)]).fit(rows, late)

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        client = mlflow.MlflowClient(uri, uri)
        experiment = client.create_experiment("served", artifact_location=(home / "artifacts").as_uri())
        client.create_registered_model(MODEL)
        example = flights(5, seed=2)
        skops = {"serialization_format": "skops", "skops_trusted_types": list(TRUSTED_TYPES)}
        signed = {"signature": infer_signature(example, np.array([[0.5, 0.5]])), "input_example": example}
        wanted = [
            (10, {**skops, **signed}),
            (20, {**skops, **signed}),
            (5, {"serialization_format": "pickle", **signed}),
        ]
        for iterations, options in [*wanted, (5, skops)]:
            with mlflow.start_run(experiment_id=experiment):
                mlflow.sklearn.log_model(
                    fitted(iterations),
                    name="model",
                    pyfunc_predict_fn="predict_proba",
                    pip_requirements=["mlflow"],
                    registered_model_name=MODEL,
                    **options,
                )
        return {str(one.version): str(one.source) for one in client.search_model_versions(f"name = '{MODEL}'")}
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
