"""Rows as canonical JSON, made column by column: a column of one kind is written at once, not value by value.

The text of a row is the one that `json` writes for an object of its values with sorted names and without spaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_FEW = frozenset({str, bool, type(None)})  # kinds of which equal values have equal texts
_EXACT = 2**53  # whole numbers below it are told apart by floats


def cell_texts(values: Sequence[Any]) -> list[str]:
    """Plain values (None, bool, int, finite float, str) as JSON, one text each.

    >>> cell_texts(["a", None, True, 1, 1.0])
    ['"a"', 'null', 'true', '1', '1.0']
    """
    kinds = set(map(type, values))
    if kinds <= {int} or kinds <= {float}:
        return list(map(repr, values))
    if kinds <= _FEW and len(kinds - {type(None)}) < 2:
        known = {value: _ENCODER.encode(value) for value in set(values)}
        return [known[value] for value in values]
    return list(map(_ENCODER.encode, values))


def column_texts(column: pd.Series[Any]) -> list[str]:
    """A column of numbers or truth values of numpy as JSON: NaN is null, a whole number has no point.

    >>> column_texts(pd.Series([1.0, 2.5, np.nan, -0.0]))
    ['1', '2.5', 'null', '0']
    """
    values = column.to_numpy()
    if values.dtype.kind != "f":
        return cell_texts(values.tolist())
    codes, different = pd.factorize(values)  # NaN is -1
    whole = (np.floor(different) == different) & (np.abs(different) < _EXACT)
    texts = [repr(int(one)) if is_whole else repr(one)
             for one, is_whole in zip(different.tolist(), whole.tolist(), strict=True)]  # fmt: skip
    texts.append("null")
    return list(np.array(texts, dtype=object)[codes])


def rows_of_texts(columns: Mapping[str, Sequence[str]], rows: int) -> list[str]:
    """The rows of columns that are texts already, as JSON objects with sorted names.

    >>> rows_of_texts({"b": ["1", "2"], "50 %": ["null", "true"]}, 2)
    ['{"50 %":null,"b":1}', '{"50 %":true,"b":2}']
    """
    if not columns:
        return ["{}"] * rows
    names = sorted(columns)
    row = "{" + ",".join(_ENCODER.encode(name).replace("%", "%%") + ":%s" for name in names) + "}"
    return list(map(row.__mod__, zip(*(columns[name] for name in names), strict=True)))
