"""What the Monitoring page gets from one read: everything on one screen, so that its parts cannot disagree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mlops_dash.domain.monitoring.causes import Causes
from mlops_dash.domain.monitoring.fairness import Fairness
from mlops_dash.domain.monitoring.findings import Finding, Signal
from mlops_dash.domain.monitoring.label_free import EstimatedView
from mlops_dash.domain.monitoring.readings import Estimate, FeatureReading
from mlops_dash.domain.monitoring.replay import ReplayView
from mlops_dash.domain.monitoring.samples import Beyond
from mlops_dash.domain.monitoring.slices import Slices
from mlops_dash.domain.monitoring.together import Together
from mlops_dash.domain.tasks.task import Charted
from mlops_dash.domain.tasks.worth import Confusion, Reliability
from mlops_dash.domain.words import AlertState, Drift, Health
from mlops_dash.stats.drift import ColumnDrift

WINDOWS: Mapping[str, int] = {"2d": 2, "7d": 7, "30d": 30, "90d": 90, "180d": 180, "1y": 366}


def windows_of(judged_by: str) -> tuple[tuple[str, ...], str]:
    """How much of the past can be shown of a model, and how much is at first: of hours less, as they are many.

    >>> windows_of("hour")
    (('2d', '7d', '30d', '90d'), '7d')
    """
    return (tuple(WINDOWS)[:4], "7d") if judged_by == "hour" else (tuple(WINDOWS)[2:], "90d")


@dataclass(frozen=True)
class ModelHealth:
    """One model in the picker."""

    model: str
    title: str
    version: str  # "" when nothing is served
    health: Health
    why: str
    as_of: datetime | None
    judged_by: str = "day"


@dataclass(frozen=True)
class Point:
    """One window of the performance chart. `daily` is it alone, `trailing` the mean over the last ripe ones."""

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
class Limits:
    """What the windows of one version in [start, end) are compared with: two versions have two references."""

    version: str
    start: datetime
    end: datetime
    baseline: float | None
    bound: float | None  # of the alarm on daily values; None for metrics without an alarm


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
    trailing_days: int  # how many windows the line is the mean of
    points: tuple[Point, ...]  # one a day of the model, of the version that served it
    limits: tuple[Limits, ...]  # in order, one for each stretch of points of one version
    baseline: float | None  # of the version that the last known point is of
    bound: float | None
    bound_is_harm: bool
    awaiting_from: datetime | None  # where the line ends and labels are awaited
    bands: tuple[Band, ...]
    ticks: tuple[Tick, ...]
    choices: tuple[Charted, ...]  # what a model of this task can be looked at by
    decimals: int = 3
    unit: str = ""  # behind every number, e.g. "min"
    window: str = "day"  # what one point is of
    positive: str = ""  # of a classifier of two classes the outcome whose probability it gives
    silent: tuple[Point, ...] = ()  # of the version in service, on days that another one served
    replayed: tuple[Point, ...] = ()  # of the same, answered afterwards: never live evidence

    @property
    def last(self) -> Point | None:
        """The last point with a known mean."""
        return next((one for one in reversed(self.points) if one.trailing and one.trailing.value is not None), None)


@dataclass(frozen=True)
class DriftMap:
    """Excess PSI of every column over time; None = not enough rows or not a whole week (of hours: day)."""

    step_days: float
    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]
    columns: tuple[str, ...]
    excess: tuple[tuple[float | None, ...], ...]  # [column][window]
    verdicts: tuple[tuple[Drift, ...], ...]
    took_over: tuple[tuple[datetime, str], ...] = ()  # since when, which version; each has its own reference
    window: str = "day"  # what is judged as one


@dataclass(frozen=True)
class FeatureDetail:
    """One column now: shares by cell in the reference and live."""

    reading: FeatureReading
    labels: tuple[str, ...]
    reference: tuple[float, ...]
    live: tuple[float, ...]
    n_reference: int
    n_live: int
    score: ColumnDrift | None = None  # everything that was measured, over the rows shown
    times_limit: float = math.inf  # how many times its usual PSI a column may reach
    until: datetime | None = None  # when the rows shown end
    beyond: Beyond = field(
        default_factory=Beyond
    )  # live values beyond the reference, of a number of which enough are there


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
    waits: str = ""  # of a replaced version: what it waits for
    feedback: str = ""  # "useful" or "noise", where somebody said so


@dataclass(frozen=True)
class AsideGroup:
    """Rows of one version that were set aside for one reason."""

    version: str  # "" where the version does not matter
    column: str
    reason: str
    rows: int
    first_at: datetime
    last_at: datetime
    in_log: bool  # whether the rows are in the log; else they were kept out when they were answered
    samples: tuple[tuple[str, str], ...]  # (prediction id, value), the latest ones


@dataclass(frozen=True)
class Quarantine:
    """What of a model's rows cannot be digested."""

    model: str
    groups: tuple[AsideGroup, ...]  # most rows first

    @property
    def rows(self) -> int:
        """Values set aside; a row of two versions counts for each."""
        return sum(one.rows for one in self.groups)


