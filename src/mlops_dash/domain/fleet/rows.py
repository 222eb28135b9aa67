"""What a lead sees of all models at once: one row a model, and four numbers over all of them.

Numbers and health words come from stored readings; this file only puts them in order. A step that a model has not
reached yet is one next step, never an alarm. What needs somebody is decided in `attention`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.cadence import is_counted
from mlops_dash.domain.commands import model_answers
from mlops_dash.domain.monitoring.readings import Estimate, Reading
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks import BINARY
from mlops_dash.domain.words import Health, Progress

WORST_FIRST = (Health.HARMED, Health.AT_RISK, Health.INPUTS_MOVED, Health.NOT_KNOWN, Health.OK)
TREND_WINDOWS = 30
USUAL_WINDOWS = 28
COVERAGE_WINDOWS = 7
LATE_SHARE = 0.5  # of the usual label coverage: windows that are ripe by age and have less are overdue

# What the ledger holds about models and their work; accounts and tokens stand on Audit & admin.
DECISIONS: tuple[Action, ...] = (
    Action.MODEL_ADDED,
    Action.MODEL_EDITED,
    Action.MODEL_ARCHIVED,
    Action.MODEL_RESTORED,
    Action.POLICY_ACTIVATED,
    Action.PROPOSAL_OPENED,
    Action.PROPOSAL_APPROVED,
    Action.PROPOSAL_REJECTED,
    Action.PROPOSAL_WITHDRAWN,
    Action.GATE_OVERRIDDEN,
    Action.ROLLOUT_STARTED,
    Action.ROLLOUT_STOPPED,
    Action.ROLLOUT_HALTED,
    Action.PROMOTION_FINISHED,
    Action.ROLLBACK_FINISHED,
    Action.ALIAS_DRIFTED,
    Action.ALIAS_ADOPTED,
    Action.ALIAS_RESTORED,
    Action.SERVED_ELSEWHERE,
    Action.ALERT_ACKNOWLEDGED,
    Action.ALERT_SNOOZED,
    Action.ALERT_CLOSED,
    Action.ALERT_CONFIRMED,
    Action.ALERT_REOPENED,
    Action.ALARM_RESTARTED,
    Action.SCHEDULE_SAVED,
    Action.SCHEDULE_PAUSED,
    Action.SCHEDULE_RESUMED,
    Action.TRIGGER_CALLED,
    Action.JOB_REQUESTED,
    Action.RECIPE_TRIED,
    Action.JOB_CANCEL_REQUESTED,
    Action.TEST_STARTED,
    Action.TEST_STOPPED,
)


# What is read about each model ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FleetModel:
    """A model and what it serves; the version fields are empty when nothing is served."""

    name: str
    title: str
    task: str = BINARY.name
    version_id: str = ""
    version: str = ""
    since: datetime | None = None
    by_promotion: bool = False  # it came through the gates, not by an alias alone
    replaced: str = ""  # number of the version it took over from; "" where there is none
    added_at: datetime | None = None
    cadence: str = "day"
    elsewhere: bool = False  # its team serves it; nothing of it is in our MLflow


@dataclass(frozen=True)
class Traffic:
    """What the prediction log knows about a model."""

    last_day: int = 0  # request rows of the last 24 hours
    last_at: datetime | None = None
    last_label_at: datetime | None = None


# What is shown --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NextStep:
    """The one step by which a model comes further, and the page where it is done."""

    progress: Progress
    sentence: str
    page: str


_REFERENCE = "Say what it is compared with: a file, a window of its log, or the first days whose labels came."
_BRING = "a file on the page Files, or POST /v1/predictions"
_WAIT = "The first window is judged when it is over and its labels are old enough."


@dataclass(frozen=True)
class FleetRow:
    """One model in the table. What is not known is None, never 0."""

    model: str
    title: str
    version: str
    health: Health
    why: str
    headline: str = ""  # the sentence with numbers, as Monitoring says it
    stale: str = ""
    as_of: datetime | None = None  # end of the last judged window
    zone: str = "UTC"
    metric: str = ""
    metric_label: str = ""
    decimals: int = 3
    unit: str = ""
    higher_is_better: bool = True
    estimate: Estimate | None = None
    known_at: datetime | None = None  # end of the window that the estimate describes
    current: bool = True  # the estimate describes now; else it is the last known one
    baseline: float | None = None
    trend: tuple[float | None, ...] = ()  # the metric at the last windows; None where it was not ripe
    moved: tuple[str, ...] = ()
    n_inputs: int | None = None
    last_day: int | None = None  # predictions in the last 24 hours; None before the first
    last_at: datetime | None = None  # of the last prediction
    usual_day: float | None = None  # mean of the last complete days with rows
    last_label_at: datetime | None = None
    deployed_at: datetime | None = None
    reached: tuple[Progress, ...] = ()
    next_step: NextStep | None = None
    late: LateLabels | None = None
    added_at: datetime | None = None
    window: str = "day"  # what is judged as one
    labelled: bool = True  # whether its reference has labels; else drift and volume alone are watched
    referenced: bool = True  # whether what it serves has something to be compared with
    elsewhere: bool = False  # its team serves it: rows come by files and over HTTP, no version is trained here

    @property
    def to_verdict(self) -> NextStep | None:
        """The step that is missing to a verdict; None where there is one, or its rows stopped, or nobody has labels."""
        if self.health is not Health.NOT_KNOWN or self.stale:
            return None
        if not self.labelled and self.as_of is not None:  # drift and volume are judged, and no more was asked for
            return None
        step = self.next_step
        if not self.version and self.elsewhere and Progress.REGISTERED in self.reached:
            return NextStep(
                Progress.PREDICTIONS, f"Say which version answers: {model_answers(self.model)}", "monitoring"
            )
        if not self.version:
            return step or NextStep(Progress.PREDICTIONS, "Promote a version on the Registry page.", "registry")
        if not self.referenced:
            return NextStep(Progress.EVIDENCE, _REFERENCE, "monitoring")
        if step is not None and step.progress in (Progress.PREDICTIONS, Progress.LABELS):
            return step
        return NextStep(Progress.LABELS, _WAIT, "monitoring")

    @property
    def gap(self) -> float | None:
        """How far the metric lies from its reference, signed."""
        if self.estimate is None or self.estimate.value is None or self.baseline is None:
            return None
        return self.estimate.value - self.baseline


@dataclass(frozen=True)
class LateLabels:
    """Windows that are older than the label delay and have far fewer labels than usual."""

    n_windows: int
    since: datetime
    coverage: float
    usual: float


@dataclass(frozen=True)
class Coverage:
    """Labels among the rows of the last ripe windows of every model."""

    n: int
    n_labelled: int

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.n_labelled / self.n


def by_severity(rows: Collection[FleetRow]) -> tuple[FleetRow, ...]:
    """The worst first, then by name: the order of Monitoring's picker."""
    return tuple(sorted(rows, key=lambda one: (WORST_FIRST.index(one.health), one.model)))


