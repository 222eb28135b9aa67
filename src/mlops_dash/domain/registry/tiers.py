"""What a promotion policy asks of a model by its tier: how many approve, and whether they say their password again."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_dash.domain.access import Actor, person_of
from mlops_dash.domain.policies import PASSWORD_AGAIN, PromotionPolicy

MOST_CRITICAL = 1
PROOF_HOLDS = timedelta(minutes=5)


@dataclass(frozen=True)
class TierRules:
    """What an approval of one model takes."""

    approvals: int
    password: bool  # the approver says theirs again

    def said(self) -> str:
        """In words, for pages.

        >>> TierRules(2, True).said()
        '2 approvals, each with the password said again'
        """
        people = "1 approval" if self.approvals == 1 else f"{self.approvals} approvals"
        return f"{people}, each with the password said again" if self.password else people


ONE_APPROVAL = TierRules(1, False)


def rules_of(policy: PromotionPolicy, tier: int) -> TierRules:
    """The rules of a model: a tier 1 never takes fewer approvals than others.

    >>> rules_of(PromotionPolicy(approvals=1, tier_1_approvals=2, tier_1_password="again"), 1)
    TierRules(approvals=2, password=True)
    >>> rules_of(PromotionPolicy(approvals=3, tier_1_approvals=2), 2)
    TierRules(approvals=3, password=False)
    """
    if tier != MOST_CRITICAL:
        return TierRules(policy.approvals, False)
    return TierRules(max(policy.approvals, policy.tier_1_approvals), policy.tier_1_password == PASSWORD_AGAIN)


def why_not_retier(actor: Actor, before: int, after: int, *, may_judge: bool, deciding: bool) -> str:
    """A model is made less critical by those who judge, and not under an open proposal: its rules would get weaker."""
    if after <= before:
        return ""
    if not may_judge:
        return f"A lead or admin makes a model less critical (tier {before} to {after}); you are {actor.role}."
    return "A proposal is open: what it takes must not get less meanwhile." if deciding else ""


def proof_of(key: bytes, person: str, subject: str, now: datetime) -> str:
    """What says for five minutes that a person has just said their password, for one proposal alone."""
    until = int((now + PROOF_HOLDS).timestamp())
    return f"{until}:{_seal(key, person_of(person), subject, until)}"


def is_proven(key: bytes, proof: str, person: str, subject: str, now: datetime) -> bool:
    """Whether `proof_of` made it for this person and proposal, and it holds still."""
    until, sign, seal = proof.partition(":")
    if not sign or not until.isdecimal() or len(until) > 12 or int(until) <= now.timestamp():
        return False
    return hmac.compare_digest(seal, _seal(key, person_of(person), subject, int(until)))


def _seal(key: bytes, person: str, subject: str, until: int) -> str:
    return hmac.new(key, f"password said\n{person}\n{subject}\n{until}".encode(), hashlib.sha256).hexdigest()
