"""Staged roll-outs: begun, paused, continued and stopped by people; taken further, or stopped, by their own rules.

Every step is one transaction with its ledger entry, and what comes next follows from what is stored: after a crash
between any two steps the worker's next look goes on from there. The champion changes at the very end only, by the
promotion's own two transactions.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.registry.guards import errors_guard, loss_guard, time_guard
from mlops_dash.domain.registry.proposals import approvers, why_not_in_stages, why_not_through
from mlops_dash.domain.registry.rollouts import (
    GOING,
    STOPPED_FOR,
    Guard,
    Rollout,
    failed,
    is_over,
    may_become,
    stages_said,
    why_not_continue,
    why_not_pause,
    why_not_stop,
)
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.domain.words import ProposalState, RolloutState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.registry.alarms import answer_halted, tell_halted
from mlops_dash.services.registry.deciding import basis_said, evidence_of
from mlops_dash.services.registry.judging import Standing, standing, standing_as_seen
from mlops_dash.services.registry.promotion import begun, nobody_else, why_not_promote_now
from mlops_dash.store import access as access_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store import rollouts as store
from mlops_dash.store import serving as serving_store
from mlops_dash.store.db import Session, reading, transaction

_log = logging.getLogger(__name__)
SAID_AGAIN = timedelta(seconds=30)  # that nothing changed is written down so often
LONG_SECONDS, RARER = 1.0, 20  # losses that took longer than this to read are read again after so many times that


class Rollouts:
    """What people decide about roll-outs."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.PROMOTE, Action.ROLLOUT_STARTED)
    def begin_rollout(self, unit: Unit, actor: Actor, proposal_id: str, revision: int, reason: str) -> Rollout:
        """Let an approved version answer the first stage's share of the rows from now on. A lead or admin may.

        What holds of a promotion holds here: the stored evidence is judged again, approvals are counted again.

        Args:
            unit: Of this command.
            actor: Who clicks.
            proposal_id: What is rolled out; its stages were approved with it.
            revision: As the actor saw it.
            reason: Why now; goes into the ledger.

        Raises:
            InvalidInput: no reason.
            Conflict: it has no stages, there is no champion, others serve it, something else is on, or gates or
                approvals are not (any more) as they must be.
        """
        _need(reason, "A roll-out")
        at = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        if not at.proposal.stages:
            raise Conflict("This proposal has no stages.", hint="Promote it: all rows follow at once.")
        model = registry_store.model(unit.session, at.proposal.model)
        _refuse(why_not_in_stages(model, at.champion) or why_not_promote_now(actor, at))
        assert at.champion is not None  # it may be in stages
        nobody_else(unit, at.proposal.model)
        made = Rollout(
            id=self.context.new_id(),
            model=at.proposal.model,
            proposal_id=proposal_id,
            from_version_id=at.champion.id,
            to_version_id=at.version.id,
            stages=at.proposal.stages,
            state=RolloutState.RUNNING,
            stage=0,
            key=self.context.new_id(),
            revision=1,
            started_by=actor.id,
            started_at=unit.now,
            reason=reason.strip(),
            stage_at=unit.now,
            running_since=unit.now,
        )
        registry_store.change_proposal(unit.session, proposal_id, revision, state=ProposalState.ROLLING_OUT)
        store.add(unit.session, made)
        answer_halted(unit.session, made.model, unit.now)
        unit.audit(
            at.version.subject,
            model=made.model,
            before={"champion": at.champion.label, "share": 0.0},
            after={
                "champion": at.champion.label,
                "rollout": made.id,
                "stages": stages_said(made.stages),
                "share": made.share,
                **basis_said(unit.session, at),
            },
            reason=made.reason,
            evidence_ids=evidence_of(at),
        )
        return made

    @command(Permission.PROMOTE, Action.ROLLOUT_PAUSED)
    def pause_rollout(self, unit: Unit, actor: Actor, rollout_id: str, revision: int, *, reason: str) -> Rollout:
        """Hold a roll-out: its share stays, its time stands still, and it is still stopped when it fails.

        Raises:
            InvalidInput: no reason.
            Conflict: it does not run, or it changed since `revision`.
        """
        _need(reason, "A pause")
        known = store.get(unit.session, rollout_id)
        _refuse(why_not_pause(actor, known))
        return _moved(
            unit, known, revision, RolloutState.PAUSED, reason, waited_seconds=known.waited(unit.now).total_seconds()
        )

    @command(Permission.PROMOTE, Action.ROLLOUT_CONTINUED)
    def continue_rollout(self, unit: Unit, actor: Actor, rollout_id: str, revision: int, *, reason: str) -> Rollout:
        """Let a paused roll-out go on from where it was.

        Raises:
            InvalidInput: no reason.
            Conflict: it is not paused, or it changed since `revision`.
        """
        _need(reason, "Going on")
        known = store.get(unit.session, rollout_id)
        _refuse(why_not_continue(actor, known))
        return _moved(unit, known, revision, RolloutState.RUNNING, reason, running_since=unit.now)

    @command(Permission.PROMOTE, Action.ROLLOUT_STOPPED)
    def stop_rollout(self, unit: Unit, actor: Actor, rollout_id: str, revision: int, *, reason: str) -> Rollout:
        """End a roll-out: the champion answers all rows again, and the proposal is closed with the reason.

        Raises:
            InvalidInput: no reason.
            Conflict: it is over, is being made champion, or changed since `revision`.
        """
        _need(reason, "A stop")
        known = store.get(unit.session, rollout_id)
        _refuse(why_not_stop(actor, known))
        return _stopped(unit, known, revision, reason.strip())

    @read(Permission.ROOM_READ)
    def rollout(self, actor: Actor, model: str) -> Rollout:
        """The roll-out of a model that is not over, else its last.

        Raises:
            NotFound: there never was one.
        """
        with reading(self.context.databases.app) as session:
            registry_store.model(session, model)
            found = store.open_of(session, model) or store.last_of(session, model)
        if found is None:
            raise NotFound(
                f"Nothing of {model} was ever rolled out in stages.", hint="Propose a version with stages: --stage."
            )
        return found


