"""How good were the answers of some days? Measured from their summaries alone, with days as clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlops_dash.domain.cadence import MIN_WINDOWS, Cadence
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import cluster_estimate
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store.monitoring.parts import Part
from mlops_dash.store.monitoring.references import Reference

LEVEL = 0.95
DAY_CLUSTERS = 20  # days with rows that a reference needs so that a day is what rows belong to
FEW_CLUSTERS = 5  # fewer have no interval of their own
_NORMAL = 1.959964  # of LEVEL


def measure(task: ModelTask, days: Sequence[Part], *, prior: float, unit: str = "day") -> dict[str, Estimate]:
    """Estimate the metrics of a task over these days; days without labels do not count.

    Args:
        task: What the model predicts.
        days: One part a day, all of one version.
        prior: Mean label of the reference: of a classifier the share of label 1.
        unit: What one part is, for the method text.
    """
    measured = task.measure([day.labelled for day in days], prior=prior, level=LEVEL)
    return {name: _in_words(Estimate.of(estimate), unit) for name, estimate in measured.items()}


def _in_words(estimate: Estimate, unit: str) -> Estimate:
    if unit == "day":
        return estimate
    method, reason = (text.replace("days", f"{unit}s") for text in (estimate.method, estimate.reason))
    return replace(estimate, method=method, reason=reason)


def clusters_of(
    cadence: Cadence, days: Sequence[Part], windows: Sequence[Part], *, n_days: int
) -> tuple[Sequence[Part], str]:
    """What rows are taken to belong together, and its name: days where the reference has enough, else windows.

    Args:
        cadence: How often the model is judged.
        days: The rows by day.
        windows: The same rows by window.
        n_days: Days with rows in the reference.
    """
    by_day = cadence.is_daily or n_days >= DAY_CLUSTERS
    return (days, "day") if by_day else (windows, cadence.name)


def units_of(
    task: ModelTask, watch: Watch, days: Sequence[Part], *, prior: float, min_labels: int
) -> tuple[HarmUnit, ...]:
    """Reduce days to the units of one watch; `first` and `last` are places in `days`."""
    return task.units(watch, [day.labelled for day in days], prior=prior, min_labels=min_labels)


def trailing_mean(watch: Watch, units: Sequence[HarmUnit], cadence: Cadence) -> Estimate:
    """The mean over units, as people read it, with an interval over units; over rows where weeks or months are few."""
    means = np.asarray([watch.shown(unit.mean) for unit in units], dtype=np.float64)
    sums = np.column_stack([means, np.ones(means.size)])
    n = int(sum(unit.n for unit in units))
    if units and len(units) < FEW_CLUSTERS and not cadence.is_daily:
        mean, error = float(means.mean()), math.sqrt(sum(unit.variance / unit.n for unit in units)) / len(units)
        wide = _NORMAL * error
        return Estimate(mean, mean - wide, mean + wide, n, len(units), "normal interval, rows taken as independent")
    return Estimate.of(cluster_estimate(sums, _mean, n=n, level=LEVEL, unit=f"{cadence.name}s"))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def basis(reference: Reference, policy: MonitoringPolicy) -> str:
    """What the verdicts of weeks or months rest on, in words; "" of days, whose words stand elsewhere."""
    cadence, k = policy.cadence, int(reference.baseline["swing"]["k"])
    if cadence.is_daily:
        return ""
    n_days, units = len(reference.windows), f"{cadence.name}s"
    if not reference.labelled:
        clusters = "drift alone"
    elif n_days >= DAY_CLUSTERS:
        clusters = f"rows of one day are taken together ({n_days} days)"
    elif k >= FEW_CLUSTERS:
        clusters = f"rows of one {cadence.name} are taken together ({k} {units})"
    else:
        clusters = "rows are taken as independent, and only an effect beyond the tolerance counts"
    few = f"; {cadence.unknown_swing(k)}" if k < MIN_WINDOWS else ""
    return f"Judged by the {cadence.name}: {clusters}{few}."
