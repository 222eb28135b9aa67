"""Versions, proposals, approvals, operations, and the one read that the Registry page shows: what they are.

Who may do what to them is decided in `proposals`, the gates in `gates`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from mlops_dash.domain.access import person_of
from mlops_dash.domain.audit import Entry
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PolicyVersion
from mlops_dash.domain.registry.conditions import Condition
from mlops_dash.domain.registry.freezing import OutsideChange
from mlops_dash.domain.registry.gates import Gate, Through, through
from mlops_dash.domain.registry.live import ALIAS, DEFAULT, NONE, LiveMark, live_mark
from mlops_dash.domain.registry.rollouts import Rollout, Stage
from mlops_dash.domain.registry.threads import Comment
from mlops_dash.domain.registry.tiers import ONE_APPROVAL, TierRules
from mlops_dash.domain.words import OperationState, ProposalState

CHAMPION = "champion"
EXTERNAL = "external"  # source of a model that somebody else serves
OPEN_STATES = (ProposalState.OPEN, ProposalState.APPROVED)
CARRIED_OUT = (ProposalState.ROLLING_OUT, ProposalState.PROMOTING)  # decided, and not over


@dataclass(frozen=True)
class Model:
    """A model we watch."""

    name: str
    source: str  # mlflow | EXTERNAL
    title: str
    task: str
    positive_label: str
    owner: str
    tier: int
    do_not_log: tuple[str, ...]
    created_at: datetime
    archived_at: datetime | None = None  # since then no page or chore asks for it
    class_names: tuple[str, ...] = ()  # in their order, which never changes: the log keeps places in it
    cadence: str = "day"  # what is judged as one, while no policy says otherwise
    cluster: str = ""  # which column names the rows that belong together, where days are few; "" = none
    slices: tuple[str, ...] = ()  # columns whose values are parts that are watched by themselves
    groups: tuple[str, ...] = ()  # columns whose values are groups that must fare alike
    live: str = DEFAULT  # which mark in MLflow says that a version is live

    @property
    def elsewhere(self) -> bool:
        """Whether somebody else serves it: decisions are kept here, and carried out there."""
        return self.source == EXTERNAL

    @property
    def mark(self) -> LiveMark:
        """The mark in MLflow that its live version carries; none where others serve it."""
        return LiveMark(NONE) if self.elsewhere else live_mark(self.live)


@dataclass(frozen=True)
class Version:
    """A version of a model; `incarnation` tells apart a version 1 that was deleted and one made again."""

    id: str
    model: str
    version: str
    incarnation: int
    run_id: str
    artifact_digest: str
    source_uri: str
    training_start: datetime | None
    training_end: datetime | None
    data_digest: str
    recipe: str
    created_at: datetime
    created_by: str
    note: str

    @property
    def label(self) -> str:
        """What people say: v3, or "v1, made again" when the number was used before."""
        return f"v{self.version}" if self.incarnation == 1 else f"v{self.version} (no. {self.incarnation})"

    @property
    def subject(self) -> str:
        """How evidence names it: "flight-delay v3"."""
        return f"{self.model} {self.label}"


@dataclass(frozen=True)
class Proposal:
    """The wish to make a version champion."""

    id: str
    model: str
    version_id: str
    champion_version_id: str | None
    state: ProposalState
    revision: int
    proposer: str
    comment: str
    policy_id: str
    gates: Mapping[str, Any]
    evidence_ids: tuple[str, ...]
    alert_id: str | None
    created_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    close_reason: str = ""
    stages: tuple[Stage, ...] = ()  # of a staged roll-out; none = all rows at once

    def is_open(self, now: datetime) -> bool:
        """Whether it still waits for somebody."""
        return self.state in OPEN_STATES and now < self.expires_at


@dataclass(frozen=True)
class Approval:
    """One person's approval, or their half of an override."""

    id: str
    proposal_id: str
    approver: str
    kind: str  # approve | override
    gate: str
    comment: str
    basis: str
    created_at: datetime
    expires_at: datetime | None = None
    void_at: datetime | None = None
    void_reason: str = ""
    in_name_of: str = ""  # whom the approver stood in for; "" = themselves

    @property
    def people(self) -> frozenset[str]:
        """Whose eyes are spent on it: the approver's, and theirs in whose name it was given."""
        return frozenset(person_of(one) for one in (self.approver, self.in_name_of) if one)

    def holds(self, basis: str, now: datetime) -> bool:
        """Whether it counts: not void, not expired, and what it rested on is unchanged."""
        fresh = self.expires_at is None or now < self.expires_at
        return self.void_at is None and fresh and self.basis == basis


@dataclass(frozen=True)
class Operation:
    """A promotion, rollback, restore or adoption, and how far it got."""

    id: str
    kind: str  # promote | rollback | restore | adopt | elsewhere
    model: str
    alias: str
    from_version_id: str | None
    to_version_id: str
    proposal_id: str | None
    state: OperationState
    actor: str
    reason: str
    decided_at: datetime
    alias_moved_at: datetime | None = None
    delivered_at: datetime | None = None
    confirmed_at: datetime | None = None
    attempts: int = 0
    error: str = ""
    shadow_version_ids: tuple[str, ...] = ()
    epoch: int = 0  # of what is served, once it is

    @property
    def in_flight(self) -> bool:
        """Decided, and the alias is not moved yet."""
        return self.state is OperationState.DECIDED


