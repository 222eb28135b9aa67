"""What is kept for long enough: counted and removed, table by table; and how much of the log is hot.

Rows are found by reading, which keeps nobody waiting, and removed a few at a time, each lot a transaction: other
writers get in between, and a removal that was killed is ended by the next. The cold files are `store/prediction_log`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, inspect
from sqlalchemy import select as chosen
from sqlmodel import Session, SQLModel, col, delete, func, or_, select, text, tuple_

from mlops_dash.store.db import Engine, reading, transaction
from mlops_dash.store.tables.access import SessionRow
from mlops_dash.store.tables.log import (
    BatchProfileRow,
    DayProfileRow,
    EventRow,
    GroupProfileRow,
    HeartbeatRow,
    HourProfileRow,
    LabelRow,
    PredictionRow,
    QuarantineRow,
)
from mlops_dash.store.tables.monitoring import AlertRow, ReadingRow
from mlops_dash.store.tables.notices import NoticeRow

AT_ONCE: Final = 1_000  # rows a transaction looks at: other writers wait for it


class Hot(NamedTuple):
    """Hot predictions of a model."""

    rows: int
    oldest_us: int


def hot(session: Session) -> dict[str, Hot]:
    """Model -> how many predictions are in the tables, and the time of the oldest."""
    found = session.connection().execute(text("SELECT model, COUNT(*), MIN(at_us) FROM prediction GROUP BY model"))
    return {model: Hot(int(n), int(oldest)) for model, n, oldest in found}


class Old(NamedTuple):
    """Rows of a table that are kept for long enough."""

    table: type[SQLModel]
    which: ColumnElement[bool]


def count(session: Session, old: Old) -> int:
    """How many there are."""
    return int(session.exec(select(func.count()).select_from(old.table).where(old.which)).one())


def remove(target: Engine, old: Old, *, at_once: int = AT_ONCE) -> Iterator[int]:
    """Remove them in the order of their keys: of so many rows of the table a transaction, those that are old.

    Each step gives how many went. Where none of so many is old, nobody is kept waiting for them.
    """
    keys = inspect(old.table).primary_key
    key, after = tuple_(*keys), list[ColumnElement[bool]]()
    while True:
        with reading(target) as session:
            asked = chosen(*keys).where(*after).order_by(*keys).offset(at_once - 1).limit(1)
            last = session.connection().execute(asked).first()
            within = after if last is None else [*after, key <= tuple_(*last)]
            waiting = count(session, Old(old.table, and_(old.which, *within)))
        if waiting:
            with transaction(target) as session:
                these = delete(old.table).where(old.which, *within)
                gone = int(session.connection().execute(these).rowcount)
            yield gone
        if last is None:
            return
        after = [key > tuple_(*last)]


def kept_out(before_us: int) -> Old:
    """Rows that could not be digested and were noted before a time."""
    return Old(QuarantineRow, col(QuarantineRow.noted_at_us) < before_us)


def labels_of_nobody(before_us: int) -> Old:
    """Labels received before a time whose prediction never came."""
    hot_one = exists().where(
        col(PredictionRow.model) == LabelRow.model, col(PredictionRow.prediction_id) == LabelRow.prediction_id
    )
    return Old(LabelRow, and_(col(LabelRow.received_at_us) < before_us, ~hot_one))


def events(before_us: int, *, but: Collection[str]) -> Old:
    """Events of a time before, but for those of the models of running tests."""
    return Old(EventRow, and_(col(EventRow.at_us) < before_us, col(EventRow.model).not_in(sorted(but))))


def heartbeats(before_us: int) -> Old:
    """What gateways said last that said nothing since."""
    return Old(HeartbeatRow, col(HeartbeatRow.at_us) < before_us)


def profiles(before_us: int) -> tuple[Old, ...]:
    """Profiles of a time before that were computed before it too: those of an old history brought in lately are new."""
    timed = (
        (HourProfileRow, HourProfileRow.hour_us), (BatchProfileRow, BatchProfileRow.hour_us),
        (GroupProfileRow, GroupProfileRow.hour_us), (DayProfileRow, DayProfileRow.day_us),
    )  # fmt: skip
    return tuple(Old(table, and_(col(at) < before_us, col(table.computed_at_us) < before_us)) for table, at in timed)


def windows(before: datetime) -> Old:
    """Judged windows of a time before that were judged before it too."""
    return Old(ReadingRow, and_(col(ReadingRow.window_end) < before, col(ReadingRow.computed_at) < before))


def messages(before: datetime) -> Old:
    """Messages made before a time that wait no more, of alerts that are over: one of an open alert is sent once."""
    is_open = exists().where(col(AlertRow.id) == NoticeRow.alert_id, col(AlertRow.closed_at).is_(None))
    waits = col(NoticeRow.state).in_(["waiting", "sending"])
    return Old(NoticeRow, and_(col(NoticeRow.created_at) < before, ~waits, ~is_open))


def sessions(before_wall: datetime) -> Old:
    """Sessions and links that ended or expired before a time of the machine's clock."""
    over = or_(col(SessionRow.ended_at_wall) < before_wall, col(SessionRow.expires_at_wall) < before_wall)
    return Old(SessionRow, over)
