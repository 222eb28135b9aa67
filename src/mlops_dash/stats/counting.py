"""How many rows of a window fell into each cell of a column?

Nothing here compares two windows: that is `drift`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Ints, check_groups, check_same_length
from mlops_dash.stats.cells import CategoryCells, Cells


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many rows of a window fell into each cell of a column; windows add up exactly.

    Attributes:
        counts: int64[k] rows in each cell.
        missing: Rows without a value; in no cell.
        outside: Rows beyond the reference's range; also counted in the end cells.
        unseen: Rows with a level the reference never saw; also counted in "rest".
        n: All rows, missing ones included.

    >>> day = Histogram.from_row(np.array([3, 1, 2, 0, 1]))
    >>> (day + day).counts, (day + day).n
    (array([6, 2]), 12)
    """

    counts: Ints
    missing: int
    outside: int
    unseen: int
    n: int

    @classmethod
    def from_row(cls, row: Ints) -> "Histogram":
        """Read one row of `count_by`: k counts, then missing, outside, unseen."""
        counts = np.asarray(row[:-3], dtype=np.int64)
        missing, outside, unseen = (int(value) for value in row[-3:])
        return cls(counts, missing, outside, unseen, int(counts.sum()) + missing)

    def to_row(self) -> Ints:
        """Return int64[k+3]: k counts, then missing, outside, unseen."""
        row: Ints = np.asarray([*self.counts.tolist(), self.missing, self.outside, self.unseen], dtype=np.int64)
        return row

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.n - self.missing

    def merge(self, other: "Histogram") -> "Histogram":
        """Return the counts of both windows together.

        Raises:
            InvalidInput: If the numbers of cells differ.
        """
        if self.counts.size != other.counts.size:
            raise InvalidInput(
                f"Histograms have {self.counts.size} and {other.counts.size} cells.",
                hint="Count both windows into the cells of the same reference.",
            )
        return Histogram.from_row(self.to_row() + other.to_row())

    def __add__(self, other: "Histogram") -> "Histogram":
        """Merge, so that windows can be added."""
        return self.merge(other)

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, Histogram) and np.array_equal(self.to_row(), other.to_row())

    __hash__ = None  # type: ignore[assignment]


def count(cells: Cells, values: ArrayLike) -> Histogram:
    """Count the values of one window into the cells.

    >>> from mlops_dash.stats.cells import NumericCells
    >>> count(NumericCells.of("x", [1, 2, 3, 4], cells=2), [1, 3, 3, 99]).outside
    1
    """
    codes = np.zeros(np.shape(np.asarray(values))[0], dtype=np.int64)
    return Histogram.from_row(count_by(cells, values, codes, n_groups=1)[0])


def count_tally(cells: CategoryCells, texts: Sequence[str], tally: Ints, *, missing: int) -> Histogram:
    """Count a window that is known by its different texts and how many rows hold each, int64[texts].

    >>> count_tally(CategoryCells("x", ("a",), ("b",), 1, 3), ["a", "new"], np.array([2, 5]), missing=1).to_row()
    array([2, 5, 1, 0, 5])
    """
    codes, _, unseen = cells.place(np.asarray(texts, dtype=object))
    counts = np.bincount(codes, weights=tally, minlength=cells.k).astype(np.int64)
    return Histogram(counts, missing, 0, int(tally[unseen].sum()), int(tally.sum()) + missing)


def count_by(cells: Cells, values: ArrayLike, groups: Ints, n_groups: int) -> Ints:
    """Count the values of every group (an hour, a day) at once.

    Args:
        cells: Cells of the column.
        values: One value a row, missing as None or NaN.
        groups: Group of each row, int64[n], 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Returns:
        int64[n_groups, k+3]: k counts, then missing, outside, unseen; `Histogram.from_row` reads a row.

    Raises:
        InvalidInput: If lengths differ or a group number is out of range.

    >>> from mlops_dash.stats.cells import NumericCells
    >>> count_by(NumericCells.of("x", [1, 2, 3, 4], cells=2), [1, 3, None], np.array([0, 2, 2]), 3)
    array([[1, 0, 0, 0, 0],
           [0, 0, 0, 0, 0],
           [0, 1, 1, 0, 0]])
    """
    codes, outside, unseen = cells.place(values)
    check_same_length(values=codes, groups=groups)
    check_groups(groups, n_groups)
    width = cells.k + 1
    counted = np.bincount(groups * width + codes, minlength=n_groups * width).reshape(n_groups, width)
    extra = [np.bincount(groups[flagged], minlength=n_groups) for flagged in (outside, unseen)]
    rows: Ints = np.column_stack([counted, *extra]).astype(np.int64, copy=False)
    return rows
