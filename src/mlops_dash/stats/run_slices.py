"""Where does a difference between two sides come from? Parts by slice of the rows that sum to the whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints, as_codes, as_complete, as_labels, sums_by
from mlops_dash.stats.experiments import seed_difference
from mlops_dash.stats.ranking import placements
from mlops_dash.stats.run_comparison import losses_of_rows, metric_of_rows


@dataclass(frozen=True, slots=True)
class SliceParts:
    """What each slice contributes to the difference A minus B; arrays of shape (slices,).

    Attributes:
        value: Contributions; they sum to the difference of all rows.
        error: Their standard errors; NaN when they cannot be computed.
        df: Degrees of freedom of t.
        n: Rows of each slice.
        value_a: The metric of A inside the slice; NaN where it is not defined there (one class).
        value_b: The same of B.
    """

    value: Floats
    error: Floats
    df: Floats
    n: Ints
    value_a: Floats
    value_b: Floats

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """T intervals; NaN without an error."""
        half = stdtrit(self.df, 0.5 + level / 2) * self.error
        return self.value - half, self.value + half

    def p_values(self) -> Floats:
        """Two-sided p of no contribution; NaN without an error."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * stdtr(self.df, -np.abs(self.value) / self.error), dtype=np.float64)


def slice_parts(
    metric: str,
    labels: ArrayLike,
    a: Floats,
    b: Floats,
    slices: Ints,
    n_slices: int,
    clusters: ArrayLike | None,
    *,
    keys_a: Sequence[str | None],
    keys_b: Sequence[str | None],
    models_only: bool,
) -> SliceParts:
    """Decompose the difference of `run_comparison.of_rows` over slices.

    A mean of row losses splits by the rows of each slice. rmse splits its squared errors, scaled by the two roots so
    that the parts sum to its own difference. AUC is a mean over pairs of a positive and a negative row: each row of a
    pair gets half of its credit. Doubt: cluster-robust sums of each row's influence on the part, plus, unless
    `models_only`, the variance of the part over seeds.

    Args:
        metric: One of `run_comparison.ROW_METRICS`.
        labels: One a row.
        a: Scores of the runs of A, float[runs, rows].
        b: The same of B.
        slices: The slice of each row, 0 to n_slices - 1.
        n_slices: How many slices.
        clusters: Cluster (day) of each row; None takes rows as independent.
        keys_a: Seeds of A.
        keys_b: Seeds of B.
        models_only: Leave the variance over seeds out.

    >>> y = np.array([0, 1, 0, 1])
    >>> made = slice_parts("brier", y, np.array([[.2, .8, .2, .8]]), np.array([[.4, .6, .2, .8]]),
    ...                    np.array([0, 0, 1, 1]), 2, None, keys_a="1", keys_b="1", models_only=True)
    >>> made.value.round(3).tolist(), made.n.tolist(), made.value_b.round(3).tolist()
    ([-0.06, 0.0], [2, 2], [0.16, 0.04])
    """
    codes, n_clusters = as_codes(np.arange(a.shape[1]) if clusters is None else clusters)
    centre = _root(labels, b) if metric == "rmse" else 0.0
    of_side = []
    for side in (a, b):
        made = [_of_run(metric, labels, np.asarray(run, dtype=np.float64), slices, n_slices, centre) for run in side]
        of_side.append((np.array([part for part, _ in made]), np.mean([influence for _, influence in made], axis=0)))
    (parts_a, influence_a), (parts_b, influence_b) = of_side
    influence = influence_a - influence_b  # rows x slices: what each row adds to the part, centred
    sums = np.column_stack([sums_by(influence[:, s], codes, n_clusters) for s in range(n_slices)])
    scale = n_clusters / (n_clusters - 1) if n_clusters > 1 else math.nan
    variance = scale * (sums**2).sum(axis=0)
    df = np.full(n_slices, n_clusters - 1.0)
    if not models_only:
        for s in range(n_slices):
            seeds = seed_difference(parts_a[:, s], parts_b[:, s], list(keys_a), list(keys_b))
            if math.isfinite(seeds.error):
                df[s] = seeds.df if seeds.error**2 > variance[s] else df[s]
                variance[s] += seeds.error**2
    inside = [
        np.array([np.mean([_inside(metric, labels, run, slices == s) for run in side]) for s in range(n_slices)])
        for side in (a, b)
    ]
    return SliceParts(
        parts_a.mean(axis=0) - parts_b.mean(axis=0), np.sqrt(variance), df,
        np.bincount(slices, minlength=n_slices).astype(np.int64), inside[0], inside[1],
    )  # fmt: skip


def _root(labels: ArrayLike, runs: Floats) -> float:
    return math.sqrt(float(np.mean([losses_of_rows("rmse", labels, one).mean() for one in runs])))


def _inside(metric: str, labels: ArrayLike, scores: Floats, rows: Bools) -> float:
    return metric_of_rows(metric, np.asarray(labels)[rows], scores[rows]) if rows.any() else math.nan


def _of_run(
    metric: str, labels: ArrayLike, scores: Floats, slices: Ints, n_slices: int, centre: float
) -> tuple[Floats, Floats]:
    """A run's part of each slice, float[slices], and each row's influence on it, float[rows, slices]."""
    if metric == "auc":
        return _of_auc(labels, as_complete(scores, name="scores"), slices, n_slices)
    loss = losses_of_rows(metric, labels, scores)
    if metric == "rmse":  # root - centre = (mean square - centre^2) / (root + centre), which is a mean over rows
        root = math.sqrt(float(loss.mean()))
        loss = (loss - centre**2) / (root + centre) if root + centre > 0 else loss
    n = loss.size
    one_hot = np.zeros((n, n_slices))
    one_hot[np.arange(n), slices] = loss
    parts = one_hot.sum(axis=0) / n
    return parts, (one_hot - parts) / n


def _of_auc(labels: ArrayLike, scores: Floats, slices: Ints, n_slices: int) -> tuple[Floats, Floats]:
    positive = as_labels(labels)
    n_pos, n_neg = int(positive.sum()), int((~positive).sum())
    if not n_pos or not n_neg:
        nothing = np.full(n_slices, math.nan)
        return nothing, np.full((scores.size, n_slices), math.nan)
    n = scores.size
    opposite = np.where(positive, n_neg, n_pos)
    whole = placements(positive, scores, np.zeros(n, dtype=np.int64)) / opposite
    share = np.zeros((n, n_slices))  # of the opposite rows, those of the slice that this row is ranked rightly against
    for s in range(n_slices):
        share[:, s] = _against(positive, scores, slices == s) / opposite
    own = np.zeros((n, n_slices))
    own[np.arange(n), slices] = whole
    half = (own + share) / 2  # h of each row: its pairs, weighted by how many of the two rows lie in the slice
    parts = half[positive].sum(axis=0) / n_pos
    influence = np.where(positive[:, None], (half - parts) / n_pos, (half - parts) / n_neg)
    return parts, influence


def _against(positive: Bools, scores: Floats, inside: Bools) -> Floats:
    """For each row, how many opposite rows of a slice it is ranked rightly against; ties count half."""
    made = np.zeros(scores.size)
    low, high = np.sort(scores[~positive & inside]), np.sort(scores[positive & inside])
    of_pos, of_neg = scores[positive], scores[~positive]
    made[positive] = (np.searchsorted(low, of_pos, "left") + np.searchsorted(low, of_pos, "right")) / 2
    made[~positive] = high.size - (np.searchsorted(high, of_neg, "left") + np.searchsorted(high, of_neg, "right")) / 2
    return made
