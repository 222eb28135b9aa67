"""Log one finished fit to MLflow, in one go: parameters, curves, data, model, evaluation and reference rows.

Everything that a later comparison needs is kept with the run: the digest of the training rows, of the evaluation rows
(ids and labels: two runs with equal digests were judged on the same rows), the seed, the split, the commit.
Must not: know how a model is trained; what comes in has the shape of `Fitted`.
"""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from mlops_dash.errors import InvalidInput, Unavailable
from mlops_dash.tracking.imports import mlflow_ready
from mlops_dash.tracking.models.trust import TRUSTED_TYPES, artifact_digest
from mlops_dash.tracking.registry import MlflowRegistry

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

TAG = "mlops_dash."
EVALUATION_FILE = "eval/predictions.parquet"
REFERENCE_FILE = "eval/reference.parquet"
_EVALUATION_COLUMNS = ("row_id", "label", "score")
_REQUIREMENTS = ("mlflow", "scikit-learn", "pandas", "numpy", "skops")
_METRICS_A_CALL = 1_000


class FittedRecipe(Protocol):
    """What was asked for."""

    @property
    def name(self) -> str:
        """Recipe name."""

    @property
    def model_name(self) -> str:
        """Registered model."""

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Of the estimator."""

    @property
    def start(self) -> Any:
        """First instant of the training window."""

    @property
    def end(self) -> Any:
        """First instant after it."""

    @property
    def seed(self) -> int:
        """Of all randomness."""

    @property
    def validation_days(self) -> int:
        """Last days of the window, judged on."""


class Fitted(Protocol):
    """What came out: `demo.flights.recipes.FittedModel` has this shape."""

    @property
    def recipe(self) -> FittedRecipe:
        """What was asked for."""

    @property
    def model(self) -> Any:
        """The scikit-learn pipeline."""

    @property
    def input_example(self) -> pd.DataFrame:
        """A few complete rows."""

    @property
    def history(self) -> Sequence[Any]:
        """Curve points: dataclasses with `step` and numbers."""

    @property
    def dataset_sha256(self) -> str:
        """Of all training rows."""

    @property
    def evaluation(self) -> pd.DataFrame:
        """row_id, label, score and slice columns."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Final numbers."""

    @property
    def seconds(self) -> float:
        """Time of fitting."""


@dataclass(frozen=True)
class Logged:
    """Where a fit is now."""

    run_id: str
    model_uri: str
    artifact_digest: str
    eval_digest: str
    seconds: Mapping[str, float] = field(default_factory=dict)  # what took how long


def log_fitted(
    uri: str,
    fitted: Fitted,
    *,
    experiment: str | None = None,
    reference: pd.DataFrame | None = None,
    tags: Mapping[str, str] | None = None,
    run_name: str | None = None,
    now_ms: int | None = None,
) -> Logged:
    """Log one fit as a finished run with its model.

    Args:
        uri: MLflow's address.
        fitted: The model with its evidence.
        experiment: Its name; by default the model's.
        reference: Rows scored out of fold, with every input: what live traffic can be compared with.
        tags: Further tags, e.g. the job that asked.
        run_name: How people see the run; by default the recipe's name.
        now_ms: Start of the run in ms since 1970 (the replay's own time); by default now.

    Raises:
        Unavailable: MLflow does not answer, or refuses; the run is marked as failed when it was begun.
        InvalidInput: the evaluation rows lack a column.
    """
    lacking = set(_EVALUATION_COLUMNS) - set(fitted.evaluation.columns)
    if lacking:
        raise InvalidInput(f"The evaluation rows lack {', '.join(sorted(lacking))}.")
    registry = MlflowRegistry(uri)
    reason = registry.why_unreachable()
    if reason:
        raise Unavailable(reason, hint="Start MLflow (mlops-dash up), then run the job again.")
    client = client_for(uri)
    from mlflow.exceptions import MlflowException

    taken = _Watch()
    started = now_ms if now_ms is not None else int(time.time() * 1000)
    eval_digest = evaluation_digest(fitted.evaluation)
    run_id = ""
    try:
        experiment_id = _experiment(client, experiment or fitted.recipe.model_name)
        name = run_name or fitted.recipe.name
        told = _tags(fitted, eval_digest, tags or {})  # from the first moment: whoever tidies up knows whose run it is
        run_id = client.create_run(experiment_id, start_time=started, run_name=name, tags=told).info.run_id
        taken.lap("run")
        _log_numbers(client, run_id, fitted, started)
        taken.lap("numbers")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(EVALUATION_FILE).name
            fitted.evaluation.to_parquet(path, index=False)
            if reference is not None:
                reference.to_parquet(Path(folder) / Path(REFERENCE_FILE).name, index=False)
            client.log_artifacts(run_id, folder, str(Path(EVALUATION_FILE).parent))
        taken.lap("evaluation")
        model_uri, digest = _log_model(client, run_id, fitted)
        taken.lap("model")
        client.set_terminated(run_id, "FINISHED", end_time=started + int(1000 * fitted.seconds) + 1)
        taken.lap("close")
    except MlflowException as error:
        fail(client, run_id)
        raise Unavailable(f"MLflow refused the run: {_first_line(error)}", hint="Look at MLflow's log.") from error
    return Logged(run_id, model_uri, digest, eval_digest, taken.laps)


