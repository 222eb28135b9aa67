"""Where does a proposal stand now? One read that the commands, the promote click and the page share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.gates import Gate, approval_basis, judge, lift
from mlops_dash.domain.policies import PolicyKind, PolicyVersion
from mlops_dash.domain.proposals import overrides_in_force
from mlops_dash.domain.registry import CHAMPION, Approval, Operation, Proposal, Reign, Version
from mlops_dash.domain.words import OperationState
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store.db import Session


@dataclass(frozen=True)
class Standing:
    """A proposal with everything its fate depends on, at one moment."""

    proposal: Proposal
    version: Version
    champion: Version | None
    policy: PolicyVersion
    measured: tuple[Gate, ...]  # before overrides
    gates: tuple[Gate, ...]  # overrides in force
    approvals: tuple[Approval, ...]
    basis: str
    measured_basis: str
    now: datetime

    @property
    def holding(self) -> tuple[Approval, ...]:
        """The approvals that count."""
        return tuple(one for one in self.approvals if one.kind == "approve" and one.holds(self.basis, self.now))

    @property
    def needed(self) -> int:
        """How many approvals the policy wants."""
        return self.policy.promotion.approvals

    def gate(self, name: str) -> Gate | None:
        """One measured gate by its name."""
        return next((gate for gate in self.measured if gate.name == name), None)


def standing(session: Session, proposal: Proposal, now: datetime) -> Standing:
    """Judge the stored evidence of a proposal under the policy in force, and see which approvals still hold."""
    version = store.version(session, proposal.version_id)
    champion = champion_of(session, proposal.model)
    policy = policy_store.active(session, proposal.model, PolicyKind.PROMOTION, now)
    measured = judged(session, version, champion, policy, now)
    approvals = store.approvals(session, proposal.id)
    against = None if champion is None else champion.id
    measured_basis = approval_basis(measured, candidate=version.id, champion=against, policy_digest=policy.digest)
    gates = lift(measured, overrides_in_force(proposal, approvals, measured_basis, now))
    basis = approval_basis(gates, candidate=version.id, champion=against, policy_digest=policy.digest)
    return Standing(proposal, version, champion, policy, measured, gates, approvals, basis, measured_basis, now)


def judged(
    session: Session, version: Version, champion: Version | None, policy: PolicyVersion, now: datetime
) -> tuple[Gate, ...]:
    """The four gates of a version against the champion, from stored evidence."""
    known = [one for one in evidence_about(session, version, champion) if one.computed_at <= now]
    return judge(
        policy.promotion,
        known,
        now,
        champion=None if champion is None else champion.subject,
        artifact_digest=version.artifact_digest,
    )


def evidence_about(session: Session, version: Version, champion: Version | None) -> tuple[Evidence, ...]:
    """Evidence about this very version (not an earlier life of its number), against this very champion."""
    rivals = {"", *(() if champion is None else (champion.id,))}
    return tuple(
        one
        for one in evidence_store.about(session, [version.subject], kinds=("metric", "paired_difference", "check"))
        if one.digests.get("candidate", version.id) == version.id and one.digests.get("champion", "") in rivals
    )


def champion_of(session: Session, model: str) -> Version | None:
    """The version that is served as champion."""
    serving = store.serving(session, model)
    return None if serving is None else store.version(session, serving.version_id)


def in_flight(session: Session, model: str) -> Operation | None:
    """The change of champion that is decided and not done, if there is one."""
    return next((one for one in store.operations(session, model) if one.in_flight), None)


def reigns_of(session: Session, model: str) -> tuple[Reign, ...]:
    """Who was champion when, oldest first; restores do not change the champion."""
    done = [
        one
        for one in store.operations(session, model)
        if one.alias == CHAMPION and one.kind != "restore" and one.alias_moved_at is not None
        if one.state is not OperationState.FAILED
    ]
    done.sort(key=lambda one: one.epoch)
    labels = {one.id: one.label for one in store.versions(session, model)}
    reigns = []
    for index, one in enumerate(done):
        until = done[index + 1].alias_moved_at if index + 1 < len(done) else None
        since = one.alias_moved_at or one.decided_at
        label = labels.get(one.to_version_id, "?")
        reigns.append(Reign(one.to_version_id, label, since, until, one.kind, one.actor, one.reason, one.id))
    return tuple(reigns)
