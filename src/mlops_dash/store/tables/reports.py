"""The table of frozen reports, in the `app` database. Rows are added and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable
from mlops_dash.store.types import JsonText, UtcDateTime


class ReportRow(AppTable, table=True):
    """A snapshot: facts and their hash; the same facts are one row."""

    __tablename__ = "report"
    __table_args__ = (UniqueConstraint("kind", "model", "sha256"),)
    id: str = Field(primary_key=True)
    kind: str
    model: str | None = Field(default=None, foreign_key="model.name", index=True)  # None = of no single model
    start: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    end: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    zone: str
    facts: Any = Field(default=None, sa_column=Column(JsonText, nullable=False))
    sha256: str = Field(index=True)
    made_by: str
    subject: str = ""  # what it is about where that is no week
    made_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
