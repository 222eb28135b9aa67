"""Do things happen as often as their probability says, and how well are the two classes told apart?

From tables of rows by score cell and label, one a day, so that any range of days is a sum. A cell knows its borders
and not its mean: a band is wrong only where even its highest score is too low, or its lowest too high.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate, jackknifed_estimate
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import auc_from_tables

BANDS: Final = 10


@dataclass(frozen=True)
class Band:
    """Rows whose scores lie between two borders, and how often label 1 came.

    Attributes:
        low: Lower border of the scores, in [0, 1].
        high: Upper border.
        share: Of rows with label 1, with an interval that holds for all bands together.
    """

    low: float
    high: float
    share: MetricEstimate

    @property
    def side(self) -> int:
        """1 where label 1 came more often than any score of the band says, -1 more rarely, 0 as far as is known."""
        if math.isnan(self.share.low):
            return 0
        return int(self.share.low > self.high) - int(self.share.high < self.low)


@dataclass(frozen=True)
class Discrimination:
    """How well scores tell the classes apart, as credit people say it; intervals over days.

    Attributes:
        gini: 2 AUC - 1, in [-1, 1].
        ks: Largest distance between the score distributions of both classes (Kolmogorov-Smirnov), in [0, 1].
    """

    gini: MetricEstimate
    ks: MetricEstimate


def bands(tables: Ints, edges: Sequence[float], *, level: float, count: int = BANDS) -> tuple[Band, ...]:
    """Sum cells of equal mass in the reference into bands, and estimate the share of label 1 in each.

    Args:
        tables: int64[G, cells, 2], rows of each cluster (a day) by score cell and label.
        edges: The inner borders of the cells, ascending, in [0, 1].
        level: Coverage of all intervals together (Bonferroni), e.g. 0.95.
        count: How many bands; fewer where there are fewer cells.

    >>> day = np.array([[90, 10], [10, 90]])
    >>> two = bands(np.stack([day] * 10), [.5], level=.95)
    >>> [(one.low, one.high, one.share.value, one.side) for one in two]
    [(0.0, 0.5, 0.1, 0), (0.5, 1.0, 0.9, 0)]
    """
    borders = [0.0, *(float(edge) for edge in edges), 1.0]
    groups = [one for one in np.array_split(np.arange(tables.shape[1]), min(count, tables.shape[1])) if one.size]
    each = 1.0 - (1.0 - level) / len(groups)
    found = []
    for cells in groups:
        of_band = tables[:, cells, :].sum(axis=1)
        sums = np.column_stack([of_band[:, 1], of_band.sum(axis=1)]).astype(np.float64)
        share = cluster_estimate(sums, _share, n=int(of_band.sum()), level=each, scale="logit", unit="days")
        found.append(Band(borders[cells[0]], borders[cells[-1] + 1], share))
    return tuple(found)


def discrimination(tables: Ints, *, level: float) -> Discrimination:
    """Estimate Gini and Kolmogorov-Smirnov from one score table a cluster, int64[G, cells, 2].

    >>> day = np.array([[30, 10], [10, 30]])
    >>> found = discrimination(np.stack([day] * 10), level=.95)
    >>> found.gini.value, found.ks.value
    (0.5, 0.5)
    """
    kept = tables[tables.sum(axis=(1, 2)) > 0]
    auc = auc_from_tables(kept, level=level, unit="days")
    gini = replace(auc, value=2 * auc.value - 1, low=2 * auc.low - 1, high=2 * auc.high - 1)
    whole = kept.sum(axis=0)
    value, without = float(_ks(whole)), _ks(whole - kept)
    ks = jackknifed_estimate(value, without, n=int(whole.sum()), level=level, scale="plain", unit="days")
    return Discrimination(gini, replace(ks, low=_at_least(ks.low, 0.0), high=_at_most(ks.high, 1.0)))


def _share(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _ks(tables: Ints) -> Floats:
    """Largest distance between the cumulative shares of both classes; NaN where a class is empty."""
    rows = tables.sum(axis=-2, keepdims=True).astype(np.float64)
    reached = np.cumsum(tables, axis=-2) / np.where(rows > 0, rows, np.nan)
    return np.asarray(np.abs(reached[..., 0] - reached[..., 1]).max(axis=-1), dtype=np.float64)


def _at_least(value: float, bound: float) -> float:
    return float(np.maximum(value, bound))


def _at_most(value: float, bound: float) -> float:
    return float(np.minimum(value, bound))
