"""Policies: who judges a model by which numbers. Named defaults live here and are printed in every JSON.

A policy is a version (model, kind, number) with canonical JSON and digest; YAML only imports and exports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlops_dash.ids import digest


class PolicyKind(StrEnum):
    """What a policy decides about."""

    PROMOTION = "promotion"
    MONITORING = "monitoring"


@dataclass(frozen=True)
class PromotionPolicy:
    """When may a challenger become champion.

    The primary metric must be better than the champion's by more than `margin` (the whole interval); guardrails must
    not be worse than by their margin; `floor` is the least value of the primary metric on its own.
    """

    primary: str = "base_rate_free_loss"
    margin: float = 0.0
    guardrail: str = "brier"
    guardrail_margin: float = 0.002
    floor_metric: str = "auc"
    floor: float = 0.60
    level: float = 0.95
    min_rows: int = 1_000
    min_clusters: int = 10
    approvals: int = 1
    proposal_expires_days: int = 30
    evidence_max_age_days: int = 45
    confirm_within_minutes: int = 10

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())


@dataclass(frozen=True)
class MonitoringPolicy:
    """How a model is watched: windows, minima, floors and the harm alarm's promise."""

    zone: str = "UTC"  # calendar windows and clusters (days)
    window: str = "day"
    label_delay_hours: float = 24.0  # ripe when older than this ...
    ripe_coverage: float = 0.97  # ... or when this share of rows is labelled
    min_rows: int = 100
    min_reference_rows: int = 1_000
    alpha: float = 0.05
    watch_excess: float = 0.10
    drift_excess: float = 0.25
    rank_level: float = 0.95
    hysteresis_of: int = 3
    hysteresis_need: int = 2
    primary: str = "auc"
    harm_loss: str = "base_rate_free_loss"
    harm_tolerance_share: float = 0.05  # of the reference loss
    harm_min_unit_labels: int = 50
    loss_clip: float = 0.01  # log-loss is clipped at -ln(loss_clip)

    def as_json(self) -> dict[str, Any]:
        """All fields."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON."""
        return digest(self.as_json())


@dataclass(frozen=True)
class PolicyVersion:
    """One stored version of a policy."""

    id: str
    model: str
    kind: PolicyKind
    number: int
    body: Mapping[str, Any]
    digest: str
    author: str
    approver: str | None
    active_from: datetime
