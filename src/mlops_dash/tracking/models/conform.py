"""Make rows fit a model's signature, or name the first row, column and value that cannot.

Every path but MLflow's own protocol comes through here: our own scoring, shadows, challengers and backfills. What the
protocol answers, they answer the same: an optional column may be absent, a missing true or false is false (so MLflow
reads a null), and rows that were answered before are converted as MLflow converts them.

Must not: import mlflow (a schema is handed in), or guess a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.errors import InvalidInput, InvalidRow

_FLOATS = {"double": np.float64, "float": np.float32}
_WHOLE = {"long": np.int64, "integer": np.int32}
_NEVER_MISSING = frozenset({*_WHOLE, "boolean"})


def conform(frame: pd.DataFrame, schema: Any, *, answered: bool = False) -> pd.DataFrame:
    """The columns that `schema` (MLflow's, or None) names, in their types; other columns are left out.

    An optional column that is not there has every value missing; where its type knows no missing value, it stays away.

    Args:
        frame: The rows.
        schema: Of the model's input.
        answered: A model has answered these rows before: what MLflow would convert is converted, and not refused.

    Raises:
        InvalidInput: a required column is missing.
        InvalidRow: the first value that cannot be what its column promises.
    """
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return frame
    missing = [name for name in schema.required_input_names() if name not in frame]
    if missing:
        raise InvalidInput(
            f"The input lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}.",
            hint=f"The model needs: {', '.join(schema.input_names())}.",
        )
    made: dict[str, Any] = {}
    for spec in schema.inputs:
        kind = str(getattr(spec.type, "name", spec.type))
        if spec.name in frame:
            made[spec.name] = _column(frame[spec.name], kind, answered=answered)
        elif kind not in _NEVER_MISSING:
            made[spec.name] = _column(pd.Series(None, index=frame.index, name=spec.name, dtype=object), kind)
    return pd.DataFrame(made, index=frame.index)


def alike(frame: pd.DataFrame, schema: Any) -> list[tuple[Any, pd.DataFrame]]:
    """The rows in groups that lack the same optional whole numbers, without those columns: (positions, rows) each.

    The log holds rows of many requests. A request may leave an optional column out; beside others its rows would have
    a gap there, which a whole number cannot be.
    """
    every = np.arange(len(frame))
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return [(every, frame)]
    whole = [one for one in schema.inputs if str(getattr(one.type, "name", one.type)) in _WHOLE]
    wanted = [one.name for one in whole if not one.required and one.name in frame]
    if not wanted or not frame[wanted].isna().any(axis=None):
        return [(every, frame)]
    gaps = frame[wanted].isna()
    numbers = gaps.groupby(wanted, sort=False).ngroup().to_numpy()
    groups = [every[numbers == number] for number in np.unique(numbers)]
    absent = [[name for name in wanted if gaps[name].iloc[rows[0]]] for rows in groups]
    return [(rows, frame.iloc[rows].drop(columns=names)) for rows, names in zip(groups, absent, strict=True)]


def _column(values: pd.Series[Any], kind: str, *, answered: bool = False) -> pd.Series[Any]:
    if answered:
        if kind == "string":
            return values.astype(object)
        try:
            if kind in _FLOATS or kind in _WHOLE:
                return values.astype({**_FLOATS, **_WHOLE}[kind])
        except (TypeError, ValueError, OverflowError):
            pass  # below, the row is named
    if kind in _FLOATS:
        return _number(values).astype(_FLOATS[kind])
    if kind in _WHOLE:
        numbers = _number(values)
        _refuse_first(values, numbers.isna(), "a whole number is needed, and none may be missing")
        _refuse_first(values, numbers != np.floor(numbers), "is not a whole number")
        return numbers.astype(_WHOLE[kind])
    if kind == "string":
        present = values.notna()
        _refuse_first(values, present & ~values.map(lambda one: isinstance(one, str)), "is not a text")
        return values.astype(object)
    if kind == "boolean":
        there = values.notna()
        wrong = there & ~values.map(lambda one: isinstance(one, bool | np.bool_))
        _refuse_first(values, wrong & (not answered), "is not true or false")
        said = [bool(known and one) for one, known in zip(values, there, strict=True)]
        return pd.Series(said, index=values.index, dtype=bool)
    if kind == "datetime":
        moments = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
        _refuse_first(values, moments.isna() & values.notna(), "is not an ISO 8601 time")
        return moments.dt.tz_localize(None)
    return values


def _number(values: pd.Series[Any]) -> pd.Series[Any]:
    if values.dtype.kind in "iuf":
        numbers = values
    else:
        text_or_flag = values.map(lambda one: isinstance(one, str | bool | np.bool_))
        numbers = pd.to_numeric(values.where(~text_or_flag), errors="coerce").astype(np.float64)
        _refuse_first(values, numbers.isna() & values.notna(), "is not a number")
    _refuse_first(values, np.isinf(numbers), "is not finite")
    return numbers


def _refuse_first(values: pd.Series[Any], bad: Any, reason: str) -> None:
    found = np.flatnonzero(np.asarray(bad, dtype=bool))
    if found.size:
        row = int(found[0])
        value = values.iloc[row]
        shown = value.item() if isinstance(value, np.generic) else value
        raise InvalidRow(row, str(values.name), shown, reason, hint="Mend this row and send the batch again.")
