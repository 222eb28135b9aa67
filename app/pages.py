"""The table of pages: url, title, icon, section, permission and the view that draws it. One row a view."""

from __future__ import annotations

from dataclasses import dataclass

from mlops_dash.domain.access import Permission


@dataclass(frozen=True)
class PageRow:
    """One page; its function is `page` in `app/views/<module>.py`."""

    url: str
    title: str
    icon: str
    section: str
    permission: Permission
    module: str


PAGES: tuple[PageRow, ...] = (
    PageRow("overview", "Overview", "space_dashboard", "Observe", Permission.ROOM_READ, "overview"),
    PageRow("monitoring", "Monitoring", "monitoring", "Observe", Permission.ROOM_READ, "monitoring"),
    PageRow("ab", "A/B tests", "science", "Observe", Permission.ROOM_READ, "ab_tests"),
    PageRow("files", "Files", "upload_file", "Observe", Permission.ROOM_READ, "files"),
    PageRow("experiments", "Experiments", "account_tree", "Build", Permission.ROOM_READ, "experiments"),
    PageRow("registry", "Registry", "deployed_code", "Build", Permission.ROOM_READ, "registry"),
    PageRow("retraining", "Retraining", "autorenew", "Build", Permission.ROOM_READ, "retraining"),
    PageRow("reports", "Reports", "article", "Govern", Permission.ROOM_READ, "reports"),
    PageRow("audit", "Audit & admin", "shield_person", "Govern", Permission.AUDIT_READ, "audit"),
)

HOME = "overview"  # what `/` is
