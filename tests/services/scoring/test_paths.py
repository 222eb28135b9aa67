"""Every way to an answer gives the same one: MLflow's protocol, our own scoring, a shadow, and a backfill.

A stranger's model: quotes in its name, words, whole numbers, flags, times, and columns that may be left out. Its three
versions are one estimator, so every path must give the very number that the protocol gave.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context
from mlops_dash.services.scoring import ScoringService
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.prediction_log import read_window
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.tracking.models.loading import ModelCache
from tests import factories
from tests.factories import NOON, SCIENTIST, WORKER

MODEL = """Sally's "gold" tariff"""
V1, V2, V3 = (f"{MODEL}-v{number}" for number in (1, 2, 3))
PLAIN: dict[str, list[Any]] = {
    "word": ["gold", "None", "NA"],
    "visits": [3, 0, 12],
    "flag": [True, False, True],
    "ratio": [0.5, 0.25, 2.0],
    "amount": [10.5, 2.0, 99.0],
    "children": [1, 2, 0],
    "vip": [False, True, True],
    "seen": ["2024-03-01T12:00:00", "2024-03-02T00:00:00", "2024-03-03T23:59:59"],
}


def without(*names: str) -> dict[str, list[Any]]:
    return {name: values for name, values in PLAIN.items() if name not in names}


