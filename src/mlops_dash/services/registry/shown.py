"""The parts of the Registry page: each a small function of facts that were read once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.access import RANK, Actor, Permission, Role, person_of
from mlops_dash.domain.commands import evidence_push
from mlops_dash.domain.deputies import Deputy
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PAIRED_METRICS, PolicyKind
from mlops_dash.domain.registry.aliases import ours_since
from mlops_dash.domain.registry.card_gate import as_promoted
from mlops_dash.domain.registry.check_gate import checks_as_promoted
from mlops_dash.domain.registry.gates import lift
from mlops_dash.domain.registry.live import NONE, LiveMark
from mlops_dash.domain.registry.proposals import (
    override_halves,
    overrides_behind,
    rolled_back,
    why_not_approve,
    why_not_in_name,
    why_not_in_stages,
    why_not_judge,
    why_not_override,
    why_not_promote,
    why_not_propose,
    why_not_roll_back,
    why_not_withdraw,
)
from mlops_dash.domain.registry.records import (
    CARRIED_OUT,
    OPEN_STATES,
    ApprovalLine,
    Mirror,
    Model,
    Operation,
    Proposal,
    Reign,
    Rejection,
    Serving,
    Version,
    VersionLine,
)
from mlops_dash.domain.registry.rollouts import Rollout, why_not_continue, why_not_pause, why_not_stop
from mlops_dash.domain.words import ProposalState
from mlops_dash.services.registry.judging import Standing, evidence_about, judged, reigns_of
from mlops_dash.services.registry.versions import find_version
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store.audit import rejecters
from mlops_dash.store.db import Session


@dataclass(frozen=True)
class Facts:
    """What is read once and used by many parts of the page."""

    model: Model
    now: datetime
    versions: tuple[Version, ...]
    serving: Serving | None
    champion: Version | None
    operation: Operation | None
    operations: tuple[Operation, ...]
    reigns: tuple[Reign, ...]
    proposals: tuple[Proposal, ...]
    mirror: Mirror

    def version(self, version_id: str | None) -> Version | None:
        """One of the model's versions."""
        return next((one for one in self.versions if one.id == version_id), None)


def facts_of(session: Session, name: str, now: datetime, mirror: Mirror) -> Facts:
    """Read what many parts of the page use."""
    model = store.model(session, name)
    versions = store.versions(session, name)
    serving = store.serving(session, name)
    operations = store.operations(session, name)
    waiting = [one for one in operations if one.in_flight]
    current = None if serving is None else serving.operation_id
    shown = waiting or [one for one in operations if one.id == current]
    states = (*OPEN_STATES, *CARRIED_OUT)
    return Facts(
        model=model,
        now=now,
        versions=versions,
        serving=serving,
        champion=store.champion(session, name),
        operation=shown[-1] if shown else None,
        operations=operations,
        reigns=reigns_of(session, name),
        proposals=tuple(
            one for one in store.proposals(session, name, states=states) if one.is_open(now) or one.state in CARRIED_OUT
        ),
        mirror=ours_since(mirror, operations, {one.id: one.version for one in versions}, mark=model.mark.chip),
    )


def selected_of(session: Session, facts: Facts, version: str | None, proposal: str | None) -> Version | None:
    """The version to look at: the one asked for, else the one that waits, else the newest."""
    if proposal:
        return facts.version(store.proposal(session, proposal).version_id)
    if version:
        by_id = facts.version(version)
        if by_id is not None:
            return by_id
        return find_version(session, facts.model.name, version)
    if facts.proposals:
        return facts.version(facts.proposals[0].version_id)
    return facts.versions[0] if facts.versions else None


def own_proposal(facts: Facts, selected: Version | None) -> Proposal | None:
    """The open or promoting proposal of the selected version."""
    if selected is None:
        return None
    return next((one for one in facts.proposals if one.version_id == selected.id), None)


