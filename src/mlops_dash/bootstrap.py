"""The only place that wires things: settings in, services out."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from mlops_dash import ids
from mlops_dash.clock import Clock
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.access import AccessService
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.evidence import EvidenceService
from mlops_dash.services.experiments import ExperimentService
from mlops_dash.services.fleet import FleetService
from mlops_dash.services.freshness import FreshnessService
from mlops_dash.services.held_back import HeldBackService
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.monitoring import MonitoringService
from mlops_dash.services.notices import NoticeService
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from mlops_dash.services.retention import RetentionService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.services.scoring import ScoringService
from mlops_dash.services.search import SearchService
from mlops_dash.settings import Settings
from mlops_dash.store import db, migrate, trust, world
from mlops_dash.tracking.models.loading import ModelCache
from mlops_dash.tracking.registry import MlflowRegistry

# Nobody's telemetry, ours or a dependency's; MLflow reads these when it is imported.
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false"}


@dataclass(frozen=True)
class Services:
    """All verbs of the house, one object a noun."""

    context: Context
    access: AccessService
    audit: AuditService
    policies: PolicyService
    evidence: EvidenceService
    experiments: ExperimentService
    registry: RegistryService
    scoring: ScoringService
    monitoring: MonitoringService
    fleet: FleetService
    retraining: RetrainingService
    jobs: JobsService
    ab_tests: ABTestService
    reports: ReportService
    search: SearchService
    freshness: FreshnessService
    notices: NoticeService
    held_back: HeldBackService
    retention: RetentionService

    def close(self) -> None:
        """Give back database connections."""
        self.context.databases.dispose()


def build(settings: Settings, *, clock: Clock | None = None, new_id: ids.NewId = ids.new_id) -> Services:
    """Make the services; brings both databases to the current schema first.

    Args:
        settings: Where things live.
        clock: The time of this world; by default the machine's time plus the offset kept in the database.
        new_id: Maker of ids.

    Raises:
        StoreUnavailable: a database cannot be reached or written.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    databases = db.connect(settings)
    migrate.upgrade(databases)
    registry = MlflowRegistry(settings.mlflow_uri)
    context = Context(
        settings=settings,
        clock=clock or shared_clock(databases),
        new_id=new_id,
        databases=databases,
        registry=registry,
    )
    models = ModelCache(
        settings.mlflow_uri, settings.home, allow_pickle=settings.allow_pickle, trusted=trusted_files(databases)
    )
    return Services(
        context=context,
        access=AccessService(context),
        audit=AuditService(context),
        policies=PolicyService(context),
        evidence=EvidenceService(context),
        experiments=ExperimentService(context),
        registry=RegistryService(context),
        scoring=ScoringService(context, models),
        monitoring=MonitoringService(context),
        fleet=FleetService(context),
        retraining=RetrainingService(context),
        jobs=JobsService(context),
        ab_tests=ABTestService(context),
        reports=ReportService(context),
        search=SearchService(context),
        freshness=FreshnessService(context),
        notices=NoticeService(context),
        held_back=HeldBackService(context),
        retention=RetentionService(context),
    )


def trusted_files(databases: db.Databases) -> Callable[[str], bool]:
    """Whether an admin trusts files of a digest, asked each time files are loaded."""

    def is_trusted(digest: str) -> bool:
        with db.reading(databases.app) as session:
            return trust.is_trusted(session, digest)

    return is_trusted


def shared_clock(databases: db.Databases) -> Clock:
    """The clock that every process of this installation shares (the demo's lives on from the end of its data)."""

    def offset() -> timedelta:
        with db.reading(databases.app) as session:
            return world.clock_offset(session)

    return Clock(offset_source=offset)