@dataclass(frozen=True)
class Serving:
    """What the gateway follows."""

    model: str
    alias: str
    version_id: str
    shadow_version_ids: tuple[str, ...]
    epoch: int
    operation_id: str
    since: datetime


@dataclass(frozen=True)
class Heartbeat:
    """What one gateway process says it answers with."""

    process: str
    version_id: str
    epoch: int
    at: datetime
    error: str


@dataclass(frozen=True)
class Reign:
    """One time a version was champion: [since, until)."""

    version_id: str
    label: str
    since: datetime
    until: datetime | None
    kind: str
    who: str
    why: str
    operation_id: str


@dataclass(frozen=True)
class Mirror:
    """What MLflow said last: `reachable` is about now, `as_of` about what is shown."""

    reachable: bool
    as_of: datetime | None
    reason: str
    champion_alias: str | None  # number of the version that carries the model's live mark
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # version number -> aliases


@dataclass(frozen=True)
class Connection:
    """The MLflow registry as the first page shows it: does it answer, and what in it is not watched yet."""

    reachable: bool
    reason: str  # why not, in a sentence
    unwatched: tuple[str, ...] = ()  # names of registered models, sorted


@dataclass(frozen=True)
class VersionLine:
    """One row of the versions table."""

    version: Version
    aliases: tuple[str, ...]
    gates: tuple[Gate, ...]
    is_champion: bool
    is_shadow: bool
    was_rolled_back: bool
    proposal: ProposalState | None
    against: str  # label of the version it is judged against; "" when there was none
    mark: str = CHAMPION  # what a live version carries in MLflow, as `aliases` name it; "" = nothing
    mark_kind: str = ALIAS  # alias | stage | tag | none

    @property
    def through(self) -> Through:
        """How many gates let it through, of how many there are for it."""
        return through((gate.state, gate.required) for gate in self.gates)


@dataclass(frozen=True)
class ApprovalLine:
    """One approval as the page shows it: whether it counts, and why not."""

    approval: Approval
    holds: bool
    reason: str


class Step(StrEnum):
    """The next best action on the page; one primary button."""

    NOTHING = "nothing"
    PROPOSE = "propose"
    APPROVE = "approve"
    PROMOTE = "promote"
    OVERRIDE = "override"
    RESTORE = "restore"
    WAIT = "wait"


@dataclass(frozen=True)
class NextAction:
    """What to do now, in one sentence."""

    step: Step
    sentence: str


@dataclass(frozen=True)
class Rejection:
    """The answer to the last proposal of a version: nobody has proposed it again since."""

    by: str  # actor id
    at: datetime
    reason: str


@dataclass(frozen=True)
class OutsideAlarm:
    """A live version that somebody changed in MLflow, and why this actor cannot undo or accept it ("" = may)."""

    version: Version
    changes: tuple[OutsideChange, ...]
    why_not_restore: str
    why_not_adopt: str


@dataclass(frozen=True)
class RegistryRoom:
    """Everything the Registry page shows about one model, from one read."""

    model: Model
    now: datetime
    lines: tuple[VersionLine, ...]
    selected: Version | None
    champion: Version | None
    previous: Version | None  # where a rollback would go
    serving: Serving | None
    gates: tuple[Gate, ...]
    comparisons: tuple[Evidence, ...]  # newest paired differences of the selected version against the champion
    proposal: Proposal | None  # the open or promoting one of the selected version, else its last
    other_proposals: tuple[Proposal, ...]  # open ones of other versions
    approvals: tuple[ApprovalLine, ...]
    approvals_counted: int
    may_approve: tuple[str, ...]  # names of the people who could
    operation: Operation | None
    heartbeats: tuple[Heartbeat, ...]
    policy: PolicyVersion
    zone: str  # of the model's days: windows are said in it
    label_unit: str  # behind numbers that are in the unit of the labels; "" = none
    mirror: Mirror
    control: str  # prevented / detected / not controlled, in one sentence
    alias_moved_to: str  # "" or the label of the version that somebody pointed the alias at
    timeline: tuple[Entry, ...]
    reigns: tuple[Reign, ...]
    next_action: NextAction
    names: Mapping[str, str]  # actor id -> name
    why_not: Mapping[str, str]  # verb -> "" or the reason why this actor cannot, now
    rejection: Rejection | None = None  # of the selected version
    outside: tuple[OutsideAlarm, ...] = ()
    alerts: tuple[str, ...] = ()  # open ones of the champion, by title: what a promotion answers
    rules: TierRules = ONE_APPROVAL  # what an approval of this model takes
    conditions: tuple[Condition, ...] = ()  # that approvers wrote, done ones too
    comments: tuple[Comment, ...] = ()  # about the proposal that is shown, oldest first
    rollout: Rollout | None = None  # the one that is not over, else the last of the proposal that is shown
    halted: str = ""  # id of the alert that its rule stopped it, while that is open
    stands_for: tuple[str, ...] = ()  # account names of people in whose name this actor could approve it now

    def name_of(self, actor_id: str) -> str:
        """The name of a person or process."""
        return self.names.get(actor_id, actor_id.removeprefix("user:"))

    def given_by(self, one: Approval) -> str:
        """Who approved, and in whose name: `Ben for Ada`."""
        own = self.name_of(one.approver)
        return f"{own} for {self.name_of(one.in_name_of)}" if one.in_name_of else own

    def line_of(self, version_id: str | None) -> VersionLine | None:
        """The row of a version."""
        return next((one for one in self.lines if one.version.id == version_id), None)
