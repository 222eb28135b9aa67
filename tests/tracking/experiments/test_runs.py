"""One fit in MLflow: everything that a later comparison needs, and a version that loads again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlops_dash.errors import InvalidInput, Unavailable
from mlops_dash.tracking.experiments import attempts, runs
from mlops_dash.tracking.experiments.models import RunModels
from mlops_dash.tracking.models.fresh_check import check_in_fresh_process
from mlops_dash.tracking.models.loading import ModelCache
from mlops_dash.tracking.registry import MlflowRegistry


@dataclass(frozen=True)
class Point:
    step: int
    valid_log_loss: float


@dataclass(frozen=True)
class Recipe:
    name: str = "weekly"
    model_name: str = "m"
    parameters: Mapping[str, float] = field(default_factory=lambda: {"C": 0.5})
    start: datetime = datetime(2013, 1, 1, tzinfo=UTC)
    end: datetime = datetime(2013, 3, 1, tzinfo=UTC)
    seed: int = 7
    validation_days: int = 14


@dataclass(frozen=True)
class Fit:
    model: Any
    input_example: pd.DataFrame
    evaluation: pd.DataFrame
    recipe: Recipe = Recipe()
    history: Sequence[Point] = (Point(5, 0.6), Point(10, 0.5))
    dataset_sha256: str = "a" * 64
    metrics: Mapping[str, float] = field(default_factory=lambda: {"valid_auc": 0.7})
    seconds: float = 1.5


@pytest.fixture
def fitted() -> Fit:
    random = np.random.default_rng(1)
    inputs = pd.DataFrame({"x": random.normal(size=200), "y": random.normal(size=200)})
    label = (inputs["x"] + random.normal(size=200) > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, label)
    evaluation = pd.DataFrame(
        {"row_id": [f"r{i}" for i in range(200)], "label": label, "score": model.predict_proba(inputs)[:, 1]}
    )
    return Fit(model, inputs.head(3), evaluation.assign(origin="JFK"))


@pytest.fixture
def uri(mlflow_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)  # where MLflow's SQLite store puts artifacts
    return mlflow_uri


def registered(uri: str, logged: runs.Logged) -> tuple[str, str]:
    return RunModels(uri).register("m", logged.run_id, logged.model_uri, logged.artifact_digest)


def test_a_fit_is_logged_with_all_that_a_comparison_needs(uri: str, fitted: Fit, tmp_path: Path) -> None:
    logged = runs.log_fitted(uri, fitted, tags={"mlops_dash.job": "j1"})

    client = MlflowRegistry(uri)._client()
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "weekly"
    assert client.get_experiment(run.info.experiment_id).name == "m"
    assert run.data.params["C"] == "0.5"
    assert run.data.params["train_end"] == "2013-03-01T00:00:00+00:00"
    assert run.data.metrics["valid_auc"] == 0.7
    history = client.get_metric_history(logged.run_id, "valid_log_loss")
    assert [(one.step, one.value) for one in history] == [(5, 0.6), (10, 0.5)]
    tags = run.data.tags
    assert tags["mlops_dash.dataset_sha256"] == "a" * 64
    assert tags["mlops_dash.eval_digest"] == logged.eval_digest == runs.evaluation_digest(fitted.evaluation)
    assert tags["mlops_dash.seed"] == "7"
    assert tags["mlops_dash.split"] == "forward-14-days-2013-03-01"
    assert tags["mlops_dash.job"] == "j1"
    assert tags["mlops_dash.git_commit"] == runs.git_commit() != ""
    assert run.inputs.dataset_inputs[0].dataset.digest == "a" * 36
    path = client.download_artifacts(logged.run_id, runs.EVALUATION_FILE, str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_parquet(path), fitted.evaluation)
    assert set(logged.seconds) == {"run", "numbers", "evaluation", "model", "close"}


def test_the_registered_version_has_the_digest_of_its_files_and_scores_again(
    uri: str, fitted: Fit, tmp_path: Path
) -> None:
    logged = runs.log_fitted(uri, fitted)
    number, source = registered(uri, logged)

    version = MlflowRegistry(uri).versions("m")[0]
    assert (version.version, version.run_id, version.source) == (number, logged.run_id, source)
    assert version.tags["mlops_dash.artifact_digest"] == logged.artifact_digest
    cache = ModelCache(uri, tmp_path / "home")
    loaded = cache.get("m", number, digest=logged.artifact_digest, source_uri=source)
    expected = fitted.model.predict_proba(fitted.input_example)[:, 1]
    np.testing.assert_allclose(loaded.predict(fitted.input_example), expected)
    pd.testing.assert_frame_equal(loaded.input_example, fitted.input_example)


def test_a_fresh_process_scores_the_input_example(uri: str, fitted: Fit) -> None:
    _, source = registered(uri, runs.log_fitted(uri, fitted))
    check = check_in_fresh_process(uri, source)
    assert (check.ok, check.reason[:22]) == (True, "3 example rows scored ")


def test_a_run_of_a_sweep_is_logged_and_not_registered(uri: str, fitted: Fit) -> None:
    logged = runs.log_fitted(uri, fitted, experiment="sweep", run_name="leaves-8")
    assert MlflowRegistry(uri).models() == ()
    assert logged.artifact_digest


def test_orphans_of_a_job_are_marked_and_its_other_runs_are_found_with_what_they_carry(uri: str, fitted: Fit) -> None:
    kept = runs.log_fitted(uri, fitted, tags={"mlops_dash.job": "j1", "mlops_dash.epoch": "2"})
    lost = runs.log_fitted(uri, fitted, tags={"mlops_dash.job": "j1"})
    other = runs.log_fitted(uri, fitted, tags={"mlops_dash.job": "j2"})
    registered(uri, kept)
    assert {one.run_id for one in attempts.of_job(uri, job_id="j1")} == {kept.run_id, lost.run_id}

    attempts.mark_orphans(uri, [lost.run_id])

    client = MlflowRegistry(uri)._client()
    states = {one: client.get_run(one).info.status for one in (kept.run_id, lost.run_id, other.run_id)}
    assert list(states.values()) == ["FINISHED", "FAILED", "FINISHED"]
    (found,) = attempts.of_job(uri, job_id="j1")
    assert (found.run_id, found.registered, found.parent, found.status) == (kept.run_id, True, "", "FINISHED")
    assert (found.tags["mlops_dash.epoch"], found.metrics["valid_auc"]) == ("2", 0.7)


def test_the_reference_is_kept_beside_the_evaluation(uri: str, fitted: Fit, tmp_path: Path) -> None:
    logged = runs.log_fitted(uri, fitted, reference=fitted.evaluation.head(3))
    path = MlflowRegistry(uri)._client().download_artifacts(logged.run_id, runs.REFERENCE_FILE, str(tmp_path))
    pd.testing.assert_frame_equal(pd.read_parquet(path), fitted.evaluation.head(3))


def test_a_run_that_was_killed_while_it_was_logged_is_found_by_its_marks(
    uri: str, fitted: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", killed)
        with pytest.raises(KeyboardInterrupt):
            runs.log_fitted(uri, fitted, experiment="swept", tags={"sweep": "one"})
    assert attempts.settle(uri, experiment="swept", tag="sweep", value="one") == ()
    client = MlflowClient(uri, uri)
    known = client.get_experiment_by_name("swept")
    assert known is not None
    (run,) = client.search_runs([known.experiment_id])
    assert (run.info.status, run.data.tags["mlops_dash.orphan"]) == ("FAILED", "true")


def test_evaluation_rows_that_lack_a_column_are_refused_before_mlflow_is_asked(fitted: Fit) -> None:
    with pytest.raises(InvalidInput, match="lack score"):
        runs.log_fitted("http://127.0.0.1:9", replace(fitted, evaluation=fitted.evaluation.drop(columns="score")))


def test_a_server_that_is_away_is_said_at_once(fitted: Fit) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        runs.log_fitted("http://127.0.0.1:9", fitted)
    with pytest.raises(Unavailable, match="does not answer"):
        attempts.of_job("http://127.0.0.1:9", job_id="j")


def test_two_runs_judged_on_the_same_rows_have_equal_digests(fitted: Fit) -> None:
    rows = fitted.evaluation
    assert runs.evaluation_digest(rows.sample(frac=1, random_state=1)) == runs.evaluation_digest(rows)
    assert runs.evaluation_digest(rows.assign(score=0.1)) == runs.evaluation_digest(rows)
    assert runs.evaluation_digest(rows.assign(label=1 - rows["label"])) != runs.evaluation_digest(rows)
    assert runs.evaluation_digest(rows.iloc[1:]) != runs.evaluation_digest(rows)


def test_a_regression_is_logged_with_its_own_answer_and_loads_without_trusting_anything_new(
    uri: str, fitted: Fit, tmp_path: Path
) -> None:
    inputs = pd.DataFrame({"x": np.linspace(0.0, 9.0, 300), "y": np.tile([1.0, 2.0, np.nan], 100)})
    model = make_pipeline(HistGradientBoostingRegressor(max_iter=5, loss="absolute_error")).fit(inputs, inputs["x"])
    logged = runs.log_fitted(uri, replace(fitted, model=model, input_example=inputs.head(2)))
    number, source = registered(uri, logged)
    loaded = ModelCache(uri, tmp_path / "home").get("m", number, digest=logged.artifact_digest, source_uri=source)
    assert loaded.score_column is None
    assert loaded.predict(inputs).tolist() == model.predict(inputs).tolist()
    assert loaded.signature.outputs.is_tensor_spec()