def evaluation_digest(rows: pd.DataFrame) -> str:
    """sha256 over ids and labels in the order of the ids: equal digests were judged on the same rows.

    >>> a = pd.DataFrame({"row_id": ["x", "y"], "label": [0, 1], "score": [.1, .2]})
    >>> evaluation_digest(a) == evaluation_digest(a.iloc[::-1].assign(score=.5))
    True
    """
    ordered = rows.sort_values("row_id")
    digest = hashlib.sha256(f"{len(ordered)} rows\n".encode())
    digest.update("\n".join(ordered["row_id"].astype(str)).encode())
    digest.update(ordered["label"].to_numpy(dtype="<f8").tobytes())
    return digest.hexdigest()


class _Watch:
    """Says what took how long."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now


def client_for(uri: str) -> MlflowClient:
    """MLflow's client of a server, made once a process."""
    mlflow_ready()
    import mlflow
    from mlflow.tracking import MlflowClient

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(uri)  # logging a model knows no other way; one process has one MLflow
        mlflow.set_registry_uri(uri)
    return MlflowClient(uri, uri)


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    known = client.get_experiment_by_name(name)
    if known is not None:
        return str(known.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:  # another process was quicker
        known = client.get_experiment_by_name(name)
        if known is None:
            raise
        return str(known.experiment_id)


def _log_numbers(client: MlflowClient, run_id: str, fitted: Fitted, started: int) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    recipe = fitted.recipe
    values = {**recipe.parameters, "seed": recipe.seed, "validation_days": recipe.validation_days}
    parameters = [Param(name, str(value)) for name, value in values.items()]
    parameters += [Param("train_start", recipe.start.isoformat()), Param("train_end", recipe.end.isoformat())]
    metrics = _metrics(fitted, started)
    client.log_batch(run_id, metrics[:_METRICS_A_CALL], parameters)
    for first in range(_METRICS_A_CALL, len(metrics), _METRICS_A_CALL):
        client.log_batch(run_id, metrics[first : first + _METRICS_A_CALL])
    rows = Dataset(
        name=f"{recipe.model_name}-training",
        digest=fitted.dataset_sha256[:36],  # MLflow keeps 36 characters; the tag holds all 64
        source_type="local",
        source=f'{{"window": "{recipe.start.isoformat()}/{recipe.end.isoformat()}"}}',
    )
    client.log_inputs(run_id, [DatasetInput(rows, [InputTag("mlflow.data.context", "training")])])


def _metrics(fitted: Fitted, started: int) -> list[Metric]:
    """Every number of the learning curve at its iteration; final values at its end, those without a curve at step 0."""
    from mlflow.entities import Metric

    end = started + int(1000 * fitted.seconds)
    last = fitted.history[-1].step if fitted.history else 0
    curve = {name for point in fitted.history for name in vars(point)}
    made = [Metric(name, float(value), end, last if name in curve else 0) for name, value in fitted.metrics.items()]
    made.append(Metric("fit_seconds", fitted.seconds, end, 0))
    for point in fitted.history:
        at = started + int(1000 * fitted.seconds * point.step / fitted.history[-1].step)
        final = set(fitted.metrics) if point.step == last else set()
        numbers = {name: value for name, value in vars(point).items() if name != "step" and name not in final}
        made += [Metric(name, float(value), at, point.step) for name, value in numbers.items()]
    return made


def _tags(fitted: Fitted, eval_digest: str, more: Mapping[str, str]) -> dict[str, str]:
    recipe = fitted.recipe
    commit = git_commit()
    own = {
        f"{TAG}dataset_sha256": fitted.dataset_sha256,
        f"{TAG}eval_digest": eval_digest,
        f"{TAG}eval_rows": str(len(fitted.evaluation)),
        f"{TAG}seed": str(recipe.seed),
        f"{TAG}split": f"forward-{recipe.validation_days}-days-{recipe.end:%Y-%m-%d}",
        f"{TAG}recipe": recipe.name,
        f"{TAG}model": recipe.model_name,
    }
    if commit:
        own |= {f"{TAG}git_commit": commit, "mlflow.source.git.commit": commit, **git_state()}
    return {**own, **more}


def _log_model(client: MlflowClient, run_id: str, fitted: Fitted) -> tuple[str, str]:
    """Save, fingerprint and upload the model; gives its address and the digest of its files."""
    import mlflow.sklearn
    from mlflow.models import Model, infer_signature

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # MLflow hints at integer columns and at its own deprecations
        example = fitted.input_example
        answers = "predict_proba" if hasattr(fitted.model, "predict_proba") else "predict"  # a regressor has only one
        experiment_id = client.get_run(run_id).info.experiment_id
        logged = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
        path = Path(folder) / "model"
        mlflow.sklearn.save_model(
            fitted.model,
            str(path),
            mlflow_model=Model(artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id),
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED_TYPES),
            signature=infer_signature(example, getattr(fitted.model, answers)(example)),
            input_example=example,
            pip_requirements=[f"{name}=={metadata.version(name)}" for name in _REQUIREMENTS],
            pyfunc_predict_fn=answers,
        )
        digest = artifact_digest(path)
        client.log_model_artifacts(logged.model_id, str(path))
        client.finalize_logged_model(logged.model_id, "READY")
        return str(logged.model_uri), digest


@lru_cache(maxsize=1)
def git_commit() -> str:
    """The commit this code was checked out at, or "" outside a checkout."""
    return (_git("rev-parse", "HEAD") or "").strip()


@lru_cache(maxsize=1)
def git_state() -> dict[str, str]:
    """Branch of the checkout, and whether it has changes that were not committed, as tags; what is unknown is out."""
    branch, changes = _git("rev-parse", "--abbrev-ref", "HEAD"), _git("status", "--porcelain", "--untracked-files=no")
    made = {} if not branch or branch.strip() == "HEAD" else {"mlflow.source.git.branch": branch.strip()}
    return made if changes is None else {**made, f"{TAG}git_dirty": str(bool(changes.strip())).lower()}


def _git(*words: str) -> str | None:
    """What git says of the checkout that this code runs in; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).resolve().parent), *words]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return said.stdout if said.returncode == 0 else None


def fail(client: MlflowClient, run_id: str) -> None:
    """End a run as failed; a server that is away leaves it as it is."""
    from mlflow.exceptions import MlflowException

    if not run_id:
        return
    try:
        client.set_terminated(run_id, "FAILED")
    except MlflowException:
        return  # MLflow is away: the run stays open there, and `tag_orphans` finds it


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
