"""A roll-out that gets no rows: why, from what the log holds."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.rollouts import PATIENCE, why_no_rows
from mlops_dash.domain.scoring import ScoreRole
from mlops_dash.domain.words import RolloutState
from mlops_dash.services.command import Context, read
from mlops_dash.store import registry as registry_store
from mlops_dash.store import rollouts as store
from mlops_dash.store.db import reading


class Unanswered:
    """Roll-outs whose rows do not come."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def why_no_rows(self, actor: Actor, model: str) -> str:
        """Why the stage that a model's roll-out is in has no row yet, after some minutes; "" where nothing is amiss.

        Raises:
            NotFound: no such model.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            known = registry_store.model(session, model)
            found = store.open_of(session, model)
        if found is None or found.rows or found.state is not RolloutState.RUNNING or found.waited(now) < PATIENCE:
            return ""
        with reading(self.context.databases.log) as log:
            champion_rows = store.rows_answered(log, found.from_version_id, found.stage_at, ScoreRole.CHAMPION)
            asked = store.pulses(log, found.id).asked
        return why_no_rows(found, now, elsewhere=known.elsewhere, champion_rows=champion_rows, asked=asked)
