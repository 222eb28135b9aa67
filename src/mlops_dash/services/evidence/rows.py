"""What do measured rows rest on? Their base rate, their bound and their digest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.tasks.task import ModelTask


def prior_and_source(known: float | None, version: Version, rows: pd.DataFrame, task: ModelTask) -> tuple[float, str]:
    """The base rate at which the base-rate-free loss is stated, and where it is from; not every task has one."""
    if not task.has_base_rate:
        return math.nan, ""
    if known is not None:
        return known, f"base rate {known:.3f} of the reference of {version.label}"
    if rows.empty:
        return 0.5, "no base rate"
    share = float(rows["label"].mean())
    return share, f"base rate {share:.3f} of these rows: {version.label} has no reference"


def bound_of(watch: MonitoringPolicy) -> str:
    """What every number about live rows rests on."""
    return f"days of {watch.zone} resampled; labels older than {watch.label_delay_hours:g} h or complete"


def digest_of(rows: pd.DataFrame, scores: Sequence[str]) -> str:
    """sha256 over ids (where there are any), labels and scores, in order."""
    content = hashlib.sha256(f"{len(rows)}\n".encode())
    if "prediction_id" in rows:
        content.update("\n".join(rows["prediction_id"].astype(str)).encode())
    for name in ("label", *scores):
        content.update(np.ascontiguousarray(rows[name].to_numpy(dtype="<f8")).tobytes())
    return content.hexdigest()


def finite(value: float) -> float | None:
    """The number as evidence keeps it: None for nan and infinities."""
    return float(value) if math.isfinite(value) else None