class RolloutWatch:
    """The worker's eye on roll-outs; no verb for anybody else."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._losses: dict[str, tuple[float, Guard]] = {}  # by roll-out: not read again before, and what was said

    @record(Permission.SYSTEM)
    def watch_rollouts(self, actor: Actor) -> tuple[str, ...]:
        """Count and judge every roll-out that is not over, and take each the one step that is due; gives their models.

        Idempotent: a step is taken from the state it is in, under its revision, so two lookers take it once.
        """
        with reading(self.context.databases.app) as session:
            going = [one for one in store.all_open(session) if one.state in GOING]
        moved = []
        for one in going:
            try:
                if self._looked_at(actor, one):
                    moved.append(one.model)
            except Exception:  # noqa: BLE001 - the others must be looked at; this one is tried again next time
                _log.exception("a roll-out was not judged", extra={"model": one.model, "rollout": one.id})
        return tuple(moved)

    def _looked_at(self, actor: Actor, one: Rollout) -> bool:
        """Judge one roll-out and take the step that is due; whether there was one."""
        known = self._judged(one)
        said = failed(known.guards) or self._why_void(known)
        if said:
            self.halt_rollout(actor, known.id, known.revision, said)
        elif is_over(known, self.context.clock.now()):
            self.advance_rollout(actor, known.id, known.revision)
        else:
            return False
        return True

    def _judged(self, one: Rollout) -> Rollout:
        """Count its rows and judge its guards from what is stored now, and keep both."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            model = registry_store.model(session, one.model)
            watch = policy_store.active(session, one.model, PolicyKind.MONITORING, now).monitoring
            limits = policy_store.active(session, one.model, PolicyKind.PROMOTION, one.started_at).promotion
            version = registry_store.version(session, one.to_version_id)
            broken = serving_store.broken_cause(session, one.model, version.version)
        with reading(self.context.databases.log) as log:
            rows = store.rows_answered(log, one.to_version_id, one.stage_at)
            calls = store.pulses(log, one.id)
        guards = (
            errors_guard(calls, loads=not broken, why_not_loaded=broken, most=limits.rollout_most_failed),
            time_guard(calls, most=limits.rollout_most_times),
            self._loss_guard(replace(one, rows=rows), task_named(model.task, model.class_names), watch, now),
        )
        if (rows, guards) == (one.rows, one.guards) and one.judged_at and now - one.judged_at < SAID_AGAIN:
            return one
        with transaction(self.context.databases.app) as session:
            store.note(session, one.id, rows=rows, guards=guards, at=now)
        return replace(one, rows=rows, guards=guards, judged_at=now)

    def _loss_guard(self, one: Rollout, task: ModelTask, watch: MonitoringPolicy, now: datetime) -> Guard:
        """Its loss against the champion's on all ripe rows since it began; reading many takes longer than a look may.

        So that the worker has time for everything else, what took long is told again for a while; never where a
        stage may end.
        """
        known = self._losses.get(one.id)
        if known is not None and time.monotonic() < known[0] and one.progress(now) < 1.0:
            return known[1]
        begun = time.monotonic()
        ripe = now - timedelta(hours=watch.label_delay_hours)
        with reading(self.context.databases.log) as log:
            pairs = prediction_log.read_paired(
                log, one.model, one.from_version_id, one.to_version_id, one.started_at, max(ripe, one.started_at)
            )
        pairs = pairs[pairs["label"].notna()]
        labels = pairs["label"].to_numpy(dtype=float)
        old, new = (task.row_losses(labels, pairs[name].to_numpy(dtype=float)) for name in ("score_a", "score_b"))
        days = pairs["at"].dt.tz_convert(watch.zone).dt.strftime("%Y-%m-%d").tolist() if len(pairs) else []
        guard = loss_guard(
            new, old, days, loss=task.row_loss, margin=watch.harm_tolerance_share, label_hours=watch.label_delay_hours
        )
        took = time.monotonic() - begun
        if took > LONG_SECONDS:
            self._losses[one.id] = (time.monotonic() + RARER * took, guard)
        else:
            self._losses.pop(one.id, None)
        return guard

    def _why_void(self, one: Rollout) -> str:
        """Why it cannot go on although nothing failed: what it was approved on is not so any more."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            return _why_void(session, one, _standing_of(session, one, now))

    @command(Permission.SYSTEM, Action.ROLLOUT_ADVANCED)
    def advance_rollout(self, unit: Unit, actor: Actor, rollout_id: str, revision: int) -> Rollout:
        """Take the next stage; after the last one decide the promotion, as it was approved, in the starter's name."""
        known = store.get(unit.session, rollout_id)
        at = _standing_of(unit.session, known, unit.now)
        why_void = _why_void(unit.session, known, at)
        if known.revision != revision or not is_over(known, unit.now) or failed(known.guards) or why_void:
            unit.nothing_changed()  # somebody was quicker, or the next look stops it
            return known
        fresh = {"stage_at": unit.now, "running_since": unit.now, "waited_seconds": 0.0, "rows": 0}
        before = {"stage": known.now.said(), "share": known.share, "rows": known.rows}
        if not known.is_last:
            after = store.change(unit.session, known.id, revision, stage=known.stage + 1, **fresh)
            unit.audit(
                at.version.subject,
                model=known.model,
                before=before,
                after={"stage": after.now.said(), "share": after.share, **_guards_said(known.guards)},
                reason=known.reason,
            )
            return after
        operation = begun(unit, at, known.reason, actor_id=known.started_by)
        after = store.change(unit.session, known.id, revision, state=RolloutState.FINISHING)
        unit.audit(
            at.version.subject,
            model=known.model,
            before=before,
            after={
                "stage": "all", "share": 1.0, "operation": operation.id, "decided_by": known.started_by,
                "champion": at.version.label, **basis_said(unit.session, at), **_guards_said(known.guards),
            },
            reason=known.reason,
            evidence_ids=evidence_of(at),
        )  # fmt: skip
        return after

    @command(Permission.SYSTEM, Action.ROLLOUT_HALTED)
    def halt_rollout(self, unit: Unit, actor: Actor, rollout_id: str, revision: int, reason: str) -> Rollout:
        """Stop a roll-out by its rule: all rows go back to the champion, and an alert says so wherever alerts go."""
        known = store.get(unit.session, rollout_id)
        if known.revision != revision or known.state not in GOING:
            unit.nothing_changed()
            return known
        after = _stopped(unit, known, revision, reason)
        version = registry_store.version(unit.session, known.to_version_id)
        tell_halted(unit.session, self.context.new_id(), known, version, reason=reason, now=unit.now)
        return after


