"""What a lead sees of all models at once: one row a model, and what needs attention, worst first.

Numbers and health words come from stored readings; this file only puts them in order and says what waits. Colour and
rank follow harm, never drift alone, and a step that a model has not reached yet is never an alarm.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import IntEnum

from mlops_dash.domain.access import Waiting
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.readings import Estimate, Reading
from mlops_dash.domain.words import AlertState, Health, JobState, OperationState, Progress, ProposalState, Word

WORST_FIRST = (Health.HARMED, Health.AT_RISK, Health.INPUTS_MOVED, Health.NOT_KNOWN, Health.OK)
TREND_WINDOWS = 30
USUAL_WINDOWS = 28
COVERAGE_WINDOWS = 7
LATE_SHARE = 0.5  # of the usual label coverage: windows that are ripe by age and have less are overdue
PATIENCE = timedelta(minutes=1)  # a decided promotion is carried out within seconds
HEALTH_KINDS = ("harm", "label_shift", "schema")  # alerts that the health word of their version already tells

# What the ledger holds about models and their work; accounts and tokens stand on Audit & admin.
DECISIONS: tuple[Action, ...] = (
    Action.MODEL_ADDED,
    Action.POLICY_ACTIVATED,
    Action.PROPOSAL_OPENED,
    Action.PROPOSAL_APPROVED,
    Action.PROPOSAL_REJECTED,
    Action.PROPOSAL_WITHDRAWN,
    Action.GATE_OVERRIDDEN,
    Action.PROMOTION_FINISHED,
    Action.ROLLBACK_FINISHED,
    Action.ALIAS_DRIFTED,
    Action.ALIAS_ADOPTED,
    Action.ALIAS_RESTORED,
    Action.ALERT_ACKNOWLEDGED,
    Action.ALERT_SNOOZED,
    Action.ALERT_CLOSED,
    Action.ALARM_RESTARTED,
    Action.SCHEDULE_SAVED,
    Action.SCHEDULE_PAUSED,
    Action.SCHEDULE_RESUMED,
    Action.JOB_REQUESTED,
    Action.JOB_CANCEL_REQUESTED,
)


# What is read about each model ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FleetModel:
    """A model and what it serves; the version fields are empty when nothing is served."""

    name: str
    title: str
    version_id: str = ""
    version: str = ""
    since: datetime | None = None
    by_promotion: bool = False  # it came through the gates, not by an alias alone


@dataclass(frozen=True)
class Traffic:
    """What the prediction log knows about a model."""

    last_day: int = 0  # request rows of the last 24 hours
    last_at: datetime | None = None
    last_label_at: datetime | None = None


@dataclass(frozen=True)
class OpenAlert:
    """An alert that is not closed."""

    model: str
    version: str
    kind: str
    severity: str
    state: AlertState
    title: str
    cause: str
    opened_at: datetime
    owner: str
    snoozed_until: datetime | None

    def quiet(self, now: datetime) -> bool:
        """Whether somebody asked for silence until later."""
        return self.state is AlertState.SNOOZED and self.snoozed_until is not None and self.snoozed_until > now

    def waits(self, now: datetime) -> bool:
        """Whether nobody has answered it, or its silence is over."""
        return self.state is AlertState.OPEN or (self.state is AlertState.SNOOZED and not self.quiet(now))


@dataclass(frozen=True)
class OpenProposal:
    """A proposal that waits for an approval or for the promote click."""

    model: str
    version: str
    state: ProposalState
    proposer: str
    comment: str
    since: datetime


@dataclass(frozen=True)
class StuckOperation:
    """A change of champion that was decided and did not come about (yet)."""

    model: str
    version: str
    kind: str  # promote | rollback | restore | adopt
    state: OperationState
    error: str
    decided_at: datetime


@dataclass(frozen=True)
class FailedJob:
    """The last job of its task, model and recipe ended without success."""

    id: str
    task: str
    model: str
    recipe: str
    state: JobState
    error: str
    at: datetime


# What is shown --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NextStep:
    """The one step by which a model comes further, and the page where it is done."""

    progress: Progress
    sentence: str
    page: str


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
    usual_day: float | None = None  # mean of the last complete days with rows
    last_label_at: datetime | None = None
    deployed_at: datetime | None = None
    reached: tuple[Progress, ...] = ()
    next_step: NextStep | None = None
    late: LateLabels | None = None

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
class Attention:
    """One sentence of "needs attention": what is wrong, its likely cause, and where one acts."""

    rank: Rank
    word: Word
    label: str
    model: str
    sentence: str
    cause: str
    action: str
    page: str
    parameters: tuple[tuple[str, str], ...]
    since: datetime
    taken_by: str = ""  # who acknowledged it


class Rank(IntEnum):
    """What comes first: harm, then what was decided and is not so, then risk, then what only waits."""

    HARM = 0
    DELIVERY = 1
    RISK = 2
    ALIAS = 3
    SILENCE = 4
    LABELS = 5
    JOB = 6
    DECISION = 7
    NOTICE = 8


@dataclass(frozen=True)
class Coverage:
    """Labels among the rows of the last ripe windows of every model."""

    n: int
    n_labelled: int

    @property
    def share(self) -> float:
        """In [0, 1]."""
        return self.n_labelled / self.n


@dataclass(frozen=True)
class DayVolume:
    """Judged rows of one calendar day over all models, and how many of them have a label."""

    day: date
    n: int
    n_labelled: int


@dataclass(frozen=True)
class FleetRoom:
    """Everything the Overview shows, from one read."""

    now: datetime
    rows: tuple[FleetRow, ...]  # the worst first
    attention: tuple[Attention, ...]  # the worst first, all of them
    snoozed: int  # alerts that are quiet for now
    waiting: tuple[Waiting, ...]  # for the person who looks, as the header counts them
    decisions_open: int  # proposals and alerts that wait for anybody
    oldest_open: datetime | None
    coverage: Coverage | None
    volume: tuple[DayVolume, ...]
    decisions: tuple[Entry, ...]  # newest first
    names: Mapping[str, str] = field(default_factory=dict)  # actor id -> name

    @property
    def health(self) -> dict[Health, int]:
        """How many models have each health word, the worst first."""
        return {word: sum(one.health is word for one in self.rows) for word in WORST_FIRST}

    @property
    def last_day(self) -> int | None:
        """Predictions of all models in the last 24 hours; None before the first."""
        known = [one.last_day for one in self.rows if one.last_day is not None]
        return sum(known) if known else None

    @property
    def usual_day(self) -> float | None:
        """What they usually get a day."""
        known = [one.usual_day for one in self.rows if one.usual_day is not None]
        return sum(known) if known else None

    @property
    def as_of(self) -> datetime | None:
        """End of the latest judged window."""
        return max((one.as_of for one in self.rows if one.as_of is not None), default=None)

    def name_of(self, actor_id: str) -> str:
        """The name of a person or process."""
        return self.names.get(actor_id, actor_id.removeprefix("user:"))


def by_severity(rows: Collection[FleetRow]) -> tuple[FleetRow, ...]:
    """The worst first, then by name: the order of Monitoring's picker."""
    return tuple(sorted(rows, key=lambda one: (WORST_FIRST.index(one.health), one.model)))


