"""What one training run is made of, and the one function that runs it.

A recipe is data: parameters, seed, window. `fit` turns it into a model with everything a registry needs as evidence:
learning curves, predictions on rows the model never saw, an out-of-fold reference and a digest of the rows.
Nothing here knows MLflow (its door is `tracking`), a database or the clock.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from mlops_dash.demo.flights.columns import (
    LATE_ARRIVAL,
    MODEL_NAME,
    ZONE,
    Target,
    build_pipeline,
    days_of,
    features_of,
    target_of,
    training_rows,
)
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.losses import base_rate_free_loss, log_losses, squared_errors
from mlops_dash.stats.ranking import auc_of_rows
from mlops_dash.stats.regression import ErrorSummary

Progress = Callable[[int, int, str], None]

CURVE_EVERY = 5
CURVE_ROWS = 5_000
EXAMPLE_ROWS = 5
SLICES = ("origin", "carrier")


@dataclass(frozen=True)
class Recipe:
    """How to train one version.

    Attributes:
        model_name: The registered model; `columns.target_of` says what it predicts from what.
        parameters: Of the boosting, by scikit-learn's names.
        start, end: Training window, half-open, aware.
        validation_days: The last days of the window; a first model is fitted on the rest and judged on them.
        refit: Whether the version is then fitted on the whole window; else the first model is the version.
        folds: Groups of whole days for the out-of-fold reference; 0 = none.
    """

    name: str
    model_name: str
    parameters: Mapping[str, Any]
    start: datetime
    end: datetime
    seed: int
    validation_days: int = 14
    refit: bool = True
    folds: int = 5


@dataclass(frozen=True)
class CurvePoint:
    """Loss and AUC after `step` boosting iterations, on training rows and on the later validation days."""

    step: int
    train_log_loss: float
    valid_log_loss: float
    train_auc: float
    valid_auc: float


@dataclass(frozen=True)
class ErrorPoint:
    """Mean absolute error after `step` boosting iterations, in the unit of the label."""

    step: int
    train_mae: float
    valid_mae: float


@dataclass(frozen=True)
class FittedModel:
    """A trained version and its evidence.

    Attributes:
        model: The pipeline; takes a raw frame with the target's features, unknown categories and missing values
            included.
        input_example: A few complete rows of training input, for the signature and the fresh-process check.
        history: Learning curve of the model that was judged on the validation days.
        dataset_sha256: Digest of all rows of the window (`dataset_digest`).
        evaluation: Validation days, scored by the model that never saw them:
            row_id, label (0/1, of a regression the number), score, day, origin, carrier.
        reference: The same columns for every row of the window, each scored by a model that saw no flight of its day;
            empty when the recipe asks for no folds.
        metrics: valid_* on the validation days, reference_* out of fold, rows, days.
        seconds: Time of fitting the version itself.
    """

    recipe: Recipe
    model: Pipeline
    input_example: pd.DataFrame
    history: tuple[CurvePoint, ...] | tuple[ErrorPoint, ...]
    dataset_sha256: str
    evaluation: pd.DataFrame
    reference: pd.DataFrame
    metrics: Mapping[str, float]
    seconds: float


def new_york(day: date) -> datetime:
    """Return the first instant of a day in New York, aware."""
    return datetime(day.year, day.month, day.day, tzinfo=ZONE)


# The settings all versions of the demo share: the winner of `sweep()` by mean validation log-loss and AUC over seeds
# (.517 and .656; the other eight: .519 to .532 and .643 to .656).
BASE: Mapping[str, float] = {
    "learning_rate": 0.05,
    "max_iter": 80,
    "max_leaf_nodes": 31,
    "min_samples_leaf": 200,
    "max_features": 0.5,
}


def _of_2013(
    name: str, first: tuple[int, int], after: tuple[int, int], *, validation_days: int, folds: int = 3
) -> Recipe:
    return Recipe(
        name=name,
        model_name=MODEL_NAME,
        parameters=BASE,
        start=new_york(date(2013, *first)),
        end=new_york(date(2013, *after)),
        seed=1,
        validation_days=validation_days,
        folds=folds,
    )


CHAMPION_JAN_FEB = _of_2013("january-february", (1, 1), (3, 1), validation_days=14, folds=5)
# Wins AUC and loses calibration: in September-October AUC +.032 [.007, .057] and Brier +.014 [.005, .023] against v1.
APRIL_ONLY = _of_2013("april", (4, 1), (5, 1), validation_days=7)
APRIL_FIRST_WEEKS = _of_2013("april-1-20", (4, 1), (4, 21), validation_days=5)
CHALLENGER_JAN_APR = _of_2013("january-april", (1, 1), (5, 1), validation_days=28)
CHALLENGER_JAN_SEP = _of_2013("january-september", (1, 1), (10, 1), validation_days=28)
RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (CHAMPION_JAN_FEB, APRIL_ONLY, APRIL_FIRST_WEEKS, CHALLENGER_JAN_APR, CHALLENGER_JAN_SEP)
}

SWEEP_LEAVES = (8, 16, 31)
SWEEP_RATES = (0.05, 0.1, 0.2)
SWEEP_SEEDS = (1, 2, 3)


def sweep() -> Iterator[Recipe]:
    """Yield 27 recipes: leaves x learning rate x seed, all judged on the same last two weeks of February."""
    for leaves in SWEEP_LEAVES:
        for rate in SWEEP_RATES:
            for seed in SWEEP_SEEDS:
                yield Recipe(
                    name=f"leaves-{leaves}-rate-{rate}-seed-{seed}",
                    model_name=MODEL_NAME,
                    parameters={**BASE, "max_leaf_nodes": leaves, "learning_rate": rate},
                    start=CHAMPION_JAN_FEB.start,
                    end=CHAMPION_JAN_FEB.end,
                    seed=seed,
                    validation_days=CHAMPION_JAN_FEB.validation_days,
                    refit=False,
                    folds=0,
                )


def as_json(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe as plain JSON values; `from_json` reads it back."""
    return {
        **asdict(recipe),
        "parameters": dict(recipe.parameters),
        "start": recipe.start.isoformat(),
        "end": recipe.end.isoformat(),
    }