def _standing_of(session: Session, rollout: Rollout, now: datetime) -> Standing:
    """Where the proposal of a roll-out stands now."""
    return standing(session, registry_store.proposal(session, rollout.proposal_id), now)


def _why_void(session: Session, rollout: Rollout, at: Standing) -> str:
    """Why what a roll-out was approved on is not so any more; "" while it is."""
    if at.champion is None or at.champion.id != rollout.from_version_id:
        return "The champion changed since it began."
    if registry_store.in_flight(session, rollout.model) is not None:
        return "Another change of champion was decided."
    if len(approvers(at.proposal, at.holding)) < at.needed:
        return "Its approvals do not hold any more: gates, policy or tier changed, or who gave them may not judge."
    closed = why_not_through(at.gates) or at.tested
    if closed:
        return closed
    if access_store.powerless(session, [rollout.started_by], Permission.PROMOTE):
        return "Who began it, in whose name it would be promoted, may not promote any more."
    return "The model is archived." if registry_store.model(session, rollout.model).archived_at is not None else ""


def _guards_said(guards: tuple[Guard, ...]) -> dict[str, Any]:
    return {"guards": {one.name: str(one.state) for one in guards}}


def _moved(unit: Unit, known: Rollout, revision: int, state: RolloutState, reason: str, **changes: Any) -> Rollout:
    assert may_become(known, state)
    after = store.change(unit.session, known.id, revision, state=state, **changes)
    unit.audit(
        registry_store.version(unit.session, known.to_version_id).subject,
        model=known.model,
        before={"rollout": known.id, "state": str(known.state)},
        after={"rollout": known.id, "state": str(state), "stage": known.now.said()},
        reason=reason.strip(),
    )
    return after


