"""The table of pages: url, title, icon, section, permission and where the page function lives. One row a view."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from mlops_dash.domain.access import Permission

if TYPE_CHECKING:
    from app.frame import Frame

PageFunction = Callable[["Frame"], None]


@dataclass(frozen=True)
class PageRow:
    """One page."""

    url: str
    title: str
    icon: str
    section: str
    permission: Permission
    module: str

    def function(self) -> PageFunction:
        """The page's function; its module is imported when the page is first opened."""
        return cast(PageFunction, importlib.import_module(f"app.views.{self.module}").page)


PAGES: tuple[PageRow, ...] = (
    PageRow("overview", "Overview", "space_dashboard", "Observe", Permission.ROOM_READ, "overview"),
    PageRow("monitoring", "Monitoring", "monitoring", "Observe", Permission.ROOM_READ, "monitoring"),
    PageRow("ab", "A/B tests", "science", "Observe", Permission.ROOM_READ, "ab_tests"),
    PageRow("experiments", "Experiments", "account_tree", "Build", Permission.ROOM_READ, "experiments"),
    PageRow("registry", "Registry", "deployed_code", "Build", Permission.ROOM_READ, "registry"),
    PageRow("retraining", "Retraining", "autorenew", "Build", Permission.ROOM_READ, "retraining"),
    PageRow("reports", "Reports", "article", "Govern", Permission.ROOM_READ, "reports"),
    PageRow("audit", "Audit & admin", "shield_person", "Govern", Permission.AUDIT_READ, "audit"),
)

HOME = "overview"  # what `/` is
