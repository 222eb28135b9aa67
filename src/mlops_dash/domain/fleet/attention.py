"""What needs somebody, in sentences, worst first: what is wrong, its likely cause, and the page where one acts.

Rank follows harm, never drift alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from mlops_dash.domain.access import REGISTRY_ALERTS
from mlops_dash.domain.fleet.rows import FleetRow, LateLabels, NextStep
from mlops_dash.domain.format import percent
from mlops_dash.domain.monitoring.answers import KINDS, waits_sentence
from mlops_dash.domain.registry.conditions import REVIEW, Condition
from mlops_dash.domain.words import AlertState, Health, JobState, OperationState, ProposalState, RolloutState, Word

PATIENCE = timedelta(minutes=1)  # a decided promotion is carried out within seconds
HEALTH_KINDS = ("harm", "label_shift", "schema")  # alerts that the health word of their version already tells


class Rank(IntEnum):
    """What comes first: harm, then what was decided and is not so, risk, what only waits, what has no verdict yet."""

    HARM = 0
    DELIVERY = 1
    RISK = 2
    ALIAS = 3
    SILENCE = 4
    LABELS = 5
    JOB = 6
    DECISION = 7
    UNWATCHED = 8
    NOTICE = 9


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


def attention(
    rows: Sequence[FleetRow],
    alerts: Sequence[OpenAlert],
    proposals: Sequence[OpenProposal],
    operations: Sequence[StuckOperation],
    jobs: Sequence[FailedJob],
    now: datetime,
    reviews: Sequence[Condition] = (),
) -> tuple[Attention, ...]:
    """Everything that needs somebody, the worst first and within a rank the oldest first; snoozed alerts are left out.

    An alert that the health word of its model already tells is told once, with the alert's likely cause; inputs that
    moved are that cause then, and no notice of their own. An alert of a replaced version is answered and waits.
    A model without a verdict is not watched yet, and says its next step: what is unknown is never calm.
    """
    found: list[Attention] = []
    told: set[int] = set()
    for row in rows:
        own = [one for one in alerts if _about(one, row)]
        replaced = [one for one in alerts if _of_replaced(one, row)]
        if row.health is Health.HARMED:  # the promotion did not help: both are one thing to act on
            told |= {id(one) for one in replaced if one.kind in HEALTH_KINDS}
        found += [_answered(one, row) for one in replaced if id(one) not in told and not one.quiet(now)]
        told |= {id(one) for one in replaced}
        if row.health in (Health.HARMED, Health.AT_RISK):
            told |= {id(one) for one in own}
            if not any(one.quiet(now) for one in own):
                found.append(_sick(row, own, now))
                told |= {id(one) for one in alerts if own and _moved_inputs(one, row)}
        elif row.stale:
            found.append(_silent(row, now))
        elif row.to_verdict is not None and row.late is None:
            found.append(_unwatched(row, row.to_verdict, now))
        if row.late is not None and not row.stale:
            found.append(_overdue(row, row.late))
    found += [_alerted(one) for one in alerts if id(one) not in told and not one.quiet(now)]
    found += [
        _stuck(one) for one in operations if one.state is OperationState.FAILED or now - one.decided_at > PATIENCE
    ]
    found += [_failed(one) for one in jobs]
    found += [_waits(one) for one in proposals]
    found += [_due(one) for one in reviews if one.is_due(now)]
    return tuple(sorted(found, key=lambda one: (one.rank, one.since, one.model)))


def _about(alert: OpenAlert, row: FleetRow) -> bool:
    return alert.model == row.model and alert.version == row.version and alert.kind in HEALTH_KINDS


def _moved_inputs(alert: OpenAlert, row: FleetRow) -> bool:
    return alert.model == row.model and alert.version == row.version and alert.kind == "inputs"


def _of_replaced(alert: OpenAlert, row: FleetRow) -> bool:
    """Whether the alert is of a version that another one took over from."""
    return alert.model == row.model and row.version not in ("", alert.version) and alert.kind in KINDS


def _answered(alert: OpenAlert, row: FleetRow) -> Attention:
    return Attention(
        rank=Rank.NOTICE,
        word=AlertState.ACKNOWLEDGED,
        label="Answered",
        model=alert.model,
        sentence=f"v{alert.version}: {_sentence(alert.title)}",
        cause=waits_sentence(alert.kind, row.version, refuted=False),
        action="Follow it",
        page="monitoring",
        parameters=_model(alert.model),
        since=alert.opened_at,
        taken_by=alert.owner if alert.state is AlertState.ACKNOWLEDGED else "",
    )


def _model(name: str) -> tuple[tuple[str, str], ...]:
    return (("model", name),) if name else ()


def _sick(row: FleetRow, alerts: Sequence[OpenAlert], now: datetime) -> Attention:
    alert = min(alerts, key=lambda one: HEALTH_KINDS.index(one.kind), default=None)
    why = f"{_capital(row.why)}."
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
        cause=(
            f"v{row.version} is served elsewhere, and nothing it answered came since. Is its log still sent?"
            if row.elsewhere
            else f"v{row.version} is served and is not asked. Is the caller running, and does it reach the gateway?"
        ),
        action="See the last days",
        page="monitoring",
        parameters=_model(row.model),
        since=row.last_at or row.as_of or now,
    )


def _unwatched(row: FleetRow, step: NextStep, now: datetime) -> Attention:
    return Attention(
        rank=Rank.UNWATCHED,
        word=Health.NOT_KNOWN,
        label="Not watched yet",
        model=row.model,
        sentence=_sentence(_capital(row.why)),
        cause=f"Next: {step.sentence[:1].lower()}{step.sentence[1:]}",
        action="Next step",
        page=step.page,
        parameters=_model(row.model),
        since=row.deployed_at or row.added_at or now,
    )


def _overdue(row: FleetRow, late: LateLabels) -> Attention:
    days = "1 day is" if late.n_windows == 1 else f"{late.n_windows} days are"
    share = percent(late.coverage, 0)
    return Attention(
        rank=Rank.LABELS,
        word=Health.NOT_KNOWN,
        label="Labels overdue",
        model=row.model,
        sentence=f"{days} older than the label delay and {share} labelled, usually {percent(late.usual, 0)}.",
        cause="Until labels come, nobody knows how good its answers are. Is the label feed running?",
        action="See the coverage",
        page="monitoring",
        parameters=_model(row.model),
        since=late.since,
    )


_ALERT_RANK = {"critical": Rank.HARM, "warning": Rank.RISK, "notice": Rank.NOTICE}
_ALERT_LOOK: dict[str, tuple[Rank, Word, str]] = {
    "inputs": (Rank.NOTICE, Health.INPUTS_MOVED, ""),
    "alias": (Rank.ALIAS, Health.AT_RISK, "Live mark moved"),
    "frozen": (Rank.ALIAS, Health.AT_RISK, "Changed outside"),
    "not_confirmed": (Rank.DELIVERY, OperationState.FAILED, "Not delivered"),
}


def _alerted(alert: OpenAlert) -> Attention:
    by_severity_rank = _ALERT_RANK.get(alert.severity, Rank.RISK)
    plain: tuple[Rank, Word, str] = (by_severity_rank, alert.state, "Alert")
    if alert.kind == "rollout":
        plain = (by_severity_rank, RolloutState.STOPPED, "Roll-out stopped")
    rank, word, label = _ALERT_LOOK.get(alert.kind, plain)
    registry = alert.kind in REGISTRY_ALERTS
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
        word=OperationState.FAILED,
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


def _due(one: Condition) -> Attention:
    what = "is to be looked at again" if one.kind == REVIEW else "has a condition that nobody said is met"
    return Attention(
        rank=Rank.DECISION,
        word=AlertState.OPEN,
        label="Due",
        model=one.model,
        sentence=f"v{one.version} {what}.",
        cause=f"Asked by {one.by.removeprefix('user:')}: {one.text}",
        action=f"Look at v{one.version}",
        page="registry",
        parameters=(("model", one.model), ("version", one.version)),
        since=one.due_at or one.at,
    )


def _capital(text: str) -> str:
    return text if text[:1] == "v" and text[1:2].isdigit() else f"{text[:1].upper()}{text[1:]}"


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."
