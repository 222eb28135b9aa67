"""Bring three worlds together again, every few seconds: our decisions, MLflow's aliases, what the gateways serve.

Finishes what a crash interrupted, mirrors MLflow's versions, notices moved aliases, confirms what is served, closes
what expired. Each step is its own short transaction and may be repeated; MLflow being away stops only its own steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.live import ALIAS, NONE, LiveMark
from mlops_dash.domain.registry.proposals import approvers
from mlops_dash.domain.registry.records import OPEN_STATES, Heartbeat, Model, Operation, Serving, Version
from mlops_dash.domain.words import AlertState, OperationState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, record
from mlops_dash.services.registry.alarms import ALIAS_ALERT, close_alert, open_alert
from mlops_dash.services.registry.aliases import Aliases, AliasWatch
from mlops_dash.services.registry.freezing import LiveWatch
from mlops_dash.services.registry.judging import standing
from mlops_dash.services.registry.promotion import Promotions
from mlops_dash.services.registry.versions import keep_versions
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store import world
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring.alerts import Alert, alerts, save_alert
from mlops_dash.tracking.registry import RegisteredVersion

LIVE_SECONDS = 30  # a gateway that was silent for longer is not counted
NOT_CONFIRMED = "not_confirmed"


@dataclass(frozen=True)
class Reconciled:
    """What one pass did."""

    finished: tuple[str, ...]  # operations carried out
    waiting: tuple[str, ...]  # operations that still wait for MLflow
    mirrored: tuple[str, ...]  # models read from MLflow
    alarms: tuple[str, ...]  # sentences of alerts opened
    confirmed: tuple[str, ...]  # operations confirmed serving
    closed: tuple[str, ...]  # proposals that expired or lost their approvals
    mlflow: str  # "" or why it does not answer


class Reconciling:
    """The worker's pass; it finishes and adopts with the verbs that people use."""

    def __init__(self, context: Context, promotions: Promotions, aliases: Aliases, live_watch: LiveWatch) -> None:
        self.context = context
        self._promotions = promotions
        self._aliases = aliases
        self._live_watch = live_watch
        self._alias_watch = AliasWatch(context)

    @record(Permission.SYSTEM)
    def reconcile(self, actor: Actor) -> Reconciled:
        """One pass over all models. Idempotent; raises only when our own database does not answer."""
        finished, waiting = self._finish_all(actor)
        mirrored, alarms, said = self._look_at_mlflow(actor)
        confirmed, more = self._confirm_all()
        closed = self._close_proposals()
        return Reconciled(finished, waiting, mirrored, (*alarms, *more), confirmed, closed, said)

    def _finish_all(self, actor: Actor) -> tuple[tuple[str, ...], tuple[str, ...]]:
        with reading(self.context.databases.app) as session:
            pending = store.unfinished(session)
        finished, waiting = [], []
        for operation in pending:
            try:
                self._promotions.finish_promotion(actor, operation.id)
                finished.append(operation.id)
            except Unavailable:
                waiting.append(operation.id)  # the operation keeps the sentence and the number of attempts
            except Conflict:
                finished.append(operation.id)  # given up: its state and its ledger entry say why
        return tuple(finished), tuple(waiting)

    def _look_at_mlflow(self, actor: Actor) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        with reading(self.context.databases.app) as session:
            models = [one for one in store.models(session) if one.source == "mlflow"]
        mirrored: list[str] = []
        alarms: list[str] = []
        said = ""
        for model in models:
            before = self._changes(model.name)
            asked_at = self.context.clock.now()
            if not said:  # a dead server is asked once a pass
                try:
                    found = self.context.registry.versions(model.name)
                except NotFound:
                    found = ()
                except Unavailable as error:
                    said = error.message
                except InvalidInput as error:  # MLflow refuses this one: the others go on
                    self._keep_mirror(model.name, None, error.message, asked_at)
                    continue
            if said:
                self._keep_mirror(model.name, None, said, asked_at)
                continue
            self._keep_mirror(model.name, found, "", asked_at)
            mirrored.append(model.name)
            if self._changes(model.name) != before:
                continue  # we moved the alias while MLflow was answering: what it said is not news of somebody else
            try:
                alarm = self._compare_alias(actor, model, found)
            except (Conflict, NotFound, InvalidInput):  # somebody else moved it meanwhile: the next pass sees it
                continue
            changed = self._live_watch.look(actor, model, found)
            alarms += [one for one in (alarm, changed) if one]
        return tuple(mirrored), tuple(alarms), said

    def _changes(self, model: str) -> frozenset[tuple[str, OperationState]]:
        """Our own changes of champion, and how far each is."""
        with reading(self.context.databases.app) as session:
            return frozenset((one.id, one.state) for one in store.operations(session, model))

    def _keep_mirror(
        self, model: str, found: tuple[RegisteredVersion, ...] | None, said: str, asked_at: datetime
    ) -> None:
        with transaction(self.context.databases.app) as session:
            if found is None:
                known = world.get(session, mirror_key(model)) or {"as_of": None, "versions": {}}
                world.put(session, mirror_key(model), {**known, "reachable": False, "reason": said})
                return
            keep_versions(session, model, [_seen(one, self.context.new_id(), asked_at) for one in reversed(found)])
            world.put(session, mirror_key(model), mirror_body(found, store.model(session, model).mark, asked_at))

    def _compare_alias(self, actor: Actor, model: Model, found: tuple[RegisteredVersion, ...]) -> str:
        """Alarm on, adopt, or accept where the live mark is. Gives the alarm's sentence when it is new."""
        points_at = model.mark.points_at(found)
        with reading(self.context.databases.app) as session:
            if store.in_flight(session, model.name) is not None:
                return ""
            serving = store.serving(session, model.name)
            approved = None if serving is None else store.version(session, serving.version_id)
            lives = () if points_at is None else store.incarnations(session, model.name, points_at)
            alert = open_alert(session, model.name, ALIAS_ALERT)
            governed = is_governed(session, model.name, self.context.clock.now())
        aliased = lives[0] if lives else None
        if model.mark.kind == NONE or (aliased.id if aliased else None) == (approved.id if approved else None):
            if alert is not None:
                with transaction(self.context.databases.app) as session:
                    close_alert(session, alert, self.context.clock.now())
            return ""
        if not governed:
            if aliased is not None:
                why = f"This model has no promotion policy: the {model.mark.phrase} decides."
                self._aliases.adopt_alias(actor, model.name, version=aliased.version, reason=why)
            return ""
        if approved is None:
            return ""  # nothing was ever approved: an alias alone serves nothing
        news = self._alias_watch.notice(actor, model.name, approved, points_at)
        return f"The {model.mark.phrase} of {model.name} was moved outside." if news else ""

    def _confirm_all(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            served = [(one, store.operation(session, one.operation_id)) for one in store.servings(session)]
        confirmed: list[str] = []
        alarms: list[str] = []
        for serving, operation in served:
            self._forget_superseded(serving, now)
            if operation.state in (OperationState.ALIAS_MOVED, OperationState.DELIVERED):
                state, alarm = self._confirm(serving, operation, now)
                if state is OperationState.CONFIRMED:
                    confirmed.append(operation.id)
                if alarm:
                    alarms.append(alarm)
        return tuple(confirmed), tuple(alarms)

    def _forget_superseded(self, serving: Serving, now: datetime) -> None:
        """Nobody waits any more for a version that another one has followed."""
        with reading(self.context.databases.app) as session:
            label = store.version(session, serving.version_id).label
            known = [one for one in alerts(session, serving.model) if one.kind == NOT_CONFIRMED and not one.closed_at]
        for alert in known:
            if alert.version != label:
                with transaction(self.context.databases.app) as session:
                    close_alert(session, alert, now)

    def _confirm(self, serving: Serving, operation: Operation, now: datetime) -> tuple[OperationState, str]:
        since = operation.alias_moved_at or operation.decided_at
        with reading(self.context.databases.log) as log:
            live = store.heartbeats(log, serving.model, since=now - timedelta(seconds=LIVE_SECONDS))
            answered = store.first_answer_since(log, serving.version_id, since)
        state = reached(serving, live, since, answered=answered is not None)
        with transaction(self.context.databases.app) as session:
            policy = policy_store.active(session, serving.model, PolicyKind.PROMOTION, now).promotion
            version = store.version(session, serving.version_id)
            alert = open_alert(session, serving.model, NOT_CONFIRMED, version.label)
            if state is OperationState.CONFIRMED:
                seen = now if live or answered is None else answered
                moments = {"delivered_at": operation.delivered_at or seen, "confirmed_at": seen}
                store.change_operation(session, operation.id, state=state, **moments)
                if alert is not None:
                    close_alert(session, alert, now)
                return state, ""
            if state is OperationState.DELIVERED and operation.delivered_at is None:
                store.change_operation(session, operation.id, state=state, delivered_at=now)
            if now - since < timedelta(minutes=policy.confirm_within_minutes) or alert is not None:
                return state, ""
            if store.model(session, serving.model).elsewhere:  # its rows confirm it, and may come once a week
                made = self._still_another(session, operation, version, since, policy.confirm_within_minutes, now)
                if made is None:
                    return state, ""
            else:
                made = _not_confirmed(self.context.new_id(), version, live, now, policy.confirm_within_minutes)
            save_alert(session, made)
            return state, made.title

    def _still_another(
        self, session: Session, operation: Operation, version: Version, since: datetime, minutes: int, now: datetime
    ) -> Alert | None:
        """The alarm that somebody else's deployment goes on with the version before; None while its rows do not say so.

        Silence says nothing: such rows may come once a week. Rows of the version before, made after the time in which
        the new one must be seen, do.
        """
        if operation.from_version_id is None:
            return None
        with reading(self.context.databases.log) as log:
            seen = store.first_answer_since(log, operation.from_version_id, since + timedelta(minutes=minutes))
        if seen is None:
            return None
        before = store.version(session, operation.from_version_id)
        made = _not_confirmed(self.context.new_id(), version, (), now, minutes)
        return replace(
            made,
            title=f"{version.subject} was made champion and {before.label} still answers where it is served",
            cause=f"A row of {seen:%d %b %Y, %H:%M} UTC was answered by {before.label}, none since by {version.label}. "
            f"Put {version.label} live there, or roll back here.",
        )

    def _close_proposals(self) -> tuple[str, ...]:
        """Close what expired; strike out approvals that no longer hold."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            due = [
                one.id
                for model in store.models(session)
                for one in store.proposals(session, model.name, states=OPEN_STATES)
                if not one.is_open(now) or _to_strike(session, one.id, now)
            ]
        closed: list[str] = []
        for proposal_id in due:
            with transaction(self.context.databases.app) as session:
                if _tidy(session, proposal_id, now):
                    closed.append(proposal_id)
        return tuple(closed)


def mirror_key(model: str) -> str:
    """Where the last look at MLflow is kept."""
    return f"mlflow_mirror:{model}"


def mirror_body(found: tuple[RegisteredVersion, ...], mark: LiveMark, now: datetime) -> Mapping[str, Any]:
    """What is kept of it: each version's aliases, and the stage or tag that makes it live."""
    live = mark.points_at(found)
    versions = {one.version: list(one.aliases) for one in found}
    if live is not None and mark.kind != ALIAS:
        versions[live].insert(0, mark.chip)
    return {"as_of": now.isoformat(), "reachable": True, "reason": "", "versions": versions, "live": live}


def is_governed(session: Session, model: str, now: datetime) -> bool:
    """Whether our ledger, not the alias, says what is served: a policy was written, or a promotion was approved."""
    policy = policy_store.active(session, model, PolicyKind.PROMOTION, now)
    return not policy.is_default or any(one.kind == "promote" for one in store.operations(session, model))


def reached(serving: Serving, live: tuple[Heartbeat, ...], since: datetime, *, answered: bool) -> OperationState:
    """How far a moved alias got: seen by one gateway, by all that live, or (without any) in the prediction log."""
    agree = [one.version_id == serving.version_id and one.at >= since and not one.error for one in live]
    if agree:
        if all(agree):
            return OperationState.CONFIRMED
        return OperationState.DELIVERED if any(agree) else OperationState.ALIAS_MOVED
    return OperationState.CONFIRMED if answered else OperationState.ALIAS_MOVED


def _seen(one: RegisteredVersion, new_id: str, now: datetime) -> Version:
    return Version(
        id=new_id,
        model=one.name,
        version=one.version,
        incarnation=1,
        run_id=one.run_id,
        artifact_digest="",
        source_uri=one.source,
        training_start=None,
        training_end=None,
        data_digest=one.tags.get("mlops_dash.dataset_sha256", ""),
        recipe=one.tags.get("mlops_dash.recipe", ""),
        created_at=min(one.created_at, now),
        created_by="",
        note=one.description,
    )


def _to_strike(session: Session, proposal_id: str, now: datetime) -> bool:
    at = standing(session, store.proposal(session, proposal_id), now)
    return any(one.void_at is None and at.why_void(one) for one in at.approvals)


def _tidy(session: Session, proposal_id: str, now: datetime) -> bool:
    known = store.proposal(session, proposal_id)
    if known.state not in OPEN_STATES:
        return False
    if not known.is_open(now):
        reason = f"It expired on {known.expires_at:%d %b %Y}."
        changes = {"state": ProposalState.VOID, "closed_at": now, "close_reason": reason}
        store.change_proposal(session, proposal_id, known.revision, **changes)
        return True
    at = standing(session, known, now)
    struck = [one for one in at.approvals if one.void_at is None and at.why_void(one)]
    for one in struck:
        store.void_approval(session, one.id, at=now, reason=at.why_void(one))
    if struck:
        enough = len(approvers(known, at.holding)) >= at.needed
        state = ProposalState.APPROVED if enough else ProposalState.OPEN
        store.change_proposal(session, proposal_id, known.revision, state=state)
    return bool(struck)


def _not_confirmed(new_id: str, version: Version, live: tuple[Heartbeat, ...], now: datetime, minutes: int) -> Alert:
    told = "; ".join(f"{one.process}: {one.error or 'serves another version'}" for one in live)
    return Alert(
        id=new_id,
        model=version.model,
        version=version.label,
        kind=NOT_CONFIRMED,
        severity="critical",
        state=AlertState.OPEN,
        title=f"{version.subject} was made champion and is not confirmed serving after {minutes} minutes",
        cause=told or "No gateway has reported, and the prediction log holds no answer of it. Is the gateway running?",
        opened_at=now,
        last_seen_at=now,
        closed_at=None,
        owner="",
        snoozed_until=None,
        evidence_ids=(),
        body={"processes": [one.process for one in live]},
    )
