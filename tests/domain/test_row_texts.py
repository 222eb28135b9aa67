"""Rows made column by column are the rows that `json` writes one by one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mlops_dash.domain.row_texts import cell_texts, column_texts, rows_of_texts

PLAIN = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(allow_nan=False, allow_infinity=False),
    some.text(max_size=8),
    some.sampled_from(["%s", '"', "\\", "\ud800", "价格", "</script>", 1, 1.0, True, 0, -0.0, 0.0]),
)
NAMES = some.one_of(some.text(max_size=6), some.sampled_from(["50 %", "%s", 'driver\'s "car"', "价格"]))


def by_json(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True, separators=(",", ":"), allow_nan=False)


@given(some.integers(0, 5).flatmap(lambda n: some.dictionaries(NAMES, some.lists(PLAIN, min_size=n, max_size=n))))
def test_rows_are_what_json_writes(columns: dict[str, list[Any]]) -> None:
    rows = len(next(iter(columns.values()), []))
    made = rows_of_texts({name: cell_texts(values) for name, values in columns.items()}, rows)
    assert made == [by_json({name: values[row] for name, values in columns.items()}) for row in range(rows)]


@given(some.lists(some.floats(allow_infinity=False, width=64), max_size=40))
def test_numbers_of_a_column_are_written_as_they_are_one_by_one(values: list[float]) -> None:
    plain = [
        None if value != value else int(value) if value.is_integer() and abs(value) < 2**53 else value
        for value in values
    ]
    assert column_texts(pd.Series(values, dtype=float)) == [json.dumps(one) for one in plain]


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint64", "bool"])
def test_narrow_columns_keep_their_numbers(dtype: str) -> None:
    column = pd.Series(np.array([0, 1, 1.5, 100]).astype(dtype))
    plain = [int(one) if isinstance(one, float) and one.is_integer() else one for one in column.tolist()]
    assert column_texts(column) == [json.dumps(one) for one in plain]


def test_no_column_is_an_empty_row_each() -> None:
    assert rows_of_texts({}, 2) == ["{}", "{}"]
