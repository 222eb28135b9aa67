"""A frame of runs: which match, in which order, and what one column holds. Pure tables, no IO.

Columns are named as in MLflow's search syntax: `metrics.auc`, `params.depth`, `tags.team`, `attributes.start_time`.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.filter import ATTRIBUTE, DATASET, METRIC, PARAM, TAG, Clause, like
from mlops_dash.domain.tasks import METRICS as OURS

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LARGEST: Final = 1.7976931348623157e308  # what MLflow keeps of an infinite metric
PARENT: Final = "mlflow.parentRunId"
INFO = (
    "run_id", "experiment_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time", "datasets",
)  # fmt: skip


class RunStatus(StrEnum):
    """MLflow's words."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class Reducer(StrEnum):
    """Which value of a metric's history stands in the table."""

    LAST = "last"
    BEST = "best"
    MIN = "min"
    MAX = "max"
    AT = "at"  # at one step


@dataclass(frozen=True)
class Dataset:
    """A data set a run was given."""

    name: str
    digest: str
    context: str = ""


@dataclass(frozen=True, eq=False)
class RunFrame:
    """Runs, one row each; all tables share their rows by position.

    Attributes:
        info: The columns of `INFO`; times in ms since 1970 (NaN when none), `datasets` a tuple of `Dataset`.
        metrics: Last values, float64; NaN where not logged and where NaN was logged: `logged` tells which.
        logged: Whether the run has the metric, shape (runs, metrics).
        params: Texts, None where the run has none.
        tags: Texts, None where the run has none.
    """

    info: pd.DataFrame
    metrics: pd.DataFrame
    logged: Bools
    params: pd.DataFrame
    tags: pd.DataFrame

    def __len__(self) -> int:
        return len(self.info)

    @cached_property
    def ids(self) -> list[str]:
        """Run ids by position; not to be changed."""
        return list(self.info["run_id"])

    def take(self, positions: npt.ArrayLike) -> RunFrame:
        """The runs at these positions, in this order."""
        at = np.asarray(positions, dtype=np.int64)
        return RunFrame(
            self.info.iloc[at].reset_index(drop=True),
            self.metrics.iloc[at].reset_index(drop=True),
            self.logged[at],
            self.params.iloc[at].reset_index(drop=True),
            self.tags.iloc[at].reset_index(drop=True),
        )

    def places(self, ids: Collection[str]) -> list[int]:
        """Positions of those of the ids that are here, in the order of `ids`."""
        known = self._places
        return [known[one] for one in ids if one in known]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {run_id: at for at, run_id in enumerate(self.info["run_id"])}

    def with_metrics(self, changed: Mapping[str, Floats], lacking: Mapping[str, Bools] | None = None) -> RunFrame:
        """The frame with other values in some metric columns (a reducer other than last).

        `lacking` says where a run has no such value, though it logged the metric (at another step).
        """
        if not changed:
            return self
        logged = self.logged
        if lacking:
            logged = logged.copy()
            for name, none in lacking.items():
                logged[none, self.metrics.columns.get_loc(name)] = False
        return replace(self, metrics=self.metrics.assign(**dict(changed)), logged=logged)

    def column(self, name: str) -> pd.Series[Any]:
        """One column by its name in the search syntax; missing names are a column of None."""
        kind, _, key = name.partition(".")
        table = {METRIC: self.metrics, PARAM: self.params, TAG: self.tags, ATTRIBUTE: self.info}.get(kind)
        if kind == ATTRIBUTE and key == "duration":
            return (self.info["end_time"] - self.info["start_time"]) / 1000
        if table is None or key not in table.columns:
            return pd.Series([None] * len(self), dtype=object)
        return table[key]

    def state(self, position: int, metric: str) -> str:
        """How a metric's value is to be read: value | nan | inf | -inf | missing."""
        if metric not in self.metrics.columns or not self.logged[position, self.metrics.columns.get_loc(metric)]:
            return "missing"
        return state_of(self.metric(position, metric))

    def metric(self, position: int, metric: str) -> float:
        """A metric's value; NaN also where it was not logged."""
        return float(self.metrics[metric].to_numpy()[position])


def state_of(value: float) -> str:
    """`value`, `nan`, `inf` or `-inf`."""
    if math.isnan(value):
        return "nan"
    return "value" if math.isfinite(value) else "inf" if value > 0 else "-inf"