def _stopped(unit: Unit, known: Rollout, revision: int, reason: str) -> Rollout:
    """All rows back to the champion, and the proposal closed, in one transaction."""
    assert may_become(known, RolloutState.STOPPED)
    ended = {"ended_at": unit.now, "ended_by": unit.actor.id, "end_reason": reason}
    waited = known.waited(unit.now).total_seconds()
    after = store.change(
        unit.session, known.id, revision, state=RolloutState.STOPPED, waited_seconds=waited, **ended
    )  # fmt: skip
    own = registry_store.proposal(unit.session, known.proposal_id)
    registry_store.change_proposal(
        unit.session, own.id, own.revision, state=ProposalState.VOID, closed_at=unit.now,
        close_reason=f"{STOPPED_FOR}{reason}",
    )  # fmt: skip
    champion = registry_store.champion(unit.session, known.model)
    unit.audit(
        registry_store.version(unit.session, known.to_version_id).subject,
        model=known.model,
        before={"state": str(known.state), "stage": known.now.said(), "share": known.share, "rows": known.rows},
        after={
            "state": str(after.state), "share": 0.0, "champion": None if champion is None else champion.label,
            **_guards_said(known.guards),
        },
        reason=reason,
    )  # fmt: skip
    return after


def _need(reason: str, what: str) -> None:
    if not reason.strip():
        raise InvalidInput(f"{what} needs a reason.", hint="One sentence; it goes into the ledger.")


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)
