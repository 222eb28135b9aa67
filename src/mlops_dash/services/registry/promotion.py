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
from mlops_dash.domain.registry.live import NONE, LiveMark
from mlops_dash.domain.registry.proposals import (
    overrides_behind,
    previous_champion,
    why_not_promote,
    why_not_roll_back,
)
from mlops_dash.domain.registry.records import CHAMPION, OPEN_STATES, Operation, Serving, Version
from mlops_dash.domain.registry.rollouts import stages_said
from mlops_dash.domain.words import OperationState, ProposalState, RolloutState
from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, Unit, command, record
from mlops_dash.services.registry.alarms import ALIAS_ALERT, answer_halted, close_alert, open_alert
from mlops_dash.services.registry.deciding import basis_said, evidence_of
from mlops_dash.services.registry.judging import Standing, reigns_of, standing_as_seen
from mlops_dash.services.registry.numbering import Counted, Counting, keep
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import registry as store
from mlops_dash.store import rollouts as rollout_store
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.marks import Marks

DONE = (OperationState.ALIAS_MOVED, OperationState.DELIVERED, OperationState.CONFIRMED)


class Promotions:
    """What changes the champion."""

    def __init__(self, context: Context, counting: Counting) -> None:
        self.context = context
        self._counting = counting

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
        _need_reason(reason, "A promotion needs a reason.", "Say why now; it goes into the ledger.")
        at = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        _refuse(why_not_promote_now(actor, at))
        if at.proposal.stages:
            raise Conflict(
                f"It was approved to be rolled out in stages: {stages_said(at.proposal.stages)}.",
                hint="Begin its roll-out on the Registry page; mlops-dash promote does so too.",
            )
        nobody_else(unit, at.proposal.model)
        operation = begun(unit, at, reason, shadows=shadows)
        unit.audit(
            at.version.subject,
            model=at.version.model,
            before={"champion": None if at.champion is None else at.champion.label},
            after={"champion": at.version.label, "operation": operation.id, **basis_said(unit.session, at)},
            reason=operation.reason,
            evidence_ids=evidence_of(at),
        )
        return operation.id

    @command(Permission.ROLLBACK, Action.ROLLBACK_DECIDED)
    def begin_rollback(self, unit: Unit, actor: Actor, model: str, reason: str) -> str:
        """Decide to go back to the champion before this one; a reason, no quorum. Gives the operation.

        A lead or admin may. Call `finish_promotion` with the answer.

        Raises:
            InvalidInput: no reason.
            Conflict: there is no earlier champion, a version is rolled out in stages (the roll-out is stopped instead:
                the champion is not what is new), or another change is being carried out.
        """
        _need_reason(reason, "A rollback needs a reason.", "One sentence; it goes into the ledger.")
        serving = store.serving(unit.session, model)
        back_to = previous_champion(reigns_of(unit.session, model), serving)
        target = None if back_to is None else store.version(unit.session, back_to)
        staged = rollout_store.open_of(unit.session, model) is not None
        refusal = why_not_roll_back(actor, target, store.in_flight(unit.session, model) is not None, in_stages=staged)
        if refusal or target is None or serving is None:
            raise Conflict(refusal)
        before = store.version(unit.session, serving.version_id)
        operation = decided(unit, "rollback", target, reason, shadows=_shadows(unit, target, None))
        store.add_operation(unit.session, operation)
        unit.audit(
            target.subject,
            model=model,
            before={"champion": before.label},
            after={"champion": target.label, "operation": operation.id, "artifact": target.artifact_digest},
            reason=operation.reason,
        )
        return operation.id

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
            mark = store.model(session, operation.model).mark
        if operation.state in DONE:
            return operation
        if operation.state is OperationState.FAILED:
            raise Conflict(f"This change was given up: {operation.error}")
        failure = ""
        try:
            if mark.kind != NONE:
                self._move_mark(operation, mark, target)
        except (NotFound, InvalidInput) as error:
            failure = error.message
        except Unavailable as error:
            with transaction(self.context.databases.app) as session:
                store.change_operation(session, operation_id, attempts=operation.attempts + 1, error=error.message)
            raise
        number = None if failure else self._counting.of_promotion(operation)
        finish = {"promote": self._promoted, "rollback": self._rolled_back}.get(operation.kind, self._restored)
        after = finish(actor, operation_id, failure, number)
        if after.state is OperationState.FAILED:
            raise Conflict(f"The change was given up: {after.error}", hint="Propose another version.")
        return after

    def _move_mark(self, operation: Operation, mark: LiveMark, target: Version) -> None:
        """Mark the version as live in MLflow, and read it back."""
        marks = Marks(self.context.registry.uri)
        marks.put(operation.model, mark, target.version)
        pointed_at = marks.where(operation.model, mark)
        if pointed_at != target.version:
            raise Unavailable(
                f"The {mark.phrase} of {operation.model} points at version {pointed_at} right after it was "
                f"set to {target.version}: somebody else moves it.",
                hint="The decision stands; the worker tries again.",
            )

    @command(Permission.PROMOTE, Action.PROMOTION_FINISHED)
    def _promoted(self, unit: Unit, actor: Actor, operation_id: str, failure: str, number: Counted) -> Operation:
        after = _settle(unit, operation_id, failure)
        keep(unit, number, actor)
        return after

    @command(Permission.ROLLBACK, Action.ROLLBACK_FINISHED)
    def _rolled_back(self, unit: Unit, actor: Actor, operation_id: str, failure: str, _: Counted) -> Operation:
        return _settle(unit, operation_id, failure)

    def _restored(self, actor: Actor, operation_id: str, failure: str, _: Counted) -> Operation:
        """The alias is where the approved version is again; what is served never changed."""
        now = self.context.clock.now()
        moments = {"alias_moved_at": now, "delivered_at": now, "confirmed_at": now}
        changes: dict[str, object] = {"state": OperationState.CONFIRMED, "error": "", **moments}
        if failure:
            changes = {"state": OperationState.FAILED, "error": failure}
        with transaction(self.context.databases.app) as session:
            return store.change_operation(session, operation_id, **changes)