def from_mlflow(values: Floats) -> Floats:
    """Values as MLflow keeps them, with its stand-in for infinity undone."""
    return np.where(np.abs(values) >= LARGEST, np.copysign(np.inf, values), values)


def empty() -> RunFrame:
    """No runs."""
    info = pd.DataFrame({name: pd.Series(dtype=object) for name in INFO})
    info[["start_time", "end_time"]] = info[["start_time", "end_time"]].astype(float)
    none = pd.DataFrame(index=pd.RangeIndex(0))
    return RunFrame(info, none, np.zeros((0, 0), dtype=bool), none, none)


# --- which runs -------------------------------------------------------------------------------------------------------

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip


def matching(frame: RunFrame, clauses: Sequence[Clause]) -> Bools:
    """Which runs fulfil every clause, as MLflow's own search would answer."""
    found = np.ones(len(frame), dtype=bool)
    for clause in clauses:
        found &= _fulfil(frame, clause)
    return found


def _fulfil(frame: RunFrame, clause: Clause) -> Bools:
    if clause.kind == DATASET:
        said = _texts(clause)
        every = frame.info["datasets"]
        return np.array([any(said(getattr(one, clause.key)) for one in of_run) for of_run in every], dtype=bool)
    if clause.kind == METRIC:
        if clause.key not in frame.metrics.columns:
            return np.zeros(len(frame), dtype=bool)
        has = frame.logged[:, frame.metrics.columns.get_loc(clause.key)]
        values = frame.metrics[clause.key].to_numpy()
        return np.asarray(has & _COMPARE[clause.comparator](values, clause.value), dtype=bool)
    column = frame.column(f"{clause.kind}.{clause.key}")
    if clause.kind == ATTRIBUTE and clause.key in {"start_time", "end_time"}:
        times = column.to_numpy(dtype=float)
        return np.asarray(~np.isnan(times) & _COMPARE[clause.comparator](times, clause.value), dtype=bool)
    if clause.comparator in {"IS NULL", "IS NOT NULL"}:
        return np.asarray(column.isna().to_numpy() == (clause.comparator == "IS NULL"), dtype=bool)
    said = _texts(clause)
    return np.array([one is not None and said(one) for one in column], dtype=bool)


def _texts(clause: Clause) -> Callable[[str], bool]:
    value = clause.value
    if clause.comparator in {"LIKE", "ILIKE"}:
        pattern = like(str(value), ignore_case=clause.comparator == "ILIKE")
        return lambda text: pattern.fullmatch(text) is not None
    if isinstance(value, tuple):
        listed, wanted = frozenset(value), clause.comparator == "IN"
        return lambda text: (text in listed) == wanted
    compare = _COMPARE[clause.comparator]
    return lambda text: bool(compare(text, value))


# --- order and meaning ------------------------------------------------------------------------------------------------


_NOTHING = frozenset({"", "none", "nan", "null", "nil", "na", "n/a", "<na>", "-", "unset", "undefined"})


def number(text: object) -> float | None:
    """A parameter as a number, or None when it is a word; "nan" is a word, "inf" is a number.

    >>> number("1e-3"), number("None"), number("nan"), number("1_000")
    (0.001, None, None, None)
    """
    if isinstance(text, str) and "_" in text:
        return None  # Python reads 1_000 as a number; in a parameter it is a name
    try:
        value = float(text)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return None if math.isnan(value) else value


def numbers(column: pd.Series[Any]) -> Floats | None:
    """A column of texts as numbers, or None when one of them is another word.

    Missing is NaN, and so are the words for nothing: one run that says "None" does not make words of 4, 8 and 16.

    >>> numbers(pd.Series(["8", None, "16", "None"]))
    array([ 8., nan, 16., nan])
    """
    if column.dtype.kind in "fi":
        return column.to_numpy(dtype=float)
    values = [number(one) for one in column]
    words = (one for one, value in zip(column, values, strict=True) if value is None and not _lacks(one))
    if not all(str(word).strip().lower() in _NOTHING for word in words):
        return None
    found = np.array([math.nan if value is None else value for value in values], dtype=float)
    return found if np.isfinite(found).any() else None


