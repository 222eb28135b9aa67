"""Alerts as stored; the database allows one that is not closed per model, version and kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from mlops_dash.domain.words import AlertState
from mlops_dash.store.tables.monitoring import AlertRow


@dataclass(frozen=True)
class Alert:
    """An alert as stored."""

    id: str
    model: str
    version: str
    kind: str
    severity: str
    state: AlertState
    title: str
    cause: str
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None
    owner: str
    snoozed_until: datetime | None
    evidence_ids: tuple[str, ...]
    body: Mapping[str, Any]


def alert(session: Session, alert_id: str) -> Alert | None:
    """One alert."""
    row = session.get(AlertRow, alert_id)
    return None if row is None else to_alert(row)


def alerts(session: Session, model: str, *, limit: int = 200) -> tuple[Alert, ...]:
    """The alerts of a model: those that are not closed first, then the latest."""
    rows = session.exec(
        select(AlertRow)
        .where(AlertRow.model == model)
        .order_by(col(AlertRow.closed_at).is_not(None), col(AlertRow.opened_at).desc(), col(AlertRow.id))
        .limit(limit)
    ).all()
    return tuple(to_alert(row) for row in rows)


def save_alert(session: Session, one: Alert) -> None:
    """Write an alert as it is now."""
    values = {**vars(one), "state": str(one.state), "evidence_ids": list(one.evidence_ids), "body": dict(one.body)}
    row = session.get(AlertRow, one.id)
    if row is None:
        session.add(AlertRow(**values))
    else:
        for name, value in values.items():
            setattr(row, name, value)
        session.add(row)
    session.flush()  # the database allows one open alert a kind: closings must reach it before openings


def to_alert(row: AlertRow) -> Alert:
    """An alert from its row."""
    return Alert(
        id=row.id,
        model=row.model,
        version=row.version,
        kind=row.kind,
        severity=row.severity,
        state=AlertState(row.state),
        title=row.title,
        cause=row.cause,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        closed_at=row.closed_at,
        owner=row.owner,
        snoozed_until=row.snoozed_until,
        evidence_ids=tuple(row.evidence_ids or ()),
        body=row.body or {},
    )
