"""Tables of the `app` database: decisions, registry, evidence, monitors, jobs, people, ledger.

Ids are text; times are aware UTC; JSON is canonical text. Uniqueness that protects a rule is said here, in the
database, not only in code. Table classes never leave `store`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Column, Index, LargeBinary, MetaData, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from mlops_dash.store.types import JsonText, UtcDateTime

APP = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class AppTable(SQLModel):
    """Base: all tables of the app database share one MetaData."""

    metadata: ClassVar[MetaData] = APP


def _time(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


def _json(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(JsonText, nullable=nullable))


def _text(*, default: str = "") -> Any:
    return Field(default=default, sa_column=Column(Text, nullable=False))


class WorldRow(AppTable, table=True):
    """Key and value facts of this installation: clock offset, demo state, schema notes."""

    __tablename__ = "world"
    key: str = Field(primary_key=True)
    value: Any = _json()


class ModelRow(AppTable, table=True):
    """A model we watch."""

    __tablename__ = "model"
    name: str = Field(primary_key=True)
    source: str = "mlflow"  # mlflow | external
    title: str = ""
    task: str = "binary"  # binary | regression
    positive_label: str = "1"
    owner: str = ""
    tier: int = 2
    do_not_log: Any = _json()  # list of feature names never stored
    created_at: datetime = _time()


class ModelVersionRow(AppTable, table=True):
    """A version with its incarnation: after delete and re-create, MLflow hands out version 1 again."""

    __tablename__ = "model_version"
    id: str = Field(primary_key=True)
    model: str = Field(foreign_key="model.name", index=True)
    version: str
    incarnation: int = 1
    run_id: str = ""
    artifact_digest: str = ""  # sha256 over the model's files; "" until first loaded
    source_uri: str = ""
    training_start: datetime | None = _time(nullable=True)
    training_end: datetime | None = _time(nullable=True)
    data_digest: str = ""
    recipe: str = ""
    created_at: datetime = _time()
    created_by: str = ""
    note: str = _text()
    __table_args__ = (UniqueConstraint("model", "version", "incarnation"),)


class ReferenceRow(AppTable, table=True):
    """What a version's live traffic is compared with: cells, histograms of the reference windows, baseline."""

    __tablename__ = "reference"
    id: str = Field(primary_key=True)
    version_id: str = Field(foreign_key="model_version.id", index=True)
    model: str = Field(index=True)
    window_start: datetime = _time()
    window_end: datetime = _time()
    n_rows: int
    schema_: Any = Field(sa_column=Column("schema", JsonText, nullable=False))  # feature -> kind
    cells: Any = _json()  # feature -> cells (stats.*.to_dict)
    profile: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # packed day histograms
    baseline: Any = _json()  # out-of-sample metrics, harm reference units, label prior
    method: str = _text()
    created_at: datetime = _time()


class EvidenceRow(AppTable, table=True):
    """An immutable evidence row; the id is the sha256 of the body."""

    __tablename__ = "evidence"
    id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    subject: str = Field(index=True)
    comparator: str = ""
    metric: str = ""
    body: Any = _json()
    computed_at: datetime = _time(index=True)


class PolicyVersionRow(AppTable, table=True):
    """A numbered version of a policy."""

    __tablename__ = "policy_version"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    kind: str
    number: int
    body: Any = _json()
    digest: str
    author: str
    approver: str | None = None
    active_from: datetime = _time()
    __table_args__ = (UniqueConstraint("model", "kind", "number"),)


class ProposalRow(AppTable, table=True):
    """A wish to make a version champion; `revision` grows with every change and guards against stale clicks."""

    __tablename__ = "proposal"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    version_id: str = Field(foreign_key="model_version.id")
    champion_version_id: str | None = None  # what it was compared with
    state: str = Field(index=True)
    revision: int = 1
    proposer: str
    comment: str = _text()
    policy_id: str
    gates: Any = _json()  # gate name -> {state, evidence_id, ...} as judged at proposal time
    evidence_ids: Any = _json()
    alert_id: str | None = None
    created_at: datetime = _time()
    expires_at: datetime = _time()
    closed_at: datetime | None = _time(nullable=True)
    close_reason: str = _text()
    __table_args__ = (
        Index(
            "uq_proposal_one_promoting",
            "model",
            unique=True,
            sqlite_where=text("state = 'promoting'"),
            postgresql_where=text("state = 'promoting'"),
        ),
    )


