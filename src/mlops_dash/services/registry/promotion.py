"""Carry out a change of champion: decide (transaction 1), move the alias, note it (transaction 2). Also roll back.

MLflow and our database cannot change together. So the decision is kept first, with its ledger entry; `finish_promotion`
can then be called any number of times, by the click, by a second click, by the worker after a crash: the first that
comes through transaction 2 counts, the others find the work done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.gates import GATE_NAMES
from mlops_dash.domain.proposals import approvers, previous_champion, why_not_promote, why_not_roll_back
from mlops_dash.domain.registry import CHAMPION, OPEN_STATES, Operation, Serving, Version
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, Unit, command, record
from mlops_dash.services.registry.judging import champion_of, in_flight, reigns_of, standing
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading, transaction

DONE = (OperationState.ALIAS_MOVED, OperationState.DELIVERED, OperationState.CONFIRMED)


class Promotions:
    """What changes the champion."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.PROMOTE, Action.PROMOTION_DECIDED)
    def begin_promotion(
        self,
        unit: Unit,
        actor: Actor,
        proposal_id: str,
        revision: int,
        reason: str,
        *,
        shadows: Sequence[str] | None = None,
    ) -> str:
        """Decide a promotion: the stored evidence is judged again, approvals are counted again. Gives the operation.

        A lead or admin may, approver or not. Nothing is computed here and MLflow is not asked; call
        `finish_promotion` with the answer.

        Args:
            unit: Of this command.
            actor: Who clicks.
            proposal_id: What is promoted.
            revision: As the actor saw it.
            reason: Why now; goes into the ledger.
            shadows: Versions that score silently from then on; None keeps those that do now.

        Raises:
            InvalidInput: no reason.
            Conflict: gates, approvals, champion or proposal are not (any more) as they must be.
        """
        if not reason.strip():
            raise InvalidInput("A promotion needs a reason.", hint="Say why now; it goes into the ledger.")
        known = store.proposal(unit.session, proposal_id)
        if known.revision != revision:
            raise Conflict(
                f"The proposal changed since you looked (now {known.state}, revision {known.revision}).",
                hint="Load the page again and look once more.",
            )
        now = standing(unit.session, known, unit.now)
        refusal = why_not_promote(actor, known, now.gates, now.holding, now.needed, unit.now)
        champion_id = None if now.champion is None else now.champion.id
        if not refusal and champion_id != known.champion_version_id:
            refusal = "The champion changed since this was proposed; propose the version again."
        if refusal:
            raise Conflict(refusal)
        _nobody_else(unit, known.model)
        made = Operation(
            id=self.context.new_id(),
            kind="promote",
            model=known.model,
            alias=CHAMPION,
            from_version_id=champion_id,
            to_version_id=known.version_id,
            proposal_id=known.id,
            state=OperationState.DECIDED,
            actor=actor.id,
            reason=reason.strip(),
            decided_at=unit.now,
            shadow_version_ids=_shadows(unit, known.model, known.version_id, shadows),
        )
        store.change_proposal(unit.session, proposal_id, revision, state=ProposalState.PROMOTING)
        store.add_operation(unit.session, made)
        unit.audit(
            now.version.subject,
            model=known.model,
            before={"champion": None if now.champion is None else now.champion.label},
            after={
                "champion": now.version.label,
                "operation": made.id,
                "proposal": known.id,
                "artifact": now.version.artifact_digest,
                "approved_by": sorted(approvers(known, now.holding)),
                "gates": {name: str(gate.state) for name, gate in zip(GATE_NAMES, now.gates, strict=True)},
                "policy": now.policy.number,
            },
            reason=reason.strip(),
            evidence_ids=tuple(dict.fromkeys(one for gate in now.gates for one in gate.evidence_ids)),
        )
        return made.id

    @command(Permission.ROLLBACK, Action.ROLLBACK_DECIDED)
    def begin_rollback(self, unit: Unit, actor: Actor, model: str, reason: str) -> str:
        """Decide to go back to the champion before this one; a reason, no quorum. Gives the operation.

        A lead or admin may. Call `finish_promotion` with the answer.

        Raises:
            InvalidInput: no reason.
            Conflict: there is no earlier champion, or another change is being carried out.
        """
        if not reason.strip():
            raise InvalidInput("A rollback needs a reason.", hint="One sentence; it goes into the ledger.")
        serving = store.serving(unit.session, model)
        back_to = previous_champion(reigns_of(unit.session, model), serving)
        target = None if back_to is None else store.version(unit.session, back_to)
        refusal = why_not_roll_back(actor, target, in_flight(unit.session, model) is not None)
        if refusal or target is None or serving is None:
            raise Conflict(refusal)
        before = store.version(unit.session, serving.version_id)
        made = Operation(
            id=self.context.new_id(),
            kind="rollback",
            model=model,
            alias=CHAMPION,
            from_version_id=before.id,
            to_version_id=target.id,
            proposal_id=None,
            state=OperationState.DECIDED,
            actor=actor.id,
            reason=reason.strip(),
            decided_at=unit.now,
            shadow_version_ids=_shadows(unit, model, target.id, None),
        )
        store.add_operation(unit.session, made)
        unit.audit(
            target.subject,
            model=model,
            before={"champion": before.label},
            after={"champion": target.label, "operation": made.id, "artifact": target.artifact_digest},
            reason=reason.strip(),
        )
        return made.id

    @record(Permission.PROMOTE)
    def finish_promotion(self, actor: Actor, operation_id: str) -> Operation:
        """Carry out a decided promotion, rollback or restore: alias, read back, transaction 2; as often as you like.

        Raises:
            NotFound: no such operation.
            Unavailable: MLflow does not answer; the decision stands, the worker tries again.
            Conflict: it cannot be done (the version is gone from MLflow); the operation is closed as failed.
        """
        with reading(self.context.databases.app) as session:
            operation = store.operation(session, operation_id)
            target = store.version(session, operation.to_version_id)
            source = store.model(session, operation.model).source
        if operation.state in DONE:
            return operation
        if operation.state is OperationState.FAILED:
            raise Conflict(f"This change was given up: {operation.error}")
        failure = ""
        try:
            if source == "mlflow":
                self._move_alias(operation, target)
        except (NotFound, InvalidInput) as error:
            failure = error.message
        except Unavailable as error:
            with transaction(self.context.databases.app) as session:
                store.change_operation(session, operation_id, attempts=operation.attempts + 1, error=error.message)
            raise
        finish = {"promote": self._promoted, "rollback": self._rolled_back}.get(operation.kind, self._restored)
        after = finish(actor, operation_id, failure)
        if after.state is OperationState.FAILED:
            raise Conflict(f"The change was given up: {after.error}", hint="Propose another version.")
        return after

    def _move_alias(self, operation: Operation, target: Version) -> None:
        """Set the alias and read it back."""
        registry = self.context.registry
        registry.set_alias(operation.model, operation.alias, target.version)
        found = registry.alias(operation.model, operation.alias)
        if found != target.version:
            raise Unavailable(
                f"The alias {operation.alias} of {operation.model} points at version {found} right after it was set to "
                f"{target.version}: somebody else moves it.",
                hint="The decision stands; the worker tries again.",
            )

    @command(Permission.PROMOTE, Action.PROMOTION_FINISHED)
    def _promoted(self, unit: Unit, actor: Actor, operation_id: str, failure: str) -> Operation:
        return _settle(unit, operation_id, failure)

    @command(Permission.ROLLBACK, Action.ROLLBACK_FINISHED)
    def _rolled_back(self, unit: Unit, actor: Actor, operation_id: str, failure: str) -> Operation:
        return _settle(unit, operation_id, failure)

    def _restored(self, actor: Actor, operation_id: str, failure: str) -> Operation:
        """The alias is where the approved version is again; what is served never changed."""
        now = self.context.clock.now()
        moments = {"alias_moved_at": now, "delivered_at": now, "confirmed_at": now}
        changes: dict[str, object] = {"state": OperationState.CONFIRMED, "error": "", **moments}
        if failure:
            changes = {"state": OperationState.FAILED, "error": failure}
        with transaction(self.context.databases.app) as session:
            return store.change_operation(session, operation_id, **changes)


