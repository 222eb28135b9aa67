"""What is kept for long enough: counted and removed, table by table; and how much of the log is hot.

The cold files are `store/prediction_log`'s, profiles are `store/monitoring/profiles.py`'s.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists
from sqlmodel import Session, col, delete, func, or_, select, text

from mlops_dash.store.tables.access import SessionRow
from mlops_dash.store.tables.log import EventRow, HeartbeatRow, LabelRow, PredictionRow, QuarantineRow
from mlops_dash.store.tables.monitoring import AlertRow, ReadingRow
from mlops_dash.store.tables.notices import NoticeRow


class Hot(NamedTuple):
    """Hot predictions of a model."""

    rows: int
    oldest_us: int


def hot(session: Session) -> dict[str, Hot]:
    """Model -> how many predictions are in the tables, and the time of the oldest."""
    found = session.connection().execute(text("SELECT model, COUNT(*), MIN(at_us) FROM prediction GROUP BY model"))
    return {model: Hot(int(n), int(oldest)) for model, n, oldest in found}


def kept_out(session: Session, *, before_us: int, remove: bool) -> int:
    """Rows that could not be digested and were noted before a time."""
    return _old(session, QuarantineRow, col(QuarantineRow.noted_at_us) < before_us, remove=remove)


def labels_of_nobody(session: Session, *, before_us: int, remove: bool) -> int:
    """Labels received before a time whose prediction never came."""
    hot_one = exists().where(
        col(PredictionRow.model) == LabelRow.model, col(PredictionRow.prediction_id) == LabelRow.prediction_id
    )
    return _old(session, LabelRow, and_(col(LabelRow.received_at_us) < before_us, ~hot_one), remove=remove)


def events(session: Session, *, before_us: int, but: Collection[str], remove: bool) -> int:
    """Events of a time before, but for those of the models of running tests."""
    old = and_(col(EventRow.at_us) < before_us, col(EventRow.model).not_in(sorted(but)))
    return _old(session, EventRow, old, remove=remove)


def heartbeats(session: Session, *, before_us: int, remove: bool) -> int:
    """What gateways said last that said nothing since."""
    return _old(session, HeartbeatRow, col(HeartbeatRow.at_us) < before_us, remove=remove)


def windows(session: Session, *, before: datetime, remove: bool) -> int:
    """Judged windows of a time before that were judged before it too."""
    old = and_(col(ReadingRow.window_end) < before, col(ReadingRow.computed_at) < before)
    return _old(session, ReadingRow, old, remove=remove)


def messages(session: Session, *, before: datetime, remove: bool) -> int:
    """Messages made before a time that wait no more, of alerts that are over: one of an open alert is sent once."""
    is_open = exists().where(col(AlertRow.id) == NoticeRow.alert_id, col(AlertRow.closed_at).is_(None))
    old = and_(col(NoticeRow.created_at) < before, col(NoticeRow.state).not_in(["waiting", "sending"]), ~is_open)
    return _old(session, NoticeRow, old, remove=remove)


def sessions(session: Session, *, before_wall: datetime, remove: bool) -> int:
    """Sessions and links that ended or expired before a time of the machine's clock."""
    old = or_(col(SessionRow.ended_at_wall) < before_wall, col(SessionRow.expires_at_wall) < before_wall)
    return _old(session, SessionRow, old, remove=remove)


def _old(session: Session, table: Any, which: ColumnElement[bool], *, remove: bool) -> int:
    if remove:
        return int(session.connection().execute(delete(table).where(which)).rowcount)
    return int(session.exec(select(func.count()).select_from(table).where(which)).one())