def from_json(values: Mapping[str, Any]) -> Recipe:
    """Read a recipe from JSON values.

    Raises:
        InvalidInput: A field is missing, unknown, or an instant cannot be read or is naive.
    """
    try:
        start, end = datetime.fromisoformat(values["start"]), datetime.fromisoformat(values["end"])
        recipe = Recipe(**{**values, "parameters": dict(values["parameters"]), "start": start, "end": end})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(
            f"The training recipe cannot be read: {error}.", hint="Start from a named recipe."
        ) from error
    if start.tzinfo is None or end.tzinfo is None:
        raise InvalidInput("The training window has no time zone.", hint="Write 2013-01-01T00:00:00-05:00.")
    return recipe


def fit(recipe: Recipe, frame: pd.DataFrame, on_progress: Progress) -> FittedModel:
    """Train one version from the flights and gather its evidence.

    Args:
        frame: From `columns.load_flights`.
        on_progress: Called as (done, of, what happens next); an exception it raises ends the run.

    Raises:
        InvalidInput: The window has no rows, only one outcome, or no days left before the validation days.
    """
    steps = 2 + recipe.folds + int(recipe.refit)
    target = target_of(recipe.model_name)
    rows = training_rows(frame, recipe.start, recipe.end, target)
    earlier, later = _split_forward(recipe, frame, rows)
    on_progress(0, steps, f"fitting on {len(earlier):,} earlier flights")
    started = time.perf_counter()
    judged = _fit_on(recipe, earlier)
    seconds = time.perf_counter() - started
    on_progress(1, steps, f"judging every {CURVE_EVERY} iterations on {len(later):,} later flights")
    history = _learning_curve(judged, earlier, later, target)
    evaluation = _scored(later, _predicted(judged, later, target), target)
    reference = _out_of_fold(recipe, rows, lambda done, text: on_progress(2 + done, steps, text))
    model = judged
    if recipe.refit:
        on_progress(steps - 1, steps, f"fitting the version on all {len(rows):,} flights")
        started = time.perf_counter()
        model = _fit_on(recipe, rows)
        seconds = time.perf_counter() - started
    trained = rows if recipe.refit else earlier
    on_progress(steps, steps, f"trained on {len(trained):,} flights")
    return FittedModel(
        recipe=recipe,
        model=model,
        input_example=features_of(trained, target).dropna().head(EXAMPLE_ROWS).reset_index(drop=True),
        history=history,
        dataset_sha256=dataset_digest(rows, target),
        evaluation=evaluation,
        reference=reference,
        metrics={
            "rows": float(len(trained)),
            "days": float(days_of(trained).nunique()),
            **_metrics("valid", evaluation, target, prior=float(earlier[target.label].mean())),
            **_metrics("reference", reference, target, prior=float(rows[target.label].mean())),
        },
        seconds=seconds,
    )


