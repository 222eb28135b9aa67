"""The log of sent reports: put in once a batch and recipient, claimed before they leave, and who opted out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, update
from sqlmodel import Session, col, select

from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.levels import Level
from mlops_dash.store.tables.reports import ReportDeliveryRow, ReportOptOutRow


def add(session: Session, deliveries: Sequence[Delivery]) -> None:
    """Put deliveries into the log."""
    session.add_all(ReportDeliveryRow(**_values(one)) for one in deliveries)
    session.flush()


def delivery(session: Session, delivery_id: str) -> Delivery | None:
    """One delivery."""
    row = session.get(ReportDeliveryRow, delivery_id)
    return None if row is None else _delivery(row)


def of_batch(session: Session, batch_id: str) -> tuple[Delivery, ...]:
    """The deliveries of one batch, by recipient."""
    rows = session.exec(
        select(ReportDeliveryRow)
        .where(ReportDeliveryRow.batch_id == batch_id)
        .order_by(col(ReportDeliveryRow.recipient))
    )
    return tuple(_delivery(row) for row in rows)


def log(session: Session, *, limit: int = 200) -> tuple[Delivery, ...]:
    """The latest deliveries, newest first."""
    rows = session.exec(
        select(ReportDeliveryRow)
        .order_by(col(ReportDeliveryRow.created_at).desc(), col(ReportDeliveryRow.id))
        .limit(limit)
    )
    return tuple(_delivery(row) for row in rows)


def last_sent(session: Session, plan_id: str) -> dict[str, Delivery]:
    """By recipient, the latest delivery of a plan that was sent, is on its way or may have arrived."""
    out = [str(one) for one in (NoticeState.SENT, NoticeState.WAITING, NoticeState.SENDING, NoticeState.UNSURE)]
    of_plan = ReportDeliveryRow.plan_id == plan_id, col(ReportDeliveryRow.state).in_(out)
    latest = (
        select(ReportDeliveryRow.recipient, func.max(ReportDeliveryRow.created_at).label("at"))
        .where(*of_plan)
        .group_by(col(ReportDeliveryRow.recipient))
        .subquery()
    )
    rows = session.exec(
        select(ReportDeliveryRow)
        .join(
            latest,
            and_(
                col(ReportDeliveryRow.recipient) == latest.c.recipient,
                col(ReportDeliveryRow.created_at) == latest.c.at,
            ),
        )
        .where(*of_plan)
    )
    return {row.recipient: _delivery(row) for row in rows}


def latest_of_plans(session: Session) -> dict[str, Delivery]:
    """The newest delivery of each plan, whatever became of it."""
    newest: dict[str, Delivery] = {}
    for one in log(session, limit=2_000):
        if one.plan_id:
            newest.setdefault(one.plan_id, one)
    return newest


def due(session: Session, now: datetime, *, limit: int = 500) -> tuple[Delivery, ...]:
    """What waits and may go now, the oldest first."""
    rows = session.exec(
        select(ReportDeliveryRow)
        .where(ReportDeliveryRow.state == NoticeState.WAITING, col(ReportDeliveryRow.not_before) <= now)
        .order_by(col(ReportDeliveryRow.created_at), col(ReportDeliveryRow.id))
        .limit(limit)
    )
    return tuple(_delivery(row) for row in rows)


def claim(session: Session, one: Delivery, now: datetime) -> Delivery | None:
    """Take a delivery in hand, counted once more; None where another process was faster."""
    change_row = update(ReportDeliveryRow).where(
        col(ReportDeliveryRow.id) == one.id, col(ReportDeliveryRow.state) == NoticeState.WAITING
    )
    values = {"state": str(NoticeState.SENDING), "attempts": one.attempts + 1, "not_before": now}
    if not session.connection().execute(change_row.values(**values)).rowcount:
        return None
    return replace(one, state=NoticeState.SENDING, attempts=one.attempts + 1, not_before=now)


def change(session: Session, one: Delivery) -> None:
    """Write a delivery as it is now."""
    session.merge(ReportDeliveryRow(**_values(one)))


def left_behind(session: Session, since: datetime) -> tuple[Delivery, ...]:
    """What is being sent since before that moment: its process has ended."""
    rows = session.exec(
        select(ReportDeliveryRow).where(
            ReportDeliveryRow.state == NoticeState.SENDING, col(ReportDeliveryRow.not_before) <= since
        )
    )
    return tuple(_delivery(row) for row in rows)


def opted_out(session: Session, plan_id: str) -> frozenset[str]:
    """The recipients who do not want the reports of a plan any more."""
    return frozenset(session.exec(select(ReportOptOutRow.recipient).where(ReportOptOutRow.plan_id == plan_id)))


def opt_out(session: Session, plan_id: str, recipient: str, *, at: datetime) -> None:
    """Keep that a recipient does not want them any more."""
    session.merge(ReportOptOutRow(plan_id=plan_id, recipient=recipient, at=at))
    session.flush()


def _values(one: Delivery) -> dict[str, Any]:
    return {**vars(one), "state": str(one.state), "formats": list(one.formats), "level": str(one.level)}


def _delivery(row: ReportDeliveryRow) -> Delivery:
    said = {"state": NoticeState(row.state), "formats": tuple(row.formats or ()), "level": Level(row.level)}
    return Delivery(**{**row.model_dump(), **said})
