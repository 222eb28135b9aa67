"""Tables of monitoring: references, readings, alerts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column
from mlops_dash.store.types import JsonText


class ReferenceRow(AppTable, table=True):
    """What a version's live traffic is compared with: cells, histograms of the reference windows, baseline."""

    __tablename__ = "reference"
    id: str = Field(primary_key=True)
    version_id: str = Field(foreign_key="model_version.id", index=True)
    model: str = Field(index=True)
    window_start: datetime = time_column()
    window_end: datetime = time_column()
    n_rows: int
    schema_: Any = Field(sa_column=Column("schema", JsonText, nullable=False))  # feature -> kind
    cells: Any = json_column()  # feature -> cells (stats.*.to_dict)
    profile: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # packed day histograms
    baseline: Any = json_column()  # out-of-sample metrics, harm reference units, label prior
    method: str = text_column()
    created_at: datetime = time_column()


class ReadingRow(AppTable, table=True):
    """One judged window of one monitored version; a late label makes a new revision."""

    __tablename__ = "reading"
    id: str = Field(primary_key=True)
    model: str
    version: str
    version_id: str
    window_kind: str = "day"
    window_start: datetime = time_column()
    window_end: datetime = time_column()
    revision: int = 1
    n: int = 0
    n_labelled: int = 0
    ripe: bool = False
    drift: str = "not_computable"
    health: str = "not_known"
    body: Any = json_column()  # features, metrics, harm, sentence parts
    computed_at: datetime = time_column()
    __table_args__ = (
        UniqueConstraint("version_id", "window_kind", "window_start"),
        Index("ix_reading_model_window", "model", "window_start"),
    )


class AlertRow(AppTable, table=True):
    """An alert: one open one per model and kind (the database guards it)."""

    __tablename__ = "alert"
    id: str = Field(primary_key=True)
    model: str = Field(index=True)
    version: str = ""
    kind: str  # harm | inputs | schema | alias | frozen | broken_model | not_confirmed | rollout
    severity: str = "critical"  # critical | warning | notice
    state: str = Field(index=True)
    title: str = text_column()
    cause: str = text_column()
    opened_at: datetime = time_column(index=True)
    last_seen_at: datetime = time_column()
    closed_at: datetime | None = time_column(nullable=True)
    owner: str = ""
    snoozed_until: datetime | None = time_column(nullable=True)
    evidence_ids: Any = json_column()
    body: Any = json_column()
    __table_args__ = (
        Index(
            "uq_alert_one_open",
            "model",
            "version",
            "kind",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
    )
