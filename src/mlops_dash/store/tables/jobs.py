"""Tables of retraining and the queue: recipes, schedules, jobs, the leader's lease."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class RecipeRow(AppTable, table=True):
    """How to make a version: entry point and parameters."""

    __tablename__ = "recipe"
    name: str = Field(primary_key=True)
    model: str = Field(index=True)
    entry: str  # its program: `module:function`, or a command line
    parameters: Any = json_column()
    timeout_seconds: int = 900
    memory_mib: int = 4096
    max_attempts: int = 1
    checks: Any = json_column(nullable=True)  # what looks at the version it made; null = nothing
    price_per_hour: float | None = None  # null = nobody knows
    money_a_month: float | None = None  # null = no bound
    requirements: str = ""  # of its own venv
    repository: str = ""  # git, its working folder
    commit: str = ""
    updated_at: datetime = time_column()


class ScheduleRow(AppTable, table=True):
    """When a recipe or house-keeping job runs: cron, interval, once, or on an alert."""

    __tablename__ = "schedule"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    kind: str  # cron | interval | once | alert
    expression: str  # "0 6 * * 1", "3600", ISO time, alert kind
    zone: str = "UTC"
    task: str  # retrain | evaluate | ...
    arguments: Any = json_column()
    recipe: str | None = None
    enabled: bool = True
    misfire: str = "run_once"  # run_once | skip
    pause_reason: str = text_column()
    paused_until: datetime | None = time_column(nullable=True)
    next_due_at: datetime | None = time_column(nullable=True, index=True)
    upcoming: Any = json_column(nullable=True)  # the next fire times as ISO text; null until the worker has planned
    updated_at: datetime = time_column()


class JobRow(AppTable, table=True):
    """One piece of work; (schedule, due) is unique so that two metronomes cannot run a slot twice."""

    __tablename__ = "job"
    id: str = Field(primary_key=True)
    task: str = Field(index=True)
    model: str = Field(default="", index=True)
    recipe: str | None = None
    arguments: Any = json_column()
    schedule_id: str | None = None
    alert_id: str | None = Field(default=None, index=True)
    due_at: datetime = time_column(index=True)
    not_before: datetime | None = time_column(nullable=True)  # back-off: the slot stays, the next attempt waits
    state: str = Field(index=True)
    priority: int = 0
    exclusive_key: str = ""  # jobs with the same key never run together
    attempt: int = 0
    max_attempts: int = 1
    epoch: int = 0  # fencing token: grows with every claim
    claimed_by: str = ""
    heartbeat_at: datetime | None = time_column(nullable=True)
    started_at: datetime | None = time_column(nullable=True)
    finished_at: datetime | None = time_column(nullable=True)
    progress: float = 0.0
    progress_text: str = text_column()
    cause: str = text_column()  # who or what asked: "asked by lead", "schedule weekly", "alert harm"
    requested_by: str = ""
    cancel_requested: bool = False
    cancel_reason: str = text_column()
    result: Any = json_column(nullable=True)
    error: str = text_column()
    log_path: str = ""
    pid: int | None = None
    created_at: datetime = time_column()
    price_per_hour: float | None = None  # of its recipe, when it was asked for
    spent_seconds: float = 0.0  # of attempts before the last
    __table_args__ = (
        UniqueConstraint("schedule_id", "due_at"),
        Index("ix_job_of_recipe", "recipe", "started_at"),
        Index("ix_job_claim", "state", "due_at"),
        Index("ix_job_of_schedule", "schedule_id", "created_at"),
        Index(
            "uq_job_one_running_per_key",
            "exclusive_key",
            unique=True,
            sqlite_where=text("state = 'running' AND exclusive_key <> ''"),
            postgresql_where=text("state = 'running' AND exclusive_key <> ''"),
        ),
    )


class LeaseRow(AppTable, table=True):
    """Who leads: one row a name, taken by one UPDATE."""

    __tablename__ = "lease"
    name: str = Field(primary_key=True)
    holder: str
    until: datetime = time_column()
    epoch: int = 0
