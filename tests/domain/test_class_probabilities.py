"""Probabilities of all classes: named by their class among rows, checked, and kept as bytes in the model's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.class_probabilities import (
    column_of,
    in_columns,
    kept,
    kept_rows,
    probabilities_in,
    why_no_probabilities,
    why_not_sent,
)

FAST = 'it\'s "the fast one"'
CLASSES = ("007", FAST, "NA")


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({"007": 0.5, FAST: 0.25, "NA": 0.25}, ""),
        ({"NA": 0.25, FAST: 0.2504, "007": 0.5}, ""),  # written with few decimals
        ({"007": 0.5, FAST: 0.5}, "lacks the class 'NA'"),
        ({"007": 0.5, FAST: 0.25, "NA": 0.2, "slow": 0.05}, "has 'slow', which is none of this model's classes: 007"),
        ({"007": 0.5, FAST: 0.6, "NA": 0.25}, "the probabilities sum to 1.35, not to 1"),
        ({"007": -0.5, FAST: 1.0, "NA": 0.5}, "a probability is not from 0 to 1"),
        ({"007": float("nan"), FAST: 0.5, "NA": 0.5}, "gives '007' no number"),
        ({"007": None, FAST: 0.5, "NA": 0.5}, "gives '007' no number"),
        ({"007": True, FAST: 0.0, "NA": 0.0}, "gives '007' no number"),
        ({"007": float("inf"), FAST: 0.0, "NA": 0.0}, "a probability is not from 0 to 1"),
        ([0.5, 0.25, 0.25], "is not an object of classes and probabilities"),
    ],
)
def test_why_probabilities_of_a_row_cannot_be_kept(sent: Any, reason: str) -> None:
    said = why_not_sent(sent, CLASSES)
    assert said.startswith(reason) if reason else said == ""


def test_what_is_kept_comes_back_and_other_lengths_tell_nothing() -> None:
    p = np.array([[0.5, 0.25, 0.25], [np.nan, 0.5, 0.5], [0.0, 1.0, 0.0]])
    held = kept_rows(p, 3)
    assert (held[0], held[1]) == (kept([0.5, 0.25, 0.25]), None)
    back = in_columns([*held, kept([0.5, 0.5])], CLASSES)
    assert list(back) == [column_of(name) for name in CLASSES]
    assert np.array_equal(back.to_numpy(), [p[0], [np.nan] * 3, p[2], [np.nan] * 3], equal_nan=True)
    assert kept_rows(None, 2) == [None, None]
    assert in_columns([], CLASSES).shape == (0, 3)


def test_columns_are_read_in_the_order_of_the_classes() -> None:
    rows = pd.DataFrame({column_of("b"): [0.75], column_of("a"): [0.25]})
    assert probabilities_in(rows, ["a", "b"]) == pytest.approx(np.array([[0.25, 0.75]]))
    assert probabilities_in(rows, ["a", "c"]) is None
    assert probabilities_in(rows, []) is None


def test_rows_of_a_file_are_told_apart() -> None:
    p = np.array([[0.5, 0.5], [0.5, 0.4], [1.2, -0.2], [np.nan, 0.5]])
    assert why_no_probabilities(p) == [
        "", "the probabilities sum to 0.9, not to 1", "a probability is not from 0 to 1", "",
    ]  # fmt: skip
