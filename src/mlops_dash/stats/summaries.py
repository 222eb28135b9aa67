"""The door to all mergeable summaries: what a window is reduced to before any statistic is computed.

`Moments` (moments.py), `NumericCells`, `CategoryCells`, `Histogram` (cells.py) and, here, `ScoreTable`.
All merge exactly: adding the summaries of days 1..n gives the summary of all their rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import (
    ArrayLike,
    Floats,
    Ints,
    as_complete,
    as_labels,
    check_groups,
    check_same_length,
)
from mlops_dash.stats.cells import CategoryCells, Cells, NumericCells, cells_from_dict
from mlops_dash.stats.counting import Histogram, count, count_by
from mlops_dash.stats.moments import Moments, moments_by
from mlops_dash.stats.ranking import auc_of_table

__all__ = [
    "SCORE_CELLS",
    "CategoryCells",
    "Cells",
    "Histogram",
    "Moments",
    "NumericCells",
    "ScoreTable",
    "cells_from_dict",
    "count",
    "count_by",
    "moments_by",
    "score_edges",
    "score_tables_by",
]

SCORE_CELLS = 200


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Labelled rows counted by score cell and label; gives AUC and its variance without the rows.

    Attributes:
        edges: k-1 ascending inner cuts of the reference score; cell i holds edges[i-1] < score <= edges[i].
        counts: int64[k, 2], columns (label 0, label 1).

    >>> table = ScoreTable.of((.2, .5), [0, 0, 1, 1], [.1, .4, .35, .8])
    >>> table.counts.tolist(), table.auc()
    ([[1, 0], [1, 1], [0, 1]], 0.875)
    """

    edges: tuple[float, ...]
    counts: Ints

    @classmethod
    def of(cls, edges: tuple[float, ...], labels: ArrayLike, scores: ArrayLike) -> "ScoreTable":
        """Count labelled scores into cells.

        Raises:
            InvalidInput: If a label is not 0 or 1, or a score is missing.
        """
        groups = np.zeros(np.asarray(scores).shape[0], dtype=np.int64)
        return cls(edges, score_tables_by(edges, labels, scores, groups, n_groups=1)[0])

    @classmethod
    def empty(cls, edges: tuple[float, ...]) -> "ScoreTable":
        """Return the table of no rows, the neutral element of merging."""
        return cls(edges, np.zeros((len(edges) + 1, 2), dtype=np.int64))

    @property
    def n(self) -> int:
        """All rows."""
        return int(self.counts.sum())

    @property
    def positives(self) -> int:
        """Rows with label 1."""
        return int(self.counts[:, 1].sum())

    @property
    def negatives(self) -> int:
        """Rows with label 0."""
        return int(self.counts[:, 0].sum())

    def auc(self) -> float:
        """Return the ROC AUC, rows of one cell as ties; NaN without both classes."""
        return float(auc_of_table(self.counts))

    def merge(self, other: "ScoreTable") -> "ScoreTable":
        """Return the table of both windows together.

        Raises:
            InvalidInput: If the edges differ.
        """
        if self.edges != other.edges:
            raise InvalidInput(
                "Score tables have different edges.", hint="Count both windows with the edges of one reference."
            )
        return ScoreTable(self.edges, self.counts + other.counts)

    def __add__(self, other: "ScoreTable") -> "ScoreTable":
        """Merge, so that windows can be added."""
        return self.merge(other)

    def __eq__(self, other: object) -> bool:
        """Compare by content."""
        return isinstance(other, ScoreTable) and self.edges == other.edges and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-able mapping."""
        return {"edges": list(self.edges), "counts": self.counts.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> "ScoreTable":
        """Read what `to_dict` wrote."""
        edges = tuple(float(edge) for edge in stored["edges"])
        return cls(edges, np.asarray(stored["counts"], dtype=np.int64).reshape(len(edges) + 1, 2))


def score_edges(reference_scores: ArrayLike, *, cells: int = SCORE_CELLS) -> tuple[float, ...]:
    """Return the inner cuts of equal-mass cells of the reference score, ties kept whole.

    Raises:
        InvalidInput: If there is no score, or one is missing or infinite.

    >>> score_edges([.1, .2, .3, .4], cells=2)
    (0.2,)
    """
    scores = as_complete(reference_scores, name="reference scores")
    if scores.size == 0:
        raise InvalidInput("The reference holds no score.", hint="Score the reference rows first.")
    cuts: Floats = np.unique(np.quantile(scores, np.arange(1, cells) / cells, method="inverted_cdf"))
    return tuple(float(cut) for cut in cuts if cut < scores.max())


def score_tables_by(
    edges: tuple[float, ...], labels: ArrayLike, scores: ArrayLike, groups: Ints, *, n_groups: int
) -> Ints:
    """Count the labelled scores of every group (a day) at once.

    Returns:
        int64[n_groups, k, 2]: one table a group, columns (label 0, label 1).

    Raises:
        InvalidInput: If a label is not 0 or 1, a score is missing, lengths differ or a group is out of range.

    >>> score_tables_by((.5,), [0, 1, 1], [.1, .9, .2], np.array([0, 0, 1]), n_groups=2).tolist()
    [[[1, 0], [0, 1]], [[0, 1], [0, 0]]]
    """
    y, s = as_labels(labels), as_complete(scores, name="scores")
    check_same_length(labels=y, scores=s, groups=groups)
    check_groups(groups, n_groups)
    k = len(edges) + 1
    cell = np.searchsorted(np.asarray(edges, dtype=np.float64), s, side="left")
    code = (groups * k + cell) * 2 + y
    return np.bincount(code, minlength=n_groups * k * 2).reshape(n_groups, k, 2).astype(np.int64, copy=False)
