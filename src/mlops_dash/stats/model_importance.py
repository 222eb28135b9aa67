"""Which columns does a model rest on? How much its loss rises when the values of one column are shuffled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio

ROUNDS: Final = 3
MIN_CLUSTERS: Final = 5
_SEED: Final = 20_130_101
Losses = Callable[[int | None, Ints | None], Floats]  # column, order of its values -> loss of each row, float[n]


def loss_rises(
    losses: Losses, columns: int, clusters: Ints, *, rounds: int = ROUNDS, level: float = 0.95
) -> tuple[MetricEstimate, tuple[MetricEstimate, ...]]:
    """Shuffle one column after another and see how much worse each row is answered (permutation importance).

    Breiman (2001), Random Forests; Fisher, Rudin & Dominici (2019). The interval is over days: rows of one day are
    alike. With fewer than five days rows are taken as independent, and the method says so. The same input gives the
    same numbers.

    Args:
        losses: Answers all rows with the values of one column in another order, or, asked with None, as they are.
        columns: How many there are.
        clusters: Day of each row, any integers, int64[n].
        rounds: How often each column is shuffled; their mean is taken row by row.
        level: Coverage of the intervals.

    Returns:
        The mean loss of the rows as they are, and its rise by column, in the unit of the loss.

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(400, 2))
    >>> def loss(column, order):
    ...     seen = x.copy()
    ...     if column is not None:
    ...         seen[:, column] = x[order, column]
    ...     return np.abs(seen[:, 0] - x[:, 0])
    >>> _, (used, unused) = loss_rises(loss, 2, np.arange(400) // 40)
    >>> bool(used.low > 0), unused.value, unused.high
    (True, 0.0, 0.0)
    """
    rng = np.random.default_rng(_SEED)
    usual = losses(None, None)
    n = usual.size
    names, of_row = np.unique(clusters, return_inverse=True)
    by_row = names.size < MIN_CLUSTERS
    group, size = (np.arange(n), n) if by_row else (of_row, names.size)

    def estimate(values: Floats) -> MetricEstimate:
        sums = np.column_stack([np.bincount(group, values, minlength=size), np.bincount(group, minlength=size)])
        found = cluster_estimate(
            sums.astype(np.float64), lambda s: ratio(s[..., 0], s[..., 1]), n=n, level=level,
            unit="rows" if by_row else "days",
        )  # fmt: skip
        same = n > 0 and not values.any()
        return replace(found, low=0.0, high=0.0) if same and math.isnan(found.low) else found

    rises = []
    for column in range(columns):
        worse = np.zeros(n)
        for _ in range(rounds):
            worse += losses(column, rng.permutation(n)) - usual
        rises.append(estimate(worse / rounds))
    return estimate(usual), tuple(rises)
