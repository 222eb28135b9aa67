"""Propose, approve, reject, withdraw, override: decisions of people about a proposal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from mlops_dash.domain.access import Actor, Permission, person_of
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.conditions import CONDITION, REVIEW, Condition, conditions_of, review_due
from mlops_dash.domain.registry.proposals import (
    approvers,
    override_halves,
    overrides_in_force,
    why_not_approve,
    why_not_in_name,
    why_not_in_stages,
    why_not_judge,
    why_not_override,
    why_not_propose,
    why_not_withdraw,
)
from mlops_dash.domain.registry.records import CARRIED_OUT, OPEN_STATES, Approval, Proposal
from mlops_dash.domain.registry.rollouts import Stage, check_stages, limits_said, stages_said
from mlops_dash.domain.registry.tiers import is_proven
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.registry.judging import Standing, standing, standing_as_seen
from mlops_dash.store import access as access_store
from mlops_dash.store import conditions as condition_store
from mlops_dash.store import deputies as deputy_store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store

LONGEST_OVERRIDE_DAYS = 30


class Proposals:
    """What people decide about proposals."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.PROPOSAL_OPEN, Action.PROPOSAL_OPENED)
    def propose(
        self,
        unit: Unit,
        actor: Actor,
        version_id: str,
        *,
        comment: str,
        evidence_ids: Sequence[str] | None = None,
        alert_id: str | None = None,
        wanted_by: str = "",
        stages: Sequence[Stage] = (),
    ) -> Proposal:
        """Propose a version as champion. A scientist or above may; the gates are judged now and shown to everybody.

        Args:
            unit: Of this command.
            actor: The proposer, who can then never approve it.
            version_id: The candidate.
            comment: Why; goes into the ledger.
            evidence_ids: Further evidence to show; that of the gates is always attached.
            alert_id: The alert that this answers.
            wanted_by: Of a proposal that one of our processes makes: who asked for it. That person is its proposer.
            stages: Of a staged roll-out; none = all rows at once.

        Raises:
            NotFound: the version or an evidence is not known.
            InvalidInput: no comment, or stages that cannot be carried out.
            Conflict: it is champion already, has an open proposal, or an A/B test was decided otherwise.
        """
        _need(comment, "A proposal needs a comment.", "Say why this version should serve.")
        version = store.version(unit.session, version_id)
        if store.model(unit.session, version.model).archived_at is not None:
            raise Conflict(f"{version.model} is archived.", hint="Restore it first: mlops-dash model restore")
        others = store.proposals(unit.session, version.model, states=(*OPEN_STATES, *CARRIED_OUT))
        # An expired one does not stand in the way: it is closed here, before the worker does.
        for stale in others:
            if stale.state in OPEN_STATES and not stale.is_open(unit.now) and stale.version_id == version_id:
                _close(unit, stale, ProposalState.VOID, "it expired")
        waiting = [one for one in others if one.is_open(unit.now) or one.state in CARRIED_OUT]
        draft = Proposal(
            id=self.context.new_id(),
            model=version.model,
            version_id=version_id,
            champion_version_id=None,
            state=ProposalState.OPEN,
            revision=1,
            proposer=wanted_by if actor.is_system and wanted_by else actor.id,
            comment=comment.strip(),
            policy_id="",
            gates={},
            evidence_ids=(),
            alert_id=alert_id,
            created_at=unit.now,
            expires_at=unit.now,
            stages=check_stages(stages),
        )
        now = standing(unit.session, draft, unit.now)
        _refuse(why_not_propose(actor, version, now.champion, waiting) or now.tested)
        if draft.stages:
            _refuse(why_not_in_stages(store.model(unit.session, version.model), now.champion))
        extra = evidence_store.get(unit.session, evidence_ids or ())
        ids = dict.fromkeys([*(one for gate in now.gates for one in gate.evidence_ids), *(one.id for one in extra)])
        made = Proposal(
            **{
                **vars(draft),
                "champion_version_id": None if now.champion is None else now.champion.id,
                "policy_id": now.policy.id,
                "gates": {gate.name: gate.as_json() for gate in now.gates},
                "evidence_ids": tuple(ids),
                "expires_at": unit.now + timedelta(days=now.policy.promotion.proposal_expires_days),
            }
        )
        store.add_proposal(unit.session, made)
        rules = now.policy.promotion
        unit.audit(
            version.subject,
            model=version.model,
            before={"champion": None if now.champion is None else now.champion.label},
            after={
                "proposal": made.id,
                "gates": _states(now),
                "policy": now.policy.number,
                **({"stages": stages_said(made.stages), "stops": limits_said(rules)} if made.stages else {}),
            },
            reason=made.comment,
            evidence_ids=made.evidence_ids,
        )
        return made

    @command(Permission.PROPOSAL_JUDGE, Action.PROPOSAL_APPROVED)
    def approve(
        self,
        unit: Unit,
        actor: Actor,
        proposal_id: str,
        revision: int,
        *,
        comment: str = "",
        conditions: Sequence[str] = (),
        review_by: date | None = None,
        proof: str = "",
        in_name_of: str = "",
    ) -> Proposal:
        """Approve a proposal whose gates are open. A lead or admin may, never the proposer.

        The approval is void as soon as a gate's state, the candidate, the champion or the policy changes.

        Args:
            unit: Of this command.
            actor: Who approves.
            proposal_id: What.
            revision: As the actor saw it.
            comment: What convinced them.
            conditions: What they ask beside; each stands until somebody says that it is done.
            review_by: The day by which the version is looked at again, in the model's zone.
            proof: That they have just said their password, where the tier asks for it (`access.prove_password`).
            in_name_of: The name of somebody who is away and named the actor as deputy; both are spent by it then.

        Raises:
            NotAllowed: the actor proposed it, did not say their password where it is asked, or is nobody's deputy now.
            InvalidInput: conditions that cannot be kept, or a day that is over.
            Conflict: it changed since `revision`, is closed, or a gate is.
        """
        now = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        _four_eyes(actor, now.proposal)
        _refuse(why_not_approve(actor, now.proposal, now.gates, now.holding, unit.now) or _why_not_counted(unit))
        absent = _absent(unit, in_name_of)
        if absent:
            _refuse(why_not_in_name(absent, now.proposal, now.holding))
        key = self.context.settings.ledger_key
        if now.rules.password and not is_proven(key, proof, actor.person, proposal_id, unit.now):
            raise NotAllowed(
                "An approval of a model of tier 1 takes your password once more.", hint="Say it, and approve again."
            )
        asked = self._asked(unit, now, conditions, review_by)
        condition_store.asked_again(unit.session, asked)
        condition_store.add(unit.session, asked)
        made = Approval(
            id=self.context.new_id(),
            proposal_id=proposal_id,
            approver=actor.id,
            kind="approve",
            gate="",
            comment=comment.strip(),
            basis=now.basis,
            created_at=unit.now,
            in_name_of=absent,
        )
        store.put_approval(unit.session, made)
        count = len(approvers(now.proposal, (*now.holding, made)))
        state = ProposalState.APPROVED if count >= now.needed else ProposalState.OPEN
        after = store.change_proposal(unit.session, proposal_id, revision, state=state)
        unit.audit(
            now.version.subject,
            model=now.proposal.model,
            before={"approvals": count - 1, "state": str(now.proposal.state)},
            after={
                "approvals": count,
                "needed": now.needed,
                "state": str(state),
                "gates": _states(now),
                **({"conditions": [one.text for one in asked if one.kind == CONDITION]} if conditions else {}),
                **({"review_by": review_by.isoformat()} if review_by else {}),
                **({"password": "said again"} if now.rules.password else {}),
                **({"in_name_of": absent} if absent else {}),
            },
            reason=comment.strip(),
            evidence_ids=now.proposal.evidence_ids,
        )
        return after

    def _asked(self, unit: Unit, at: Standing, texts: Sequence[str], by: date | None) -> tuple[Condition, ...]:
        """What an approver asks, as it is kept; nothing is stored yet."""
        zone = policy_store.active(unit.session, at.proposal.model, PolicyKind.MONITORING, unit.now).monitoring.zone
        due = review_due(by, unit.now, zone)
        wanted: list[tuple[str, str, datetime | None]] = [(CONDITION, one, None) for one in conditions_of(texts)]
        wanted += [] if due is None else [(REVIEW, "Look at it again.", due)]
        return tuple(
            Condition(
                id=self.context.new_id(), kind=kind, model=at.proposal.model, version=at.version.version,
                proposal_id=at.proposal.id, proposer=at.proposal.proposer, text=text, by=unit.actor.id, at=unit.now,
                due_at=until,
            )
            for kind, text, until in wanted
        )  # fmt: skip

    @command(Permission.PROPOSAL_JUDGE, Action.PROPOSAL_REJECTED)
    def reject(self, unit: Unit, actor: Actor, proposal_id: str, revision: int, *, comment: str) -> Proposal:
        """Close a proposal with a reason. A lead or admin may, not the proposer (who withdraws it).

        Raises:
            NotAllowed: the actor proposed it.
            Conflict: it changed since `revision`, or is closed.
        """
        _need(comment, "A rejection needs a reason.", "Say what is missing; the proposer reads it.")
        now = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        _four_eyes(actor, now.proposal)
        _refuse(why_not_judge(actor, now.proposal, unit.now))
        return _closed(unit, now, ProposalState.REJECTED, comment.strip())

    @command(Permission.PROPOSAL_OPEN, Action.PROPOSAL_WITHDRAWN)
    def withdraw(self, unit: Unit, actor: Actor, proposal_id: str, revision: int, *, comment: str) -> Proposal:
        """Take a proposal back, with a reason. The proposer may, or an admin.

        Raises:
            NotAllowed: it is somebody else's.
            Conflict: it changed since `revision`, or is closed.
        """
        _need(comment, "A withdrawal needs a reason.", "Say why; it goes into the ledger.")
        now = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        reason = why_not_withdraw(actor, now.proposal, unit.now)
        if reason and now.proposal.state in OPEN_STATES:
            raise NotAllowed(reason)
        _refuse(reason)
        return _closed(unit, now, ProposalState.WITHDRAWN, comment.strip())

    @command(Permission.GATE_OVERRIDE, Action.GATE_OVERRIDDEN)
    def override_gate(
        self, unit: Unit, actor: Actor, proposal_id: str, revision: int, *, gate: str, reason: str, days: int = 7
    ) -> Proposal:
        """Lift one closed gate of a proposal for a time. It takes two leads or admins, neither of them the proposer.

        The first call asks, the second (by somebody else) lifts the gate until the earlier of both expiries. An
        override is void when what the gates say changes.

        Raises:
            NotAllowed: the actor proposed it.
            InvalidInput: no reason, or not between 1 and 30 days.
            Conflict: the gate is open, the actor asked already, or the proposal changed since `revision`.
        """
        _need(reason, "An override needs a reason.", "Say why the gate may be passed; it goes into the ledger.")
        if not 1 <= days <= LONGEST_OVERRIDE_DAYS:
            raise InvalidInput(f"An override of {days} days.", hint=f"Choose 1 to {LONGEST_OVERRIDE_DAYS} days.")
        expires_at = unit.now + timedelta(days=days)
        now = standing_as_seen(unit.session, proposal_id, revision, unit.now)
        _four_eyes(actor, now.proposal)
        known = now.gate(gate)
        if known is None:
            raise InvalidInput(f"No gate {gate!r}.", hint=f"Gates: {', '.join(one.name for one in now.measured)}.")
        halves = override_halves(now.proposal, now.counted, gate, now.measured_basis, unit.now)
        _refuse(why_not_override(actor, now.proposal, known, halves, unit.now) or _why_not_counted(unit))
        made = Approval(
            id=self.context.new_id(),
            proposal_id=proposal_id,
            approver=actor.id,
            kind="override",
            gate=gate,
            comment=reason.strip(),
            basis=now.measured_basis,
            created_at=unit.now,
            expires_at=expires_at,
        )
        store.put_approval(unit.session, made)
        lifted = gate in overrides_in_force(now.proposal, (*now.counted, made), now.measured_basis, unit.now)
        after = store.change_proposal(unit.session, proposal_id, revision, state=ProposalState.OPEN)
        unit.audit(
            now.version.subject,
            model=now.proposal.model,
            before={"gate": gate, "state": str(known.state)},
            after={"gate": gate, "overridden": lifted, "people": len(halves) + 1, "until": expires_at.isoformat()},
            reason=reason.strip(),
            evidence_ids=known.evidence_ids,
        )
        return after


