"""Two kept reports side by side."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.reports.snapshot import Compared, compared
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.store import reports as store
from mlops_dash.store.db import reading


class Comparing:
    """What two snapshots of one thing say differently."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def compared(self, actor: Actor, one_id: str, other_id: str) -> Compared:
        """What the key numbers of two kept reports of one kind and model say differently, the earlier one first.

        Raises:
            NotFound: one of them is not kept.
            InvalidInput: they are of different kinds or models.
        """
        with reading(self.context.databases.app) as session:
            found = [store.report(session, one) for one in (one_id, other_id)]
        reports = [one for one in found if one is not None]
        if len(reports) < len(found):
            raise NotFound("One of the two reports is not kept.", hint="See: mlops-dash report list --json.")
        first, second = sorted(reports, key=lambda one: (one.line.made_at, one.line.id))
        if (first.line.kind, first.line.model) != (second.line.kind, second.line.model):
            raise InvalidInput(
                "These are reports of different kinds or models.", hint="Choose two of the same kind and model."
            )
        return compared(first, second)