# How far a model has come ---------------------------------------------------------------------------------------------


def next_step(reached: Collection[Progress], version: str) -> NextStep | None:
    """The first step that a model has not reached; None when it has come all the way.

    >>> next_step({Progress.REGISTERED, Progress.EVIDENCE}, "").progress
    <Progress.PREDICTIONS: 'predictions'>
    """
    served = f"v{version} is served: send" if version else "Promote a version on the Registry page, then send"
    steps = {
        Progress.REGISTERED: ("Train a version with a recipe, or register one in MLflow.", "retraining"),
        Progress.EVIDENCE: ("Record evidence: run a recipe, or push its evaluation rows.", "registry"),
        Progress.PREDICTIONS: (f"{served} rows to the gateway.", "monitoring" if version else "registry"),
        Progress.LABELS: ("Send labels as they become known; the loss is measured from then on.", "monitoring"),
        Progress.GATED: ("Propose a version, so that gates and a second person decide.", "registry"),
    }
    missing = next((step for step in Progress if step not in reached), None)
    return None if missing is None else NextStep(missing, *steps[missing])


# Numbers over windows -------------------------------------------------------------------------------------------------


def usual_volume(windows: Sequence[Reading]) -> float | None:
    """Mean rows of the last complete days with rows; None without any."""
    rows = [one.n for one in windows if one.n][-USUAL_WINDOWS:]
    return sum(rows) / len(rows) if rows else None


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


