"""A mark of what pages show: it changes when a decision, a reading, an alert, a version or a promotion changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from mlops_dash.store.tables.audit import LedgerRow, WorldRow
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.monitoring import AlertRow, ReadingRow, ReferenceRow
from mlops_dash.store.tables.registry import EvidenceRow, ModelVersionRow, OperationRow, ServingRow


def mark(session: Session) -> tuple[Any, ...]:
    """Counts and newest times of the tables behind the pages, in one statement."""
    facts = (
        func.max(LedgerRow.number),
        func.max(ReadingRow.computed_at),
        func.count(col(ReadingRow.id)),
        func.max(AlertRow.last_seen_at),
        func.count(col(AlertRow.closed_at)),
        func.count(col(ModelVersionRow.id)),
        func.count(col(ModelVersionRow.artifact_digest)),
        func.max(EvidenceRow.computed_at),
        func.count(col(EvidenceRow.id)),
        func.count(col(OperationRow.alias_moved_at))
        + func.count(col(OperationRow.delivered_at))
        + func.count(col(OperationRow.confirmed_at)),
        func.sum(ServingRow.epoch),
        func.count(col(JobRow.id)) + func.count(col(JobRow.finished_at)) + func.count(col(JobRow.started_at)),
        func.max(ReferenceRow.created_at),
        func.count(col(WorldRow.key)),
    )
    row = session.connection().execute(select(*(select(fact).scalar_subquery() for fact in facts))).one()
    return tuple(row)