def told_once(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Decisions without the first halves of overrides: the second person's entry tells the whole."""
    return tuple(one for one in entries if one.after.get("overridden") is not False)


# How far a model has come ---------------------------------------------------------------------------------------------


def next_step(reached: Collection[Progress], version: str, *, elsewhere: bool = False) -> NextStep | None:
    """The first step that a model has not reached; None when it has come all the way.

    Args:
        reached: What it has.
        version: That answers; "" for none.
        elsewhere: Whether its team serves it: its rows are brought, and nothing of it is trained here.

    >>> next_step({Progress.REGISTERED, Progress.EVIDENCE}, "").progress
    <Progress.PREDICTIONS: 'predictions'>
    >>> next_step((), "", elsewhere=True).page
    'files'
    """
    served = f"v{version} is served: send" if version else "Promote a version on the Registry page, then send"
    steps = {
        Progress.REGISTERED: ("Train a version with a recipe, or register one in MLflow.", "retraining"),
        Progress.EVIDENCE: ("Record evidence: run a recipe, or push rows that it scored.", "registry"),
        Progress.PREDICTIONS: (f"{served} rows to the gateway.", "monitoring" if version else "registry"),
        Progress.LABELS: ("Send labels as they become known; the loss is measured from then on.", "monitoring"),
        Progress.GATED: ("Propose a version, so that gates and a second person decide.", "registry"),
    }
    if elsewhere:
        steps |= {
            Progress.REGISTERED: (f"Bring what it answered: {_BRING}.", "files"),
            Progress.EVIDENCE: ("Push rows that it scored, with their outcomes.", "registry"),
            Progress.PREDICTIONS: (f"Bring what v{version or '1'} answered: {_BRING}.", "files"),
        }
    missing = next((step for step in Progress if step not in reached), None)
    return None if missing is None else NextStep(missing, *steps[missing])


# Numbers over windows -------------------------------------------------------------------------------------------------


def usual_volume(windows: Sequence[Reading]) -> float | None:
    """Mean rows a day of the last complete windows with rows; None without any."""
    held = [one for one in windows if one.n][-USUAL_WINDOWS:]
    if held and held[-1].kind == "hour":  # a day is 24 of them, the silent ones included
        recent = windows[-24 * USUAL_WINDOWS :]
        return sum(one.n for one in recent) * 24 / max(24, len(recent))
    if held and is_counted(held[-1].kind):  # several a day, or one in several days
        end = held[-1].end
        recent = [one for one in windows if one.n and one.start >= end - timedelta(days=USUAL_WINDOWS)] or held[-1:]
        return sum(one.n for one in recent) / max(1.0, (end - recent[0].start) / timedelta(days=1))
    days = sum(max(1, round((one.end - one.start) / timedelta(days=1))) for one in held)
    return sum(one.n for one in held) / days if held else None


def ripe_coverage(series: Collection[Sequence[Reading]]) -> Coverage | None:
    """Labels among the rows of the last ripe windows with rows, all models together; None without any."""
    ripe = [one for windows in series for one in [w for w in windows if w.ripe and w.n][-COVERAGE_WINDOWS:]]
    return Coverage(sum(one.n for one in ripe), sum(one.n_labelled for one in ripe)) if ripe else None


def late_labels(windows: Sequence[Reading], policy: MonitoringPolicy, now: datetime) -> LateLabels | None:
    """The latest windows whose labels should be there and are not; None when labels come as usual or never came.

    A window is due once it is older than the declared delay; it is late with less than half of the coverage that
    windows with labels have. A few cancelled rows never get a label, so the usual coverage is the yardstick, not 1.
    """
    due = [one for one in windows if one.n >= policy.min_rows and one.end + _delay(policy) <= now]
    labelled = [one for one in due if one.n_labelled]
    if not labelled:
        return None
    usual = sum(one.n_labelled for one in labelled) / sum(one.n for one in labelled)
    late: list[Reading] = []
    for one in reversed(due):
        if one.n_labelled >= LATE_SHARE * usual * one.n:
            break
        late.append(one)
    if not late:
        return None
    rows = sum(one.n for one in late)
    return LateLabels(len(late), late[-1].start, sum(one.n_labelled for one in late) / rows, usual)


def is_current(
    known_end: datetime, policy: MonitoringPolicy, now: datetime, *, patience: timedelta | None = None
) -> bool:
    """Whether an estimate that ends there still describes now: not older than its labels may take, and its cadence.

    Args:
        known_end: Where the estimate ends.
        policy: Of the model.
        now: The time.
        patience: Of its windows, where the reference says how long silences last; None = of the cadence.
    """
    return now - known_end <= _delay(policy) + (policy.cadence.patience if patience is None else patience)


def _delay(policy: MonitoringPolicy) -> timedelta:
    return timedelta(hours=policy.label_delay_hours)