CASES: dict[str, dict[str, list[Any]]] = {
    "plain": PLAIN,
    "another order": dict(reversed(PLAIN.items())),
    "an extra column": {**PLAIN, "more": ["x", None, "y"]},
    "an optional number missing": {**PLAIN, "amount": [10.5, None, None]},
    "an optional number missing in every row": {**PLAIN, "amount": [None, None, None]},
    "an optional whole number absent": without("children"),
    "an optional flag absent": without("vip"),
    "both absent": without("children", "vip"),
    "a flag missing": {**PLAIN, "flag": [True, None, None]},
    "an optional flag missing": {**PLAIN, "vip": [None, True, False]},
    "whole numbers written with a point": {**PLAIN, "visits": [3.0, 0.0, 12.0]},
    "whole numbers in a column of floats": {**PLAIN, "amount": [10, 2, 99], "ratio": [1, 0, 2]},
    "a word missing": {**PLAIN, "word": ["gold", None, "NA"]},
    "a word never seen": {**PLAIN, "word": ["platinum", "", " gold"]},
    "a time missing": {**PLAIN, "seen": ["2024-03-01T12:00:00", None, "2024-03-03T23:59:59"]},
    "days instead of times": {**PLAIN, "seen": ["2024-03-01", "2024-03-02", "2024-03-03"]},
}
CONVERTED: dict[str, dict[str, list[Any]]] = {  # what MLflow converts and our own scoring refuses by row and column
    "a number in a column of words": {**PLAIN, "word": ["gold", 7, "NA"]},
    "a number as text": {**PLAIN, "amount": ["10.5", "2", "99"]},
    "a flag as a number": {**PLAIN, "flag": [1, 0, 1]},
    "half a whole number": {**PLAIN, "visits": [3.5, 0.0, 12.0]},
}
REFUSED: dict[str, dict[str, list[Any]]] = {
    "a whole number missing": {**PLAIN, "visits": [3, None, 12]},
    "an optional whole number missing": {**PLAIN, "children": [1, None, 0]},
    "a required column absent": without("visits"),
    "no number": {**PLAIN, "amount": ["a lot", 2.0, 99.0]},
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> tuple[str, dict[str, str]]:
    """A store with three versions of one estimator: its address and MLflow's source of each version."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    from mlops_dash.tracking.models.loading import TRUSTED_TYPES

    home = tmp_path_factory.mktemp("paths")
    (home / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    uri = f"sqlite:///{home / 'mlflow.db'}"
    rng, n = np.random.default_rng(3), 400
    rows = pd.DataFrame({
        "word": rng.choice(np.array(["gold", "None", "NA", "basic"], dtype=object), n),
        "visits": rng.integers(0, 20, n), "flag": rng.random(n) < 0.5,
        "ratio": rng.random(n).astype(np.float32), "amount": np.where(rng.random(n) < 0.2, np.nan, rng.random(n) * 99),
    })  # fmt: skip
    bought = (rows["visits"] + 9 * (rows["word"] == "gold") + rows["amount"].fillna(60) / 9 > 16).astype(int)
    words = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("words", words, ["word"]),
                                 ("rest", "passthrough", ["visits", "flag", "ratio", "amount"])])  # fmt: skip
    fitted = Pipeline([("columns", columns), ("boosting", HistGradientBoostingClassifier(random_state=1))])
    fitted.fit(rows, bought)
    kinds = {"word": "string", "visits": "long", "flag": "boolean", "ratio": "float", "amount": "double",
             "children": "long", "vip": "boolean", "seen": "datetime"}  # fmt: skip
    optional = {"amount", "children", "vip"}
    schema = Schema([ColSpec(kind, name, required=name not in optional) for name, kind in kinds.items()])
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's own, about its own dependencies
            client = mlflow.MlflowClient(uri, uri)
            made = client.create_experiment("paths", artifact_location=(home / "artifacts").as_uri())
            found = {}
            for _ in range(3):
                with mlflow.start_run(experiment_id=made):
                    info = mlflow.sklearn.log_model(
                        fitted, name="model", signature=ModelSignature(schema), pip_requirements=["mlflow"],
                        pyfunc_predict_fn="predict_proba", registered_model_name=MODEL,
                        serialization_format="skops", skops_trusted_types=list(TRUSTED_TYPES),
                    )  # fmt: skip
                found[str(info.registered_model_version)] = str(info.model_uri)
        return uri, found
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])


@pytest.fixture(scope="module")
def cache(sources: tuple[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> ModelCache:
    return ModelCache(sources[0], tmp_path_factory.mktemp("cache"))


@pytest.fixture
def home(sources: tuple[str, dict[str, str]], tmp_path: Path) -> Iterator[Context]:
    made = factories.context(tmp_path, mlflow_uri=sources[0])
    with transaction(made.databases.app) as session:
        session.add(factories.model_row(MODEL, do_not_log=[]))
        for version, source in sources[1].items():
            session.add(factories.version_row(version, model=MODEL, artifact_digest="", source_uri=source))
        session.add(ServingRow(model=MODEL, alias="champion", version_id=V1, shadow_version_ids=[V2], epoch=1,
                               operation_id="op", since=NOON))  # fmt: skip
    yield made
    made.databases.dispose()


@pytest.fixture
def scoring(home: Context, cache: ModelCache) -> ScoringService:
    return ScoringService(home, cache)


def asked(scoring: ScoringService, columns: Mapping[str, list[Any]], batch: str) -> tuple[int, list[float]]:
    """What the protocol answers, with the row stored: status and the positive class's probabilities."""
    names = list(columns)
    data = [list(row) for row in zip(*columns.values(), strict=True)]
    body = json.dumps({"dataframe_split": {"columns": names, "data": data}}).encode()
    said = scoring.answer(SCIENTIST, MODEL, body, "application/json", batch_id=batch)
    if said.status != 200:
        return said.status, []
    assert said.pending is not None, said.not_logged
    scoring.store(SCIENTIST, [said.pending])
    return 200, [row[1] for row in json.loads(said.body)["predictions"]]


def kept(home: Context, version_id: str, role: str) -> dict[str, float]:
    with reading(home.databases.log) as session:
        found = read_window(session, version_id, NOON - timedelta(days=1), NOON + timedelta(days=1), roles=(role,))
    return dict(zip(found["prediction_id"], found["score"], strict=True))


def test_every_path_gives_the_protocols_answer(home: Context, scoring: ScoringService) -> None:
    expected: dict[str, float] = {}
    for name, columns in {**CASES, **CONVERTED}.items():
        status, scores = asked(scoring, columns, name)
        assert status == 200, name
        expected |= {f"{name}-{row}": score for row, score in enumerate(scores)}
    assert len(set(expected.values())) > 5
    assert kept(home, V1, "champion") == expected
    assert kept(home, V2, "shadow") == expected
    assert scoring.backfill(WORKER, MODEL, V3, NOON - timedelta(hours=1), NOON + timedelta(hours=1)) == len(expected)
    assert kept(home, V3, "replayed") == expected


@pytest.mark.parametrize("name", CASES)
def test_our_own_scoring_gives_the_protocols_answer(scoring: ScoringService, name: str) -> None:
    _, scores = asked(scoring, CASES[name], "protocol")
    own = scoring.score(SCIENTIST, MODEL, pd.DataFrame(CASES[name]), batch_id="own")
    assert list(own.scores) == scores


@pytest.mark.parametrize("name", CONVERTED)
def test_our_own_scoring_names_what_mlflow_would_convert(scoring: ScoringService, name: str) -> None:
    with pytest.raises(InvalidInput, match=r"Row [01], column"):
        scoring.score(SCIENTIST, MODEL, pd.DataFrame(CONVERTED[name]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_protocol_refuses_is_refused_everywhere(scoring: ScoringService, name: str) -> None:
    assert asked(scoring, REFUSED[name], "protocol")[0] == 400
    with pytest.raises(InvalidInput):
        scoring.score(SCIENTIST, MODEL, pd.DataFrame(REFUSED[name]))
