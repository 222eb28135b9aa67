"""How are the probabilities of all classes of a row named, checked and kept?

In frames a column a class, in the log one value of bytes: float32, little-endian, in the order of the model's classes.
Their sums, means and intervals are `stats`'.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.class_probabilities import SUM_TOLERANCE

PROBABILITY: Final = "probability:"  # begins the name of the column of a class's probability among rows
_KEPT: Final = np.dtype("<f4")
_NOT_FROM_0_TO_1: Final = "a probability is not from 0 to 1"


def column_of(name: str) -> str:
    """What the column of a class's probability is called.

    >>> column_of("it's a cat")
    "probability:it's a cat"
    """
    return PROBABILITY + name


def probability_columns(rows: pd.DataFrame, suffix: str = "") -> list[str]:
    """The columns of the probabilities of a model's classes, in their order; none where only the class is known."""
    return [name for name in map(str, rows.columns) if name.startswith(PROBABILITY) and name.endswith(suffix)]


def probabilities_in(rows: pd.DataFrame, classes: Sequence[str]) -> Floats | None:
    """float[n, k] of a frame in the order of the classes, NaN where a row tells none; None without such columns."""
    names = [column_of(name) for name in classes]
    if not names or not set(names) <= set(rows.columns):
        return None
    return rows[names].to_numpy(dtype=np.float64)


def why_no_probabilities(p: Floats) -> list[str]:
    """Why a row of probabilities cannot be one; "" where it can, or where a cell is empty and said already.

    >>> why_no_probabilities(np.array([[.5, .5], [.5, .6], [-.1, 1.1]]))
    ['', 'the probabilities sum to 1.1, not to 1', 'a probability is not from 0 to 1']
    """
    total = p.sum(axis=1)
    known = ~np.isnan(total)
    outside = known & ((p < 0.0) | (p > 1.0)).any(axis=1)
    off = known & ~outside & (np.abs(total - 1.0) > SUM_TOLERANCE)
    reasons = [""] * len(p)
    for row in np.flatnonzero(outside).tolist():
        reasons[row] = _NOT_FROM_0_TO_1
    for row in np.flatnonzero(off).tolist():
        reasons[row] = _sum_reason(total[row])
    return reasons


def require_probabilities(rows: pd.DataFrame, classes: Sequence[str]) -> None:
    """Refuse rows in which the probabilities of these classes, where a row tells them, cannot be some.

    Raises:
        InvalidInput: with the first reason.
    """
    p = probabilities_in(rows, classes)
    reason = "" if p is None else next((one for one in why_no_probabilities(p) if one), "")
    if reason:
        raise InvalidInput(f"A row cannot be counted: {reason}.", hint="Mend its probabilities, or leave them empty.")


def why_not_sent(sent: Any, classes: Sequence[str]) -> str:
    """Why the probabilities that came with one row cannot be kept; "" when they can.

    >>> why_not_sent({"cat": 0.7, "dog": 0.3}, ("cat", "dog"))
    ''
    >>> why_not_sent({"cat": 1.0}, ("cat", "dog"))
    "lacks the class 'dog'"
    >>> why_not_sent({"cat": 0.5, "cow": 0.5}, ("cat", "dog"))
    "has 'cow', which is none of this model's classes: cat, dog"
    """
    if not isinstance(sent, Mapping):
        return "is not an object of classes and probabilities"
    for name in sent:
        if name not in classes:
            return f"has {str(name)[:60]!r}, which is none of this model's classes: {', '.join(classes)}"
    for name in classes:
        if name not in sent:
            return f"lacks the class {name!r}"
        value = sent[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            return f"gives {name!r} no number"
        if not 0.0 <= value <= 1.0:
            return _NOT_FROM_0_TO_1
    total = sum(sent.values())
    return "" if abs(total - 1.0) <= SUM_TOLERANCE else _sum_reason(total)


def kept(values: Sequence[float]) -> bytes:
    """The probabilities of one row, in the order of the model's classes, as the log keeps them."""
    return struct.pack(f"<{len(values)}f", *values)


def kept_rows(p: Floats | None, rows: int) -> list[bytes | None]:
    """The same of many rows, float[rows, k]; None of a row that tells none.

    >>> kept_rows(np.array([[.25, .75], [np.nan, np.nan]]), 2) == [kept([.25, .75]), None]
    True
    """
    if p is None:
        return [None] * rows
    packed = np.ascontiguousarray(p, dtype=_KEPT).tobytes()
    size = p.shape[1] * _KEPT.itemsize
    missing = np.isnan(p).any(axis=1).tolist()
    return [None if empty else packed[row * size : (row + 1) * size] for row, empty in enumerate(missing)]


def in_columns(held: Sequence[bytes | None], classes: Sequence[str]) -> pd.DataFrame:
    """What the log keeps of rows, as a column a class; NaN where a row has none, or as many as other classes.

    >>> in_columns([kept([.25, .75]), None], ["cat", "dog"]).to_numpy().tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    size = len(classes) * _KEPT.itemsize
    whole = [one is not None and len(one) == size for one in held]
    p = np.full((len(held), len(classes)), np.nan)
    read = np.frombuffer(b"".join(one for one, fits in zip(held, whole, strict=True) if fits and one), dtype=_KEPT)
    p[np.asarray(whole, dtype=np.bool_)] = read.reshape(-1, len(classes))
    return pd.DataFrame(p, columns=[column_of(name) for name in classes])


def _sum_reason(total: float) -> str:
    return f"the probabilities sum to {total:.4g}, not to 1"