class ApprovalRow(AppTable, table=True):
    """One person's approval or override; void when what it rested on changed."""

    __tablename__ = "approval"
    id: str = Field(primary_key=True)
    proposal_id: str = Field(foreign_key="proposal.id", index=True)
    approver: str
    kind: str = "approve"  # approve | override
    gate: str = ""  # which gate an override lifts
    comment: str = _text()
    basis: Any = _json()  # digest of gate states, candidate, champion, policy
    created_at: datetime = _time()
    expires_at: datetime | None = _time(nullable=True)
    void_at: datetime | None = _time(nullable=True)
    void_reason: str = _text()
    __table_args__ = (UniqueConstraint("proposal_id", "approver", "kind", "gate"),)


class OperationRow(AppTable, table=True):
    """A promotion or rollback in flight: transaction 1 writes it, `finish` is idempotent on it."""

    __tablename__ = "operation"
    id: str = Field(primary_key=True)
    kind: str  # promote | rollback | restore | adopt
    model: str = Field(index=True)
    alias: str = "champion"
    from_version_id: str | None = None
    to_version_id: str = Field(foreign_key="model_version.id")
    proposal_id: str | None = Field(default=None, unique=True)  # a proposal promotes once
    state: str = Field(index=True)
    actor: str
    reason: str = _text()
    decided_at: datetime = _time(index=True)
    alias_moved_at: datetime | None = _time(nullable=True)
    delivered_at: datetime | None = _time(nullable=True)
    confirmed_at: datetime | None = _time(nullable=True)
    attempts: int = 0
    error: str = _text()
    shadow_version_ids: Any = _json(nullable=True)  # who scores silently once this is done
    epoch: int = 0  # of `serving`, once it is served: the order of champions even when the clock stands still


class ServingRow(AppTable, table=True):
    """What the gateway follows: the approved version per model and alias, with a number that only grows."""

    __tablename__ = "serving"
    model: str = Field(primary_key=True)
    alias: str = Field(primary_key=True, default="champion")
    version_id: str = Field(foreign_key="model_version.id")
    shadow_version_ids: Any = _json()  # versions that also score, silently
    epoch: int = 1
    operation_id: str
    since: datetime = _time()


class ReadingRow(AppTable, table=True):
    """One judged window of one monitored version; a late label makes a new revision."""

    __tablename__ = "reading"
    id: str = Field(primary_key=True)
    model: str
    version: str
    version_id: str
    window_kind: str = "day"
    window_start: datetime = _time()
    window_end: datetime = _time()
    revision: int = 1
    n: int = 0
    n_labelled: int = 0
    ripe: bool = False
    drift: str = "not_computable"
    health: str = "not_known"
    body: Any = _json()  # features, metrics, harm, sentence parts
    computed_at: datetime = _time()
    __table_args__ = (
        UniqueConstraint("version_id", "window_kind", "window_start"),
        Index("ix_reading_model_window", "model", "window_start"),
    )


