"""How sure is a number? Intervals shared by `performance` and `comparison`.

Rows of a day are alike, so the unit of doubt is the cluster: every cluster is left out once (delete-one jackknife).
"""

import math
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats, check_between

Scale: TypeAlias = Literal["plain", "logit", "log"]
Statistic: TypeAlias = Callable[[Floats], Floats]

MIN_CLUSTERS = 5
FEW_CLUSTERS = 10


def normal_quantile(level: float) -> float:
    """Return z such that a share `level` of a normal law lies within +-z.

    >>> round(normal_quantile(.95), 3)
    1.96
    """
    return float(ndtri(0.5 + check_between(level, 0.0, 1.0, name="level") / 2.0))


def t_quantile(level: float, df: float) -> float:
    """Return t such that a share `level` of Student's law lies within +-t.

    >>> round(t_quantile(.95, 9), 3)
    2.262
    """
    return float(stdtrit(df, 0.5 + check_between(level, 0.0, 1.0, name="level") / 2.0))


def wilson(successes: float, n: float, *, level: float) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion; (NaN, NaN) for n = 0.

    Args:
        successes: How many of n; need not be whole when n is an effective count.
        n: Independent trials.
        level: Coverage, e.g. 0.95.

    Raises:
        InvalidInput: If successes lie outside 0..n or level outside (0, 1).

    References:
        - E. B. Wilson, JASA 22 (1927).

    >>> low, high = wilson(2, 10, level=.95)
    >>> round(low, 4), round(high, 4)
    (0.0567, 0.5098)
    """
    if n < 0 or not 0 <= successes <= n:
        raise InvalidInput(f"{successes} successes of {n} trials.", hint="Successes must lie between 0 and the trials.")
    z = normal_quantile(level)
    if n == 0:
        return math.nan, math.nan
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def jackknife(value: float, without_each: Floats, *, level: float, scale: Scale = "plain") -> tuple[float, float]:
    """Return an interval from a statistic computed without each of G clusters; t with G - 1 degrees of freedom.

    Args:
        value: The statistic on all clusters.
        without_each: float[G], the statistic without cluster g.
        level: Coverage, e.g. 0.95.
        scale: Scale on which the interval is symmetric; logit keeps it inside (0, 1), log above 0.

    Returns:
        (low, high); (NaN, NaN) when G < 2, or a value is NaN or at the end of its scale.

    References:
        - B. Efron & C. Stein, Annals of Statistics 9 (1981), eq. 1.4.

    >>> x = np.array([1., 2., 3.])
    >>> low, high = jackknife(2., (6 - x) / 2, level=.95)
    >>> round(2 - low, 4), round(t_quantile(.95, 2) * x.std(ddof=1) / 3**.5, 4)
    (2.4841, 2.4841)
    """
    n_clusters = without_each.size
    inside = {"plain": -math.inf, "logit": 0.0, "log": 0.0}[scale], 1.0 if scale == "logit" else math.inf
    all_values = np.r_[value, without_each]
    if n_clusters < 2 or not bool(((all_values > inside[0]) & (all_values < inside[1])).all()):
        return math.nan, math.nan
    forward = {"plain": np.positive, "logit": logit, "log": np.log}[scale]
    backward = {"plain": np.positive, "logit": expit, "log": np.exp}[scale]
    moved = forward(without_each)
    variance = (n_clusters - 1) / n_clusters * float(((moved - moved.mean()) ** 2).sum())
    half = t_quantile(level, n_clusters - 1) * math.sqrt(variance)
    centre = float(forward(value))
    return float(backward(centre - half)), float(backward(centre + half))


def of_sums(statistic: Statistic, sums: Floats) -> tuple[float, Floats]:
    """Return a statistic of summed columns on all clusters, and without each of them.

    Args:
        statistic: Maps float[..., q] to float[...]; must give NaN, not warn, where it is undefined.
        sums: float[G, q], the column sums of each cluster.

    >>> value, without = of_sums(lambda s: s[..., 0] / s[..., 1], np.array([[1., 2.], [3., 2.]]))
    >>> value, without.tolist()
    (1.0, [1.5, 0.5])
    """
    total = sums.sum(axis=0)
    return float(statistic(total)), np.asarray(statistic(total - sums), dtype=np.float64)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Divide, with NaN where the denominator is 0.

    >>> ratio(np.array([1., 1.]), np.array([2., 0.]))
    array([0.5, nan])
    """
    whole = np.where(denominator == 0, 1.0, denominator)
    return np.asarray(np.where(denominator == 0, np.nan, numerator / whole), dtype=np.float64)


def cluster_reason(
    n_clusters: int, *, min_clusters: int = MIN_CLUSTERS, few_clusters: int = FEW_CLUSTERS, unit: str = "clusters"
) -> str:
    """Say why an interval over so few clusters is missing or shaky; empty when there are enough.

    >>> cluster_reason(3)
    'not computable: 3 clusters, at least 5 needed'
    >>> cluster_reason(7)
    'few clusters: 7, the interval is rough below 10'
    """
    if n_clusters < min_clusters:
        return f"not computable: {n_clusters} {unit}, at least {min_clusters} needed"
    if n_clusters < few_clusters:
        return f"few {unit}: {n_clusters}, the interval is rough below {few_clusters}"
    return ""
