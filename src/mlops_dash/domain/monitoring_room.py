"""What the Monitoring page gets from one read: everything on one screen, so that its parts cannot disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlops_dash.domain.evidence import BINARY, REGRESSION
from mlops_dash.domain.readings import Estimate, FeatureReading
from mlops_dash.domain.words import AlertState, Drift, Health

WINDOWS: Mapping[str, int] = {"30d": 30, "90d": 90, "180d": 180, "1y": 366}
METRIC_LABELS: Mapping[str, str] = {
    "day_auc": "ROC AUC within the day",
    "base_rate_free_loss": "Base-rate-free log-loss",
    "log_loss": "Log-loss",
    "brier": "Brier score",
    "auc": "ROC AUC, days pooled",
    "label_rate": "Label rate",
    "mae": "MAE",
    "rmse": "RMSE, days pooled",
    "bias": "Bias, prediction − label",
    "label_mean": "Mean label",
}
_OF_REGRESSION = ("mae", "rmse", "bias", "label_mean")
METRICS_OF: Mapping[str, tuple[str, ...]] = {
    BINARY: tuple(key for key in METRIC_LABELS if key not in _OF_REGRESSION),
    REGRESSION: _OF_REGRESSION,
}
HIGHER_IS_BETTER = frozenset({"day_auc", "auc"})


@dataclass(frozen=True)
class ModelHealth:
    """One model in the picker."""

    model: str
    title: str
    version: str  # "" when nothing is served
    health: Health
    why: str
    as_of: datetime | None


@dataclass(frozen=True)
class Point:
    """One day of the performance chart. `daily` is the day alone, `trailing` the mean over the last ripe days."""

    start: datetime
    end: datetime
    version: str
    n: int
    n_labelled: int
    ripe: bool
    daily: float | None
    trailing: Estimate | None
    health: Health


@dataclass(frozen=True)
class Band:
    """Which version was serving, half-open; `end` None = still."""

    version: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True)
class Tick:
    """Something that happened: alert | retrain | promote | rollback."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True)
class Performance:
    """One metric over time with what it is compared with; all numbers in `unit`."""

    metric: str
    label: str
    higher_is_better: bool
    trailing_days: int
    points: tuple[Point, ...]
    baseline: float | None
    bound: float | None  # of the alarm on daily values; None for metrics without an alarm
    bound_is_harm: bool
    awaiting_from: datetime | None  # where the line ends and labels are awaited
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    choices: tuple[str, ...] = METRICS_OF[BINARY]  # keys of METRIC_LABELS that this kind of model has
    decimals: int = 3
    unit: str = ""  # behind every number, e.g. "min"


@dataclass(frozen=True)
class DriftMap:
    """Excess PSI of every column over time; None = not enough rows or not a whole week."""

    step_days: int
    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]
    columns: tuple[str, ...]
    excess: tuple[tuple[float | None, ...], ...]  # [column][window]
    verdicts: tuple[tuple[Drift, ...], ...]


@dataclass(frozen=True)
class FeatureDetail:
    """One column now: shares by cell in the reference and live."""

    reading: FeatureReading
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    live: tuple[float, ...]
    n_reference: int
    n_live: int


@dataclass(frozen=True)
class AlertView:
    """An alert as the page lists it."""

    id: str
    kind: str
    severity: str
    state: AlertState
    version: str
    title: str
    cause: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    owner: str
    snoozed_until: datetime | None
    last_answer: str  # who said what, "" when nobody did


@dataclass(frozen=True)
class NextAction:
    """The next best action from the state: retrain | follow | review | none."""

    kind: str
    label: str = ""
    page: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    alert_id: str | None = None


@dataclass(frozen=True)
class ReferenceFacts:
    """What live traffic is compared with."""

    start: datetime
    end: datetime
    n_rows: int
    n_days: int
    n_weeks: int
    method: str
    label_rate: float  # of a regression the mean label


@dataclass(frozen=True)
class MonitoringRoom:
    """Everything the page shows about one model."""

    model: str
    title: str
    version: str
    zone: str
    window: str
    until: datetime | None  # end of the last judged window
    health: Health
    headline: str  # one sentence with numbers
    why: str
    action: NextAction
    stale: str = ""  # why this is old; "" when it is not
    empty: str = ""  # why there is nothing to show; then everything below is empty
    empty_next: str = ""
    reference: ReferenceFacts | None = None
    performance: Performance | None = None
    drift: DriftMap | None = None
    features: tuple[FeatureReading, ...] = ()
    features_start: datetime | None = None
    features_end: datetime | None = None
    detail: FeatureDetail | None = None
    odd: tuple[str, ...] = ()  # sentences about missing and unseen values
    alerts: tuple[AlertView, ...] = ()
    recipes: tuple[str, ...] = ()
    coverage: float | None = None  # labelled share of the last ripe window
    label_rate: Estimate | None = None  # None for a regression
    labels: str = ""  # what the labels themselves did, in a sentence
    restarts: int = 0  # of the harm alarm: each spends another alpha
    alpha: float = 0.05
    watch_excess: float = 0.10
    drift_excess: float = 0.25

    @property
    def cause(self) -> str:
        """The likely cause that the harm alert names; "" while none calls."""
        calling = (one.cause for one in self.alerts if one.kind == "harm" and one.state is not AlertState.CLOSED)
        return next(calling, "")
