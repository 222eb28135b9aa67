"""Cells come from the reference alone; counting into them is complete, exact and fast."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.summaries import CategoryCells, Histogram, NumericCells, cells_from_dict, count, count_by

finite = st.floats(-1e9, 1e9)
maybe = st.one_of(st.none(), finite, st.sampled_from([float("inf"), float("-inf"), float("nan")]))


def test_a_smooth_column_gets_20_cells_of_equal_mass():
    reference = np.random.default_rng(1).normal(size=10_000)
    cells = NumericCells.of("x", reference)
    assert cells.k == 20
    assert count(cells, reference).counts.tolist() == [500] * 20
    assert cells.spread == pytest.approx(np.percentile(reference, 95) - np.percentile(reference, 5))


def test_ties_stay_whole():
    reference = np.r_[np.zeros(600), np.arange(1, 401)]
    cells = NumericCells.of("rain", reference)
    counts = count(cells, reference).counts
    assert counts[0] == 600
    assert counts.sum() == 1000
    assert cells.k == 9
    assert (counts[1:] == 50).all()


@pytest.mark.parametrize("rare", [0.0, 1.0])
def test_a_rare_flag_has_a_cell_for_either_value(rare):
    cells = NumericCells.of("diverted", [rare] * 3 + [1.0 - rare] * 97)
    assert sorted(count(cells, [rare] * 3 + [1.0 - rare] * 97).counts.tolist()) == [3, 97]


@given(st.lists(finite, min_size=1, max_size=60), st.lists(maybe, max_size=60))
def test_every_row_is_in_one_cell_or_missing(reference, values):
    cells = NumericCells.of("x", reference)
    counted = count(cells, np.asarray(values, dtype=float))
    present = [value for value in values if value is not None and value == value]
    assert counted.n == len(values)
    assert counted.counts.sum() == len(present) == counted.present
    assert counted.outside == sum(value < min(reference) or value > max(reference) for value in present)
    assert cells.k == len(cells.labels) == count(cells, reference).counts.size
    assert (count(cells, reference).counts > 0).all()


@given(
    st.lists(finite, min_size=1, max_size=40),
    st.lists(st.tuples(maybe, st.integers(0, 3)), max_size=60),
)
def test_merged_hours_are_the_histogram_of_all_rows(reference, rows):
    cells = NumericCells.of("x", reference)
    values = np.asarray([value for value, _ in rows], dtype=float)
    groups = np.asarray([group for _, group in rows], dtype=np.int64)
    by_hour = count_by(cells, values, groups, 4)
    parts = [Histogram.from_row(row) for row in by_hour]
    assert parts[0] + parts[1] + parts[2] + parts[3] == count(cells, values)
    for group, part in enumerate(parts):
        assert part == count(cells, values[groups == group])


def test_out_of_range_rows_are_in_the_end_cells_and_apart():
    cells = NumericCells.of("x", np.arange(100.0), cells=4)
    counted = count(cells, [-5.0, -np.inf, 0.0, 99.0, 100.0, np.inf])
    assert counted.counts.tolist() == [3, 0, 0, 3]
    assert counted.outside == 4


@pytest.mark.parametrize("reference", [[], [None, float("nan")], [float("inf")]])
def test_a_numeric_reference_without_a_number_is_refused(reference):
    with pytest.raises(InvalidInput, match="holds no number in the reference"):
        NumericCells.of("x", reference)


def test_a_constant_column_has_one_cell():
    cells = NumericCells.of("x", [3.0] * 50)
    assert (cells.k, cells.labels, cells.edges) == (1, ("all",), (3.0, 3.0))
    assert count(cells, [3.0, 4.0, None]).to_row().tolist() == [2, 1, 1, 0]


def test_numeric_cells_are_named_for_people():
    cells = NumericCells.of("x", np.arange(1, 101), cells=4)
    assert cells.labels == ("up to 25", "25 to 50", "50 to 75", "over 75")


def test_rare_and_unseen_levels_share_the_rest():
    reference = ["a"] * 100 + ["b"] * 20 + ["c"] * 19 + ["d"]
    cells = CategoryCells.of("carrier", reference)
    assert cells.levels == ("a", "b")
    assert cells.rare == ("c", "d")
    assert cells.labels == ("a", "b", "rest")
    assert cells.unseen_expected == pytest.approx(1 / 140)
    counted = count(cells, ["a", "c", "zz", "yy", None, float("nan"), pd.NA, pd.NaT])
    assert counted.counts.tolist() == [1, 0, 3]
    assert (counted.unseen, counted.missing, counted.outside, counted.n) == (2, 4, 0, 8)


def test_at_most_50_levels_have_their_own_cell():
    reference = [f"level {i:03d}" for i in range(80) for _ in range(100 - i // 2)]
    cells = CategoryCells.of("airport", reference)
    assert cells.k == 51
    assert cells.levels[0] == "level 000"
    assert count(cells, reference).counts.sum() == len(reference)


@pytest.mark.parametrize(
    "held",
    [
        [1, 2, None, 1],
        np.array([1.0, 2.0, np.nan, 1.0]),
        pd.Series([1, 2, None, 1], dtype="Int64"),
        np.array([1, "2", None, "1"], dtype=object),
        pd.Series(["1", "2", None, "1"], dtype="category"),
        pd.Series(["1", "2", None, "1"], dtype="string"),
        ["1", "2", float("nan"), "1"],
    ],
)
def test_levels_are_compared_as_text_however_they_are_held(held):
    cells = CategoryCells.of("x", ["1"] * 30 + ["2"] * 20)
    assert count(cells, held).to_row().tolist() == [2, 1, 0, 1, 0, 0]


def test_booleans_are_not_numbers_among_levels():
    cells = CategoryCells.of("x", np.array([True, 1, 1.0, False], dtype=object), min_rows=1)
    assert cells.levels == ("1", "False", "True")


@pytest.mark.parametrize("held", [[["a"], ["b"]], [{"a"}]])
def test_levels_that_cannot_be_compared_are_refused(held):
    with pytest.raises(InvalidInput):
        CategoryCells.of("x", held)


def test_a_category_reference_without_a_level_is_refused():
    with pytest.raises(InvalidInput, match="holds no level"):
        CategoryCells.of("x", [None, None])


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c", "new", None]), st.integers(0, 2)), max_size=50))
def test_merged_hours_of_a_category_are_the_histogram_of_all_rows(rows):
    cells = CategoryCells.of("x", ["a"] * 5 + ["b"] * 4 + ["c"], min_rows=3)
    values = [value for value, _ in rows]
    groups = np.asarray([group for _, group in rows], dtype=np.int64)
    parts = [Histogram.from_row(row) for row in count_by(cells, values, groups, 3)]
    whole = count(cells, values)
    assert parts[0] + parts[1] + parts[2] == whole
    assert whole.unseen == values.count("new")


@pytest.mark.parametrize(
    "cells",
    [NumericCells.of("x", [1.5, 2, 7, 1e-9]), CategoryCells.of("carrier", ["ü"] * 30 + ["b"])],
)
def test_cells_survive_json(cells):
    assert cells_from_dict(json.loads(json.dumps(cells.to_dict()))) == cells


def test_stored_cells_of_an_unknown_kind_are_refused():
    with pytest.raises(InvalidInput, match="of kind 'date'"):
        cells_from_dict({"kind": "date"})


def test_histograms_of_different_cells_do_not_merge():
    with pytest.raises(InvalidInput, match="2 and 3 cells"):
        Histogram.from_row(np.zeros(5, dtype=np.int64)).merge(Histogram.from_row(np.zeros(6, dtype=np.int64)))


def test_a_group_for_every_row_is_needed():
    cells = NumericCells.of("x", [1.0, 2.0])
    with pytest.raises(InvalidInput, match="values 2, groups 1"):
        count_by(cells, [1.0, 2.0], np.zeros(1, dtype=np.int64), 1)


def test_50_000_rows_of_15_columns_by_hour_are_all_counted():
    rng = np.random.default_rng(3)
    n, hours = 50_000, 744
    groups = np.sort(rng.integers(0, hours, n))
    numeric = rng.normal(size=(10, n))
    texts = np.asarray([f"airport {i}" for i in range(120)], dtype=object)
    category = [texts[rng.integers(0, 120, n)] for _ in range(5)]
    columns = [(NumericCells.of("x", values), values) for values in numeric]
    columns += [(CategoryCells.of("c", values), values) for values in category]
    profiles = [count_by(cells, values, groups, hours) for cells, values in columns]
    assert all(profile[:, :-2].sum() == n for profile in profiles)


def test_whatever_comes_into_an_always_empty_column_is_unseen() -> None:
    assert count(CategoryCells.empty("note"), ["x", None, 3]).unseen == 2