def standing(text: str) -> tuple[bool, float, str]:
    """The key by which values of one parameter stand in order: numbers as numbers, then the words.

    >>> sorted(["None", "16", "auto", "4"], key=standing)
    ['4', '16', 'None', 'auto']
    """
    value = number(text)
    return (True, 0.0, text) if value is None else (False, value, "")


def ranks(column: pd.Series[Any]) -> Floats:
    """The place of each value in the order of its column, equal values on one place; NaN where it is missing.

    >>> ranks(pd.Series(["16", "None", "8", None, "8.0"]))
    array([ 1.,  2.,  0., nan,  0.])
    """
    keys = [None if _lacks(one) else standing(str(one)) for one in column]
    place = {key: float(at) for at, key in enumerate(sorted({key for key in keys if key is not None}))}
    return np.array([math.nan if key is None else place[key] for key in keys], dtype=float)


def order(column: pd.Series[Any], *, descending: bool) -> Ints:
    """Positions in the order of a column: numbers as numbers, ties as they came; words after them, missing last.

    >>> order(pd.Series(["16", None, "8", "None"]), descending=True).tolist()
    [0, 2, 3, 1]
    """
    if column.dtype.kind in "fi":
        values = column.to_numpy(dtype=float)
        return np.argsort(-values if descending else values, kind="stable")  # NaN sorts last
    places = ranks(column)
    # in both directions words stand behind numbers, and what is missing behind words
    part = np.array([2 if _lacks(one) else 1 if number(one) is None else 0 for one in column], dtype=np.int64)
    return np.asarray(np.lexsort((-places if descending else places, part)), dtype=np.int64)


def _lacks(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


# Well-known names beside our own; anything else has no direction until somebody says one.
_KNOWN: dict[str, Direction] = {
    **{one.key: one.direction for one in OURS.values()},
    **dict.fromkeys(("roc_auc", "auroc", "acc", "f1_score", "r2", "r2_score", "precision_score", "recall_score",
                     "accuracy_score", "balanced_accuracy", "average_precision", "map", "ndcg", "mcc", "iou", "bleu",
                     "rouge"), Direction.HIGHER),
    **dict.fromkeys(("loss", "logloss", "mse", "mape", "mean_squared_error", "mean_absolute_error", "error",
                     "root_mean_squared_error", "perplexity", "brier_score", "ece"), Direction.LOWER),
}  # fmt: skip
# Words inside longer names ("train_time", "auc_macro"); a name with words of both directions has none.
_WORDS: dict[str, Direction] = {
    **dict.fromkeys(("auc", "auroc", "acc", "accuracy", "f1", "r2", "precision", "recall", "ndcg"), Direction.HIGHER),
    **dict.fromkeys(("loss", "error", "err", "mae", "mse", "rmse", "mape", "time", "seconds", "latency", "duration"),
                    Direction.LOWER),
}  # fmt: skip
HELD_OUT = ("valid", "val", "validation", "test", "eval", "dev", "holdout", "cv")
_SPLITS = (*HELD_OUT, "train", "training")


def split_of(metric: str) -> tuple[str, str]:
    """The data split a metric's name begins with, and the rest.

    >>> split_of("valid_log_loss"), split_of("auc")
    (('valid', 'log_loss'), ('', 'auc'))
    """
    for sign in ("_", "/", ".", "-"):
        head, found, rest = metric.partition(sign)
        if found and head.lower() in _SPLITS:
            return head.lower(), rest
    return "", metric


def proposed_direction(metric: str) -> Direction | None:
    """Which way is better, proposed from a well-known name; people may say otherwise, and unknown stays unknown."""
    known = _KNOWN.get(split_of(metric)[1].lower())
    if known is not None:
        return known
    found = {_WORDS[one] for one in re.split(r"[^a-z0-9]+", metric.lower()) if one in _WORDS}
    return found.pop() if len(found) == 1 else None


def varies(column: pd.Series[Any]) -> bool:
    """Whether the runs differ here; missing in one and there in another is a difference."""
    return len(column) > 1 and column.nunique(dropna=False) > 1


def number_text(value: float) -> str:
    """A metric as text: six significant digits; NaN and infinity by name.

    >>> number_text(.123456789), number_text(float("inf")), number_text(12435.0)
    ('0.123457', '∞', '12435')
    """
    if value != value:
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "∞" if value > 0 else "−∞"
    return f"{value:.6g}".replace("-", "−")