def rejection_of(session: Session, facts: Facts, selected: Version | None) -> Rejection | None:
    """Why the selected version was rejected, as long as its last proposal is that one and it does not serve."""
    if selected is None or (facts.champion is not None and facts.champion.id == selected.id):
        return None
    own = (one for one in store.proposals(session, facts.model.name) if one.version_id == selected.id)
    last = next(own, None)
    if last is None or last.state is not ProposalState.REJECTED or last.closed_at is None:
        return None
    return Rejection(rejecters(session, last.model).get(last.id, ""), last.closed_at, last.close_reason)


def rival_of(facts: Facts, version: Version) -> Version | None:
    """Whom a version is judged against: the champion; and the champion itself against the one it first replaced."""
    if facts.champion is None or version.id != facts.champion.id:
        return facts.champion
    made = _made_champion(facts, version)
    return facts.version(None if made is None else made.from_version_id)


def _made_champion(facts: Facts, version: Version) -> Operation | None:
    """The operation that let a version through its gates: its last promotion, else its adoption."""
    own = [one for one in facts.operations if one.to_version_id == version.id and one.kind in {"promote", "adopt"}]
    promoted = [one for one in own if one.kind == "promote"]
    return next(reversed(promoted or own), None)


def line_of(session: Session, facts: Facts, version: Version, at: Standing | None) -> VersionLine:
    """One row of the versions table. The champion is shown as it was judged when it became champion."""
    is_champion = facts.champion is not None and facts.champion.id == version.id
    rival = rival_of(facts, version)
    if at is not None and at.version.id == version.id and not is_champion:
        gates = at.gates
    else:
        made = _made_champion(facts, version) if is_champion else None
        since = facts.now if made is None else made.decided_at
        policy = policy_store.active(session, facts.model.name, PolicyKind.PROMOTION, since)
        gates = judged(session, version, rival, policy, since)
        if made is not None and made.proposal_id is not None:
            own, given = store.proposal(session, made.proposal_id), store.approvals(session, made.proposal_id)
            lifted = lift(gates, overrides_behind(own, given, made.decided_at, _names(session)))
            gates = checks_as_promoted(as_promoted(lifted))
    newest_life = next(one for one in facts.versions if one.version == version.version)
    return VersionLine(
        version=version,
        aliases=tuple(facts.mirror.aliases.get(version.version, ())) if newest_life.id == version.id else (),
        gates=gates,
        is_champion=is_champion,
        is_shadow=facts.serving is not None and version.id in facts.serving.shadow_version_ids,
        was_rolled_back=any(one.version_id == version.id for one in rolled_back(facts.reigns)),
        proposal=next((one.state for one in facts.proposals if one.version_id == version.id), None),
        against="" if rival is None else rival.label,
        mark=facts.model.mark.chip,
        mark_kind=facts.model.mark.kind,
    )


def _names(session: Session) -> dict[str, str]:
    return {person: name for person, name, _ in store.people(session)}


def comparisons_of(session: Session, version: Version, rival: Version | None) -> tuple[Evidence, ...]:
    """The newest paired difference of each metric."""
    newest = {one.metric: one for one in evidence_about(session, version, rival) if one.kind == "paired_difference"}
    return tuple(newest[metric] for metric in PAIRED_METRICS if metric in newest)


def approval_lines(at: Standing) -> tuple[ApprovalLine, ...]:
    """Approvals and overrides with whether they count."""
    lines = []
    for one in at.approvals:
        reason = at.why_void(one)
        lines.append(ApprovalLine(one, not reason, reason))
    return tuple(lines)


def could_approve(at: Standing, people: Sequence[tuple[str, str, str]], away: Sequence[Deputy] = ()) -> tuple[str, ...]:
    """Names of the leads and admins who neither proposed it nor approved it yet; and who stands in for whom is away."""
    called, by = {person: name for person, name, _ in people}, {one.principal: one.deputy for one in away}
    barred = {person_of(at.proposal.proposer), *(who for given in at.holding for who in given.people)}
    return tuple(
        f"{name} (away, {called.get(by[person], by[person])} stands in)"
        if person in by and by[person] not in barred
        else name
        for person, name, role in people
        if RANK[Role(role)] >= RANK[Role.LEAD] and person not in barred
    )