def dataset_digest(rows: pd.DataFrame, target: Target = LATE_ARRIVAL) -> str:
    """Return the sha256 over all rows, by id: MLflow's own digest covers only the first 10,000 of a frame.

    Column after column: name, then text as UTF-8 lines or numbers as little-endian float64, every NaN the same NaN.
    """
    ordered = rows.sort_values("flight_id")
    digest = hashlib.sha256(f"{len(ordered)} rows\n".encode())
    for name in ("flight_id", *target.feature_names, target.label):
        digest.update(f"{name}\n".encode())
        if name in ("flight_id", *target.categorical):
            digest.update("\n".join(ordered[name].fillna("").astype(str).to_list()).encode())
        else:
            numbers = ordered[name].to_numpy(dtype="<f8", na_value=np.nan).copy()
            numbers[np.isnan(numbers)] = np.nan
            digest.update(numbers.tobytes())
    return digest.hexdigest()


def _split_forward(recipe: Recipe, frame: pd.DataFrame, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was known when the validation days began, and the validation days."""
    last = recipe.end.astimezone(ZONE).date() - timedelta(days=recipe.validation_days)
    cut = new_york(last)
    if recipe.validation_days < 1 or cut <= recipe.start:
        raise InvalidInput(
            f"{recipe.validation_days} validation days leave nothing to train on before {last}.",
            hint="Take fewer validation days or a longer window.",
        )
    target = target_of(recipe.model_name)
    earlier, later = training_rows(frame, recipe.start, cut, target), rows[rows["scheduled_at"] >= cut]
    for part, what in ((earlier, "earlier"), (later, "validation")):
        if part[target.label].nunique() < 2:
            raise InvalidInput(
                f"The {len(part)} {what} flights of {recipe.name} have one outcome only.", hint="Widen the window."
            )
    return earlier, later


def _fit_on(recipe: Recipe, rows: pd.DataFrame) -> Pipeline:
    target = target_of(recipe.model_name)
    pipeline = build_pipeline(recipe.parameters, seed=recipe.seed, target=target)
    pipeline.fit(features_of(rows, target), _labels(rows, target))
    return pipeline


def _labels(rows: pd.DataFrame, target: Target) -> np.ndarray[Any, Any]:
    return rows[target.label].to_numpy(dtype=np.float64 if target.task == "regression" else np.int64)


def _predicted(model: Pipeline, rows: pd.DataFrame, target: Target) -> np.ndarray[Any, np.dtype[np.float64]]:
    """One number a row: the probability of label 1, of a regression the number itself."""
    features = features_of(rows, target)
    found = model.predict(features) if target.task == "regression" else model.predict_proba(features)[:, 1]
    return np.asarray(found, dtype=np.float64)


def _learning_curve(
    model: Pipeline, earlier: pd.DataFrame, later: pd.DataFrame, target: Target
) -> tuple[CurvePoint, ...] | tuple[ErrorPoint, ...]:
    """Judge the model after every few iterations; of the training rows at most `CURVE_ROWS`, evenly spread."""
    sample = earlier.iloc[:: max(1, -(-len(earlier) // CURVE_ROWS))]
    both = pd.concat([sample, later])
    label, n = _labels(both, target), len(sample)
    boosting, inputs = model[-1], model[:-1].transform(features_of(both, target))
    if target.task == "regression":
        stages = _kept(boosting.staged_predict(inputs), last=int(boosting.n_iter_))
        errors = ((step, np.abs(stage - label)) for step, stage in stages)
        return tuple(ErrorPoint(step, float(one[:n].mean()), float(one[n:].mean())) for step, one in errors)
    stages = _kept(boosting.staged_predict_proba(inputs), last=int(boosting.n_iter_))
    return _class_curve(stages, label.astype(bool), n)


def _kept(stages: Iterable[Any], *, last: int) -> Iterator[tuple[int, Any]]:
    return ((step, one) for step, one in enumerate(stages, start=1) if step % CURVE_EVERY == 0 or step == last)


def _class_curve(
    stages: Iterable[tuple[int, Any]], label: np.ndarray[Any, np.dtype[np.bool_]], n: int
) -> tuple[CurvePoint, ...]:
    points = []
    for step, stage in stages:
        score = stage[:, 1]
        loss = log_losses(label, score)
        points.append(
            CurvePoint(
                step=step,
                train_log_loss=float(loss[:n].mean()),
                valid_log_loss=float(loss[n:].mean()),
                train_auc=auc_of_rows(label[:n], score[:n]),
                valid_auc=auc_of_rows(label[n:], score[n:]),
            )
        )
    return tuple(points)


def _out_of_fold(recipe: Recipe, rows: pd.DataFrame, on_fold: Callable[[int, str], None]) -> pd.DataFrame:
    """Score every row by a model that saw no flight of its day: flights of a day share weather (.744 against .68)."""
    target = target_of(recipe.model_name)
    if recipe.folds == 0:
        return _scored(rows.iloc[:0], np.zeros(0), target)
    codes, names = pd.factorize(days_of(rows))
    if len(names) < recipe.folds or recipe.folds < 2:
        raise InvalidInput(
            f"{len(names)} days cannot be dealt into {recipe.folds} folds.",
            hint="Use 2 folds or more, or a longer window.",
        )
    dealt = np.random.default_rng(recipe.seed).permutation(len(names)) % recipe.folds
    score = np.zeros(len(rows))
    for fold in range(recipe.folds):
        on_fold(fold, f"scoring the reference days, part {fold + 1} of {recipe.folds}")
        held = dealt[codes] == fold
        score[held] = _predicted(_fit_on(recipe, rows[~held]), rows[held], target)
    return _scored(rows, score, target)


def _scored(rows: pd.DataFrame, score: np.ndarray[Any, np.dtype[np.float64]], target: Target) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "row_id": rows["flight_id"].to_numpy(dtype=object),
            "label": _labels(rows, target),
            "score": score,
            "day": days_of(rows).to_numpy(dtype=object),
            **{name: rows[name].to_numpy(dtype=object) for name in SLICES},
        }
    )


def _metrics(prefix: str, scored: pd.DataFrame, target: Target, *, prior: float) -> dict[str, float]:
    """Return AUC, clipped log-loss, Brier and the loss at the base rate `prior`; of a regression MAE, RMSE and bias."""
    if scored.empty:
        return {}
    if target.task == "regression":
        errors = ErrorSummary.of(scored["label"], scored["score"])
        found = {"mae": errors.mae, "rmse": errors.rmse, "bias": errors.bias, "rows": float(errors.n)}
        return {f"{prefix}_{name}": value for name, value in found.items()}
    label, score = scored["label"].to_numpy(dtype=bool), scored["score"].to_numpy(dtype=np.float64)
    return {
        f"{prefix}_auc": auc_of_rows(label, score),
        f"{prefix}_log_loss": float(log_losses(label, score).mean()),
        f"{prefix}_brier": float(squared_errors(label, score).mean()),
        f"{prefix}_base_rate_free_loss": base_rate_free_loss(label, score, prior),
        f"{prefix}_rows": float(len(scored)),
    }
