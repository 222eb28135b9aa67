"""Arms of models that answer with classes in words or with minutes: both doors, and what the log then holds."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.ab_tests.assigning import draw, unit_key
from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.command import Context
from mlops_dash.services.scoring import ScoringService, following
from mlops_dash.store import ab_tests as store
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.tracking.models.loading import ModelCache
from tests import factories
from tests.factories import LEAD, NOON, SCIENTIST

ROWS = 40
WORDS = ["chinstrap", "gentoo", 'it\'s an "adelie"']
KINDS = {"words": "multiclass", "probabilities": "multiclass", "minutes": "regression"}
CUSTOMERS = [f"c{n % 9}" for n in range(ROWS)]


def birds(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"bill": rng.normal(40, 5, ROWS), "mass": rng.normal(4_000, 500, ROWS)})


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> tuple[str, dict[str, dict[str, str]]]:
    """Two versions of each kind of model in a store of MLflow's own."""
    home = tmp_path_factory.mktemp("any-task")
    (home / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    uri = f"sqlite:///{home / 'mlflow.db'}"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    from mlops_dash.tracking.models.loading import TRUSTED_TYPES

    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    found: dict[str, dict[str, str]] = {}
    try:
        client, x = mlflow.MlflowClient(uri, uri), birds(1)
        experiment = client.create_experiment("any", artifact_location=(home / "artifacts").as_uri())
        for kind in KINDS:
            client.create_registered_model(kind)
            for version in (1, 2):
                known = WORDS[: 1 + version] if kind == "words" else WORDS  # the challenger knows a longer word
                truth = np.random.default_rng(version).choice(known, ROWS)
                tree: Any = DecisionTreeRegressor if kind == "minutes" else DecisionTreeClassifier
                y = x["bill"].to_numpy() * version if kind == "minutes" else truth
                model = tree(max_depth=3, random_state=0).fit(x, y)
                proba = {"pyfunc_predict_fn": "predict_proba"} if kind == "probabilities" else {}
                answer = model.predict_proba(x) if proba else model.predict(x)
                with warnings.catch_warnings(), mlflow.start_run(experiment_id=experiment):
                    warnings.simplefilter("ignore")
                    mlflow.sklearn.log_model(
                        model, name="model", signature=infer_signature(x, answer), input_example=x.head(2),
                        serialization_format="skops", skops_trusted_types=list(TRUSTED_TYPES),
                        pip_requirements=["mlflow"], registered_model_name=kind, **proba,
                    )  # fmt: skip
            versions = client.search_model_versions(f"name = '{kind}'")
            found[kind] = {str(one.version): str(one.source) for one in versions}
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
    return uri, found


@pytest.fixture(params=list(KINDS))
def served(
    request: pytest.FixtureRequest, tmp_path: Path, sources: tuple[str, dict[str, dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[str, Context, ScoringService]]:  # fmt: skip
    """A model of the kind, served, with a test by customer running."""
    monkeypatch.setattr(following, "STALE_SECONDS", 0.0)
    uri, found = sources
    kind, made = request.param, factories.context(tmp_path, mlflow_uri=uri)
    classes = WORDS if KINDS[kind] == "multiclass" else []
    with transaction(made.databases.app) as session:
        session.add(factories.model_row(kind, task=KINDS[kind], class_names=classes))
        for version, source in found[kind].items():
            session.add(factories.version_row(version, model=kind, artifact_digest="", source_uri=source))
        session.flush()
        session.add(
            ServingRow(
                model=kind, version_id=f"{kind}-v1", shadow_version_ids=[], epoch=1, operation_id="o", since=NOON
            )
        )
    tests = ABTestService(made)
    loss = tests.plan(SCIENTIST, kind).outcomes[0]
    test = tests.design(
        SCIENTIST,
        NewTest(kind, f"{kind}-v2", question="?", planned_units=1_000, outcome=loss, unit="entity", entity="customer",
                key="k", days=7, exposure_hours=48.0),
    )  # fmt: skip
    tests.start(LEAD, test.id, test.revision, reason="go")
    yield kind, made, ScoringService(made, ModelCache(uri, tmp_path))
    made.databases.dispose()


def test_both_doors_answer_each_customer_by_its_arm(served: tuple[str, Context, ScoringService]) -> None:
    kind, context, scoring = served
    rows = birds().assign(customer=CUSTOMERS)
    expected = ["2" if draw("k", one) < 0.5 else "1" for one in CUSTOMERS]
    assert set(expected) == {"1", "2"}
    assert scoring.score(SCIENTIST, kind, rows, batch_id="a").versions == tuple(expected)
    body = json.dumps({"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}).encode()
    said = scoring.answer(SCIENTIST, kind, body, "application/json", batch_id="b")
    assert said.pending is not None, said.body
    assert [one.version for one in said.pending.answers] == expected
    answers = json.loads(said.body)["predictions"]
    assert len(answers) == ROWS
    if kind == "words":
        live = scoring._following.live(kind)
        assert live.arm is not None
        own = live.arm.model.pyfunc.predict(birds())
        theirs = [at for at, one in enumerate(expected) if one == "2"]
        assert [answers[at] for at in theirs] == [str(own[at]) for at in theirs]
        assert WORDS[2] in answers
    scoring.store(SCIENTIST, [said.pending])
    with reading(context.databases.app) as session:
        test = store.running(session, kind)
    assert test is not None
    with reading(context.databases.log) as session:
        kept = store.rows_of_units(session, test, test.started_at, context.clock.now().replace(year=2100))  # type: ignore[arg-type]
    assert len(kept) == 2 * ROWS
    assert set(kept["unit"]) == {unit_key("k", one) for one in CUSTOMERS}
    assert kept["challenger"].mean() == pytest.approx(np.mean([one == "2" for one in expected]))
