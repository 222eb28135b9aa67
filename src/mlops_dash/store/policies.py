"""Policy versions: which one is in force for a model, which wait for a second person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PolicyVersion, default_policy
from mlops_dash.domain.tasks import BINARY, task_named
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import Conflict
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow


def active(session: Session, model: str, kind: PolicyKind, now: datetime) -> PolicyVersion:
    """The policy in force at `now`; the named default (number 0) while there is none."""
    row = session.exec(
        select(PolicyVersionRow)
        .where(
            PolicyVersionRow.model == model,
            PolicyVersionRow.kind == str(kind),
            col(PolicyVersionRow.approver).is_not(None),
            col(PolicyVersionRow.active_from) <= now,
        )
        .order_by(col(PolicyVersionRow.number).desc())
        .limit(1)
    ).first()
    if row is not None:
        return _to_domain(row)
    return default_policy(model, kind, task_of(session, model), window=cadence_of(session, model))


def in_force(session: Session, kind: PolicyKind, now: datetime) -> dict[str, PolicyVersion]:
    """The policy in force at `now` of every model that is not archived, in two statements; or its named default."""
    rows = session.exec(
        select(PolicyVersionRow)
        .where(
            PolicyVersionRow.kind == str(kind),
            col(PolicyVersionRow.approver).is_not(None),
            col(PolicyVersionRow.active_from) <= now,
        )
        .order_by(PolicyVersionRow.model, col(PolicyVersionRow.number))
    ).all()
    written = {row.model: _to_domain(row) for row in rows}
    models = session.exec(select(ModelRow.name, ModelRow.task, ModelRow.cadence, ModelRow.archived_at)).all()
    archived = {name for name, _, _, archived_at in models if archived_at is not None}
    by_default = {name: default_policy(name, kind, task_named(task), window=of) for name, task, of, _ in models}
    return {name: policy for name, policy in (by_default | written).items() if name not in archived}


def task_of(session: Session, model: str) -> ModelTask:
    """What a model predicts; binary while the model is not known."""
    row = session.get(ModelRow, model)
    return BINARY if row is None else task_named(row.task, row.class_names or ())


def cluster_of(session: Session, model: str) -> str:
    """Which column of a model names the rows that belong together; "" where none does."""
    row = session.get(ModelRow, model)
    return "" if row is None else row.cluster


def cadence_of(session: Session, model: str) -> str:
    """What of a model is judged as one while no policy says otherwise; days while the model is not known."""
    row = session.get(ModelRow, model)
    return MonitoringPolicy.window if row is None else row.cadence


def history(session: Session, model: str, kind: PolicyKind) -> tuple[PolicyVersion, ...]:
    """All versions, newest first, those that wait for a second person included."""
    rows = session.exec(
        select(PolicyVersionRow)
        .where(PolicyVersionRow.model == model, PolicyVersionRow.kind == str(kind))
        .order_by(col(PolicyVersionRow.number).desc())
    ).all()
    return tuple(_to_domain(row) for row in rows)


def get(session: Session, policy_id: str) -> PolicyVersion | None:
    """One version, or None."""
    row = session.get(PolicyVersionRow, policy_id)
    return None if row is None else _to_domain(row)


def add(session: Session, version: PolicyVersion) -> None:
    """Keep a new version.

    Raises:
        Conflict: that number exists already.
    """
    session.add(PolicyVersionRow(**{**vars(version), "kind": str(version.kind), "body": dict(version.body)}))
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(
            f"The {version.kind} policy {version.number} of {version.model} exists already.",
            hint="Somebody was quicker; load the page again.",
        ) from error


def put_into_force(session: Session, policy_id: str, *, approver: str, at: datetime) -> None:
    """Note the second person and the moment from which it holds."""
    row = session.get_one(PolicyVersionRow, policy_id)
    row.approver, row.active_from = approver, at
    session.flush()


def _to_domain(row: PolicyVersionRow) -> PolicyVersion:
    return PolicyVersion(
        id=row.id,
        model=row.model,
        kind=PolicyKind(row.kind),
        number=row.number,
        body=row.body,
        digest=row.digest,
        author=row.author,
        approver=row.approver,
        active_from=row.active_from,
    )
