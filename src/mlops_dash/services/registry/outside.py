"""Versions that somebody else serves: said by people, moved by nobody here."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import EXTERNAL, Operation
from mlops_dash.domain.words import OperationState
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.registry.promotion import decided, serve, void_other_proposals
from mlops_dash.store import registry as store


class Outside:
    """What is served elsewhere."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.MODEL_EDIT, Action.SERVED_ELSEWHERE)
    def serve_elsewhere(self, unit: Unit, actor: Actor, version_id: str, *, reason: str) -> Operation:
        """Say that a version of an external model is what answers now; monitoring watches it. Scientists and above.

        Nothing is moved, and no gate is asked: the decision was made elsewhere, and the ledger says so.

        Raises:
            NotFound: no such version.
            InvalidInput: no reason, or the model is one that our gateway serves.
            Conflict: it is the one that answers already.
        """
        if not reason.strip():
            raise InvalidInput("What is served elsewhere needs a reason.", hint="Say who serves it, and where.")
        target = store.version(unit.session, version_id)
        model = store.model(unit.session, target.model)
        if model.source != EXTERNAL:
            raise InvalidInput(
                f"{model.name} is served by our gateway.", hint="Propose the version; a lead approves and promotes it."
            )
        before = store.serving(unit.session, model.name)
        if before is not None and before.version_id == target.id:
            raise Conflict(f"{target.subject} answers already.")
        operation = decided(unit, "elsewhere", target, reason, shadows=())
        operation = replace(
            operation, state=OperationState.CONFIRMED, alias_moved_at=unit.now, delivered_at=unit.now,
            confirmed_at=unit.now,
        )  # fmt: skip
        store.add_operation(unit.session, operation)
        serve(unit, operation, before)
        void_other_proposals(unit, model.name, f"{target.label} answers now")
        unit.audit(
            target.subject,
            model=model.name,
            before={"champion": None if before is None else store.version(unit.session, before.version_id).label},
            after={"champion": target.label, "operation": operation.id, "gates": "not asked"},
            reason=reason.strip(),
        )
        return operation
