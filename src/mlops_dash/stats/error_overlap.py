"""Do two models err on the same rows? The shares of rows that both, one alone or neither gets right, in pairs."""

from __future__ import annotations

import numpy as np

from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, as_codes, sums_by
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio

PARTS = ("both_right", "only_a_wrong", "only_b_wrong", "both_wrong")


def error_overlap(
    wrong_a: Bools, wrong_b: Bools, clusters: ArrayLike, *, level: float, unit: str = "clusters"
) -> dict[str, MetricEstimate]:
    """The share of rows of each of the four parts, with one cluster after another left out.

    Args:
        wrong_a: Which rows A gets wrong.
        wrong_b: Which rows B gets wrong, the same rows.
        clusters: Cluster (day) of each row.
        level: Coverage of the intervals.
        unit: What a cluster is, for the method text.

    >>> a, b = np.tile([True, True, False, False], 10), np.tile([True, False, False, False], 10)
    >>> made = error_overlap(a, b, np.repeat(np.arange(10), 4), level=.95)
    >>> {name: one.value for name, one in made.items()}
    {'both_right': 0.5, 'only_a_wrong': 0.25, 'only_b_wrong': 0.0, 'both_wrong': 0.25}
    """
    codes, n_clusters = as_codes(clusters)
    parts = (~wrong_a & ~wrong_b, wrong_a & ~wrong_b, ~wrong_a & wrong_b, wrong_a & wrong_b)
    rows = sums_by(np.ones(wrong_a.size), codes, n_clusters)
    return {
        name: cluster_estimate(
            np.column_stack([sums_by(part, codes, n_clusters), rows]), _share, n=wrong_a.size, level=level, unit=unit
        )
        for name, part in zip(PARTS, parts, strict=True)
    }


def _share(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])