@dataclass(frozen=True)
class NextAction:
    """The next best action from the state: retrain | follow | review | none."""

    kind: str
    label: str = ""
    page: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    alert_id: str | None = None


USUAL_DAYS = 30  # of a reference that is made of the first labelled days, where nobody says how many
OUT_OF_FOLD = "out-of-fold scores, grouped by day; days as clusters"
AS_SERVED = "scores as they were served; days as clusters"


@dataclass(frozen=True)
class ReferenceFacts:
    """What live traffic is compared with."""

    start: datetime
    end: datetime
    n_rows: int
    n_days: int
    n_weeks: int
    method: str
    label_rate: float | None  # of a regression the mean label; None without labels
    labelled: bool = True

    @property
    def scored(self) -> str:
        """How its rows were scored, in words."""
        return "as served" if self.method == AS_SERVED else "out of fold"


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
    first_days: int = 0  # without a reference: how many days of the log have labels
    reference: ReferenceFacts | None = None
    performance: Performance | None = None
    volume: tuple[tuple[datetime, int], ...] = ()  # begin of each window shown, and its rows
    drift: DriftMap | None = None
    features: tuple[FeatureReading, ...] = ()
    features_start: datetime | None = None
    features_end: datetime | None = None
    looked_back: bool = False  # features, detail and scores are of an earlier window that somebody chose
    detail: FeatureDetail | None = None
    basis: str = ""  # what verdicts rest on where windows are longer than a day
    judged_by: str = "day"  # what is judged as one
    cluster: str = "day"  # what rows are taken to belong together
    moved: tuple[str, ...] = ()  # columns that count as moved over the last windows: what the health word goes by
    unjudged: str = ""  # which columns of that window could not be judged; "" when all could
    findings: tuple[Finding, ...] = ()  # what happened to single columns and to the labels
    together: Together | None = None  # all columns together; None while nobody asked
    asked_together: bool = False  # whether a job is about to say more
    estimated: EstimatedView | None = None  # what is estimated without labels
    fairness: Fairness | None = None  # gaps between the owner's groups; None where none are named
    slices: Slices | None = None  # parts of the rows that are worse; None without labels
    causes: Causes | None = None  # the columns that moved, likeliest cause first
    replay: ReplayView | None = None  # of a version that took over and has no judged day of its own
    scores: Mapping[str, ColumnDrift] = field(default_factory=dict)  # of every column, over the same window
    alerts: tuple[AlertView, ...] = ()
    aside: Quarantine | None = None  # what of its rows cannot be digested
    recipes: tuple[str, ...] = ()
    coverage: float | None = None  # labelled share of the last ripe window
    label_rate: Estimate | None = None  # None without a base rate
    labels: str = ""  # what the labels themselves did, in a sentence
    worse: str = ""  # which part of the answers got worse, in a sentence
    confusion: Confusion | None = None  # of a task with classes, over the last ripe days
    confusion_days: int = 0
    reliability: Reliability | None = None  # of a task with probabilities, over the same days
    reliability_then: Reliability | None = None  # in the reference
    restarts: int = 0  # of the harm alarm: each spends another alpha
    alpha: float = 0.05
    watch_excess: float = 0.10
    drift_excess: float = 0.25

    @property
    def odd(self) -> tuple[str, ...]:
        """What happened to columns, in sentences, besides what a report says by itself."""
        apart = (Signal.PREDICTIONS, Signal.LABELS, Signal.EMPTY)
        return tuple(f"{one.column}: {one.sentence}" for one in self.findings if one.signal not in apart)

    @property
    def cause(self) -> str:
        """The likely cause that the harm alert names; "" while none calls."""
        calling = (
            one.cause
            for one in self.alerts
            if one.kind == "harm" and one.version == self.version and one.state is not AlertState.CLOSED
        )
        return next(calling, "")