def _four_eyes(actor: Actor, proposal: Proposal) -> None:
    if actor.person == person_of(proposal.proposer):
        raise NotAllowed(
            f"{actor.name} proposed this and cannot judge it.", hint="Somebody else must: four eyes, admins included."
        )


def _why_not_counted(unit: Unit) -> str:
    """The owner of a local store is whom their account says they are: what that may not give would not count."""
    if not access_store.powerless(unit.session, [unit.actor.id], Permission.PROPOSAL_JUDGE):
        return ""
    return f"Your account {unit.actor.name} may not judge proposals, so it would not count. An admin changes its role."


def _absent(unit: Unit, name: str) -> str:
    """The id of whom the actor stands in for now, by their name; "" for nobody.

    Raises:
        NotAllowed: the actor is not their deputy at this moment, or they may not judge themselves any more.
    """
    wanted = name.strip().lower().removeprefix("user:")
    if not wanted:
        return ""
    found = deputy_store.standing(unit.session, unit.now, deputy=unit.actor.person)
    absent = next((one.principal for one in found if one.principal == f"user:{wanted}"), "")
    if not absent:
        raise NotAllowed(f"{unit.actor.name} does not stand in for {wanted} now.", hint="Look: mlops-dash deputy list.")
    if access_store.powerless(unit.session, [absent], Permission.PROPOSAL_JUDGE):
        raise NotAllowed(f"{wanted} may not judge proposals any more, so nobody does in their name.")
    return absent


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)


def _need(text: str, sentence: str, hint: str) -> None:
    if not text.strip():
        raise InvalidInput(sentence, hint=hint)


def _states(now: Standing) -> dict[str, str]:
    return {gate.name: str(gate.state) for gate in now.gates}


def _closed(unit: Unit, now: Standing, state: ProposalState, reason: str) -> Proposal:
    after = _close(unit, now.proposal, state, reason)
    unit.audit(
        now.version.subject,
        model=now.proposal.model,
        before={"proposal": now.proposal.id, "state": str(now.proposal.state)},
        after={"proposal": now.proposal.id, "state": str(state)},
        reason=reason,
        evidence_ids=now.proposal.evidence_ids,
    )
    return after


def _close(unit: Unit, proposal: Proposal, state: ProposalState, reason: str) -> Proposal:
    changes = {"state": state, "closed_at": unit.now, "close_reason": reason}
    return store.change_proposal(unit.session, proposal.id, proposal.revision, **changes)