def decided(
    unit: Unit,
    kind: str,
    target: Version,
    reason: str,
    *,
    shadows: Sequence[str],
    proposal_id: str | None = None,
) -> Operation:
    """A change of champion as it is decided now; nothing is stored yet."""
    serving = store.serving(unit.session, target.model)
    return Operation(
        id=unit.context.new_id(),
        kind=kind,
        model=target.model,
        alias=CHAMPION,
        from_version_id=None if serving is None else serving.version_id,
        to_version_id=target.id,
        proposal_id=proposal_id,
        state=OperationState.DECIDED,
        actor=unit.actor.id,
        reason=reason.strip(),
        decided_at=unit.now,
        shadow_version_ids=tuple(version_id for version_id in shadows if version_id != target.id),
    )


def begun(
    unit: Unit, at: Standing, reason: str, *, shadows: Sequence[str] | None = None, actor_id: str = ""
) -> Operation:
    """Decide the promotion of a proposal: the operation and the proposal's state; the caller writes the ledger.

    `actor_id` is whose decision it is, where a roll-out carries it out later.
    """
    operation = decided(
        unit, "promote", at.version, reason, shadows=_shadows(unit, at.version, shadows), proposal_id=at.proposal.id
    )
    operation = replace(operation, actor=actor_id or operation.actor)
    store.change_proposal(unit.session, at.proposal.id, at.proposal.revision, state=ProposalState.PROMOTING)
    store.add_operation(unit.session, operation)
    return operation


def _need_reason(reason: str, sentence: str, hint: str) -> None:
    if not reason.strip():
        raise InvalidInput(sentence, hint=hint)


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)


def why_not_promote_now(actor: Actor, at: Standing) -> str:
    """As `why_not_promote`; and the champion is the one it was proposed against, and no A/B test says otherwise."""
    refusal = why_not_promote(actor, at.proposal, at.gates, at.holding, at.needed, at.now)
    champion_id = None if at.champion is None else at.champion.id
    if not refusal and champion_id != at.proposal.champion_version_id:
        return "The champion changed since this was proposed; propose the version again."
    return refusal or at.tested


