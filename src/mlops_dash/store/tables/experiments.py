"""Tables of the Experiments room, in the `app` database: saved views and notes on comparisons."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable
from mlops_dash.store.types import JsonText, UtcDateTime


class RunViewRow(AppTable, table=True):
    """A page of runs kept under a name; `state` holds the parameters of its URL."""

    __tablename__ = "run_view"
    __table_args__ = (UniqueConstraint("owner", "name"),)
    id: str = Field(primary_key=True)
    name: str
    owner: str = Field(index=True)
    shared: bool
    state: Any = Field(default=None, sa_column=Column(JsonText, nullable=False))
    created_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class RunNoteRow(AppTable, table=True):
    """A note on a comparison; `runs_key` is one for the same runs in any order. Rows are added and never changed."""

    __tablename__ = "run_note"
    id: str = Field(primary_key=True)
    runs_key: str = Field(index=True)
    run_ids: Any = Field(default=None, sa_column=Column(JsonText, nullable=False))
    author: str
    text: str
    at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