def is_current(known_end: datetime, policy: MonitoringPolicy, now: datetime, patience: timedelta) -> bool:
    """Whether an estimate that ends there still describes now: not older than its labels may take, and a few days."""
    return now - known_end <= _delay(policy) + patience


def _delay(policy: MonitoringPolicy) -> timedelta:
    return timedelta(hours=policy.label_delay_hours)


# What needs attention -------------------------------------------------------------------------------------------------


def attention(
    rows: Sequence[FleetRow],
    alerts: Sequence[OpenAlert],
    proposals: Sequence[OpenProposal],
    operations: Sequence[StuckOperation],
    jobs: Sequence[FailedJob],
    now: datetime,
) -> tuple[Attention, ...]:
    """Everything that needs somebody, the worst first and within a rank the oldest first; snoozed alerts are left out.

    An alert that the health word of its model already tells is told once, with the alert's likely cause.
    """
    found: list[Attention] = []
    told: set[int] = set()
    for row in rows:
        own = [one for one in alerts if _about(one, row)]
        if row.health in (Health.HARMED, Health.AT_RISK):
            told |= {id(one) for one in own}
            if not any(one.quiet(now) for one in own):
                found.append(_sick(row, own, now))
        elif row.stale:
            found.append(_silent(row, now))
        if row.late is not None and not row.stale:
            found.append(_overdue(row, row.late))
    found += [_alerted(one) for one in alerts if id(one) not in told and not one.quiet(now)]
    found += [
        _stuck(one) for one in operations if one.state is OperationState.FAILED or now - one.decided_at > PATIENCE
    ]
    found += [_failed(one) for one in jobs]
    found += [_waits(one) for one in proposals]
    return tuple(sorted(found, key=lambda one: (one.rank, one.since, one.model)))


def _about(alert: OpenAlert, row: FleetRow) -> bool:
    return alert.model == row.model and alert.version == row.version and alert.kind in HEALTH_KINDS


def _model(name: str) -> tuple[tuple[str, str], ...]:
    return (("model", name),) if name else ()


def _sick(row: FleetRow, alerts: Sequence[OpenAlert], now: datetime) -> Attention:
    alert = min(alerts, key=lambda one: HEALTH_KINDS.index(one.kind), default=None)
    why = f"{row.why[:1].upper()}{row.why[1:]}."
    return Attention(
        rank=Rank.HARM if row.health is Health.HARMED else Rank.RISK,
        word=row.health,
        label="",
        model=row.model,
        sentence=row.headline or why,
        cause=(alert.cause if alert is not None and alert.cause else why if row.headline else ""),
        action="Investigate",
        page="monitoring",
        parameters=_model(row.model),
        since=alert.opened_at if alert is not None else row.as_of or now,
        taken_by=alert.owner if alert is not None and alert.state is AlertState.ACKNOWLEDGED else "",
    )


