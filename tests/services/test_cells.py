"""Cells of anybody's file: what they say, and which rows cannot be read."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.errors import InvalidInput
from mlops_dash.services.cells import Cells, class_numbers, require_columns


def test_times_without_a_zone_are_in_the_zone_that_is_named() -> None:
    table = pd.DataFrame({"at": ["2026-07-01 08:00", "2026-07-01 08:00+00:00", "soon", None]})
    cells = Cells(table, "Europe/Berlin")
    assert [str(one) for one in cells.times("at")[:2]] == ["2026-07-01 06:00:00+00:00", "2026-07-01 08:00:00+00:00"]
    assert [(one.row, one.reason) for one in cells.said] == [
        (2, "is no time such as 2026-03-01T06:00Z"), (3, "is empty"),
    ]  # fmt: skip


def test_times_finer_than_the_log_keeps_are_cut_without_a_warning() -> None:
    times = Cells(pd.DataFrame({"at": pd.to_datetime(["2026-07-01T08:00:00.123456789Z"])}), "UTC").times("at")
    assert str(times.iloc[0].to_pydatetime()) == "2026-07-01 08:00:00.123456+00:00"


def test_an_hour_that_the_zone_has_twice_is_not_guessed() -> None:
    cells = Cells(pd.DataFrame({"at": ["2026-10-25 02:30"]}), "Europe/Berlin")
    cells.times("at")
    assert ["the zone has twice" in one.reason for one in cells.said] == [True]


@pytest.mark.parametrize(
    ("cells", "positive", "numbers"),
    [
        (["good", "bad", None], "bad", [0.0, 1.0, np.nan]),
        (["TRUE", "false", "1"], "1", [1.0, 0.0, 1.0]),
        ([True, False], "True", [1.0, 0.0]),
        (["0", "1"], "0", [1.0, 0.0]),
        (["01", "1"], "01", [1.0, 0.0]),
    ],
)
def test_two_classes_of_any_words_become_one_and_nought(
    cells: list[object], positive: str, numbers: list[float]
) -> None:
    np.testing.assert_equal(class_numbers(pd.Series(cells), "truth", positive=positive), numbers)


def test_a_third_class_is_refused_also_when_the_positive_one_is_not_there() -> None:
    with pytest.raises(InvalidInput, match="3 classes: 'Bad', 'bad', 'good'"):
        class_numbers(pd.Series(["Bad", "good"]), "truth", positive="bad")


def test_labels_may_be_missing_unless_they_are_what_the_file_is_for() -> None:
    table = pd.DataFrame({"truth": ["1.5", None, "long"], "class": ["yes", None, "no"]})
    cells = Cells(table, "UTC")
    np.testing.assert_equal(cells.labels("truth", task=REGRESSION, positive="1"), [1.5, np.nan, np.nan])
    assert [one.row for one in cells.said] == [2]
    cells = Cells(table, "UTC")
    cells.labels("class", task=BINARY, positive="yes", needed=True)
    assert [(one.row, one.column) for one in cells.said] == [(1, "class")]


def test_a_column_that_is_missing_or_there_twice_is_named() -> None:
    with pytest.raises(InvalidInput, match="There is no column 'b'"):
        require_columns(pd.DataFrame({"a": [1]}), ["a", "b"])
    with pytest.raises(InvalidInput, match="'a' is there twice"):
        require_columns(pd.DataFrame([[1, 2]], columns=["a", "a"]), ["a"])
