"""How good were the answers of some days? Measured from their summaries alone, with days as clusters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from mlops_dash.domain.evidence import BINARY, REGRESSION
from mlops_dash.domain.monitoring import ABSOLUTE_ERROR, BASE_RATE_FREE, RANKING, Watch
from mlops_dash.domain.readings import Estimate
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import auc_from_tables, base_rate_free_from_moments, cluster_estimate
from mlops_dash.stats.ranking import auc_of_table
from mlops_dash.stats.regression import regression_from_summaries
from mlops_dash.stats.sequential import HarmUnit, base_rate_free_units, loss_units
from mlops_dash.store.parts import ClassPart, ErrorPart, Part

LEVEL = 0.95
WATCHED_OF = {BINARY: ("base_rate_free_loss", "auc", "brier", "log_loss"), REGRESSION: ("mae", "rmse", "bias")}
LABEL_RATE = "label_rate"
MIN_CLASS = 5  # a day with fewer rows of a class has no AUC of its own


def measure(days: Sequence[Part], *, prior: float) -> dict[str, Estimate]:
    """Estimate the watched metrics and the label rate (of a regression: the mean label) over these days.

    Days without labels do not count.

    Args:
        days: One part a day, all of one version.
        prior: Share of label 1 in the reference; a regression has no use for it.
    """
    errors = [day.errors for day in days if isinstance(day, ErrorPart)]
    if errors:
        return {name: Estimate.of(one) for name, one in regression_from_summaries(errors, level=LEVEL).items()}
    return _classification([day for day in days if isinstance(day, ClassPart)], prior=prior)


def _classification(days: Sequence[ClassPart], *, prior: float) -> dict[str, Estimate]:
    kept = [day for day in days if day.n_labelled]
    n = sum(day.n_labelled for day in kept)
    labelled = np.asarray([day.n_labelled for day in kept], dtype=np.float64)
    zero, one = [day.losses[0] for day in kept], [day.losses[1] for day in kept]
    loss = np.asarray([a.sum + b.sum for a, b in zip(zero, one, strict=True)], dtype=np.float64)
    cells = days[0].table.shape[0] if days else 1
    tables = np.stack([day.table for day in kept]) if kept else np.zeros((0, cells, 2), dtype=np.int64)
    shares = {
        "brier": np.asarray([day.squared for day in kept], dtype=np.float64),
        "log_loss": loss,
        LABEL_RATE: np.asarray([day.positives for day in kept], dtype=np.float64),
    }
    found = {
        "base_rate_free_loss": base_rate_free_from_moments(one, zero, prior=prior, level=LEVEL, unit="days"),
        "auc": auc_from_tables(tables, level=LEVEL, unit="days"),
    }
    for name, sums in shares.items():
        found[name] = cluster_estimate(np.column_stack([sums, labelled]), _mean, n=n, level=LEVEL, unit="days")
    return {name: Estimate.of(estimate) for name, estimate in found.items()}


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def units_of(watch: Watch, days: Sequence[Part], *, prior: float, min_labels: int) -> tuple[HarmUnit, ...]:
    """Reduce days to the units of one watch; `first` and `last` are places in `days`."""
    if watch is ABSOLUTE_ERROR:
        absolute = [day.errors.absolute for day in days if isinstance(day, ErrorPart)]
        return loss_units(absolute, min_labels=min_labels)
    of_classes = [day for day in days if isinstance(day, ClassPart)]
    if watch is RANKING:
        return tuple(_ranking_units(of_classes))
    zero, one = [day.losses[0] for day in of_classes], [day.losses[1] for day in of_classes]
    if watch is BASE_RATE_FREE:
        return base_rate_free_units(one, zero, prior=prior, min_labels=min_labels)
    return loss_units([a + b for a, b in zip(zero, one, strict=True)], min_labels=min_labels)


def _ranking_units(days: Sequence[ClassPart]) -> Iterator[HarmUnit]:
    """1 - AUC of each day: the share of its (positive, negative) pairs that are ranked wrongly."""
    for place, day in enumerate(days):
        n = int(day.table.sum(axis=0).min())
        if n >= MIN_CLASS:
            auc = float(auc_of_table(day.table))
            yield HarmUnit(place, place, 1.0 - auc, float(n), auc * (1.0 - auc))


def trailing_mean(watch: Watch, units: Sequence[HarmUnit]) -> Estimate:
    """The mean over units, as people read it, with an interval over units."""
    means = np.asarray([watch.shown(unit.mean) for unit in units], dtype=np.float64)
    sums = np.column_stack([means, np.ones(means.size)])
    n = int(sum(unit.n for unit in units))
    return Estimate.of(cluster_estimate(sums, _mean, n=n, level=LEVEL, unit="days"))
