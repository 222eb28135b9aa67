"""What is a metric with its interval, and how is one made from clusters?

`performance` says which metrics there are; this file only turns a value and its leave-one-out values into an estimate.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import Scale, Statistic, cluster_reason, jackknife, of_sums, wilson

INDEPENDENT: Final = "rows taken as independent"


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """One metric of one window with its interval.

    Attributes:
        value: The metric; NaN when it could not be computed.
        low: Lower end of the interval; NaN when none could be computed.
        high: Upper end of the interval; NaN when none could be computed.
        n: Rows it rests on.
        n_clusters: Independent units it rests on: clusters (days), or rows where no clusters were given.
        method: How the interval was made, in words for the page.
        reason: Why value or interval is missing or shaky; empty when all is well.

    >>> proportion(2, 10, level=.95).computable
    True
    """

    value: float
    low: float
    high: float
    n: int
    n_clusters: int
    method: str
    reason: str = ""

    @property
    def computable(self) -> bool:
        """Whether there is a value with an interval."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)


def proportion(successes: int, n: int, *, level: float) -> MetricEstimate:
    """Estimate a share of independent rows with the Wilson interval.

    >>> round(proportion(2, 10, level=.95).low, 4)
    0.0567
    """
    low, high = wilson(successes, n, level=level)
    reason = "" if n else "not computable: no rows"
    return MetricEstimate(successes / n if n else math.nan, low, high, n, n, f"Wilson, {INDEPENDENT}", reason)


def cluster_estimate(
    sums: Floats, statistic: Statistic, *, n: int, level: float, scale: Scale = "plain", unit: str = "clusters"
) -> MetricEstimate:
    """Estimate a smooth function of column sums with a delete-one-cluster jackknife.

    Any mean, ratio of means, F1 or root mean square is a function of sums, so days can be stored as sums alone.

    Args:
        sums: float[G, q], column sums of each cluster; clusters without rows are left out.
        statistic: Maps float[..., q] to float[...]; NaN where it is undefined.
        n: Rows behind the sums.
        level: Coverage, e.g. 0.95.
        scale: Scale on which the interval is symmetric.
        unit: What a cluster is, for the method text.

    >>> days = np.array([[1., 10.], [2., 10.], [3., 10.], [2., 10.], [2., 10.]])
    >>> late = cluster_estimate(days, lambda s: s[..., 0] / s[..., 1], n=50, level=.95, unit="days")
    >>> late.value, round(late.low, 3), round(late.high, 3), late.reason
    (0.2, 0.112, 0.288, 'few days: 5, the interval is rough below 10')
    """
    kept = sums[np.any(sums != 0, axis=1)]
    value, without = of_sums(statistic, kept)
    return jackknifed_estimate(value, without, n=n, level=level, scale=scale, unit=unit)


def jackknife_method(unit: str, scale: Scale) -> str:
    """Say in words how such an interval is made.

    >>> jackknife_method("days", "logit")
    'jackknife over days on the logit scale'
    """
    said = "" if scale == "plain" else f" on the {scale} scale"
    return f"jackknife over {unit}{said}" + (f", {INDEPENDENT}" if unit == "rows" else "")


def jackknifed_estimate(
    value: float, without: Floats, *, n: int, level: float, scale: Scale, unit: str
) -> MetricEstimate:
    """Make an estimate from a value and its values without each cluster; see `cluster_estimate` for the arguments.

    >>> jackknifed_estimate(.5, np.full(4, .5), n=8, level=.95, scale="plain", unit="days").reason
    'not computable: 4 days, at least 5 needed'
    """
    n_clusters = int(without.size)
    method = jackknife_method(unit, scale)
    reason = cluster_reason(n_clusters, unit=unit)
    if not math.isfinite(value):
        reason = "not computable: no rows" if n == 0 else "not computable: a class the metric needs is empty"
        return MetricEstimate(math.nan, math.nan, math.nan, n, n_clusters, method, reason)
    if reason.startswith("not computable"):
        return MetricEstimate(value, math.nan, math.nan, n, n_clusters, method, reason)
    low, high = jackknife(value, without, level=level, scale=scale)
    if math.isnan(low) and scale == "logit":
        low, high, method = _at_the_edge(value, without, level=level, unit=unit)
    if math.isnan(low):
        reason = f"no interval: one of the {unit} holds a whole class"
    return MetricEstimate(value, low, high, n, n_clusters, method, reason)


def _at_the_edge(value: float, without: Floats, *, level: float, unit: str) -> tuple[float, float, str]:
    """Mend intervals of shares at 0 or 1, where the logit is infinite and the jackknife sees no doubt."""
    if value in (0.0, 1.0):
        low, high = wilson(value * without.size, without.size, level=level)
        return low, high, f"Wilson with each of the {unit} as one trial"
    low, high = jackknife(value, without, level=level)
    # numpy's bounds keep NaN; Python's max(0.0, nan) is 0.0.
    return float(np.maximum(low, 0.0)), float(np.minimum(high, 1.0)), jackknife_method(unit, "plain")
