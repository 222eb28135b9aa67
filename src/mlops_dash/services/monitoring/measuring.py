"""How good were the answers of some days? Measured from their summaries alone, with days as clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.task import ModelTask, Watch
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import cluster_estimate
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store.monitoring.parts import Part

LEVEL = 0.95


def measure(task: ModelTask, days: Sequence[Part], *, prior: float) -> dict[str, Estimate]:
    """Estimate the metrics of a task over these days; days without labels do not count.

    Args:
        task: What the model predicts.
        days: One part a day, all of one version.
        prior: Mean label of the reference: of a classifier the share of label 1.
    """
    measured = task.measure([day.labelled for day in days], prior=prior, level=LEVEL)
    return {name: Estimate.of(estimate) for name, estimate in measured.items()}


def units_of(
    task: ModelTask, watch: Watch, days: Sequence[Part], *, prior: float, min_labels: int
) -> tuple[HarmUnit, ...]:
    """Reduce days to the units of one watch; `first` and `last` are places in `days`."""
    return task.units(watch, [day.labelled for day in days], prior=prior, min_labels=min_labels)


def trailing_mean(watch: Watch, units: Sequence[HarmUnit]) -> Estimate:
    """The mean over units, as people read it, with an interval over units."""
    means = np.asarray([watch.shown(unit.mean) for unit in units], dtype=np.float64)
    sums = np.column_stack([means, np.ones(means.size)])
    n = int(sum(unit.n for unit in units))
    return Estimate.of(cluster_estimate(sums, _mean, n=n, level=LEVEL, unit="days"))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])
