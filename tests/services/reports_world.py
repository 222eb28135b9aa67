"""A small made world with something to report: a served model, weeks of traffic, a moved input, a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from tests.services.monitoring.monitoring_world import MODEL, World, world

DAY = timedelta(days=1)


@dataclass
class Office:
    """The service under test, and those whose pages it must agree with."""

    world: World
    reports: ReportService
    registry: RegistryService
    audit: AuditService


def office(context: Context, *, traffic: bool = True) -> Office:
    """Three weeks of good days, then ten with a moved input; judged two days later."""
    made = world(context)
    if traffic:
        made.reference()
        made.live(21)
        made.live(10, moved=2.0)
        made.evaluate(later=2 * DAY)
    return Office(made, ReportService(context), RegistryService(context), AuditService(context))


__all__ = ["DAY", "MODEL", "Office", "office"]
