"""Which points are not beaten in everything at once?"""

from __future__ import annotations

import numpy as np

from mlops_dash.stats.arrays import Bools, Floats


def front(values: Floats) -> Bools:
    """The Pareto front, the larger the better in every column.

    A point is on it when no other is at least as good in every column and better in one; equal points stand together.

    Args:
        values: Shape (points, columns), finite.

    >>> front(np.array([[1., 3.], [2., 2.], [1., 1.], [2., 2.]])).tolist()
    [True, True, False, True]
    """
    on = np.zeros(len(values), dtype=bool)
    order = np.lexsort(tuple(-values[:, at] for at in reversed(range(values.shape[1]))))
    best = np.empty((0, values.shape[1]))
    for at in order:  # no later point can beat an earlier one
        one = values[at]
        beaten = (best >= one).all(axis=1) & (best > one).any(axis=1)
        if not beaten.any():
            on[at] = True
            best = np.vstack([best, one])
    return on
