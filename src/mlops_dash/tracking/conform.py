"""Make rows fit a model's signature, or name the first row, column and value that cannot.

Must not: import mlflow (a schema is handed in), guess a value, or repair a value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.errors import InvalidInput, InvalidRow

_FLOATS = {"double": np.float64, "float": np.float32}
_WHOLE = {"long": np.int64, "integer": np.int32}


def conform(frame: pd.DataFrame, schema: Any) -> pd.DataFrame:
    """The columns that `schema` (MLflow's, or None) names, in their types; other columns are left out.

    An optional column that is not there has every value missing.

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
        absent = pd.Series(None, index=frame.index, name=spec.name, dtype=object)  # optional, so all missing
        made[spec.name] = _column(frame.get(spec.name, absent), str(getattr(spec.type, "name", spec.type)))
    return pd.DataFrame(made, index=frame.index)


def _column(values: pd.Series[Any], kind: str) -> pd.Series[Any]:
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
        _refuse_first(values, ~values.map(lambda one: isinstance(one, bool | np.bool_)), "is not true or false")
        return values.astype(bool)
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