def stands_for(actor: Actor, at: Standing, away: Sequence[Deputy]) -> tuple[str, ...]:
    """Account names of people in whose name this actor could approve it now."""
    return tuple(
        one.principal.removeprefix("user:")
        for one in away
        if one.deputy == actor.person and not why_not_in_name(one.principal, at.proposal, at.holding)
    )


def control_of(mirror: Mirror, mark: LiveMark, *, governed: bool, elsewhere: bool) -> str:
    """How well the live mark is guarded: said per model, never promised in general."""
    if elsewhere:
        return "Served elsewhere: decisions are made and kept here; who serves it carries them out."
    if mark.kind == NONE:
        return "No mark in MLflow says what is live: only what is promoted here is served, and MLflow is not told."
    if not governed:
        return f"Not controlled: without a promotion policy the {mark.phrase} in MLflow decides what is served."
    moves = f"Moves of the {mark.phrase} outside"
    if not mirror.reachable:
        return f"{moves} cannot be seen while MLflow does not answer; what is served does not change."
    return f"{moves} are detected within 10 s, and do not change what is served."


def why_not_measure(actor: Actor, facts: Facts, selected: Version | None, pushed: Collection[str]) -> dict[str, str]:
    """Why this actor cannot have the files checked, or the pushed rows compared with the champion's."""
    found = {"check": actor.why_not(Permission.JOB_RUN), "compare": actor.why_not(Permission.JOB_RUN)}
    if selected is None:
        return dict.fromkeys(found, "No version is selected.")
    if facts.model.elsewhere:
        found["check"] = "Others serve this model; there are no files here to check."
    for one in (selected, facts.champion):
        if not found["compare"] and one is not None and one.id not in pushed:
            found["compare"] = f"No rows of {one.label} were pushed. {evidence_push(facts.model.name, one.version)}"
    return found


def why_not_roll_out(actor: Actor, facts: Facts, rollout: Rollout | None) -> dict[str, str]:
    """For each verb of a roll-out, and for proposing one, "" or the reason why this actor cannot do it now."""
    return {
        "stages": why_not_in_stages(facts.model, facts.champion),
        "pause": why_not_pause(actor, rollout),
        "continue": why_not_continue(actor, rollout),
        "stop": why_not_stop(actor, rollout),
    }


def why_not_of(
    actor: Actor,
    facts: Facts,
    selected: Version | None,
    at: Standing | None,
    previous: Version | None,
    *,
    flying: bool,
    in_stages: bool,
    alias_moved_to: str,
    tested: str = "",
) -> dict[str, str]:
    """For each verb "" or the reason why this actor cannot do it now; `tested` is what an A/B test was decided to."""
    nothing = "Nothing is proposed."
    alias = actor.why_not(Permission.PROMOTE) or (
        "" if alias_moved_to else f"The {facts.model.mark.phrase} is where it should be."
    )
    found = {
        "propose": "No version is selected.",
        "approve": nothing,
        "reject": nothing,
        "withdraw": nothing,
        "promote": nothing,
        "rollback": why_not_roll_back(actor, previous, flying, in_stages=in_stages),
        "restore": alias,
        "adopt": alias or (f"The {facts.model.mark.phrase} points at nothing." if alias_moved_to == "nothing" else ""),
    }
    if selected is not None:
        found["propose"] = why_not_propose(actor, selected, facts.champion, facts.proposals) or tested
    if at is None:
        return found
    own = at.proposal
    found["approve"] = why_not_approve(actor, own, at.gates, at.holding, at.now)
    found["reject"] = why_not_judge(actor, own, at.now)
    found["withdraw"] = why_not_withdraw(actor, own, at.now)
    found["promote"] = why_not_promote(actor, own, at.gates, at.holding, at.needed, at.now) or at.tested
    if flying and not found["promote"]:
        found["promote"] = "A change of champion is being carried out; wait for it."
    for gate in at.measured:
        halves = override_halves(own, at.counted, gate.name, at.measured_basis, at.now)
        found[f"override:{gate.name}"] = why_not_override(actor, own, gate, halves, at.now)
    return found
