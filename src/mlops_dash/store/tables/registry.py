"""Tables of the registry: models, versions, policies, evidence, proposals, operations, what is served."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class ModelRow(AppTable, table=True):
    """A model we watch."""

    __tablename__ = "model"
    name: str = Field(primary_key=True)
    source: str = "mlflow"  # mlflow | external
    title: str = ""
    task: str = "binary"  # binary | multiclass | regression
    positive_label: str = "1"
    class_names: Any = json_column(
        nullable=True
    )  # of a multiclass model its classes: the log keeps their places in this list
    cadence: str = "day"  # what is judged as one, while no policy says otherwise
    cluster: str = ""  # which column names the rows that belong together, where days are few
    live: str = "alias:champion"  # which mark in MLflow says that a version is live
    owner: str = ""
    tier: int = 2
    do_not_log: Any = json_column()  # list of feature names never stored
    groups: Any = json_column(nullable=True)  # list of columns whose values are groups that must fare alike
    slices: Any = json_column(nullable=True)  # list of columns whose values are parts that are watched by themselves
    created_at: datetime = time_column()
    archived_at: datetime | None = time_column(nullable=True)


class CardRow(AppTable, table=True):
    """A model card as it is now: what people say of a model, and the revision that somebody approved."""

    __tablename__ = "model_card"
    model: str = Field(primary_key=True, foreign_key="model.name")
    revision: int = 0
    fields: Any = json_column()
    edited_by: str = ""
    edited_at: datetime | None = time_column(nullable=True)
    approved_by: str = ""
    approved_at: datetime | None = time_column(nullable=True)
    approved_revision: int = 0


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
    training_start: datetime | None = time_column(nullable=True)
    training_end: datetime | None = time_column(nullable=True)
    data_digest: str = ""
    recipe: str = ""
    created_at: datetime = time_column()
    created_by: str = ""
    note: str = text_column()
    __table_args__ = (UniqueConstraint("model", "version", "incarnation"),)


class VersionInputsRow(AppTable, table=True):
    """The input columns of a version, as the signature in its files names them; files never change."""

    __tablename__ = "version_inputs"
    version_id: str = Field(primary_key=True, foreign_key="model_version.id")
    names: Any = json_column()  # empty: its signature names no columns, or it has none
    read_at: datetime = time_column()


class VersionNumberRow(AppTable, table=True):
    """The semantic number of a version: kept when it became champion, or set by somebody."""

    __tablename__ = "version_number"
    version_id: str = Field(primary_key=True, foreign_key="model_version.id")
    number: str
    change: str = ""  # major | minor | patch | none; "" = it was not counted from another
    against: str = ""
    reasons: Any = json_column()
    by_hand: bool = False
    by: str
    reason: str = text_column()
    at: datetime = time_column()


class TrustedFilesRow(AppTable, table=True):
    """Files of a version that an admin lets run code of their own; other files of the version are not these."""

    __tablename__ = "trusted_files"
    digest: str = Field(primary_key=True)  # artifact_digest
    model: str = Field(index=True)
    version: str
    reason: str = text_column()
    trusted_by: str
    trusted_at: datetime = time_column()


class EvidenceRow(AppTable, table=True):
    """An immutable evidence row; the id is the sha256 of the body."""

    __tablename__ = "evidence"
    id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    subject: str = Field(index=True)
    comparator: str = ""
    metric: str = ""
    body: Any = json_column()
    computed_at: datetime = time_column(index=True)


class EvaluationRowsRow(AppTable, table=True):
    """What a version answered on rows that somebody pushed; the newest of a version counts, all are kept."""

    __tablename__ = "evaluation_rows"
    id: str = Field(primary_key=True)
    version_id: str = Field(foreign_key="model_version.id", index=True)
    digest: str  # sha256 of the rows
    n_rows: int
    source: str = text_column()
    content: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # parquet
    pushed_at: datetime = time_column()
    pushed_by: str


class PolicyVersionRow(AppTable, table=True):
    """A numbered version of a policy."""

    __tablename__ = "policy_version"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    kind: str
    number: int
    body: Any = json_column()
    digest: str
    author: str
    approver: str | None = None
    active_from: datetime = time_column()
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
    comment: str = text_column()
    policy_id: str
    gates: Any = json_column()  # gate name -> {state, evidence_id, ...} as judged at proposal time
    evidence_ids: Any = json_column()
    alert_id: str | None = None
    stages: Any = json_column(nullable=True)  # of a staged roll-out; none = all rows at once
    created_at: datetime = time_column()
    expires_at: datetime = time_column()
    closed_at: datetime | None = time_column(nullable=True)
    close_reason: str = text_column()
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
    comment: str = text_column()
    basis: Any = json_column()  # digest of gate states, candidate, champion, policy
    created_at: datetime = time_column()
    expires_at: datetime | None = time_column(nullable=True)
    void_at: datetime | None = time_column(nullable=True)
    void_reason: str = text_column()
    in_name_of: str = ""  # whose deputy the approver was in it
    __table_args__ = (UniqueConstraint("proposal_id", "approver", "kind", "gate"),)


class ConditionRow(AppTable, table=True):
    """What an approver asked beside the approval: a condition, or a review by a day."""

    __tablename__ = "condition"
    id: str = Field(primary_key=True)
    kind: str  # condition | review
    proposal_id: str = Field(foreign_key="proposal.id", index=True)
    text: str = text_column()
    by: str
    at: datetime = time_column()
    due_at: datetime | None = time_column(nullable=True, index=True)
    done_at: datetime | None = time_column(nullable=True)
    done_by: str = ""
    done_note: str = text_column()


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
    reason: str = text_column()
    decided_at: datetime = time_column(index=True)
    alias_moved_at: datetime | None = time_column(nullable=True)
    delivered_at: datetime | None = time_column(nullable=True)
    confirmed_at: datetime | None = time_column(nullable=True)
    attempts: int = 0
    error: str = text_column()
    shadow_version_ids: Any = json_column(nullable=True)  # who scores silently once this is done
    epoch: int = 0  # of `serving`, once it is served: the order of champions even when the clock stands still


class ServingRow(AppTable, table=True):
    """What the gateway follows: the approved version per model and alias, with a number that only grows."""

    __tablename__ = "serving"
    model: str = Field(primary_key=True)
    alias: str = Field(primary_key=True, default="champion")
    version_id: str = Field(foreign_key="model_version.id")
    shadow_version_ids: Any = json_column()  # versions that also score, silently
    epoch: int = 1
    operation_id: str
    since: datetime = time_column()


_ONE_ROLLOUT = "state IN ('running', 'paused', 'finishing')"


class RolloutRow(AppTable, table=True):
    """A staged roll-out of a proposal; `revision` grows with every change and guards against stale clicks."""

    __tablename__ = "rollout"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    proposal_id: str = Field(foreign_key="proposal.id", unique=True)  # a proposal is rolled out once
    from_version_id: str = Field(foreign_key="model_version.id")
    to_version_id: str = Field(foreign_key="model_version.id")
    stages: Any = json_column()
    state: str
    stage: int = 0
    key: str  # of the draw that says which rows are its
    revision: int = 1
    started_by: str
    started_at: datetime = time_column()
    reason: str = text_column()
    stage_at: datetime = time_column()
    running_since: datetime = time_column()
    waited_seconds: float = 0.0
    ended_at: datetime | None = time_column(nullable=True)
    ended_by: str = ""
    end_reason: str = text_column()
    guards: Any = json_column(nullable=True)  # as judged last
    rows: int = 0
    judged_at: datetime | None = time_column(nullable=True)
    __table_args__ = (
        Index(
            "uq_rollout_one_open",
            "model",
            unique=True,
            sqlite_where=text(_ONE_ROLLOUT),
            postgresql_where=text(_ONE_ROLLOUT),
        ),
    )