def nobody_else(unit: Unit, model: str) -> None:
    """Nothing else may be changing who answers.

    Raises:
        Conflict: a change of champion, a roll-out or an A/B test is on.
    """
    if store.in_flight(unit.session, model) is not None:
        raise Conflict(f"Another change of champion of {model} is being carried out.", hint="Wait until it is done.")
    if rollout_store.open_of(unit.session, model) is not None:
        raise Conflict(f"A roll-out of {model} is going on.", hint="Stop it first, or wait until it is over.")
    test = ab_store.running(unit.session, model)
    if test is not None:
        raise Conflict(
            f"The A/B test {test.name} of {model} is running.",
            hint="Stop it on the A/B tests page first; its result is then evidence.",
        )


def _shadows(unit: Unit, target: Version, wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Who scores silently afterwards: known versions of this model, never the champion itself."""
    serving = store.serving(unit.session, target.model)
    chosen = (() if serving is None else serving.shadow_version_ids) if wanted is None else tuple(wanted)
    known = {version.id for version in store.versions(unit.session, target.model)}
    unknown = [version_id for version_id in chosen if version_id not in known]
    if unknown:
        raise InvalidInput(f"{unknown[0]} is no version of {target.model} and cannot score silently.")
    return tuple(dict.fromkeys(version_id for version_id in chosen if version_id != target.id))


def _settle(unit: Unit, operation_id: str, failure: str) -> Operation:
    """Transaction 2: what is served, the operation, its proposal, and the other proposals, together."""
    operation = store.operation(unit.session, operation_id)
    if not operation.in_flight:
        unit.nothing_changed()
        return operation
    target = store.version(unit.session, operation.to_version_id)
    before = store.champion(unit.session, operation.model)
    serving = store.serving(unit.session, operation.model)
    past = {"champion": None if before is None else before.label, "epoch": 0 if serving is None else serving.epoch}
    if failure:
        after = store.change_operation(unit.session, operation_id, state=OperationState.FAILED, error=failure)
        _close_own_proposal(unit, operation, ProposalState.VOID, failure)
        unit.audit(target.subject, model=operation.model, before=past, after={"failed": failure}, reason=failure)
        return after
    served = serve(unit, operation, serving)
    moved_outside = open_alert(unit.session, operation.model, ALIAS_ALERT)
    if moved_outside is not None:  # we have just put the alias ourselves
        close_alert(unit.session, moved_outside, unit.now)
    answer_halted(unit.session, operation.model, unit.now)
    after = store.change_operation(
        unit.session,
        operation_id,
        state=OperationState.ALIAS_MOVED,
        alias_moved_at=unit.now,
        epoch=served.epoch,
        error="",
    )
    lifted = _overridden(unit, operation)
    _close_own_proposal(unit, operation, ProposalState.PROMOTED, "promoted")
    void_other_proposals(unit, operation.model, f"{target.label} became champion")
    unit.audit(
        target.subject,
        model=operation.model,
        before=past,
        after={
            "champion": target.label,
            "epoch": served.epoch,
            "operation": operation_id,
            "decided_by": operation.actor,  # the worker may have finished what a person decided
            **({"overridden": lifted} if lifted else {}),
        },
        reason=operation.reason,
    )
    return after


def _overridden(unit: Unit, operation: Operation) -> list[str]:
    """The gates that two people had lifted when a promotion was decided."""
    if operation.proposal_id is None:
        return []
    own, given = (
        store.proposal(unit.session, operation.proposal_id),
        store.approvals(unit.session, operation.proposal_id),
    )
    return sorted(overrides_behind(own, given, operation.decided_at, {}))


def serve(unit: Unit, operation: Operation, before: Serving | None) -> Serving:
    """Say that the operation's version is served from now on."""
    serving = Serving(
        model=operation.model,
        alias=operation.alias,
        version_id=operation.to_version_id,
        shadow_version_ids=operation.shadow_version_ids,
        epoch=1,
        operation_id=operation.id,
        since=unit.now,
    )
    if before is not None:
        serving = replace(serving, epoch=before.epoch + 1)
    store.put_serving(unit.session, serving)
    return serving


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
    staged = rollout_store.of_proposal(unit.session, own.id)
    if staged is not None and staged.state is RolloutState.FINISHING:
        rolled = RolloutState.DONE if state is ProposalState.PROMOTED else RolloutState.STOPPED
        ended = {"ended_at": unit.now, "ended_by": unit.actor.id, "end_reason": reason}
        rollout_store.change(unit.session, staged.id, staged.revision, state=rolled, **ended)
