"""Everything the Registry page shows about a model, from one read; and the reads of the command line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.clock import require_utc
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.gates import outcome, through
from mlops_dash.domain.registry.proposals import approvers, next_action, previous_champion
from mlops_dash.domain.registry.records import OPEN_STATES, Mirror, Operation, Proposal, RegistryRoom, Reign, Serving
from mlops_dash.domain.registry.tiers import rules_of
from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, read
from mlops_dash.services.registry.alarms import ALIAS_ALERT, halted_alert, open_alert
from mlops_dash.services.registry.deciding import answered_by_promotion
from mlops_dash.services.registry.freezing import outside_alarms
from mlops_dash.services.registry.judging import reigns_of, standing, why_not_tested
from mlops_dash.services.registry.reconcile import LIVE_SECONDS, is_governed, mirror_body, mirror_key
from mlops_dash.services.registry.shown import (
    approval_lines,
    comparisons_of,
    control_of,
    could_approve,
    facts_of,
    line_of,
    own_proposal,
    rejection_of,
    rival_of,
    selected_of,
    stands_for,
    why_not_measure,
    why_not_of,
    why_not_roll_out,
)
from mlops_dash.store import conditions as condition_store
from mlops_dash.store import deputies as deputy_store
from mlops_dash.store import evaluation_rows, world
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store import rollouts as rollout_store
from mlops_dash.store import threads as thread_store
from mlops_dash.store.db import reading

MIRROR_FRESH = timedelta(seconds=60)  # older: the worker is not looking, so the page looks itself
LOOK_AGAIN_SECONDS = 10.0
TIMELINE = 60
_STORY = {
    Action.MODEL_ADDED,
    Action.MODEL_EDITED,
    Action.MODEL_ARCHIVED,
    Action.MODEL_RESTORED,
    Action.POLICY_ACTIVATED,
    Action.PROPOSAL_OPENED,
    Action.PROPOSAL_APPROVED,
    Action.PROPOSAL_REJECTED,
    Action.PROPOSAL_WITHDRAWN,
    Action.CONDITION_DONE,
    Action.GATE_OVERRIDDEN,
    Action.ROLLOUT_STARTED,
    Action.ROLLOUT_ADVANCED,
    Action.ROLLOUT_PAUSED,
    Action.ROLLOUT_CONTINUED,
    Action.ROLLOUT_STOPPED,
    Action.ROLLOUT_HALTED,
    Action.PROMOTION_DECIDED,
    Action.PROMOTION_FINISHED,
    Action.ROLLBACK_DECIDED,
    Action.ROLLBACK_FINISHED,
    Action.ALIAS_DRIFTED,
    Action.ALIAS_ADOPTED,
    Action.ALIAS_RESTORED,
    Action.SERVED_ELSEWHERE,
    Action.VERSION_CHANGED,
    Action.VERSION_RESTORED,
    Action.CHANGE_ADOPTED,
    Action.VERSION_MARKED,
    Action.SHADOW_SET,
}


class Rooms:
    """Reads of the registry."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._looked: dict[str, tuple[float, Mapping[str, Any]]] = {}

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor, model: str, version: str | None = None, proposal: str | None = None) -> RegistryRoom:
        """The Registry page of one model, from one snapshot.

        Args:
            actor: Who looks; `why_not` says what they cannot do and why.
            model: Its name.
            version: "3", "v3" or an id: the version to look at; by default the one that waits, else the newest.
            proposal: A proposal's id instead (deep links from mails).

        Raises:
            NotFound: no such model, version or proposal.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            elsewhere = store.model(session, model).elsewhere
        looked = Mirror(True, None, "", None, {}) if elsewhere else self._mirror(model, now)
        with reading(self.context.databases.app) as session:
            facts = facts_of(session, model, now, looked)
            selected = selected_of(session, facts, version, proposal)
            own = own_proposal(facts, selected)
            at = None if own is None else standing(session, own, now)
            rejection = rejection_of(session, facts, selected)
            policy = policy_store.active(session, model, PolicyKind.PROMOTION, now)
            watch = policy_store.active(session, model, PolicyKind.MONITORING, now).monitoring
            lines = tuple(line_of(session, facts, one, at) for one in facts.versions)
            gates = next((one.gates for one in lines if selected is not None and one.version.id == selected.id), ())
            comparisons = () if selected is None else comparisons_of(session, selected, rival_of(facts, selected))
            people, away = store.people(session), deputy_store.standing(session, now)
            timeline = tuple(one for one in store.ledger_of(session, model, limit=200) if one.action in _STORY)
            rules = rules_of(policy.promotion, facts.model.tier)
            conditions = condition_store.of_model(session, model)
            comments = () if own is None else thread_store.thread(session, own.id)
            alert = open_alert(session, model, ALIAS_ALERT)
            asked = [one.id for one in (selected, facts.champion) if one is not None]
            pushed = evaluation_rows.pushed_of(session, asked)
            governed = is_governed(session, model, now)
            flying = store.in_flight(session, model) is not None
            alerts = answered_by_promotion(session, facts.champion)
            halted = halted_alert(session, model)
            rollout = rollout_store.open_of(session, model) or (
                None if own is None else rollout_store.of_proposal(session, own.id)
            )
            rollout = rollout or (None if halted is None else rollout_store.last_of(session, model))
            tested = "" if selected is None else why_not_tested(session, selected, facts.champion)
            outside = outside_alarms(self.context, session, actor, facts.versions)
        with reading(self.context.databases.log) as log:
            heartbeats = store.heartbeats(log, model, since=now - timedelta(seconds=LIVE_SECONDS))
        previous = facts.version(previous_champion(facts.reigns, facts.serving))
        alias_moved_to = "" if alert is None else str(alert.body.get("found", ""))
        return RegistryRoom(
            model=facts.model,
            now=now,
            lines=lines,
            selected=selected,
            champion=facts.champion,
            previous=previous,
            serving=facts.serving,
            gates=gates,
            comparisons=comparisons,
            proposal=own,
            other_proposals=tuple(one for one in facts.proposals if own is None or one.id != own.id),
            approvals=() if at is None else approval_lines(at),
            approvals_counted=0 if at is None else len(approvers(at.proposal, at.holding)),
            may_approve=() if at is None else could_approve(at, people, away),
            stands_for=() if at is None else stands_for(actor, at, away),
            operation=facts.operation,
            heartbeats=heartbeats,
            policy=policy,
            zone=watch.zone,
            label_unit=watch.label_unit,
            mirror=facts.mirror,
            control=control_of(facts.mirror, facts.model.mark, governed=governed, elsewhere=elsewhere),
            alias_moved_to=alias_moved_to,
            timeline=timeline[:TIMELINE],
            reigns=facts.reigns,
            next_action=next_action(
                selected,
                facts.champion,
                own,
                gates,
                () if at is None else at.holding,
                needed=rules.approvals,
                in_flight=flying,
                alias_moved_to=alias_moved_to,
                rejected=rejection is not None,
                rollout=rollout,
            ),
            rejection=rejection,
            names={one: name for one, name, _ in people},
            why_not={
                **why_not_of(
                    actor,
                    facts,
                    selected,
                    at,
                    previous,
                    flying=flying,
                    alias_moved_to=alias_moved_to,
                    tested=tested,
                    in_stages=rollout is not None and rollout.share > 0,
                ),
                **why_not_measure(actor, facts, selected, pushed),
                **why_not_roll_out(actor, facts, rollout),
            },
            outside=outside,
            alerts=tuple(one.title for one in alerts),
            rollout=rollout,
            halted="" if halted is None or rollout is None or rollout.id != halted.body.get("rollout") else halted.id,
            rules=rules,
            conditions=conditions,
            comments=comments,
        )

    @read(Permission.ROOM_READ)
    def gate(self, actor: Actor, model: str, version: str) -> dict[str, Any]:
        """The answer of `mlops-dash gate` for "3" or "v3": what the page shows, in its public JSON shape."""
        room = self.room(actor, model, version)
        needed = room.rules.approvals
        serves = room.champion is not None and room.selected is not None and room.champion.id == room.selected.id
        return {
            "model": model,
            "version": "" if room.selected is None else room.selected.label,
            "champion": None if room.champion is None else room.champion.label,
            "outcome": outcome(room.gates, approvals=room.approvals_counted, needed=0 if serves else needed),
            "advisory": False,
            "approvals": {"counted": room.approvals_counted, "needed": needed},
            "policy": {"number": room.policy.number, "digest": room.policy.digest, "body": dict(room.policy.body)},
            "through": vars(through((gate.state, gate.required) for gate in room.gates)),
            "gates": [gate.as_json() for gate in room.gates],
        }

    @read(Permission.ROOM_READ)
    def open_proposal(self, actor: Actor, model: str) -> Proposal:
        """The newest proposal of a model that waits for somebody.

        Raises:
            NotFound: none does.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            for one in store.proposals(session, model, states=OPEN_STATES):
                if one.is_open(now):
                    return one
        raise NotFound(f"No proposal of {model} is open.", hint="Propose a version first.")

    @read(Permission.ROOM_READ)
    def open_proposals(self, actor: Actor) -> tuple[Proposal, ...]:
        """All proposals of all models that wait for somebody, oldest first."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            found = [
                one
                for model in store.models(session)
                for one in store.proposals(session, model.name, states=OPEN_STATES)
                if one.is_open(now)
            ]
        return tuple(sorted(found, key=lambda one: one.created_at))

    @read(Permission.ROOM_READ)
    def history(self, actor: Actor, model: str) -> tuple[Reign, ...]:
        """Who was champion when, put there by whom and why; oldest first."""
        with reading(self.context.databases.app) as session:
            return reigns_of(session, model)

    @read(Permission.ROOM_READ)
    def champion_at(self, actor: Actor, model: str, when: datetime) -> Reign | None:
        """What was champion at a moment; None before the first."""
        moment = require_utc(when, "when")
        with reading(self.context.databases.app) as session:
            return next((one for one in reversed(reigns_of(session, model)) if one.since <= moment), None)

    @read(Permission.ROOM_READ)
    def ledger(self, actor: Actor, model: str) -> tuple[Entry, ...]:
        """The newest ledger entries about a model, newest first."""
        with reading(self.context.databases.app) as session:
            return store.ledger_of(session, model, limit=200)

    @read(Permission.ROOM_READ)
    def operation(self, actor: Actor, operation_id: str) -> Operation:
        """How far a change of champion got."""
        with reading(self.context.databases.app) as session:
            return store.operation(session, operation_id)

    @read(Permission.ROOM_READ)
    def serving(self, actor: Actor, model: str) -> Serving | None:
        """What is served, or None when nothing was ever approved."""
        with reading(self.context.databases.app) as session:
            return store.serving(session, model)

    def _mirror(self, model: str, now: datetime) -> Mirror:
        """What MLflow said last: the worker's look when it is fresh, else our own, at most every ten seconds."""
        with reading(self.context.databases.app) as session:
            kept = world.get(session, mirror_key(model)) or {}
        as_of = None if not kept.get("as_of") else datetime.fromisoformat(kept["as_of"])
        if as_of is None or not timedelta(0) <= now - as_of <= MIRROR_FRESH:
            looked_at, body = self._looked.get(model, (-LOOK_AGAIN_SECONDS, {}))
            if time.monotonic() - looked_at >= LOOK_AGAIN_SECONDS:
                body = self._look(model, now)
                self._looked[model] = (time.monotonic(), body)
            kept = body if body["reachable"] else {**kept, **{k: v for k, v in body.items() if k != "as_of"}}
        versions = {number: tuple(aliases) for number, aliases in kept.get("versions", {}).items()}
        return Mirror(
            reachable=bool(kept.get("reachable")),
            as_of=datetime.fromisoformat(kept["as_of"]) if kept.get("as_of") else None,
            reason=str(kept.get("reason", "")),
            champion_alias=kept.get("live"),
            aliases=versions,
        )

    def _look(self, model: str, now: datetime) -> Mapping[str, Any]:
        try:
            with reading(self.context.databases.app) as session:
                mark = store.model(session, model).mark
            return mirror_body(self.context.registry.versions(model), mark, now)
        except NotFound as error:
            return {"as_of": now.isoformat(), "reachable": True, "reason": error.message, "versions": {}}
        except (Unavailable, InvalidInput) as error:
            return {"reachable": False, "reason": error.message}
