"""What refers to alerts: runs and proposals that answer them, and what became of the proposed versions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, or_, select

from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.registry import ModelVersionRow, OperationRow, ProposalRow


@dataclass(frozen=True)
class Answered:
    """A row that answers an alert, or follows from one that does.

    Attributes:
        alert_id: Which alert.
        kind: "job", "proposal", or the kind of an operation: "promote", "rollback".
        id: Of the row.
        who: As stored: `user:NAME`, or a process.
        at: When it was asked or decided.
        ended_at: When it was over; None while it is not.
        state: As stored.
        version: Which version it is about; "" where there is none yet.
        name: A recipe; "" of others.
        reason: Why, or why it ended so.
    """

    alert_id: str
    kind: str
    id: str
    who: str
    at: datetime
    ended_at: datetime | None
    state: str
    version: str = ""
    name: str = ""
    reason: str = ""


def answers_of(session: Session, model: str, alert_ids: Collection[str]) -> tuple[Answered, ...]:
    """Everything that refers to these alerts of a model, in no order."""
    if not alert_ids:
        return ()
    jobs = session.exec(select(JobRow).where(col(JobRow.alert_id).in_(alert_ids))).all()
    proposals = session.exec(
        select(ProposalRow, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == col(ProposalRow.version_id))
        .where(ProposalRow.model == model, col(ProposalRow.alert_id).in_(alert_ids))
    ).all()
    found = [
        Answered(
            str(row.alert_id), "job", row.id, row.requested_by, row.created_at, row.finished_at, row.state,
            str((row.result or {}).get("version", "")), row.recipe or "", row.error or "",
        )
        for row in jobs
    ]  # fmt: skip
    found += [
        Answered(
            str(row.alert_id), "proposal", row.id, row.proposer, row.created_at, row.closed_at, row.state, version,
            reason=row.close_reason,
        )
        for row, version in proposals
    ]  # fmt: skip
    return (*found, *_operations(session, model, [row for row, _ in proposals]))


def _operations(session: Session, model: str, proposals: Sequence[ProposalRow]) -> list[Answered]:
    """Promotions of the proposals, and rollbacks of what they promoted."""
    if not proposals:
        return []
    alert_of = {row.id: str(row.alert_id) for row in proposals}
    by_version = {row.version_id: str(row.alert_id) for row in proposals}
    rows = session.exec(
        select(OperationRow, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == col(OperationRow.to_version_id))
        .where(
            OperationRow.model == model,
            or_(
                col(OperationRow.proposal_id).in_(list(alert_of)),
                (col(OperationRow.kind) == "rollback") & col(OperationRow.from_version_id).in_(list(by_version)),
            ),
        )
    ).all()
    return [
        Answered(
            alert_of.get(row.proposal_id or "") or by_version[str(row.from_version_id)], row.kind, row.id, row.actor,
            row.decided_at, row.confirmed_at, row.state, version, reason=row.reason,
        )
        for row, version in rows
    ]  # fmt: skip
