"""The board: of every model which version is where, from a fixed number of statements; MLflow is not asked."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.board import BoardRow, marks_of, rolled
from mlops_dash.domain.registry.records import Model, Serving
from mlops_dash.domain.registry.rollouts import Rollout
from mlops_dash.domain.words import ABState
from mlops_dash.services.command import Context, read
from mlops_dash.services.registry.reconcile import mirror_key
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import access as access_store
from mlops_dash.store import boards as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store import rollouts as rollout_store
from mlops_dash.store import world
from mlops_dash.store.db import reading


class Boards:
    """Where versions are."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def board(self, actor: Actor) -> tuple[BoardRow, ...]:
        """Every model that is watched, by name, with its versions where they are now."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            models = registry_store.models(session)
            servings = {one.model: one for one in registry_store.servings(session)}
            rollouts = {one.model: one for one in rollout_store.all_open(session)}
            tests = {one.model: one.challenger for one in ab_store.pending(session) if one.state is ABState.RUNNING}
            proposed: dict[str, list[str]] = defaultdict(list)
            known = access_store.proposals_since(session, now)
            for one in access_store.pending_proposals(session, known):
                if one.due > now:
                    proposed[one.model].append(f"v{one.version}")
            wanted = [one for serving in servings.values() for one in (serving.version_id, *serving.shadow_version_ids)]
            labels = store.labels(session, [*wanted, *(one.to_version_id for one in rollouts.values())])
            newest = store.newest(session)
            mirrors = world.beginning(session, mirror_key(""))
        return tuple(
            _row(
                one, servings.get(one.name), rollouts.get(one.name), labels, mirrors.get(mirror_key(one.name)) or {},
                tested=tests.get(one.name, ""), proposed=tuple(proposed[one.name]), newest=newest.get(one.name, ""),
            )
            for one in models
        )  # fmt: skip


def _row(
    model: Model,
    serving: Serving | None,
    rollout: Rollout | None,
    labels: dict[str, str],
    mirror: dict[str, Any],
    *,
    tested: str,
    proposed: tuple[str, ...],
    newest: str,
) -> BoardRow:
    silent = () if serving is None else tuple(labels[one] for one in serving.shadow_version_ids if one in labels)
    return BoardRow(
        model=model.name,
        owner=model.owner,
        tier=model.tier,
        live="" if serving is None else labels.get(serving.version_id, ""),
        live_since=None if serving is None else serving.since,
        rolling_out="" if rollout is None else rolled(labels.get(rollout.to_version_id, "?"), rollout.share),
        tested=tested,
        silent=silent,
        proposed=proposed,
        newest=newest,
        marks=marks_of(mirror.get("versions", {})),
        seen_at=datetime.fromisoformat(mirror["as_of"]) if mirror.get("as_of") else None,
        reachable=bool(mirror.get("reachable", True)),
    )
