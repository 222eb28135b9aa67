"""Who may do what to a proposal, and when: four eyes, quorum, overrides, rollback.

The same functions give the service its refusal and the page the reason on a disabled button, so they cannot disagree.
A `why_not_...` function answers "" when the act is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

from mlops_dash.domain.access import Actor, Permission, person_of
from mlops_dash.domain.format import plural
from mlops_dash.domain.registry.gates import Gate, closed_gates
from mlops_dash.domain.registry.records import (
    CHAMPION,
    OPEN_STATES,
    Approval,
    Model,
    NextAction,
    Operation,
    Proposal,
    Reign,
    Serving,
    Step,
    Version,
)
from mlops_dash.domain.registry.rollouts import OPEN, Rollout, stages_said
from mlops_dash.domain.words import OperationState, ProposalState

MIN_OVERRIDERS = 2


def why_not_propose(
    actor: Actor, version: Version, champion: Version | None, open_proposals: Sequence[Proposal]
) -> str:
    """A scientist or above may propose any version that is not champion and not already proposed."""
    if not actor.may(Permission.PROPOSAL_OPEN):
        return actor.why_not(Permission.PROPOSAL_OPEN)
    if champion is not None and champion.id == version.id:
        return f"{version.label} is the champion already."
    if any(one.version_id == version.id for one in open_proposals):
        return f"{version.label} has an open proposal already."
    return ""


def why_not_in_stages(model: Model, champion: Version | None) -> str:
    """Rows can be shared where our gateway serves the model and a champion answers the others."""
    if model.elsewhere:
        return "Others serve this model: which rows a version answers is decided there."
    return "" if champion is not None else "There is no champion that would answer the other rows."


def why_not_judge(actor: Actor, proposal: Proposal, now: datetime) -> str:
    """A lead or admin who did not propose it may judge an open proposal."""
    if not actor.may(Permission.PROPOSAL_JUDGE):
        return actor.why_not(Permission.PROPOSAL_JUDGE)
    if actor.person == person_of(proposal.proposer):
        return "You proposed it, so somebody else must judge it."
    return why_not_open(proposal, now)


def why_not_open(proposal: Proposal, now: datetime) -> str:
    """Why nothing can be done to this proposal any more."""
    if proposal.state in OPEN_STATES and now >= proposal.expires_at:
        return f"The proposal expired on {proposal.expires_at:%d %b %Y}. Propose the version again."
    if proposal.state is ProposalState.VOID:
        return f"The proposal is void: {proposal.close_reason}"
    if proposal.state not in OPEN_STATES:
        return f"The proposal is {proposal.state} already."
    return ""


def why_not_approve(
    actor: Actor, proposal: Proposal, gates: Sequence[Gate], holding: Sequence[Approval], now: datetime
) -> str:
    """As why_not_judge; and all gates are open, and the actor has not approved already, nor a deputy for them."""
    reason = why_not_judge(actor, proposal, now)
    if reason:
        return reason
    spent = next((one for one in holding if one.kind == "approve" and actor.person in one.people), None)
    if spent is not None:
        own = person_of(spent.approver) == actor.person
        return "You approved it already." if own else f"{_name(spent.approver)} approved it already, in your name."
    return why_not_through(gates)


def why_not_in_name(principal: str, proposal: Proposal, holding: Sequence[Approval]) -> str:
    """Nobody approves in the name of whom proposed it, nor of whom has approved already, themselves or by a deputy."""
    person = person_of(principal)
    if person == person_of(proposal.proposer):
        return f"{_name(principal)} proposed it, so nobody approves it in their name."
    if any(one.kind == "approve" and person in one.people for one in holding):
        return f"{_name(principal)} is among those who approved it already."
    return ""


def why_not_through(gates: Sequence[Gate]) -> str:
    """Which gates are closed, by name and state."""
    closed = closed_gates(gates)
    if not closed:
        return ""
    return "Not through the gates: " + _said(closed) + "."


def why_not_promote(
    actor: Actor, proposal: Proposal, gates: Sequence[Gate], holding: Sequence[Approval], needed: int, now: datetime
) -> str:
    """A lead or admin may promote what is through the gates and approved by enough other people."""
    if not actor.may(Permission.PROMOTE):
        return actor.why_not(Permission.PROMOTE)
    reason = why_not_open(proposal, now) or why_not_through(gates)
    if reason:
        return reason
    count = len(approvers(proposal, holding))
    return "" if count >= needed else f"{count} of {needed} approvals; {needed - count} to go."


def approvers(proposal: Proposal, holding: Sequence[Approval]) -> frozenset[str]:
    """The different people, never the proposer, whose approvals count; nobody is spent twice, as deputy or by one."""
    spent, found = {person_of(proposal.proposer)}, set()
    for one in sorted(holding, key=lambda one: one.created_at):
        if one.kind == "approve" and not spent & one.people:
            spent |= one.people
            found.add(person_of(one.approver))
    return frozenset(found)


def why_not_withdraw(actor: Actor, proposal: Proposal, now: datetime) -> str:
    """The proposer may withdraw an open proposal, and so may an admin."""
    if not actor.may(Permission.PROPOSAL_OPEN):
        return actor.why_not(Permission.PROPOSAL_OPEN)
    if actor.person != person_of(proposal.proposer) and not actor.may(Permission.USERS_EDIT):
        return "Only the proposer or an admin withdraws a proposal; you may reject it."
    return "" if proposal.state in OPEN_STATES else why_not_open(proposal, now)


def why_not_override(actor: Actor, proposal: Proposal, gate: Gate, halves: Sequence[Approval], now: datetime) -> str:
    """A closed gate is lifted by two people, neither of them the proposer."""
    if not actor.may(Permission.GATE_OVERRIDE):
        return actor.why_not(Permission.GATE_OVERRIDE)
    if actor.person == person_of(proposal.proposer):
        return "You proposed it, so others must answer for the override."
    if gate.opens:
        return f"The gate {gate.name} is open; there is nothing to override."
    if any(person_of(one.approver) == actor.person for one in halves):
        return "You asked for this override; a second person must join."
    return why_not_open(proposal, now)


def overrides_in_force(
    proposal: Proposal, approvals: Sequence[Approval], measured_basis: str, now: datetime
) -> dict[str, str]:
    """Gate name -> reason of each override that two different people, not the proposer, stand behind."""
    lifted: dict[str, str] = {}
    for gate in {one.gate for one in approvals if one.kind == "override"}:
        halves = override_halves(proposal, approvals, gate, measured_basis, now)
        if len({person_of(one.approver) for one in halves}) >= MIN_OVERRIDERS:
            until = min(one.expires_at for one in halves if one.expires_at is not None)
            people = " and ".join(sorted(one.approver.removeprefix("user:") for one in halves))
            lifted[gate] = f"Overridden by {people} until {until:%d %b %Y}: {halves[0].comment}"
    return lifted


def overrides_behind(
    proposal: Proposal, approvals: Sequence[Approval], decided_at: datetime, names: Mapping[str, str]
) -> dict[str, str]:
    """Gate name -> who overrode it, when and why, as a promotion was decided on it; what came later changes nothing.

    Args:
        proposal: Of the promotion.
        approvals: All of the proposal's, those that ended since as well.
        decided_at: When the promotion was decided.
        names: What people are called, by their ids.
    """
    then = [
        replace(one, basis="", void_at=None)
        for one in approvals
        if one.kind == "override" and one.created_at <= decided_at and (one.void_at is None or one.void_at > decided_at)
    ]
    lifted: dict[str, str] = {}
    for gate in {one.gate for one in then}:
        halves = override_halves(proposal, then, gate, "", decided_at)
        if len({person_of(one.approver) for one in halves}) >= MIN_OVERRIDERS:
            people = " and ".join(sorted(names.get(one.approver, one.approver.removeprefix("user:")) for one in halves))
            lifted[gate] = f"Overridden by {people} on {halves[-1].created_at:%d %b %Y}: {halves[0].comment}"
    return lifted


def override_halves(
    proposal: Proposal, approvals: Sequence[Approval], gate: str, measured_basis: str, now: datetime
) -> list[Approval]:
    """The overrides of one gate that hold, oldest first."""
    held = [
        one
        for one in approvals
        if one.kind == "override"
        and one.gate == gate
        and person_of(one.approver) != person_of(proposal.proposer)
        and one.expires_at is not None
        and one.holds(measured_basis, now)
    ]
    return sorted(held, key=lambda one: one.created_at)


def why_not_roll_back(actor: Actor, previous: Version | None, in_flight: bool, *, in_stages: bool = False) -> str:
    """A lead or admin may go back to the champion before; no quorum, only a reason."""
    if not actor.may(Permission.ROLLBACK):
        return actor.why_not(Permission.ROLLBACK)
    if in_flight:
        return "A change of champion is being carried out; wait for it."
    if in_stages:
        return "A version is being rolled out: stop that first, which gives all rows back to the champion at once."
    return "" if previous is not None else "There is no earlier champion to go back to."


def previous_champion(reigns: Sequence[Reign], serving: Serving | None) -> str | None:
    """The version a rollback goes to: the last champion before the present reign, never one that was rolled back.

    Args:
        reigns: Oldest first.
        serving: What is served now.
    """
    if serving is None:
        return None
    failed = {reign.operation_id for reign in rolled_back(reigns)}
    for reign in reversed(reigns):
        if reign.version_id != serving.version_id and reign.operation_id not in failed:
            return reign.version_id
    return None


def reigns_in(operations: Iterable[Operation], labels: Mapping[str, str]) -> tuple[Reign, ...]:
    """Who was champion when, oldest first; restores do not change the champion.

    Args:
        operations: All of one model.
        labels: What its versions are called, by their ids.
    """
    done = [
        one
        for one in operations
        if one.alias == CHAMPION and one.kind != "restore" and one.alias_moved_at is not None
        if one.state is not OperationState.FAILED
    ]
    done.sort(key=lambda one: one.epoch)
    found = []
    for index, one in enumerate(done):
        until = done[index + 1].alias_moved_at if index + 1 < len(done) else None
        since = one.alias_moved_at or one.decided_at
        label = labels.get(one.to_version_id, "?")
        found.append(Reign(one.to_version_id, label, since, until, one.kind, one.actor, one.reason, one.id))
    return tuple(found)


def rolled_back(reigns: Sequence[Reign]) -> tuple[Reign, ...]:
    """Reigns that a rollback ended."""
    return tuple(before for before, after in pairwise(reigns) if after.kind == "rollback")


def next_action(
    selected: Version | None,
    champion: Version | None,
    proposal: Proposal | None,
    gates: Sequence[Gate],
    holding: Sequence[Approval],
    *,
    needed: int,
    in_flight: bool,
    alias_moved_to: str,
    rejected: bool = False,
    rollout: Rollout | None = None,
) -> NextAction:
    """The one thing to do now, from the state: the page's primary button and its sentence."""
    if alias_moved_to:
        return NextAction(Step.RESTORE, f"Live was moved to {alias_moved_to} outside. Restore or adopt it.")
    if in_flight:
        return NextAction(Step.WAIT, "A change of champion is being carried out.")
    if rollout is not None and rollout.state in OPEN and selected is not None:
        if selected.id == rollout.to_version_id:
            return NextAction(Step.WAIT, f"{selected.label} is being rolled out.")
        if proposal is not None:
            return NextAction(Step.WAIT, "Another version is being rolled out; wait until that is over, or stop it.")
    if selected is None:
        return NextAction(Step.NOTHING, "No version is recorded yet. Train one on the Retraining page.")
    if proposal is None:
        if champion is not None and champion.id == selected.id:
            return NextAction(Step.NOTHING, f"{selected.label} is the champion.")
        closed = closed_gates(gates)
        if closed:
            return NextAction(Step.NOTHING, f"{selected.label} is not through: {_said(closed)}.")
        if rejected:
            return NextAction(Step.NOTHING, f"{selected.label} is through all gates and was rejected all the same.")
        return NextAction(Step.PROPOSE, f"{selected.label} is through all gates. Propose it.")
    closed = closed_gates(gates)
    if closed:
        return NextAction(Step.OVERRIDE, f"{selected.label} is proposed but not through: {_said(closed)}.")
    count = len(approvers(proposal, holding))
    if count < needed:
        return NextAction(
            Step.APPROVE,
            f"{selected.label} waits for {plural(needed - count, 'approval')}; it has {count} of {needed}.",
        )
    if proposal.stages:
        return NextAction(
            Step.PROMOTE, f"{selected.label} is approved and may be rolled out: {stages_said(proposal.stages)}."
        )
    return NextAction(Step.PROMOTE, f"{selected.label} is approved and may be promoted.")


def _name(actor_id: str) -> str:
    return person_of(actor_id).removeprefix("user:")


def _said(gates: Sequence[Gate]) -> str:
    return ", ".join(f"{gate.name} ({gate.state.replace('_', ' ')})" for gate in gates)
