"""How are the p-values of several tests adjusted, so that together they err as rarely as one?"""

import math
from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return Holm-adjusted p-values in the given order; NaN stay NaN and do not count.

    >>> [round(one, 9) for one in holm([.01, .04, .03])]
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = [int(i) for i in np.argsort(p) if math.isfinite(p[i])]
    adjusted, greatest = np.full(p.size, math.nan), 0.0
    for rank, i in enumerate(order):
        greatest = max(greatest, min(1.0, (len(order) - rank) * float(p[i])))
        adjusted[i] = greatest
    return tuple(float(one) for one in adjusted)
