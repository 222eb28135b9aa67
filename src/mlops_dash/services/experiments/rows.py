"""The evaluation rows that runs kept: read, checked, and laid over each other by row id.

`eval/predictions.parquet` (row_id, label, score, further columns) first, else MLflow's own `eval_results_table.json`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments.frame import Floats
from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.domain.tasks.kept_rows import CLASS_ROWS
from mlops_dash.domain.tasks.kept_rows import KeptRows as Kind
from mlops_dash.errors import InvalidInput, MlopsDashError, NotFound
from mlops_dash.services.tables import is_text, names_of, numbers_of, table_of, table_of_json
from mlops_dash.tracking.experiments.files import RunFiles
from mlops_dash.tracking.experiments.runs import EVALUATION_FILE

MOST_BYTES: Final = 100_000_000
MOST_ROWS: Final = 1_000_000
LEAST_COVERAGE: Final = 0.99
_KEPT_RUNS, _KEPT_ROWS = 36, 3_000_000
_MLFLOW_TABLE: Final = "eval_results_table.json"
_LABELS: Final = ("label", "target", "targets", "labels", "y", "y_true", "ground_truth")
_SCORES: Final = ("score", "prediction", "predictions", "outputs", "y_pred", "predicted")
_IDS: Final = ("row_id", "prediction_id", "id")
_DAYS: Final = ("day", "date")
_TIMES: Final = ("at", "timestamp", "time", "datetime", "scheduled_at")
_MOST_CLASSES: Final = 50


@dataclass(frozen=True, eq=False)
class KeptRows:
    """The evaluation rows of one run.

    Attributes:
        frame: Columns row_id (text), label and score (numbers), said_label and said_score where the model names
            classes, and whatever else was kept; index 0..n-1, in the order of row_id.
        kind: Of labels and scores: a probability of label 1, a number, or names (score = 1 where right, label = 1).
        by_position: Rows have no id; their place in the file stands for it.
        digest: sha256 over ids and labels: equal digests were judged on the same rows.
    """

    frame: pd.DataFrame
    kind: Kind
    by_position: bool
    digest: str
    source: str


@dataclass(frozen=True, eq=False)
class Aligned:
    """Rows that several runs share, with every run's scores.

    Attributes:
        frame: The rows without score, as the first run keeps them.
        scores: By run id, float[rows].
        said: By run id, the class names it predicted; only where classes are named.
        day: Cluster of each row; None when no day is kept.
        note: What was left out; empty when nothing was.
    """

    frame: pd.DataFrame
    scores: Mapping[str, Floats]
    said: Mapping[str, pd.Series]
    day: pd.Series | None
    kind: Kind
    digest: str
    note: str = ""

    @property
    def labels(self) -> Floats:
        """One a row."""
        return self.frame["label"].to_numpy(dtype=np.float64)

    def of(self, ids: Sequence[str]) -> Floats:
        """Scores of some runs, float[runs, rows]."""
        return np.array([self.scores[one] for one in ids])

    @property
    def columns(self) -> tuple[str, ...]:
        """What rows may be sliced by."""
        own = {"row_id", "label", "score", "said_label", "said_score"}
        return tuple(str(one) for one in self.frame.columns if str(one) not in own)


@dataclass
class RowReader:
    """Evaluation rows of runs, the last read ones kept in memory."""

    files: RunFiles
    _kept: OrderedDict[str, KeptRows] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, run_ids: Sequence[str]) -> tuple[dict[str, KeptRows], dict[str, str]]:
        """The rows of each run that kept them, and why the others' could not be read.

        Args:
            run_ids: Runs that have ended: their files do not change any more.
        """
        asked = list(dict.fromkeys(run_ids))
        found: dict[str, KeptRows] = {}
        why: dict[str, str] = {}

        def one(run_id: str) -> None:
            try:
                found[run_id] = self._one(run_id)
            except MlopsDashError as error:
                why[run_id] = error.sentence()

        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(one, asked))
        return found, why

    def _one(self, run_id: str) -> KeptRows:
        with self._lock:
            if run_id in self._kept:
                self._kept.move_to_end(run_id)
                return self._kept[run_id]
        made = self._parsed(run_id)
        with self._lock:
            self._kept[run_id] = made
            while len(self._kept) > 1 and (
                len(self._kept) > _KEPT_RUNS or sum(len(one.frame) for one in self._kept.values()) > _KEPT_ROWS
            ):
                self._kept.popitem(last=False)
        return made

    def _parsed(self, run_id: str) -> KeptRows:
        try:
            content = self.files.read(run_id, EVALUATION_FILE, most=MOST_BYTES)
        except NotFound:
            try:
                content = self.files.read(run_id, _MLFLOW_TABLE, most=MOST_BYTES)
            except NotFound as error:
                raise NotFound(f"Run {run_id[:8]} kept no evaluation rows ({EVALUATION_FILE}).") from error
            return parsed(_from_json(content, run_id), _MLFLOW_TABLE, run_id)
        try:
            frame = table_of(content, EVALUATION_FILE)
        except InvalidInput as error:
            raise InvalidInput(f"{EVALUATION_FILE} of run {run_id[:8]} is no parquet file.") from error
        return parsed(frame, EVALUATION_FILE, run_id)


def _from_json(content: bytes, run_id: str) -> pd.DataFrame:
    try:
        return table_of_json(json.loads(content))
    except (ValueError, RecursionError, InvalidInput) as error:
        raise InvalidInput(f"{_MLFLOW_TABLE} of run {run_id[:8]} cannot be read.") from error


def parsed(frame: pd.DataFrame, source: str, run_id: str) -> KeptRows:
    """Check and name the columns of one run's evaluation rows.

    Raises:
        InvalidInput: a label, prediction or id column is missing, doubled or empty, or there are too many rows.
    """
    where = f"{source} of run {run_id[:8]}"
    if not 0 < len(frame) <= MOST_ROWS:
        raise InvalidInput(f"{where} has {len(frame):,} rows; 1 to {MOST_ROWS:,} are read.")
    frame = frame.rename(columns=str)
    label, score = (next((one for one in names if one in frame), "") for names in (_LABELS, _SCORES))
    if not label or not score:
        lacks = "label" if not label else "prediction"
        known = ", ".join(_LABELS if not label else _SCORES)
        raise InvalidInput(f"{where} has no column that is known as {lacks}.", hint=f"Known names: {known}.")
    identity = next((one for one in _IDS if one in frame), "")
    ids = names_of(frame[identity]) if identity else pd.Series([f"row {n:08d}" for n in range(len(frame))])
    if ids.isna().any():
        raise InvalidInput(f"{where} has {int(ids.isna().sum()):,} rows without a row id.")
    if ids.duplicated().any():
        raise InvalidInput(f"{where} holds {int(ids.duplicated().sum()):,} row ids twice.")
    rest = frame.drop(columns=[one for one in (label, score, identity) if one])
    rest = rest[[one for one in rest.columns if one not in {"label", "score", "row_id", "said_label", "said_score"}]]
    kind, columns = _kind(frame[label], frame[score], where)
    made = pd.DataFrame({"row_id": ids.to_numpy(), **columns}).join(rest.reset_index(drop=True))
    made = made.sort_values("row_id", ignore_index=True)
    return KeptRows(made, kind, not identity, _digest(made), source)


def _kind(label: pd.Series, score: pd.Series, where: str) -> tuple[Kind, dict[str, object]]:
    missing = int(label.isna().sum() + score.isna().sum())
    if missing:
        raise InvalidInput(f"{where} has {missing:,} missing labels or predictions.")
    # Where both are words, "01" and "1" are two classes.
    words = is_text(label) and is_text(score) and set(names_of(score)) <= set(names_of(label))
    y, p = (None, None) if words else (_numbers(label), _numbers(score))
    if y is not None and p is not None and set(np.unique(y)) <= {0.0, 1.0} and ((p >= 0) & (p <= 1)).all():
        return BINARY.kept_rows, {"label": y, "score": p}
    names, said = names_of(label), names_of(score)
    known = set(names)
    classes = len(known) <= _MOST_CLASSES and set(said) <= known and (y is None or not (y % 1 != 0).any())
    if classes or y is None or p is None:
        right = (names == said).to_numpy(dtype=np.float64)
        told = {"said_label": names.to_numpy(), "said_score": said.to_numpy()}
        return CLASS_ROWS, {"label": np.ones(len(label)), "score": right, **told}
    return REGRESSION.kept_rows, {"label": y, "score": p}


def _numbers(column: pd.Series) -> Floats | None:
    """The column as numbers; None where a cell is no finite one."""
    try:
        found = numbers_of(column, str(column.name))
    except InvalidInput:
        return None
    return None if np.isnan(found).any() else found


def _digest(frame: pd.DataFrame) -> str:
    digest = hashlib.sha256(f"{len(frame)} rows\n".encode())
    digest.update("\n".join(frame["row_id"]).encode())
    if "said_label" in frame:
        digest.update("\n".join(frame["said_label"]).encode())
    else:
        digest.update(frame["label"].to_numpy(dtype="<f8").tobytes())
    return digest.hexdigest()


def aligned(found: Mapping[str, KeptRows]) -> Aligned:
    """Lay the rows of several runs over each other: an inner join on the row id, with what is lost said.

    Raises:
        InvalidInput: tasks or labels differ, rows without ids differ, or too many ids are not shared.
    """
    runs = list(found.values())
    first = runs[0]
    if len({one.kind for one in runs}) > 1:
        raise InvalidInput("The runs predict different kinds of things.")
    if all(one.digest == first.digest for one in runs):
        if first.by_position:
            _check_same_inputs(runs)
        return _made({run_id: one.frame for run_id, one in found.items()}, first, "")
    if any(one.by_position for one in runs):
        raise InvalidInput("The rows have no ids, and the runs kept different ones.")
    shared = set(first.frame["row_id"])
    every = set(shared)
    for one in runs[1:]:
        shared &= set(one.frame["row_id"])
        every |= set(one.frame["row_id"])
    if len(shared) < LEAST_COVERAGE * len(every):
        raise InvalidInput(f"{len(every) - len(shared):,} of {len(every):,} row ids are not in every run.")
    frames = {
        run_id: one.frame[one.frame["row_id"].isin(shared)].reset_index(drop=True) for run_id, one in found.items()
    }
    name = "said_label" if first.kind.names_classes else "label"
    labels = [one[name].to_numpy() for one in frames.values()]
    differ = max(int((one != labels[0]).sum()) for one in labels)
    if differ:
        raise InvalidInput(f"The labels of {differ:,} rows differ between the runs.")
    lost = len(every) - len(shared)
    return _made(frames, first, f"{lost:,} of {len(every):,} rows left out: not in every run" if lost else "")


def _check_same_inputs(runs: Sequence[KeptRows]) -> None:
    own = {"row_id", "label", "score", "said_label", "said_score"}
    first = runs[0].frame.drop(columns=[one for one in runs[0].frame.columns if one in own])
    for one in runs[1:]:
        shared = [name for name in first.columns if name in one.frame.columns]
        if not first[shared].equals(one.frame[shared]):
            raise InvalidInput("The rows have no ids, and their inputs differ between the runs.")


def _made(frames: Mapping[str, pd.DataFrame], first: KeptRows, note: str) -> Aligned:
    base = next(iter(frames.values()))
    said = {run_id: one["said_score"] for run_id, one in frames.items() if "said_score" in one}
    rows = base.drop(columns=[one for one in ("score", "said_score") if one in base])
    scores = {run_id: one["score"].to_numpy(dtype=np.float64) for run_id, one in frames.items()}
    return Aligned(rows, scores, said, _days(rows), first.kind, _digest(rows) if note else first.digest, note)


def _days(rows: pd.DataFrame) -> pd.Series | None:
    """The day of each row: a column of that name, or of a time; None when there is none or it has gaps."""
    for name in _DAYS:
        if name in rows and not rows[name].isna().any():
            return names_of(rows[name])
    for name in _TIMES:
        if name in rows:
            at = pd.to_datetime(rows[name], errors="coerce", utc=True, format="mixed")
            if not at.isna().any():
                return at.dt.strftime("%Y-%m-%d")
    return None