def _nobody_else(unit: Unit, model: str) -> None:
    other = in_flight(unit.session, model)
    if other is not None:
        raise Conflict(f"Another change of champion of {model} is being carried out.", hint="Wait until it is done.")
    test = ab_store.running(unit.session, model)
    if test is not None:
        raise Conflict(
            f"The A/B test {test.name} of {model} is running.",
            hint="Stop it on the A/B tests page first; its result is then evidence.",
        )


def _shadows(unit: Unit, model: str, champion_id: str, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Who scores silently afterwards: known versions of this model, never the champion itself."""
    serving = store.serving(unit.session, model)
    chosen = (() if serving is None else serving.shadow_version_ids) if wanted is None else tuple(wanted)
    known = {one.id for one in store.versions(unit.session, model)}
    unknown = [one for one in chosen if one not in known]
    if unknown:
        raise InvalidInput(f"{unknown[0]} is no version of {model} and cannot score silently.")
    return tuple(dict.fromkeys(one for one in chosen if one != champion_id))


def _settle(unit: Unit, operation_id: str, failure: str) -> Operation:
    """Transaction 2: what is served, the operation, its proposal, and the other proposals, together."""
    operation = store.operation(unit.session, operation_id)
    if not operation.in_flight:
        unit.nothing_changed()
        return operation
    target = store.version(unit.session, operation.to_version_id)
    before = champion_of(unit.session, operation.model)
    serving = store.serving(unit.session, operation.model)
    told = {"champion": None if before is None else before.label, "epoch": 0 if serving is None else serving.epoch}
    if failure:
        after = store.change_operation(unit.session, operation_id, state=OperationState.FAILED, error=failure)
        _close_own_proposal(unit, operation, ProposalState.VOID, failure)
        unit.audit(target.subject, model=operation.model, before=told, after={"failed": failure}, reason=failure)
        return after
    made = serve(unit, operation, serving)
    after = store.change_operation(
        unit.session,
        operation_id,
        state=OperationState.ALIAS_MOVED,
        alias_moved_at=unit.now,
        epoch=made.epoch,
        error="",
    )
    _close_own_proposal(unit, operation, ProposalState.PROMOTED, "promoted")
    void_other_proposals(unit, operation.model, f"{target.label} became champion")
    unit.audit(
        target.subject,
        model=operation.model,
        before=told,
        after={
            "champion": target.label,
            "epoch": made.epoch,
            "operation": operation_id,
            "decided_by": operation.actor,  # the worker may have finished what a person decided
        },
        reason=operation.reason,
    )
    return after


def serve(unit: Unit, operation: Operation, before: Serving | None) -> Serving:
    """Say that the operation's version is served from now on."""
    made = Serving(
        model=operation.model,
        alias=operation.alias,
        version_id=operation.to_version_id,
        shadow_version_ids=operation.shadow_version_ids,
        epoch=1,
        operation_id=operation.id,
        since=unit.now,
    )
    if before is not None:
        made = replace(made, epoch=before.epoch + 1)
    store.put_serving(unit.session, made)
    return made


def void_other_proposals(unit: Unit, model: str, reason: str) -> None:
    """What was compared with the old champion says nothing about the new one."""
    for other in store.proposals(unit.session, model, states=OPEN_STATES):
        changes = {"state": ProposalState.VOID, "closed_at": unit.now, "close_reason": f"{reason}."}
        store.change_proposal(unit.session, other.id, other.revision, **changes)


def _close_own_proposal(unit: Unit, operation: Operation, state: ProposalState, reason: str) -> None:
    if operation.proposal_id is None:
        return
    own = store.proposal(unit.session, operation.proposal_id)
    changes = {"state": state, "closed_at": unit.now, "close_reason": reason}
    store.change_proposal(unit.session, own.id, own.revision, **changes)
