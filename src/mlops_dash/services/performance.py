"""How good were the answers of some days? Measured from their summaries alone, with days as clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlops_dash.domain.readings import Estimate
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.performance import auc_from_tables, base_rate_free_from_moments, cluster_estimate
from mlops_dash.store.parts import Part

LEVEL = 0.95
WATCHED = ("base_rate_free_loss", "auc", "brier", "log_loss")
LABEL_RATE = "label_rate"


def measure(days: Sequence[Part], *, prior: float) -> dict[str, Estimate]:
    """Estimate the watched metrics and the label rate over these days; days without labels do not count.

    Args:
        days: One part a day.
        prior: Share of label 1 in the reference.
    """
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
