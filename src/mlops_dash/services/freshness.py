"""Whether what a page showed is still so, without reading it again."""

from __future__ import annotations

from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.services.command import Context, read
from mlops_dash.store import freshness as store
from mlops_dash.store.db import reading


class FreshnessService:
    """One cheap read that pages may keep their facts by."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def mark(self, actor: Actor) -> tuple[Any, ...]:
        """Changes with every decision, reading, alert, version, piece of evidence, promotion and job."""
        with reading(self.context.databases.app) as session:
            return store.mark(session)
