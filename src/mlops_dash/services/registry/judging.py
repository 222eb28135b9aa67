"""Where does a proposal stand now? One read that the commands, the promote click and the page share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mlops_dash.domain.ab_tests.archive import why_not_ship
from mlops_dash.domain.access import Permission
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.policies import PolicyKind, PolicyVersion
from mlops_dash.domain.recipe_checks import EVIDENCE_KIND
from mlops_dash.domain.registry.card_gate import card_gate
from mlops_dash.domain.registry.check_gate import check_gate
from mlops_dash.domain.registry.gates import Gate, approval_basis, judge, lift
from mlops_dash.domain.registry.proposals import overrides_in_force, reigns_in
from mlops_dash.domain.registry.records import EXTERNAL, Approval, Proposal, Reign, Version
from mlops_dash.domain.registry.tiers import TierRules, rules_of
from mlops_dash.errors import Conflict
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import access as access_store
from mlops_dash.store import cards as card_store
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as store
from mlops_dash.store import retraining as recipe_store
from mlops_dash.store.db import Session

CHANGED = "The gates, the champion, the policy or what the tier asks changed since."
GONE = "Who gave it may not judge proposals any more."
GONE_FOR = "In whose name it was given may not judge proposals any more."
KINDS = ("metric", "paired_difference", "check", EVIDENCE_KIND)


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
    rules: TierRules
    gone: frozenset[str] = frozenset()  # ids of approvers, and of whom they stood in for, who may not judge any more
    tested: str = ""  # what was decided on an A/B test against shipping it

    @property
    def holding(self) -> tuple[Approval, ...]:
        """The approvals that count."""
        return tuple(one for one in self.counted if one.kind == "approve" and one.holds(self.basis, self.now))

    @property
    def counted(self) -> tuple[Approval, ...]:
        """Approvals and overrides of people who may judge now; whether what they rest on still is so, is not asked."""
        return tuple(one for one in self.approvals if not self.gone & {one.approver, one.in_name_of})

    def why_void(self, one: Approval) -> str:
        """Why an approval or an override does not count; "" where it does."""
        if one.void_at is not None:
            return one.void_reason or CHANGED
        if one.expires_at is not None and self.now >= one.expires_at:
            return "It expired."
        if self.gone & {one.approver, one.in_name_of}:
            return GONE if one.approver in self.gone else GONE_FOR
        return "" if one.holds(self.basis if one.kind == "approve" else self.measured_basis, self.now) else CHANGED

    @property
    def needed(self) -> int:
        """How many approvals the policy wants of a model of this tier."""
        return self.rules.approvals

    def gate(self, name: str) -> Gate | None:
        """One measured gate by its name."""
        return next((gate for gate in self.measured if gate.name == name), None)


def standing(session: Session, proposal: Proposal, now: datetime) -> Standing:
    """Judge the stored evidence of a proposal under the policy in force, and see which approvals still hold."""
    version = store.version(session, proposal.version_id)
    champion = store.champion(session, proposal.model)
    policy = policy_store.active(session, proposal.model, PolicyKind.PROMOTION, now)
    measured = judged(session, version, champion, policy, now)
    approvals = store.approvals(session, proposal.id)
    behind = [who for one in approvals for who in (one.approver, one.in_name_of) if who]
    gone = access_store.powerless(session, behind, Permission.PROPOSAL_JUDGE)
    counted = [one for one in approvals if not gone & {one.approver, one.in_name_of}]
    against = None if champion is None else champion.id
    measured_basis = approval_basis(measured, candidate=version.id, champion=against, policy_digest=policy.digest)
    gates = lift(measured, overrides_in_force(proposal, counted, measured_basis, now))
    rules = rules_of(policy.promotion, store.model(session, proposal.model).tier)
    basis = approval_basis(
        gates, candidate=version.id, champion=against, policy_digest=policy.digest, password=rules.password
    )
    return Standing(
        proposal, version, champion, policy, measured, gates, approvals, basis, measured_basis, now, rules, gone,
        why_not_tested(session, version, champion),
    )  # fmt: skip


def why_not_tested(session: Session, version: Version, champion: Version | None) -> str:
    """What was decided on an A/B test of a version against this champion, where that is not to ship it."""
    return "" if champion is None else why_not_ship(ab_store.decided(session, champion.id, version.id))


def standing_as_seen(session: Session, proposal_id: str, revision: int, now: datetime) -> Standing:
    """Where a proposal stands, if it is still as the actor saw it.

    Raises:
        Conflict: it changed since.
    """
    proposal = store.proposal(session, proposal_id)
    if proposal.revision != revision:
        raise Conflict(
            f"The proposal changed since you looked (now {proposal.state}, revision {proposal.revision}).",
            hint="Load the page again and look once more.",
        )
    return standing(session, proposal, now)


def judged(
    session: Session, version: Version, champion: Version | None, policy: PolicyVersion, now: datetime
) -> tuple[Gate, ...]:
    """The gates of a version against the champion, from stored evidence, its recipe's checks and the model's card."""
    known = [one for one in evidence_about(session, version, champion) if one.computed_at <= now]
    gates = judge(
        policy.promotion,
        known,
        now,
        champion=None if champion is None else champion.subject,
        artifact_digest=version.artifact_digest,
        elsewhere=store.model(session, version.model).source == EXTERNAL,
        candidate=(version.model, version.version),
    )
    recipe = recipe_store.recipe(session, version.recipe) if version.recipe else None
    if recipe is not None and recipe.checks:
        candidate = (version.model, version.version)
        checked = check_gate(
            policy.promotion, recipe.checks, known, version.artifact_digest, candidate, workplace=recipe.workplace
        )
        gates = (*gates, checked)
    if policy.promotion.card:
        gates = (*gates, card_gate(policy.promotion, card_store.card(session, version.model)))
    return gates


def evidence_about(session: Session, version: Version, champion: Version | None) -> tuple[Evidence, ...]:
    """Evidence about this very version (not an earlier life of its number), against this very champion."""
    rivals = {"", *(() if champion is None else (champion.id,))}
    return tuple(
        one
        for one in evidence_store.about(session, [version.subject], kinds=KINDS)
        if one.digests.get("candidate", version.id) == version.id and one.digests.get("champion", "") in rivals
    )


def reigns_of(session: Session, model: str) -> tuple[Reign, ...]:
    """Who was champion when, oldest first; restores do not change the champion."""
    labels = {one.id: one.label for one in store.versions(session, model)}
    return reigns_in(store.operations(session, model), labels)
