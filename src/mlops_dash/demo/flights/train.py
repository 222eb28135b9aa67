"""The program of the flights' recipes: which rows, how they are fitted, what is left in MLflow.

Started as anybody's program is (`mlops_dash.training.contract`): the recipes of the flights name it by `ENTRY`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pandas as pd

from mlops_dash.demo.flights import recipes
from mlops_dash.demo.flights.columns import DATA, LATE_ARRIVAL, ZONE, Target, load_flights, target_of
from mlops_dash.demo.flights.recipes import FittedModel
from mlops_dash.domain.starting import instant
from mlops_dash.errors import InvalidInput
from mlops_dash.settings import data_file
from mlops_dash.tracking.experiments import runs
from mlops_dash.tracking.registry import MlflowRegistry
from mlops_dash.training.contract import EDGE_TAG, END_TAG, HOLDOUT_DAYS, START_TAG, Request, Window

ENTRY: Final = "mlops_dash.demo.flights.train:train"
_KNOWN = frozenset({"train_start", "holdout_days", "validation_days", "folds", "seed", "data", "parameters"})
_MODEL_PARAMETERS = frozenset(
    {*recipes.BASE, "max_depth", "max_bins", "l2_regularization", "class_weight", "monotonic_cst", "loss"}
)


def train(environment: Mapping[str, str], tell: Callable[[float, str], None]) -> None:
    """Fit one version, and leave it with its evaluation and reference rows as one run in MLflow.

    Raises:
        InvalidInput: the parameters cannot be read, or leave no rows.
        NotFound: the file of the flights is not there.
        Unavailable: MLflow does not answer.
    """
    request = Request.of(environment)
    frame = load_flights(data_file(str(request.parameters.get("data", DATA)), Path(request.home)))
    window = window_of(request, frame)
    tell(0.0, f"snapshot rows={len(frame):,} train={_span(window.start, window.end)} "
              f"later={_span(window.end, window.edge) if window.has_holdout else 'none'}")  # fmt: skip
    fitted = recipes.fit(recipe_of(request, window), frame, lambda done, of, text: tell(0.95 * done / max(of, 1), text))
    MlflowRegistry(request.tracking_uri).wait(request.patience, hint="The job is tried again when MLflow answers.")
    tell(0.96, "logging the run, its model and its evaluation rows to MLflow")
    told = {START_TAG: window.start, END_TAG: window.end, EDGE_TAG: window.edge}
    runs.log_fitted(
        request.tracking_uri, fitted, experiment=request.experiment,
        reference=with_features(fitted, frame, target_of(request.model)) if not fitted.reference.empty else None,
        tags={**request.tags, **{tag: at.isoformat() for tag, at in told.items()}},
    )  # fmt: skip


def window_of(request: Request, frame: pd.DataFrame) -> Window:
    """The training window ends `holdout_days` before the last day whose labels are known when it is asked for.

    Counted from the rows and not from the clock: in a world that lives on after its last flight, the later rows that a
    challenger is judged on stay the same.

    Raises:
        InvalidInput: a parameter cannot be read, or nothing is left to train on.
    """
    given, now = request.parameters, request.window.edge
    start = instant(str(given.get("train_start", "")))
    days = int(given.get("holdout_days", HOLDOUT_DAYS))
    target = target_of(request.model)
    known = frame.loc[(frame[target.known_at] <= now) & frame[target.label].notna(), "scheduled_at"]
    if known.empty:
        raise InvalidInput(f"No flight has a label at {now:%Y-%m-%d %H:%M} UTC.", hint="Wait for labels.")
    last = known.max().tz_convert(ZONE).date()
    edge = min(_midnight(last + timedelta(days=1)), now)
    end = _midnight(edge.astimezone(ZONE).date() - timedelta(days=days)) if days else edge
    if end <= start:
        raise InvalidInput(
            f"{days} days held out before {edge:%Y-%m-%d} leave nothing after {start:%Y-%m-%d}.",
            hint="Train from an earlier day, or hold fewer days out.",
        )
    return Window(start.astimezone(UTC), end, edge)


def recipe_of(request: Request, window: Window) -> recipes.Recipe:
    """How the version is fitted: the stored parameters with the window filled in.

    Raises:
        InvalidInput: a parameter that nothing reads (a typing error would silently change nothing).
    """
    given = request.parameters
    model_parameters: dict[str, Any] = dict(given.get("parameters", {}))
    unknown = sorted([*(set(given) - _KNOWN), *(set(model_parameters) - _MODEL_PARAMETERS)])
    if unknown:
        raise InvalidInput(
            f"The recipe {request.recipe} has parameters nobody reads: {', '.join(unknown)}.",
            hint=f"Known: {', '.join(sorted(_KNOWN))}; below 'parameters': {', '.join(sorted(_MODEL_PARAMETERS))}.",
        )
    return recipes.Recipe(
        name=request.recipe, model_name=request.model, parameters={**recipes.BASE, **model_parameters},
        start=window.start.astimezone(ZONE), end=window.end.astimezone(ZONE), seed=int(given.get("seed", 1)),
        validation_days=int(given.get("validation_days", 14)), folds=int(given.get("folds", 5)),
    )  # fmt: skip


def with_features(fitted: FittedModel, frame: pd.DataFrame, target: Target = LATE_ARRIVAL) -> pd.DataFrame:
    """The out-of-fold rows with their time and features: what live traffic will be compared with."""
    rows = fitted.reference
    known = frame.set_index("flight_id")[["scheduled_at", *target.feature_names]].reindex(rows["row_id"])
    joined = known.rename(columns={"scheduled_at": "at"}).reset_index(drop=True)
    return joined.assign(score=rows["score"].to_numpy(), label=rows["label"].to_numpy())


def _midnight(day: date) -> datetime:
    return recipes.new_york(day).astimezone(UTC)


def _span(start: datetime, end: datetime) -> str:
    first, last = start.astimezone(ZONE), (end - timedelta(seconds=1)).astimezone(ZONE)
    return f"{first:%Y-%m-%d}..{last:%Y-%m-%d}"
