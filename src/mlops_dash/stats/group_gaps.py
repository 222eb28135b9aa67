"""How far do two groups of the same rows lie apart in a rate or a mean, when rows of a day are alike?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlops_dash.stats.arrays import Bools, Floats, Ints, sums_by
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.slices import p_value


@dataclass(frozen=True, slots=True)
class GroupGap:
    """A ratio of sums in a group, in the group that it is held against, and the difference.

    Attributes:
        own: Of the group; its n are the rows that count.
        base: Of the other group.
        gap: Own minus base, one cluster after another left out of both.
        p_value: Two-sided, of no difference; NaN without an interval.
    """

    own: MetricEstimate
    base: MetricEstimate
    gap: MetricEstimate
    p_value: float


def group_gap(
    values: Floats, counts: Bools, group: Bools, base: Bools, codes: Ints, n_clusters: int, *, level: float = 0.95,
    unit: str = "days",
) -> GroupGap:  # fmt: skip
    """Mean of the values of the rows that count, in a group and in another one, and how far those lie apart.

    Args:
        values: Of each row, such as its loss, or 1 where it was answered yes.
        counts: Which rows count, such as those that are yes.
        group: Rows of the group.
        base: Rows of the group that it is held against.
        codes: Cluster of each row, 0 to n_clusters - 1.
        n_clusters: How many.
        level: Coverage of the intervals.
        unit: What a cluster is, for the method text.

    >>> day, old = np.repeat(np.arange(10), 4), np.tile([True, True, False, False], 10)
    >>> yes = np.tile([1., 1., 1., 0.], 10)
    >>> made = group_gap(yes, np.ones(40, dtype=bool), old, ~old, day, 10)
    >>> made.own.value, made.base.value, made.gap.value, made.own.n
    (1.0, 0.5, 0.5, 20)
    """
    columns = [part * weight for part in (group & counts, base & counts) for weight in (values, np.ones(values.size))]
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in columns])
    n_own, n_base = int((group & counts).sum()), int((base & counts).sum())
    own = cluster_estimate(sums[:, :2], _mean, n=n_own, level=level, unit=unit)
    other = cluster_estimate(sums[:, 2:], _mean, n=n_base, level=level, unit=unit)
    gap = cluster_estimate(sums, _difference, n=n_own, level=level, unit=unit)
    return GroupGap(own, other, gap, p_value(gap, level=level))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _difference(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3])