def _silent(row: FleetRow, now: datetime) -> Attention:
    return Attention(
        rank=Rank.SILENCE,
        word=Health.NOT_KNOWN,
        label="Silent",
        model=row.model,
        sentence=row.stale,
        cause=f"v{row.version} is served and is not asked. Is the caller running, and does it reach the gateway?",
        action="See the last days",
        page="monitoring",
        parameters=_model(row.model),
        since=row.as_of or now,
    )


def _overdue(row: FleetRow, late: LateLabels) -> Attention:
    days = "1 day is" if late.n_windows == 1 else f"{late.n_windows} days are"
    return Attention(
        rank=Rank.LABELS,
        word=Health.NOT_KNOWN,
        label="Labels overdue",
        model=row.model,
        sentence=f"{days} older than the label delay and {late.coverage:.0%} labelled, usually {late.usual:.0%}.",
        cause="Until labels come, nobody knows how good its answers are. Is the label feed running?",
        action="See the coverage",
        page="monitoring",
        parameters=_model(row.model),
        since=late.since,
    )


_ALERT_RANK = {"critical": Rank.HARM, "warning": Rank.RISK, "notice": Rank.NOTICE}
_ALERT_LOOK: dict[str, tuple[Rank, Word, str]] = {
    "inputs": (Rank.NOTICE, Health.INPUTS_MOVED, ""),
    "alias": (Rank.ALIAS, Health.AT_RISK, "Alias moved"),
    "not_confirmed": (Rank.DELIVERY, OperationState.FAILED, "Not delivered"),
}


def _alerted(alert: OpenAlert) -> Attention:
    by_severity_rank = _ALERT_RANK.get(alert.severity, Rank.RISK)
    rank, word, label = _ALERT_LOOK.get(alert.kind, (by_severity_rank, alert.state, "Alert"))
    registry = alert.kind in ("alias", "not_confirmed")
    return Attention(
        rank=rank,
        word=word,
        label=label,
        model=alert.model,
        sentence=_sentence(alert.title),
        cause=alert.cause,
        action="Open the registry" if registry else "Investigate",
        page="registry" if registry else "monitoring",
        parameters=_model(alert.model),
        since=alert.opened_at,
        taken_by=alert.owner if alert.state is AlertState.ACKNOWLEDGED else "",
    )


def _stuck(one: StuckOperation) -> Attention:
    what = {"promote": "The promotion of", "rollback": "The rollback to", "restore": "The alias back to"}.get(
        one.kind, "The change to"
    )
    failed = one.state is OperationState.FAILED
    return Attention(
        rank=Rank.DELIVERY,
        word=OperationState.FAILED if failed else OperationState.DECIDED,
        label="" if failed else "Not delivered",
        model=one.model,
        sentence=f"{what} v{one.version} {'failed' if failed else 'is decided and not carried out'}.",
        cause=one.error or "The worker carries it out once MLflow answers.",
        action="Open the registry",
        page="registry",
        parameters=_model(one.model),
        since=one.decided_at,
    )


def _failed(one: FailedJob) -> Attention:
    what = f"{one.task.capitalize()} {one.recipe}".strip()
    ended = "timed out" if one.state is JobState.TIMED_OUT else "failed"
    return Attention(
        rank=Rank.JOB,
        word=one.state,
        label="",
        model=one.model,
        sentence=f"{what} {ended}.",
        cause=one.error,
        action="Read the log",
        page="retraining",
        parameters=(("run", one.id),),
        since=one.at,
    )


def _waits(one: OpenProposal) -> Attention:
    approved = one.state is ProposalState.APPROVED
    who = one.proposer.removeprefix("user:")
    return Attention(
        rank=Rank.DECISION,
        word=one.state,
        label="",
        model=one.model,
        sentence=f"v{one.version} {'is approved and waits to be promoted' if approved else 'waits for an approval'}.",
        cause=f"Proposed by {who}: {one.comment}" if one.comment else f"Proposed by {who}.",
        action=f"{'Promote' if approved else 'Review'} v{one.version}",
        page="registry",
        parameters=(("model", one.model), ("version", one.version)),
        since=one.since,
    )


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."
