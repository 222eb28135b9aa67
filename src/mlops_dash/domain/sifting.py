"""Which values of a column, which scores cannot be counted? The same rules for rows at the door and rows in the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.class_probabilities import why_no_probabilities
from mlops_dash.domain.schema import LARGEST, NUMERIC, sample_of, why_not_counted
from mlops_dash.domain.scoring import why_no_score
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Bools, Floats


@dataclass(frozen=True)
class Unfit:
    """One value of a row that cannot be counted."""

    row: int  # place in the frame
    column: str
    reason: str
    sample: str


def unfit_values(name: str, kind: str, values: pd.Series[Any]) -> Sequence[Unfit]:
    """The values of a column that cannot be counted; columns of one plain kind are not looked at value by value."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        if values.dtype.kind != "f":
            return ()
        held = values.to_numpy(dtype=np.float64)
        bad: Bools = ~np.isnan(held) & ~(np.abs(held) <= LARGEST)
        return [_unfit(row, name, kind, float(held[row])) for row in np.flatnonzero(bad).tolist()]
    held_values = values.tolist()
    if set(map(type, held_values)) <= _PLAIN.get(kind, _TEXTS):
        return ()
    return [
        _unfit(row, name, kind, value)
        for row, value in enumerate(held_values)
        if not _missing(value) and why_not_counted(kind, value)
    ]


def unfit_scores(scores: Floats, *, task: ModelTask) -> Sequence[Unfit]:
    """The scores that such a model cannot give, or the probabilities of all classes that are none."""
    if scores.ndim == 2:
        reasons = why_no_probabilities(scores)
        empty = np.isnan(scores).any(axis=1)
        return [
            Unfit(row, "scores", reasons[row] or "a probability is missing", sample_of(scores[row].tolist()))
            for row in range(len(scores))
            if reasons[row] or empty[row]
        ]
    found = []
    for row, score in enumerate(scores.tolist()):
        reason = why_no_score(score, task=task)
        if reason:
            found.append(Unfit(row, "score", reason, sample_of(score)))
    return found


def in_numbers(rows: pd.DataFrame, task: ModelTask) -> pd.DataFrame:
    """Rows whose `score` and `label` (if any) are the numbers that the log keeps; missing ones stay missing.

    Raises:
        InvalidInput: an answer or a label is a word that the model does not know.
    """
    if not task.in_words:
        return rows
    made = {}
    for column in [one for one in ("score", "label") if one in rows]:
        words = {word: task.number_of(word) for word in rows[column].dropna().unique()}
        reason = next((f"{word!r} {why}" for word in words if (why := task.why_not_sent(word))), "")
        if reason:
            raise InvalidInput(f"The {column} {reason}.", hint="Watch new classes as another model.")
        made[column] = rows[column].map(words).astype("float64")
    return rows.assign(**made)


_TEXTS = frozenset({str, type(None)})
_PLAIN = {NUMERIC: frozenset({bool, type(None)})}


def _unfit(row: int, name: str, kind: str, value: Any) -> Unfit:
    return Unfit(row, name, why_not_counted(kind, value), sample_of(value))


def _missing(value: Any) -> bool:
    """Whether pandas holds the value for missing: None, NaN, NaT, NA."""
    return value is None or value is pd.NA or value is pd.NaT
