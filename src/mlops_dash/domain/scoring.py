"""Predictions and labels as they come from outside: what a row must be, which id it gets, what its answer is.

A bad row refuses its whole batch with its number, column, value and reason. Must not: touch a database or a model.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from operator import lt
from typing import Any, NamedTuple

from mlops_dash import ids as naming
from mlops_dash.domain.class_probabilities import PROBABILITY, kept
from mlops_dash.domain.plain_values import plain_column
from mlops_dash.domain.row_texts import cell_texts, rows_of_texts
from mlops_dash.domain.schema import LARGEST, VersionSchema, in_range
from mlops_dash.domain.sent import (
    LONGEST_ID,
    MEND,
    KeptNames,
    as_kept,
    number_of,
    objects_of,
    only_fields,
    scores_of,
    text_of,
    time_of,
)
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput, InvalidRow

# Columns of the log's frames: a feature of such a name could not be told from them.
RESERVED = frozenset({"prediction_id", "at", "at_us", "score", "label", "label_received_at", "label_observed_at"})
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


class ScoreRole(StrEnum):
    """In which part a version answered."""

    CHAMPION = "champion"
    ARM = "arm"
    SHADOW = "shadow"
    REPLAYED = "replayed"  # afterwards, on logged rows; never part of monitoring


@dataclass(frozen=True)
class ScoredBatch:
    """What a batch was answered, row by row, and by which version."""

    model: str
    batch_id: str  # of the first row
    version_id: str  # "" when an A/B test split the batch
    version: str
    versions: tuple[str, ...]  # row by row
    prediction_ids: tuple[str, ...]
    scores: tuple[float, ...]
    stored: int = 0  # rows that were not known before


@dataclass(frozen=True)
class ServedModel:
    """What this process answers with; `error` says why it is not what was approved."""

    model: str
    version_id: str  # "" = nothing could be loaded
    version: str
    epoch: int
    error: str = ""


class OutsideRow(NamedTuple):
    """A prediction made elsewhere."""

    prediction_id: str  # "" = to be named
    at: datetime
    version: str
    role: ScoreRole
    score: float
    features: str  # canonical JSON
    timed: bool = True  # whether `at` was sent; else it is when we received it
    probabilities: bytes | None = None  # of all classes, as the log keeps them


@dataclass(frozen=True)
class OutsideLabel:
    """What turned out true, as sent."""

    prediction_id: str
    value: float
    observed_at: datetime


def require_ids(given: Sequence[Any], *, column: str) -> tuple[str, ...]:
    """The ids as text, each once.

    Raises:
        InvalidRow: an id is missing, too long, not printable or occurs twice.
    """
    found = require_texts(given, column=column)
    if len(set(found)) < len(found):
        twice = Counter(found)
        row = next(number for number, one in enumerate(found) if twice[one] > 1 and one in found[:number])
        raise InvalidRow(row, column, found[row], "this id occurs twice in the batch", hint=MEND)
    return found


def require_texts(given: Sequence[Any], *, column: str) -> tuple[str, ...]:
    """The ids as text; the same one may come again (a label that is revised).

    Raises:
        InvalidRow: an id is missing, too long or not printable.
    """
    if all(type(one) is str and 0 < len(one) <= LONGEST_ID and one.isprintable() for one in given):
        return tuple(given)
    texts = [str(one) if isinstance(one, int) and not isinstance(one, bool) else one for one in given]
    return tuple(text_of(row, column, one) for row, one in enumerate(texts))


def require_name(value: str, what: str) -> str:
    """A batch's or a process's name.

    Raises:
        InvalidInput: it is empty, too long or not printable.
    """
    if not value or len(value) > LONGEST_ID or not value.isprintable():
        raise InvalidInput(f"{what} must have 1 to {LONGEST_ID} printable characters.", hint="Choose a shorter name.")
    return value


def stable_ids(
    model: str,
    at_us: Sequence[int],
    rows: Sequence[str],
    *,
    seen: Counter[tuple[int, str]] | None = None,
    earlier: bool = False,
) -> tuple[str, ...]:
    """Ids for rows that came without: the same rows at the same times get the same ids, equal rows are numbered.

    Args:
        model: Whose rows these are.
        at_us: Their times, microseconds since 1970 UTC.
        rows: Their features as canonical JSON.
        seen: Counts on from the part before, where the rows of one file come in parts by time.
        earlier: Whether rows of this model were named before ids began with their time, and go on as they did.
    """
    seen = Counter() if seen is None else seen
    name = naming.prediction_id if earlier else naming.timed_id
    last = max((at for at, _ in seen), default=-1)
    if len(at_us) > 1 and at_us[0] > last and all(map(lt, at_us, at_us[1:])):  # no two rows of one time
        seen[at_us[-1], rows[-1]] = 1
        return tuple([name(model, at, row, 0) for at, row in zip(at_us, rows, strict=True)])
    found = []
    for key in zip(at_us, rows, strict=True):
        found.append(name(model, *key, seen[key]))
        seen[key] += 1
    return tuple(found)


def features_json(columns: Mapping[str, Sequence[Any]], *, do_not_log: Sequence[str] = ()) -> tuple[str, ...]:
    """Each row as canonical JSON: sorted names, missing values as null, times in ISO 8601.

    Args:
        columns: Name -> plain Python values (`Series.tolist()`); all of one length.
        do_not_log: Names that must not be stored.

    Raises:
        InvalidRow: a value is infinite or has no JSON form.
        InvalidInput: a feature has the name of a column of the log.
    """
    require_feature_names(columns)
    names = sorted(set(columns) - set(do_not_log))
    if not names:
        return ("{}",) * max((len(values) for values in columns.values()), default=0)
    plain = [plain_column(name, columns[name]) for name in names]
    return tuple(rows_of_texts({name: cell_texts(values) for name, values in zip(names, plain, strict=True)}, 0))


def require_feature_names(names: Mapping[str, Any]) -> None:
    """Refuse features that carry the name of a column of the log.

    Raises:
        InvalidInput: naming them.
    """
    taken = {name for name in names if name in RESERVED or name.startswith(PROBABILITY)}
    if taken:
        raise InvalidInput(f"The feature name {', '.join(sorted(taken))} is taken.", hint="Rename the feature.")


def read_predictions(
    rows: Any,
    *,
    now: datetime,
    task: ModelTask | None = None,
    do_not_log: Sequence[str] = (),
    schemas: Callable[[Sequence[str]], Sequence[VersionSchema]] = lambda _versions: (),
) -> tuple[OutsideRow, ...]:
    """Predictions as sent: objects with `features`, `score`, `version` and, if known, `prediction_id`, `at`, `role`.

    Of several classes there may be `scores`, each one's probability: beside the score, or alone; the most probable
    class is the answer then.

    Args:
        rows: What was sent.
        now: The time of rows that say none.
        task: What the model predicts: which scores it can give; None = any number.
        do_not_log: Names that must not be stored.
        schemas: What is known of the columns of these versions; every schema of a row's version must let it pass.

    Raises:
        InvalidInput: not a list of objects, or too many.
        InvalidRow: the first value that breaks a rule.
    """
    fit, unfit = sift_predictions(rows, now=now, task=task, do_not_log=do_not_log, schemas=schemas)
    if unfit:
        raise unfit[0]
    named = [one.prediction_id for _, one in fit]
    if any(named):
        require_ids([one or None for one in named], column="prediction_id")
    return tuple(one for _, one in fit)


def sift_predictions(
    rows: Any,
    *,
    now: datetime,
    task: ModelTask | None = None,
    do_not_log: Sequence[str] = (),
    schemas: Callable[[Sequence[str]], Sequence[VersionSchema]] = lambda _versions: (),
) -> tuple[tuple[tuple[int, OutsideRow], ...], tuple[InvalidRow, ...]]:
    """The rows that can be kept, each with its place, and what is wrong with the others; as `read_predictions` takes.

    Raises:
        InvalidInput: not a list of objects, or too many.
    """
    read: list[tuple[int, OutsideRow]] = []
    unfit: dict[int, InvalidRow] = {}
    sent = objects_of(rows, "predictions")
    kept_of = KeptNames(require_feature_names, frozenset(do_not_log))
    for row, one in enumerate(sent):
        try:
            read.append((row, _prediction(row, one, now, task, kept_of)))
        except InvalidRow as error:
            unfit[row] = error
    known = schemas(sorted({one.version for _, one in read}))
    for row, made in read:
        features = sent[row]["features"]
        for schema in known:
            reason = schema.why_not(features) if schema.version == made.version else None
            if reason is not None:
                unfit.setdefault(row, InvalidRow(row, reason[0], features.get(reason[0]), reason[1], hint=MEND))
    return tuple(one for one in read if one[0] not in unfit), tuple(unfit[row] for row in sorted(unfit))


def read_labels(rows: Any, *, now: datetime, task: ModelTask) -> tuple[OutsideLabel, ...]:
    """Labels as sent: objects with `prediction_id`, `value` and, if known, `observed_at`.

    Raises:
        InvalidInput: not a list of objects, or too many.
        InvalidRow: the first value that breaks a rule, or is no label of the model's task.
    """
    fit, unfit = sift_labels(rows, now=now, task=task)
    if unfit:
        raise unfit[0]
    return fit


def sift_labels(
    rows: Any, *, now: datetime, task: ModelTask
) -> tuple[tuple[OutsideLabel, ...], tuple[InvalidRow, ...]]:
    """The labels that can be kept, and what is wrong with the others; as `read_labels` takes them.

    Raises:
        InvalidInput: not a list of objects, or too many.
    """
    fit, unfit = [], []
    for row, one in enumerate(objects_of(rows, "labels")):
        try:
            only_fields(row, one, {"prediction_id", "value", "observed_at"})
            value = require_label(row, one.get("value"), task=task)
            observed = time_of(row, "observed_at", one.get("observed_at"), now)
            fit.append(OutsideLabel(text_of(row, "prediction_id", one.get("prediction_id")), value, observed))
        except InvalidRow as error:
            unfit.append(error)
    return tuple(fit), tuple(unfit)


def sift_ids(
    rows: Sequence[tuple[int, OutsideRow]], *, versions: Collection[str], model: str
) -> tuple[tuple[tuple[int, OutsideRow], ...], tuple[InvalidRow, ...]]:
    """The rows, each with its place, whose version is known and whose id is one of its own; and the others."""
    fit, unfit, named = [], [], any(one.prediction_id for _, one in rows)
    seen: set[str] = set()
    for row, one in rows:
        name = one.prediction_id
        if one.version not in versions:
            unfit.append(unknown_version(row, one.version, model))
        elif named and not name:
            unfit.append(InvalidRow(row, "prediction_id", None, "some rows have an id and this one has none"))
        elif name in seen:
            unfit.append(InvalidRow(row, "prediction_id", name, "this id occurs twice in the batch"))
        else:
            fit.append((row, one))
            seen |= {name} - {""}
    return tuple(fit), tuple(unfit)


def unknown_version(row: int, version: str, model: str) -> InvalidRow:
    """A row of a version that nobody recorded."""
    return InvalidRow(row, "version", version, f"{model} has no such version", hint="Register it first.")


def require_label(row: int, value: Any, *, task: ModelTask, column: str = "value") -> float:
    """One label as a number.

    Raises:
        InvalidRow: it is not finite, or no label of the model's task.
    """
    sent = as_kept(row, value, task, column=column)
    number = number_of(row, column, int(sent) if isinstance(sent, bool) else sent)
    if reason := task.why_no_label(number):
        raise InvalidRow(row, column, value, reason, hint=MEND)
    return number


def require_scores(scores: Sequence[float], *, task: ModelTask | None = None) -> tuple[float, ...]:
    """The scores, all numbers that such a model can give.

    Raises:
        InvalidRow: the first that is not.
    """
    for row, score in enumerate(scores):
        reason = why_no_score(score, task=task)
        if reason:
            raise InvalidRow(row, "score", score, reason, hint="Look at this row's features.")
    return tuple(scores)


def why_no_score(score: float, *, task: ModelTask | None) -> str:
    """Why a number that a model gave cannot be its score; "" when it can."""
    if not in_range(score):
        return "the model gave no finite number"
    return "" if task is None else task.why_no_score(score)


def _prediction(
    row: int, one: Mapping[str, Any], now: datetime, task: ModelTask | None, kept_of: KeptNames
) -> OutsideRow:
    only_fields(row, one, _FIELDS)
    features = one.get("features")
    if not isinstance(features, dict):
        raise InvalidRow(row, "features", features, "is not an object of names and values", hint=MEND)
    names = kept_of[tuple(features)]
    for name, value in features.items():
        kind = type(value)
        if kind is float or kind is int:
            if not -LARGEST <= value <= LARGEST:
                why = f"is not finite or beyond {LARGEST:g}; null means missing"
                raise InvalidRow(row, name, value, why, hint=MEND)
        elif kind is not str and kind is not bool and value is not None:
            raise InvalidRow(row, name, value, "is neither number, text, true, false nor null", hint=MEND)
    logged = {name: features[name] for name in names}
    role = one.get("role", "champion")
    if not isinstance(role, str) or role not in _ROLES:
        raise InvalidRow(row, "role", role, "is not champion, arm or shadow", hint=MEND)
    version, (score, probabilities) = one.get("version"), _answer(row, one, task)
    return OutsideRow(
        prediction_id="" if one.get("prediction_id") is None else text_of(row, "prediction_id", one["prediction_id"]),
        at=time_of(row, "at", one.get("at"), now),
        version=text_of(row, "version", str(version) if type(version) is int else version),
        role=_ROLES[role],
        score=score,
        features=_ENCODER.encode(logged),
        timed=one.get("at") is not None,
        probabilities=probabilities,
    )


def _answer(row: int, one: Mapping[str, Any], task: ModelTask | None) -> tuple[float, bytes | None]:
    """The score of a row, and the probabilities of all classes where they came with it."""
    told = scores_of(row, one.get("scores"), task)
    if told is not None and one.get("score") is None:
        return float(max(range(len(told)), key=told.__getitem__)), kept(told)  # the first of equal ones
    score = number_of(row, "score", as_kept(row, one.get("score"), task))
    if reason := why_no_score(score, task=task):
        raise InvalidRow(row, "score", score, reason, hint=MEND)
    return score, None if told is None else kept(told)


_FIELDS = frozenset({"prediction_id", "at", "version", "role", "score", "scores", "features"})
_ROLES = {str(role): role for role in (ScoreRole.CHAMPION, ScoreRole.ARM, ScoreRole.SHADOW)}
