"""How good were the answers of some days? Measured from their summaries alone, with days as clusters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mlops_dash.domain.cadence import FEW_CLUSTERS, MIN_WINDOWS, Cadence, plural_of
from mlops_dash.domain.monitoring.readings import Estimate, Reading
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.services.monitoring.grouping import NOT_NAMED
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import cluster_estimate
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store.monitoring.parts import Part
from mlops_dash.store.monitoring.references import Reference

LEVEL = 0.95
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
    method, reason = (text.replace("days", plural_of(unit)) for text in (estimate.method, estimate.reason))
    return replace(estimate, method=method, reason=reason)


def by_day(clusters: Sequence[tuple[str, Part]]) -> list[Part]:
    """One part a day: rows of a day that lie in several windows (hours) belong together."""
    held: dict[str, Part] = {}
    for day, part in clusters:
        held[day] = held[day] + part if day in held else part
    return list(held.values())


def clusters_of(
    cadence: Cadence, days: Sequence[Part], windows: Sequence[Part], *, n_days: int
) -> tuple[Sequence[Part], str]:
    """The clusters of an estimate, as `Cadence.cluster` says, and their name.

    Args:
        cadence: How often the model is judged.
        days: The rows by day.
        windows: The same rows by window.
        n_days: Days with rows in the reference.
    """
    unit = cadence.cluster(n_days)
    return (days if unit == "day" else windows), unit


def units_of(
    task: ModelTask, watch: Watch, days: Sequence[Part], *, prior: float, min_labels: int
) -> tuple[HarmUnit, ...]:
    """Reduce days to the units of one watch; `first` and `last` are places in `days`."""
    return task.units(watch, [day.labelled for day in days], prior=prior, min_labels=min_labels)


def trailing_means(
    past: Mapping[Watch, Sequence[HarmUnit]], numbers: Sequence[int], cadence: Cadence
) -> dict[str, Estimate]:
    """The mean of every watch over its last units, as people read it.

    A unit of hours is often several of them: of those the units that lie within the span count, and it is named by its
    hours.

    Args:
        past: The units up to now, in order.
        numbers: The windows of the span.
        cadence: How often the model is judged.
    """
    if not cadence.is_hourly:
        return {watch.key: trailing_mean(watch, units[-len(numbers) :], cadence) for watch, units in past.items()}
    within = {watch: [unit for unit in units if unit.first >= numbers[0]] for watch, units in past.items()}
    return {
        watch.key: replace(trailing_mean(watch, units, cadence), n_days=len(numbers)) for watch, units in within.items()
    }


def trailing_mean(watch: Watch, units: Sequence[HarmUnit], cadence: Cadence) -> Estimate:
    """The mean over units, as people read it, with an interval over units; over rows where weeks or months are few."""
    means = np.asarray([watch.shown(unit.mean) for unit in units], dtype=np.float64)
    sums = np.column_stack([means, np.ones(means.size)])
    n = int(sum(unit.n for unit in units))
    if units and len(units) < FEW_CLUSTERS and not cadence.is_daily:
        mean, error = float(means.mean()), math.sqrt(sum(unit.variance / unit.n for unit in units)) / len(units)
        wide = _NORMAL * error
        return Estimate(mean, mean - wide, mean + wide, n, len(units), "normal interval, rows taken as independent")
    return Estimate.of(cluster_estimate(sums, _mean, n=n, level=LEVEL, unit=plural_of(cadence.name)))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def basis(reference: Reference, policy: MonitoringPolicy, told: Reading | None) -> str:
    """What verdicts rest on, in words: windows that are no days (the words of days stand elsewhere), and lost losses.

    Args:
        reference: What the model is compared with.
        policy: How often it is judged.
        told: The latest window that has numbers; None = none yet.
    """
    alone = reference.layout.task.not_followed if reference.labelled else ""
    return " ".join(said for said in (_windows_of(reference, policy, told), alone) if said)


def _windows_of(reference: Reference, policy: MonitoringPolicy, told: Reading | None) -> str:
    cadence, k = policy.cadence, int(reference.baseline["swing"]["k"])
    cluster = reference.cluster if reference.is_grouped else ""
    if cluster and told is not None and _is_unnamed(told):
        return (
            f"Judged by the {cadence.name}: the latest rows name too few values of {cluster}, so no interval is told."
        )
    if cadence.is_daily:
        return f"Judged by the day: {cadence.together(reference.n_days, 0, cluster)}." if cluster else ""
    windows = int(reference.baseline.get("n_windows", k))
    clusters = cadence.together(reference.n_days, windows, cluster) if reference.labelled else "drift alone"
    named = f", named by {cadence.column}" if cadence.column else ""
    pooled = ", drift by the day that ends with it" if cadence.is_hourly else ""
    few = f"; {cadence.unknown_swing(k)}" if k < MIN_WINDOWS else ""
    return f"Judged by the {cadence.name}{named}{pooled}: {clusters}{few}."


def _is_unnamed(told: Reading) -> bool:
    found = [told.estimate(name, int(days)) for days, rows in told.body["metrics"].items() for name in rows]
    return any(one is not None and one.reason.startswith(NOT_NAMED) for one in found)
