"""Tables of messages about alerts: channels, and the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class ChannelRow(AppTable, table=True):
    """Where alerts are told."""

    __tablename__ = "channel"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    kind: str
    address: str = text_column()
    secret: str = text_column()
    route: Any = json_column()
    enabled: bool = True
    created_at: datetime = time_column()
    created_by: str


class NoticeRow(AppTable, table=True):
    """The outbox: one message of one channel about one event of one alert, at most once (the database guards it)."""

    __tablename__ = "notice"
    id: str = Field(primary_key=True)
    channel_id: str
    channel: str
    alert_id: str
    event: str
    model: str = ""
    kind: str = ""
    severity: str = ""
    title: str = text_column()
    text: str = text_column()
    link: str = text_column()
    state: str
    not_before: datetime = time_column()
    attempts: int = 0
    note: str = text_column()
    created_at: datetime = time_column()
    sent_at: datetime | None = time_column(nullable=True)
    __table_args__ = (
        UniqueConstraint("channel_id", "alert_id", "event"),
        Index("ix_notice_state_not_before", "state", "not_before"),
        Index("ix_notice_created_at", "created_at"),
    )
