"""Tables of frozen reports, whose rows are added and never changed, of links to them, and of sending them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, UniqueConstraint
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column
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


class ReportShareRow(AppTable, table=True):
    """A read-only link to one report: only the sha256 of its secret is kept, and its password's argon2 hash."""

    __tablename__ = "report_share"
    id: str = Field(primary_key=True)
    report_id: str = Field(foreign_key="report.id", index=True)
    secret_sha256: str = Field(unique=True)
    password_hash: str = ""  # "" = it asks for none
    reason: str = text_column()
    made_by: str
    made_at: datetime = time_column()
    expires_at: datetime = time_column()
    revoked_at: datetime | None = time_column(nullable=True)
    opens: int = 0
    last_opened_at: datetime | None = time_column(nullable=True)
    level: str = "technical"


class ReportRemarkRow(AppTable, table=True):
    """A comment on a report, a sign-off, of which an account has one a report (the database guards it), or its end."""

    __tablename__ = "report_remark"
    __table_args__ = (UniqueConstraint("report_id", "signer"),)
    id: str = Field(primary_key=True)
    report_id: str = Field(foreign_key="report.id", index=True)
    kind: str
    by: str
    signer: str | None = None  # who signs; None of a comment, and of what was withdrawn
    place: int  # among those of its report: two may be of one moment
    name: str
    text: str = text_column()
    at: datetime = time_column()


class ReportDeliveryRow(AppTable, table=True):
    """One report to one recipient, at most once a batch (the database guards it)."""

    __tablename__ = "report_delivery"
    id: str = Field(primary_key=True)
    batch_id: str
    plan_id: str = ""
    plan: str = ""
    report_id: str | None = Field(default=None, foreign_key="report.id")
    about: str = text_column()
    recipient: str
    formats: Any = json_column()
    state: str
    not_before: datetime = time_column()
    attempts: int = 0
    note: str = text_column()
    created_at: datetime = time_column()
    sent_at: datetime | None = time_column(nullable=True)
    level: str = "technical"
    __table_args__ = (
        UniqueConstraint("batch_id", "recipient"),
        Index("ix_report_delivery_state_not_before", "state", "not_before"),
        Index("ix_report_delivery_created_at", "created_at"),
        Index("ix_report_delivery_plan_id", "plan_id"),
    )


class ReportOptOutRow(AppTable, table=True):
    """A recipient who does not want the reports of a plan any more."""

    __tablename__ = "report_opt_out"
    plan_id: str = Field(primary_key=True)
    recipient: str = Field(primary_key=True)
    at: datetime = time_column()
