"""How well does a score rank positives above negatives, and how sure is that?

ROC AUC from rows or from score tables, its DeLong components and its value without each cluster.
All functions return plain numbers or arrays; intervals are made in `performance` and `comparison`.
"""

import math

import numpy as np

from mlops_dash.stats.arrays import Bools, Floats, Ints, sums_by


def placements(positive: Bools, score: Floats, cluster: Ints) -> Floats:
    """Count, for each row, the opposite-class rows of its own cluster that it ranks rightly against; ties count half.

    Args:
        positive: Label of each row, bool[n].
        score: Score of each row, float[n], without NaN.
        cluster: Cluster of each row, int64[n]; all zeros compares all rows.

    Returns:
        float[n]: for a positive the negatives below it, for a negative the positives above it.

    >>> placements(np.array([True, False, False]), np.array([.5, .5, .1]), np.zeros(3, dtype=np.int64))
    array([1.5, 0.5, 1. ])
    """
    n = score.size
    if n == 0:
        return np.zeros(0)
    order = np.lexsort((score, cluster))
    y, s, g = positive[order].astype(np.float64), score[order], cluster[order]
    new_cluster = np.r_[True, g[1:] != g[:-1]]
    new_tie = new_cluster | np.r_[True, s[1:] != s[:-1]]
    tie_start = np.flatnonzero(new_tie)
    tie = np.cumsum(new_tie) - 1
    owner = (np.cumsum(new_cluster) - 1)[tie_start]
    below, inside, total = [], [], []
    for member in (1.0 - y, y):
        tied = np.add.reduceat(member, tie_start)
        before = np.cumsum(tied) - tied
        first = np.flatnonzero(new_cluster[tie_start])
        below.append(before - before[first][owner])
        inside.append(tied)
        total.append(np.add.reduceat(tied, first)[owner])
    of_positive = below[0] + inside[0] / 2.0
    of_negative = total[1] - below[1] - inside[1] / 2.0
    placed = np.empty(n)
    placed[order] = np.where(y > 0, of_positive[tie], of_negative[tie])
    return placed


def auc_of_rows(positive: Bools, score: Floats) -> float:
    """Return the share of (positive, negative) pairs ranked rightly; ties count half; NaN without both classes.

    >>> auc_of_rows(np.array([False, False, True, True]), np.array([.1, .4, .35, .8]))
    0.75
    """
    n_positive = int(np.count_nonzero(positive))
    pairs = n_positive * (positive.size - n_positive)
    if pairs == 0:
        return math.nan
    placed = placements(positive, score, np.zeros(score.size, dtype=np.int64))
    return float(placed[positive].sum()) / pairs


def auc_of_table(counts: Ints | Floats) -> Floats:
    """Return the AUC of score tables; rows of one cell count as ties.

    Args:
        counts: int64[..., cells, 2], cells ascending in score, last axis (negatives, positives).

    Returns:
        float[...]: AUC, NaN where a class is empty.

    >>> float(auc_of_table(np.array([[1, 0], [0, 1], [1, 0], [0, 1]])))
    0.75
    """
    negative, positive = counts[..., 0].astype(np.float64), counts[..., 1].astype(np.float64)
    below = np.cumsum(negative, axis=-1) - negative / 2.0
    pairs = negative.sum(axis=-1) * positive.sum(axis=-1)
    right = (positive * below).sum(axis=-1)
    return np.asarray(np.where(pairs > 0, right / np.where(pairs > 0, pairs, 1.0), np.nan), dtype=np.float64)


def delong_variance_of_rows(positive: Bools, score: Floats) -> float:
    """Return DeLong's variance of the AUC, rows independent; NaN below two rows of a class.

    References:
        - DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988), eq. 4 and 5.

    >>> round(delong_variance_of_rows(np.array([False, False, True, True]), np.array([.1, .4, .35, .8])), 4)
    0.125
    """
    n_positive = int(np.count_nonzero(positive))
    n_negative = positive.size - n_positive
    if min(n_positive, n_negative) < 2:
        return math.nan
    placed = placements(positive, score, np.zeros(score.size, dtype=np.int64))
    of_positive, of_negative = placed[positive] / n_negative, placed[~positive] / n_positive
    return float(of_positive.var(ddof=1) / n_positive + of_negative.var(ddof=1) / n_negative)


def delong_variance_of_table(counts: Ints) -> float:
    """Return DeLong's variance of the AUC of one score table int64[cells, 2]; NaN below two rows of a class.

    >>> round(delong_variance_of_table(np.array([[1, 0], [0, 1], [1, 0], [0, 1]])), 4)
    0.125
    """
    negative, positive = counts[:, 0].astype(np.float64), counts[:, 1].astype(np.float64)
    n_negative, n_positive = float(negative.sum()), float(positive.sum())
    if min(n_negative, n_positive) < 2:
        return math.nan
    of_positive = (np.cumsum(negative) - negative / 2.0) / n_negative
    of_negative = 1.0 - (np.cumsum(positive) - positive / 2.0) / n_positive
    by_positive = _weighted_variance(of_positive, positive) / n_positive
    return by_positive + _weighted_variance(of_negative, negative) / n_negative


def auc_without_each_cluster(positive: Bools, score: Floats, cluster: Ints, *, n_clusters: int) -> Floats:
    """Return the AUC of all rows but those of cluster g, for each g, exactly and in O(n log n).

    The pairs that involve g are those of its positives with all negatives, plus those of its negatives with all
    positives, minus the pairs inside g (counted twice).

    Returns:
        float[n_clusters]: AUC, NaN where a class is empty without g.

    >>> y, s = np.array([False, False, True, True]), np.array([.1, .4, .35, .8])
    >>> auc_without_each_cluster(y, s, np.array([0, 1, 0, 1]), n_clusters=2)
    array([1., 1.])
    """
    over_all = placements(positive, score, np.zeros(score.size, dtype=np.int64))
    within = placements(positive, score, cluster)
    y = positive.astype(np.float64)
    touched = sums_by(over_all, cluster, n_clusters)
    inside = sums_by(within * y, cluster, n_clusters)
    right = float((over_all * y).sum()) - touched + inside
    positives = sums_by(y, cluster, n_clusters)
    negatives = sums_by(1.0 - y, cluster, n_clusters)
    pairs = (positives.sum() - positives) * (negatives.sum() - negatives)
    return np.asarray(np.where(pairs > 0, right / np.where(pairs > 0, pairs, 1.0), np.nan), dtype=np.float64)


def _weighted_variance(values: Floats, weights: Floats) -> float:
    total = weights.sum()
    mean = (weights * values).sum() / total
    return float((weights * (values - mean) ** 2).sum() / (total - 1.0))
