"""What does a program have to do to be a recipe? What it is told, what it must leave behind, what is missing.

A recipe is a program: a command line, or a function `module:function` that takes (environment, tell). Both are told by
the same environment variables (`Request`), and both leave **one** finished MLflow run with a logged model,
`eval/predictions.parquet` (`row_id, label, score`, further columns are slices) and, if it can,
`eval/reference.parquet` (`at`, every input, `score`, `label`, scored out of fold). The run carries the tags of
`Request.tags`: `mlflow.start_run()` sets them by itself (MLFLOW_RUN_CONTEXT), MLflow's client has to be given them.
Must not: know a data set, or ask MLflow; what was left is handed in.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd

from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.retraining import Choice, Recipe
from mlops_dash.domain.starting import instant
from mlops_dash.errors import InvalidInput
from mlops_dash.training.workplace import Wanted, Workplace

PREDICTIONS: Final = "eval/predictions.parquet"
REFERENCE: Final = "eval/reference.parquet"
JOB_TAG: Final = "mlops_dash.job"
EPOCH_TAG: Final = "mlops_dash.epoch"
REQUEST_TAG: Final = "mlops_dash.request"  # what was asked for: a later attempt takes up only a run of the same
RECIPE_TAG: Final = "mlops_dash.recipe"
# Optional tags: what the program really trained on, where it knows better than the calendar. ISO instants with a zone.
START_TAG: Final = "mlops_dash.window_start"
END_TAG: Final = "mlops_dash.window_end"
EDGE_TAG: Final = "mlops_dash.window_edge"
COMMIT_TAG: Final = "mlflow.source.git.commit"  # as MLflow itself says it
FOLDER_TAG: Final = "mlops_dash.folder_sha256"  # of a plain folder, as it was copied
ENVIRONMENT_TAG: Final = "mlops_dash.environment"
DATA_TAG: Final = "mlops_dash.dataset_sha256"
_COLUMNS: Final = {PREDICTIONS: ("row_id", "label", "score"), REFERENCE: ("at", "label", "score")}
InNumbers = Callable[[pd.DataFrame], pd.DataFrame]
_PREFIX: Final = "MLOPS_DASH_RECIPE_"
HOLDOUT_DAYS: Final = 28
TRAIN_DAYS: Final = 365


@dataclass(frozen=True)
class Window:
    """What a run trains on, [start, end), and the later rows it is judged on, [end, edge)."""

    start: datetime
    end: datetime
    edge: datetime

    @property
    def has_holdout(self) -> bool:
        """Whether there are later rows."""
        return self.edge > self.end


def window_of(parameters: Mapping[str, Any], *, now: datetime, zone: str) -> Window:
    """The training window by the calendar: it ends `holdout_days` (28) before now, at midnight.

    It begins at `train_start`, an instant with a zone, else `train_days` (365) earlier.

    Args:
        parameters: Of the recipe; others than these three are the program's own.
        now: Aware.
        zone: Whose midnights.

    Raises:
        InvalidInput: a parameter cannot be read, or nothing is left to train on.
    """
    held_out = _days(parameters, "holdout_days", HOLDOUT_DAYS, least=0)
    end = day_start(day_of(now, zone) - timedelta(days=held_out), zone) if held_out else now.astimezone(UTC)
    if "train_start" in parameters:
        start = instant(str(parameters["train_start"])).astimezone(UTC)
    else:
        start = day_start(
            day_of(end, zone) - timedelta(days=_days(parameters, "train_days", TRAIN_DAYS, least=1)), zone
        )
    if end <= start:
        raise InvalidInput(
            f"{held_out} days held out before {now:%Y-%m-%d} leave nothing after {start:%Y-%m-%d}.",
            hint="Train from an earlier day, or hold fewer days out.",
        )
    return Window(start, end, now.astimezone(UTC))


def choice_of(recipe: Recipe, last: Job | None, zone: str, *, now: datetime) -> Choice:
    """A recipe with what it would train on now, and how its last run went."""
    took = None
    if last is not None and last.started_at is not None and last.finished_at is not None:
        took = (last.finished_at - last.started_at).total_seconds()
    try:
        window = window_of(recipe.parameters, now=now, zone=zone)
    except InvalidInput:
        window = None
    return Choice(
        recipe=recipe.name, model=recipe.model, zone=zone, start=None if window is None else window.start,
        end=None if window is None else window.end, judged=window is not None and window.has_holdout,
        last_at=None if last is None else last.finished_at, took_seconds=took,
    )  # fmt: skip


def _days(parameters: Mapping[str, Any], name: str, default: int, *, least: int) -> int:
    days = parameters.get(name, default)
    if not isinstance(days, int) or isinstance(days, bool) or not least <= days <= 36_525:
        raise InvalidInput(f"{name} is {days!r}.", hint=f"Use a whole number of days, at least {least}.")
    return days


@dataclass(frozen=True)
class Request:
    """What a program is told.

    Attributes:
        tracking_uri: MLflow's address.
        experiment: Where its run goes.
        model: The registered model that it makes a version of.
        recipe: The recipe's name.
        window: Training window by the calendar; `edge` is now.
        parameters: The recipe's, as they are stored.
        job_id, epoch: Whose run it is; the run carries both as tags.
        home: The installation's folder for files.
        patience: Seconds for which MLflow may still be starting.
        python: That of its own venv; "" = ours.
        folder: Its working folder, a checkout; "" = where the worker runs.
        commit: Of that checkout.
        environment_digest: Hash of its venv's requirements.
        copied: Hash of its working folder, where that is a copy of a plain one.
    """

    tracking_uri: str
    experiment: str
    model: str
    recipe: str
    window: Window
    parameters: Mapping[str, Any]
    job_id: str
    epoch: int
    home: str = ""
    patience: float = 0.0
    python: str = ""
    folder: str = ""
    commit: str = ""
    environment_digest: str = ""
    copied: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """What its run carries."""
        asked = json.dumps(dict(self.parameters), sort_keys=True)
        if self.commit or self.environment_digest:
            asked = f"{asked}\n{self.commit}\n{self.environment_digest}"
        if self.copied:
            asked = f"{asked}\n{self.copied}"
        where = {COMMIT_TAG: self.commit, ENVIRONMENT_TAG: self.environment_digest, FOLDER_TAG: self.copied}
        return {
            **{name: value for name, value in where.items() if value},
            JOB_TAG: self.job_id,
            EPOCH_TAG: str(self.epoch),
            RECIPE_TAG: self.recipe,
            REQUEST_TAG: hashlib.sha256(f"{self.model}\n{asked}".encode()).hexdigest(),
        }

    def environment(self) -> dict[str, str]:
        """The variables that say it; MLflow reads the first three by itself."""
        own = {
            "MODEL": self.model,
            "NAME": self.recipe,
            "START": self.window.start.isoformat(),
            "END": self.window.end.isoformat(),
            "EDGE": self.window.edge.isoformat(),
            "PARAMETERS": json.dumps(dict(self.parameters), sort_keys=True),
            "JOB": self.job_id,
            "EPOCH": str(self.epoch),
            "HOME": self.home,
            "PATIENCE": f"{self.patience:g}",
            "PYTHON": self.python,
            "FOLDER": self.folder,
        }
        told = {f"{_PREFIX}{name}": value for name, value in own.items()}
        return {
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "MLFLOW_EXPERIMENT_NAME": self.experiment,
            "MLFLOW_RUN_CONTEXT": json.dumps(self.tags),
            **told,
        }

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Request:
        """Read it back.

        Raises:
            InvalidInput: a variable is missing or cannot be read.
        """
        try:
            start, end, edge = (datetime.fromisoformat(environment[f"{_PREFIX}{n}"]) for n in ("START", "END", "EDGE"))
            return cls(
                tracking_uri=environment["MLFLOW_TRACKING_URI"],
                experiment=environment["MLFLOW_EXPERIMENT_NAME"],
                model=environment[f"{_PREFIX}MODEL"],
                recipe=environment[f"{_PREFIX}NAME"],
                window=Window(start, end, edge),
                parameters=json.loads(environment[f"{_PREFIX}PARAMETERS"]),
                job_id=environment[f"{_PREFIX}JOB"],
                epoch=int(environment[f"{_PREFIX}EPOCH"]),
                home=environment[f"{_PREFIX}HOME"],
                patience=float(environment[f"{_PREFIX}PATIENCE"]),
                python=environment[f"{_PREFIX}PYTHON"],
                folder=environment[f"{_PREFIX}FOLDER"],
            )
        except (KeyError, ValueError) as error:
            raise InvalidInput(f"The recipe's environment cannot be read: {error}.") from error


def working_in(request: Request, recipe: Recipe, place: Workplace) -> Request:
    """What a program is told that works there."""
    return replace(
        request, python="" if not place.environment else place.python, folder=place.folder, commit=recipe.commit,
        environment_digest=place.environment, copied=place.copied,
    )  # fmt: skip


def wanted_by(recipe: Recipe) -> Wanted:
    """The workplace that a recipe asks for."""
    return Wanted(recipe.name, recipe.requirements, recipe.repository, recipe.commit)


@dataclass(frozen=True)
class LeftRun:
    """One run that a program left in MLflow.

    Attributes:
        source: Address of its model, "" without one.
        predictions, reference: The bytes of the two files, None where there is none.
    """

    run_id: str
    status: str
    source: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    predictions: bytes | None = None
    reference: bytes | None = None


class BrokenContract(InvalidInput):
    """A program left something else than it has to; `troubles` says each thing in a sentence."""

    def __init__(self, recipe: str, troubles: Sequence[str]) -> None:
        super().__init__(f"The program of {recipe} broke its contract. {' '.join(troubles)}")
        self.troubles = tuple(troubles)


@dataclass(frozen=True)
class Kept:
    """A run that keeps the contract, with its rows read. `reference` is empty where the program made none."""

    run: LeftRun
    predictions: pd.DataFrame
    reference: pd.DataFrame
    window: Window


def the_run(run_ids: Sequence[str], request: Request) -> str:
    """The one run that carries the job's tags.

    Raises:
        InvalidInput: there is none, or more than one.
    """
    if not run_ids:
        raise InvalidInput(
            f"The program of {request.recipe} left no run.",
            hint="mlflow.start_run() tags it; a run of MlflowClient needs the tags in MLFLOW_RUN_CONTEXT.",
        )
    if len(run_ids) > 1:
        raise InvalidInput(
            f"The program of {request.recipe} left {len(run_ids)} runs.", hint="Tag only the run with the final model."
        )
    return run_ids[0]


def _as_they_are(rows: pd.DataFrame) -> pd.DataFrame:
    return rows


def check(run: LeftRun, request: Request, *, numbers: InNumbers = _as_they_are) -> Kept:
    """Read what a program left behind.

    Args:
        run: The run.
        request: What was asked for.
        numbers: Makes numbers of labels and scores by the model's task and classes; refuses those it cannot have.

    Raises:
        BrokenContract: everything that is missing, in one sentence each.
    """
    troubles = []
    if run.status != "FINISHED":
        troubles.append(f"Its run is {run.status}, not FINISHED.")
    if not run.source:
        troubles.append("Its run has no logged model.")
    bad = sorted(name for name, value in run.metrics.items() if not math.isfinite(value))
    if bad:
        troubles.append(f"Its metrics {', '.join(bad)} are no finite numbers.")
    if run.predictions is None:
        troubles.append(f"Its run keeps no {PREDICTIONS}.")
    predictions = _rows(run.predictions, PREDICTIONS, numbers, troubles)
    reference = _rows(run.reference, REFERENCE, numbers, troubles)
    window = _window(run, request, troubles)
    if troubles:
        raise BrokenContract(request.recipe, troubles)
    return Kept(run, predictions, reference, window)


def _rows(content: bytes | None, name: str, numbers: InNumbers, troubles: list[str]) -> pd.DataFrame:
    if content is None:
        return pd.DataFrame()
    try:
        rows = pd.read_parquet(io.BytesIO(content))
    except (OSError, ValueError):
        troubles.append(f"{name} is no parquet file.")
        return pd.DataFrame()
    lacking = [column for column in _COLUMNS[name] if column not in rows.columns]
    if lacking:
        troubles.append(f"{name} lacks {', '.join(lacking)}.")
    elif rows.empty and name == PREDICTIONS:
        troubles.append(f"{name} has no rows.")
    elif rows[["label", "score"]].isna().any(axis=None):
        troubles.append(f"{name} has rows without a label or score.")
    else:
        try:
            return numbers(rows)
        except InvalidInput as error:
            troubles.append(f"{name}: {error.sentence()}")
    return rows


def _window(run: LeftRun, request: Request, troubles: list[str]) -> Window:
    """The calendar's window, unless the run says what it really trained on."""
    given = request.window
    instants = []
    for tag, default in ((START_TAG, given.start), (END_TAG, given.end), (EDGE_TAG, given.edge)):
        try:
            at = datetime.fromisoformat(run.tags.get(tag) or default.isoformat())
        except ValueError:
            at = default.replace(tzinfo=None)
        if at.tzinfo is None:
            troubles.append(f"Its tag {tag} is no instant with a zone.")
        instants.append(at)
    window = Window(*instants)
    if not troubles and not window.start < window.end <= window.edge:
        troubles.append("Its window ends before it begins, or after the rows it is judged on.")
    return window
