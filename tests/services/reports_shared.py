"""A report of a stranger's model that may be shared: minutes in a queue, answered elsewhere, with HTML in its name."""

from __future__ import annotations

from mlops_dash.domain.reports.snapshot import Report
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.services.reports import ReportService
from tests.factories import ADMIN, SCIENTIST

MODEL = "queue-minutes"
TITLE = "Minutes at the 'north' desk <script>alert(1)</script> 队列"


def shared_report(context: Context) -> Report:
    """The card of that model, kept."""
    RegistryService(context).add_model(
        ADMIN, MODEL, title=TITLE, task="regression", source="external", do_not_log=["passport"], reason="a call centre"
    )
    reports = ReportService(context)
    return reports.freeze(SCIENTIST, reports.card(SCIENTIST, MODEL))
