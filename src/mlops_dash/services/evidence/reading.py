"""What was kept? Evidence by id, and all of one version."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import Evidence
from mlops_dash.services.command import Context, read
from mlops_dash.store import evidence as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading


class Kept:
    """The reads."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def get(self, actor: Actor, ids: Sequence[str]) -> tuple[Evidence, ...]:
        """Evidence by id, in that order.

        Raises:
            NotFound: one of them was never kept.
        """
        with reading(self.context.databases.app) as session:
            return store.get(session, ids)

    @read(Permission.ROOM_READ)
    def about(self, actor: Actor, version_id: str) -> tuple[Evidence, ...]:
        """All evidence about one version, oldest first."""
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            return tuple(row for row in store.about(session, [version.subject]) if _is_about(row, version_id))


def _is_about(evidence: Evidence, version_id: str) -> bool:
    return evidence.digests.get("candidate", version_id) == version_id
