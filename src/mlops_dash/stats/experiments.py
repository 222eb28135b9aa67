"""What do repeats of one configuration say together: mean, spread, interval; and the band of their curves?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.intervals import t_quantile

INTERVAL_METHOD = "t interval over repeats"


@dataclass(frozen=True, slots=True)
class Repeats:
    """One metric of every group; arrays of shape (groups,).

    Attributes:
        n: Runs of the group.
        n_finite: Runs with a finite value; only these enter mean, sd and interval.
        mean: Their mean; NaN without any.
        sd: Their standard deviation (n - 1); NaN below two.
        low: Lower end of the t interval of the mean; NaN below two.
        high: Upper end.
    """

    n: Ints
    n_finite: Ints
    mean: Floats
    sd: Floats
    low: Floats
    high: Floats


def repeats(values: Floats, codes: Ints, n_groups: int, *, level: float = 0.95) -> Repeats:
    """Mean, spread and t interval of the runs of each group.

    Args:
        values: One number a run, shape (runs,); NaN and infinite ones are counted and left out.
        codes: The group of each run, 0 to n_groups - 1.
        n_groups: How many groups there are.
        level: Of the interval.

    >>> made = repeats(np.array([1., 3., 5., np.nan]), np.array([0, 0, 1, 1]), 2)
    >>> made.mean.tolist(), made.n.tolist(), made.n_finite.tolist()
    ([2.0, 5.0], [2, 2], [2, 1])
    >>> [round(float(v), 3) for v in (made.sd[0], made.low[0], made.high[0])]
    [1.414, -10.706, 14.706]
    """
    n = np.bincount(codes, minlength=n_groups)
    finite = np.isfinite(values)
    inside, of = values[finite], codes[finite]
    count = np.bincount(of, minlength=n_groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(of, weights=inside, minlength=n_groups) / count
        squares = np.bincount(of, weights=(inside - mean[of]) ** 2, minlength=n_groups)
        sd = np.where(count > 1, np.sqrt(squares / (count - 1)), np.nan)
        quantiles = {int(k): t_quantile(level, float(k - 1)) for k in np.unique(count) if k > 1}
        t = np.array([quantiles.get(int(k), np.nan) for k in count])
        half = t * sd / np.sqrt(count)
    return Repeats(n, count, mean, sd, mean - half, mean + half)


@dataclass(frozen=True, slots=True)
class Band:
    """The curves of repeats together, at every x that at least one of them has; arrays of shape (points,).

    `low` and `high` are the smallest and largest value, not an interval: repeats are few.
    """

    x: Floats
    mean: Floats
    low: Floats
    high: Floats
    n: Ints


def band(curves: Sequence[tuple[Floats, Floats]]) -> Band:
    """Mean and range of several curves, each (x, y); points that are not finite are left out.

    >>> made = band([(np.array([1., 2.]), np.array([0., 1.])), (np.array([1., 2.]), np.array([2., np.inf]))])
    >>> made.mean.tolist(), made.low.tolist(), made.high.tolist(), made.n.tolist()
    ([1.0, 1.0], [0.0, 1.0], [2.0, 1.0], [2, 1])
    """
    x = np.concatenate([one[0] for one in curves]) if curves else np.empty(0)
    y = np.concatenate([one[1] for one in curves]) if curves else np.empty(0)
    keep = np.isfinite(y) & np.isfinite(x)
    places, inverse = np.unique(x[keep], return_inverse=True)
    y = y[keep]
    n = np.bincount(inverse, minlength=len(places))
    low, high = np.full(len(places), np.inf), np.full(len(places), -np.inf)
    np.minimum.at(low, inverse, y)
    np.maximum.at(high, inverse, y)
    return Band(places, np.bincount(inverse, weights=y, minlength=len(places)) / np.maximum(n, 1), low, high, n)


def smoothed(y: Floats, weight: float) -> Floats:
    """Exponential smoothing without the pull towards zero at the start; gaps (not finite) stay gaps.

    >>> smoothed(np.array([1., 1., 3.]), .5).round(3).tolist()
    [1.0, 1.0, 2.143]
    """
    if weight <= 0:
        return y
    made = np.full(len(y), np.nan)
    last = total = 0.0
    for i, value in enumerate(y):
        if np.isfinite(value):
            last = weight * last + (1 - weight) * float(value)
            total = weight * total + (1 - weight)
            made[i] = last / total
    return made