class AlertRow(AppTable, table=True):
    """An alert: one open one per model and kind (the database guards it)."""

    __tablename__ = "alert"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    version: str = ""
    kind: str  # harm | inputs | schema | alias | broken_model | not_confirmed
    severity: str = "critical"  # critical | warning | notice
    state: str = Field(index=True)
    title: str = _text()
    cause: str = _text()
    opened_at: datetime = _time(index=True)
    last_seen_at: datetime = _time()
    closed_at: datetime | None = _time(nullable=True)
    owner: str = ""
    snoozed_until: datetime | None = _time(nullable=True)
    evidence_ids: Any = _json()
    body: Any = _json()
    __table_args__ = (
        Index(
            "uq_alert_one_open",
            "model",
            "version",
            "kind",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
    )


class RecipeRow(AppTable, table=True):
    """How to make a version: entry point and parameters."""

    __tablename__ = "recipe"
    name: str = Field(primary_key=True)
    model: str = Field(index=True)
    entry: str  # family of models that the runner can train: "flights"
    parameters: Any = _json()
    timeout_seconds: int = 900
    memory_mib: int = 4096
    max_attempts: int = 1
    updated_at: datetime = _time()


class ScheduleRow(AppTable, table=True):
    """When a recipe or house-keeping job runs: cron, interval, once, or on an alert."""

    __tablename__ = "schedule"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    kind: str  # cron | interval | once | alert
    expression: str  # "0 6 * * 1", "3600", ISO time, alert kind
    zone: str = "UTC"
    task: str  # retrain | evaluate | ...
    arguments: Any = _json()
    recipe: str | None = None
    enabled: bool = True
    misfire: str = "run_once"  # run_once | skip
    pause_reason: str = _text()
    paused_until: datetime | None = _time(nullable=True)
    next_due_at: datetime | None = _time(nullable=True, index=True)
    upcoming: Any = _json(nullable=True)  # the next fire times as ISO text; null until the worker has planned
    updated_at: datetime = _time()


class JobRow(AppTable, table=True):
    """One piece of work; (schedule, due) is unique so that two metronomes cannot run a slot twice."""

    __tablename__ = "job"
    id: str = Field(primary_key=True)
    task: str = Field(index=True)
    model: str = Field(default="", index=True)
    recipe: str | None = None
    arguments: Any = _json()
    schedule_id: str | None = None
    alert_id: str | None = Field(default=None, index=True)
    due_at: datetime = _time(index=True)
    not_before: datetime | None = _time(nullable=True)  # back-off: the slot stays, the next attempt waits
    state: str = Field(index=True)
    priority: int = 0
    exclusive_key: str = ""  # jobs with the same key never run together
    attempt: int = 0
    max_attempts: int = 1
    epoch: int = 0  # fencing token: grows with every claim
    claimed_by: str = ""
    heartbeat_at: datetime | None = _time(nullable=True)
    started_at: datetime | None = _time(nullable=True)
    finished_at: datetime | None = _time(nullable=True)
    progress: float = 0.0
    progress_text: str = _text()
    cause: str = _text()  # who or what asked: "asked by lead", "schedule weekly", "alert harm"
    requested_by: str = ""
    cancel_requested: bool = False
    cancel_reason: str = _text()
    result: Any = _json(nullable=True)
    error: str = _text()
    log_path: str = ""
    pid: int | None = None
    created_at: datetime = _time()
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        Index("ix_job_claim", "state", "due_at"),
        Index(
            "uq_job_one_running_per_key",
            "exclusive_key",
            unique=True,
            sqlite_where=text("state = 'running' AND exclusive_key <> ''"),
            postgresql_where=text("state = 'running' AND exclusive_key <> ''"),
        ),
    )


class LeaseRow(AppTable, table=True):
    """Who leads: one row a name, taken by one UPDATE."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str
    until: datetime = _time()
    epoch: int = 0


class UserRow(AppTable, table=True):
    """A person who may log in."""

    __tablename__ = "user_account"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    display_name: str = ""
    role: str
    password_hash: str = ""
    disabled: bool = False
    demo: bool = False  # offered on the demo's login page
    created_at: datetime = _time()


class TokenRow(AppTable, table=True):
    """An API token: only its sha256 is kept."""

    __tablename__ = "token"
    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    name: str
    secret_sha256: str = Field(unique=True)
    created_at: datetime = _time()
    expires_at: datetime | None = _time(nullable=True)
    revoked_at: datetime | None = _time(nullable=True)
    last_used_at: datetime | None = _time(nullable=True)


class SessionRow(AppTable, table=True):
    """A browser session, or a one-time link (`kind`): only the sha256 of its secret is kept."""

    __tablename__ = "session"
    id: str = Field(primary_key=True)  # sha256 of the cookie or link secret
    user_id: str | None = Field(default=None, index=True)
    kind: str = "browser"  # browser | admin_link
    created_at_wall: datetime = _time()
    expires_at_wall: datetime = _time()
    ended_at_wall: datetime | None = _time(nullable=True)
    user_agent: str = ""


class OutboxRow(AppTable, table=True):
    """A message to be delivered at least once, with its dedupe key."""

    __tablename__ = "outbox"
    id: str = Field(primary_key=True)
    channel: str
    dedupe_key: str = Field(unique=True)
    subject: str = ""
    body: Any = _json()
    created_at: datetime = _time()
    sent_at: datetime | None = _time(nullable=True)
    attempts: int = 0
    error: str = _text()


class LedgerRow(AppTable, table=True):
    """The append-only, HMAC-chained ledger."""

    __tablename__ = "ledger"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = _time(index=True)
    recorded_at_wall: datetime = _time()
    actor: str = Field(index=True)
    action: str = Field(index=True)
    object: str = Field(sa_column=Column(String, nullable=False, index=True))
    model: str = Field(default="", index=True)
    before: Any = _json()
    after: Any = _json()
    reason: str = _text()
    evidence_ids: Any = _json()
    previous: str
    mac: str


class LoginAttemptRow(AppTable, table=True):
    """Failed logins per name, for the slow-down."""

    __tablename__ = "login_attempt"
    name: str = Field(primary_key=True)
    failures: int = 0
    blocked_until_wall: datetime | None = _time(nullable=True)
