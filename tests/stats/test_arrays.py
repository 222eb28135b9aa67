"""What callers hold becomes a plain array, or they are told why not."""

import numpy as np
import pandas as pd
import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.stats import arrays


@pytest.mark.parametrize(
    "held",
    [
        [1, None, 3],
        np.array([1, np.nan, 3]),
        np.array([1, None, 3], dtype=object),
        pd.Series([1, None, 3]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1, None, 3], dtype="Float64"),
    ],
)
def test_missing_numbers_of_every_kind_become_nan(held):
    assert np.array_equal(arrays.as_floats(held), [1.0, np.nan, 3.0], equal_nan=True)


@pytest.mark.parametrize(
    "held",
    [
        ["a", "b"],
        np.array(["1", "2"]),
        pd.Series(["a"]),
        pd.Series(["a"], dtype="string"),
        pd.to_datetime(pd.Series(["2013-01-01"])),
        np.array([1 + 2j]),
        [[1.0, 2.0]],
        3.0,
    ],
)
def test_what_is_not_one_column_of_numbers_is_refused(held):
    with pytest.raises(InvalidInput) as refused:
        arrays.as_floats(held, name="Column 'x'")
    assert refused.value.message.startswith("Column 'x'")
    assert refused.value.hint


def test_missing_scores_are_counted_in_the_refusal():
    with pytest.raises(InvalidInput, match="scores hold 2 missing or infinite values of 3"):
        arrays.as_complete([1.0, np.nan, np.inf], name="scores")


def test_labels_other_than_0_and_1_are_refused():
    with pytest.raises(InvalidInput, match="labels hold 1 values that are neither 0 nor 1"):
        arrays.as_labels([0, 1, 2])
    assert arrays.as_labels(np.array([True, False])).tolist() == [True, False]


def test_arrays_of_different_length_are_named():
    with pytest.raises(InvalidInput, match="labels 2, scores 3"):
        arrays.check_same_length(labels=np.zeros(2), scores=np.zeros(3))


@pytest.mark.parametrize("groups", [[-1, 0], [0, 2]])
def test_group_numbers_out_of_range_are_refused(groups):
    with pytest.raises(InvalidInput, match="allowed are 0 to 1"):
        arrays.check_groups(np.array(groups), 2)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, float("nan")])
def test_a_level_outside_0_to_1_is_refused(level):
    with pytest.raises(InvalidInput, match="level is"):
        arrays.check_between(level, 0.0, 1.0, name="level")


def test_cluster_codes_follow_the_sorted_names_of_any_type():
    days = pd.Series(pd.to_datetime(["2013-01-02", "2013-01-01", "2013-01-02"], utc=True))
    codes, n = arrays.as_codes(days)
    assert codes.tolist() == [1, 0, 1]
    assert n == 2
