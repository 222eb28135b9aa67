"""Tables of the ledger and of facts that every process shares."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, String
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class WorldRow(AppTable, table=True):
    """Key and value facts of this installation: clock offset, demo state, schema notes."""

    __tablename__ = "world"
    key: str = Field(primary_key=True)
    value: Any = json_column()


class LedgerRow(AppTable, table=True):
    """The append-only, HMAC-chained ledger."""

    __tablename__ = "ledger"
    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    at: datetime = time_column(index=True)
    recorded_at_wall: datetime = time_column()
    actor: str = Field(index=True)
    action: str = Field(index=True)
    object: str = Field(sa_column=Column(String, nullable=False, index=True))
    model: str = Field(default="", index=True)
    before: Any = json_column()
    after: Any = json_column()
    reason: str = text_column()
    evidence_ids: Any = json_column()
    previous: str
    mac: str
