"""Channels and the outbox. The database allows one notice of a channel about one event of an alert."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, delete, func, select

from mlops_dash.domain.notices import Channel, ChannelKind, Event, Notice, NoticeState, Route
from mlops_dash.domain.words import AlertState
from mlops_dash.store.monitoring.alerts import Alert, to_alert
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.notices import ChannelRow, NoticeRow


def channels(session: Session) -> tuple[Channel, ...]:
    """All channels by name."""
    return tuple(_channel(row) for row in session.exec(select(ChannelRow).order_by(col(ChannelRow.name))))


def channel(session: Session, name: str) -> Channel | None:
    """The channel of this name."""
    row = session.exec(select(ChannelRow).where(ChannelRow.name == name)).first()
    return None if row is None else _channel(row)


def save_channel(session: Session, one: Channel) -> None:
    """Write a channel as it is now."""
    values = {**vars(one), "kind": str(one.kind), "route": {**vars(one.route), "models": list(one.route.models)}}
    session.merge(ChannelRow(**values))
    session.flush()


def remove_channel(session: Session, channel_id: str) -> None:
    """Take a channel away with what waits for it; what was sent stays in the log."""
    session.exec(delete(NoticeRow).where(NoticeRow.channel_id == channel_id, NoticeRow.state == NoticeState.WAITING))  # type: ignore[arg-type]
    session.exec(delete(ChannelRow).where(ChannelRow.id == channel_id))  # type: ignore[arg-type]


def unclosed_alerts(session: Session) -> tuple[Alert, ...]:
    """Every alert that is not closed, of all models, the oldest first."""
    rows = session.exec(
        select(AlertRow).where(AlertRow.state != AlertState.CLOSED).order_by(col(AlertRow.opened_at), col(AlertRow.id))
    )
    return tuple(to_alert(row) for row in rows)


def told(session: Session, alert_ids: Collection[str]) -> frozenset[tuple[str, str, str]]:
    """(channel id, alert id, event) of the notices that exist about these alerts."""
    rows = session.exec(
        select(NoticeRow.channel_id, NoticeRow.alert_id, NoticeRow.event).where(col(NoticeRow.alert_id).in_(alert_ids))
    )
    return frozenset((channel_id, alert_id, event) for channel_id, alert_id, event in rows)


def over(session: Session) -> tuple[tuple[Notice, Alert], ...]:
    """Openings that were sent and nothing has followed, whose alert is closed by now."""
    later = aliased(NoticeRow)
    followed = select(later.id).where(
        later.channel_id == NoticeRow.channel_id, later.alert_id == NoticeRow.alert_id, later.event == Event.CLOSED
    )
    rows = session.exec(
        select(NoticeRow, AlertRow)
        .join(AlertRow, col(AlertRow.id) == NoticeRow.alert_id)
        .where(
            NoticeRow.event == Event.OPENED,
            NoticeRow.state == NoticeState.SENT,
            AlertRow.state == AlertState.CLOSED,
            ~followed.exists(),
        )
        .order_by(col(AlertRow.closed_at), col(NoticeRow.id))
        .limit(500)
    )
    return tuple((_notice(notice), to_alert(alert)) for notice, alert in rows)


def last_sent(session: Session, channel_id: str, model: str, kind: str) -> datetime | None:
    """When a channel was last told of an alert of this kind of this model; None = never."""
    return session.exec(
        select(func.max(NoticeRow.sent_at)).where(
            NoticeRow.channel_id == channel_id, NoticeRow.model == model, NoticeRow.kind == kind,
            NoticeRow.event == Event.OPENED, NoticeRow.state == NoticeState.SENT,
        )
    ).one()  # fmt: skip


def add(session: Session, notices: Sequence[Notice]) -> None:
    """Put notices into the outbox."""
    session.add_all(NoticeRow(**_values(one)) for one in notices)
    session.flush()


def notice(session: Session, notice_id: str) -> Notice | None:
    """One notice."""
    row = session.get(NoticeRow, notice_id)
    return None if row is None else _notice(row)


def log(session: Session, *, limit: int = 200) -> tuple[Notice, ...]:
    """The latest notices, newest first."""
    rows = session.exec(select(NoticeRow).order_by(col(NoticeRow.created_at).desc(), col(NoticeRow.id)).limit(limit))
    return tuple(_notice(row) for row in rows)


def due(session: Session, now: datetime, *, limit: int = 200) -> tuple[Notice, ...]:
    """What waits and may go now, the oldest first."""
    rows = session.exec(
        select(NoticeRow)
        .where(NoticeRow.state == NoticeState.WAITING, col(NoticeRow.not_before) <= now)
        .order_by(col(NoticeRow.created_at), col(NoticeRow.id))
        .limit(limit)
    )
    return tuple(_notice(row) for row in rows)


def alerts_of(session: Session, alert_ids: Collection[str]) -> dict[str, Alert]:
    """The alerts of these ids as they are now."""
    rows = session.exec(select(AlertRow).where(col(AlertRow.id).in_(alert_ids)))
    return {row.id: to_alert(row) for row in rows}


def claim(session: Session, notices: Sequence[Notice], now: datetime) -> tuple[Notice, ...]:
    """Take notices in hand: those of them that still waited are being sent since now, and counted once more."""
    taken = []
    for one in notices:
        change = update(NoticeRow).where(col(NoticeRow.id) == one.id, col(NoticeRow.state) == NoticeState.WAITING)
        values = {"state": str(NoticeState.SENDING), "attempts": one.attempts + 1, "not_before": now}
        if session.connection().execute(change.values(**values)).rowcount:
            taken.append(replace(one, state=NoticeState.SENDING, attempts=one.attempts + 1, not_before=now))
    return tuple(taken)


def change(session: Session, one: Notice) -> None:
    """Write a notice as it is now."""
    session.merge(NoticeRow(**_values(one)))


def left_behind(session: Session, since: datetime) -> tuple[Notice, ...]:
    """What is being sent since before that moment: its process has ended."""
    rows = session.exec(
        select(NoticeRow).where(NoticeRow.state == NoticeState.SENDING, col(NoticeRow.not_before) <= since)
    )
    return tuple(_notice(row) for row in rows)


def _values(one: Notice) -> dict[str, Any]:
    return {**vars(one), "event": str(one.event), "state": str(one.state)}


def _notice(row: NoticeRow) -> Notice:
    return Notice(**{**row.model_dump(), "event": Event(row.event), "state": NoticeState(row.state)})


def _channel(row: ChannelRow) -> Channel:
    route = dict(row.route)
    return Channel(
        id=row.id,
        name=row.name,
        kind=ChannelKind(row.kind),
        address=row.address,
        secret=row.secret,
        route=Route(**{**route, "models": tuple(route.get("models") or ())}),
        enabled=row.enabled,
        created_at=row.created_at,
        created_by=row.created_by,
    )
