"""The table of A/B tests (app database)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, text
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable
from mlops_dash.store.types import JsonText, UtcDateTime


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))


class ABTestRow(AppTable, table=True):
    """A test of two versions: the design never changes; one test a model runs at a time."""

    __tablename__ = "ab_test"
    id: str = Field(primary_key=True)
    model: str = Field(foreign_key="model.name", index=True)
    control_id: str = Field(foreign_key="model_version.id")
    challenger_id: str = Field(foreign_key="model_version.id")
    design: Any = Field(default=None, sa_column=Column(JsonText, nullable=False))
    state: str = "designed"
    revision: int = 1
    question: str = Field(default="", sa_column=Column(Text, nullable=False))
    designed_by: str
    designed_at: datetime = _time()
    started_by: str = ""
    started_at: datetime | None = _time(nullable=True)
    stopped_by: str = ""
    stopped_at: datetime | None = _time(nullable=True)
    stop_reason: str = Field(default="", sa_column=Column(Text, nullable=False))
    evidence_ids: Any = Field(default=None, sa_column=Column(JsonText, nullable=True))
    result: Any = Field(default=None, sa_column=Column(JsonText, nullable=True))  # the reading at the stop
    pauses: Any = Field(default=None, sa_column=Column(JsonText, nullable=True))  # [[since, until or null], ...]
    decision: Any = Field(default=None, sa_column=Column(JsonText, nullable=True))
    learned: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    __table_args__ = (
        Index(
            "uq_ab_test_one_running_per_model",
            "model",
            unique=True,
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )
