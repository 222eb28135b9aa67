"""What tests arrange with: settings, contexts, actors and rows with sensible values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

from mlops_dash.clock import Clock, fixed
from mlops_dash.domain.access import Actor, Role, system
from mlops_dash.ids import new_id
from mlops_dash.services.command import Context
from mlops_dash.settings import Settings
from mlops_dash.store.db import Databases, connect
from mlops_dash.store.tables.app import APP
from mlops_dash.store.tables.log import LOG
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow
from mlops_dash.tracking.registry import MlflowRegistry

NOON = datetime(2013, 6, 3, 16, 0, tzinfo=UTC)

VIEWER = Actor("user:viewer", "viewer", Role.VIEWER)
SCIENTIST = Actor("user:scientist", "scientist", Role.SCIENTIST)
LEAD = Actor("user:lead", "lead", Role.LEAD)
LEAD_TOO = Actor("user:lead-too", "lead-too", Role.LEAD)
ADMIN = Actor("user:admin", "admin", Role.ADMIN)
WORKER = system("worker")


class Time:
    """A clock in the hand of the test: `Clock(wall=time)`."""

    def __init__(self, at: datetime = NOON) -> None:
        self.first = self.at = at

    def __call__(self) -> datetime:
        """What it shows."""
        return self.at

    def passes(self, **span: float) -> None:
        """Go on by so many `minutes`, `hours`, ... as timedelta takes them."""
        self.at += timedelta(**span)

    def after(self, **span: float) -> None:
        """Show so long after the first moment."""
        self.at = self.first + timedelta(**span)


def settings(home: Path, **changes: object) -> Settings:
    """Settings on SQLite files in `home`, with an MLflow address where nothing listens."""
    made = Settings(
        home=home,
        database_url=f"sqlite:///{home / 'app.db'}",
        log_database_url=f"sqlite:///{home / 'log.db'}",
        mlflow_uri="http://127.0.0.1:9",
        mlflow_is_ours=True,
        ledger_key=b"test-key",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def databases(made: Settings) -> Databases:
    """Both databases with all tables."""
    both = connect(made)
    for engine, metadata, schema in ((both.app, APP, "app"), (both.log, LOG, "log")):
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        metadata.create_all(engine)
    counting = import_module("mlops_dash.store.migrations.log.versions.0011_event_counts")
    sqlite = both.log.dialect.name == "sqlite"
    with both.log.begin() as connection:  # what tables of the code do not say
        there = "sqlite_master WHERE type = 'trigger' AND name" if sqlite else "pg_trigger WHERE tgname"
        if not connection.exec_driver_sql(f"SELECT 1 FROM {there} = 'event_counted'").first():
            for statement in counting.SQLITE if sqlite else counting.POSTGRES:
                connection.exec_driver_sql(statement)
    return both


def context(home: Path, *, clock: Clock | None = None, **changes: object) -> Context:
    """A Context on fresh databases; time stands still at NOON unless a clock is given."""
    made = settings(home, **changes)
    return Context(
        settings=made,
        clock=clock or fixed(NOON),
        new_id=new_id,
        databases=databases(made),
        registry=MlflowRegistry(made.mlflow_uri),
    )


def model_row(name: str = "flight-delay", **changes: object) -> ModelRow:
    """A binary model."""
    values: dict[str, object] = {
        "name": name,
        "title": name,
        "do_not_log": [],
        "created_at": NOON,
        "owner": "scientist",
    }
    return ModelRow(**{**values, **changes})


def version_row(version: str = "1", model: str = "flight-delay", **changes: object) -> ModelVersionRow:
    """A version whose id is `<model>-v<version>`."""
    values: dict[str, object] = {
        "id": f"{model}-v{version}",
        "model": model,
        "version": version,
        "created_at": NOON,
        "created_by": "scientist",
        "run_id": f"run-{version}",
        "artifact_digest": f"digest-{version}",
    }
    return ModelVersionRow(**{**values, **changes})
