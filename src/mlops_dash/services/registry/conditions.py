"""Conditions that approvers wrote: what stands, and saying that one is done."""

from __future__ import annotations

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.conditions import Condition, why_not_done
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import conditions as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading


class Conditions:
    """What was asked beside approvals."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def conditions(self, actor: Actor, model: str) -> tuple[Condition, ...]:
        """All of a model, oldest first, done ones too.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            registry_store.model(session, model)
            return store.of_model(session, model)

    @command(Permission.PROPOSAL_JUDGE, Action.CONDITION_DONE)
    def finish_condition(self, unit: Unit, actor: Actor, condition_id: str, *, note: str) -> Condition:
        """Say that a condition is met, or that a review was made, and what came of it. Not the proposer of the version.

        Raises:
            InvalidInput: no note.
            NotFound: no such condition.
            Conflict: it is done already, or the actor proposed the version.
        """
        if not note.strip():
            raise InvalidInput("Say what came of it.", hint="One sentence; it goes into the ledger.")
        known = store.get(unit.session, condition_id)
        refusal = why_not_done(actor, known)
        if refusal:
            raise Conflict(refusal)
        store.finish(unit.session, condition_id, at=unit.now, by=actor.id, note=note.strip())
        unit.audit(
            f"{known.model} v{known.version}",
            model=known.model,
            before={"condition": condition_id, "kind": known.kind, "asked": known.text, "by": known.by},
            after={"done": True, "kind": known.kind},
            reason=note.strip(),
        )
        return store.get(unit.session, condition_id)
