"""What an approval takes by the model's tier, who may make a model less critical, and what proves a password."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.policies import PolicyKind, PromotionPolicy, policy_body
from mlops_dash.domain.registry.tiers import is_proven, proof_of, rules_of, why_not_retier
from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import InvalidInput
from tests.factories import LEAD, NOON, SCIENTIST

KEY = b"k" * 32


def test_the_most_critical_tier_takes_what_it_asks_and_never_less_than_others() -> None:
    policy = PromotionPolicy(approvals=1, tier_1_approvals=2, tier_1_password="again")
    said = {tier: rules_of(policy, tier).said() for tier in (1, 2, 3)}
    assert said == {1: "2 approvals, each with the password said again", 2: "1 approval", 3: "1 approval"}
    assert rules_of(PromotionPolicy(approvals=3, tier_1_approvals=2), 1).approvals == 3


def test_a_policy_that_says_nothing_of_tiers_keeps_its_digest() -> None:
    assert "tier_1_approvals" not in PromotionPolicy().as_json()
    assert PromotionPolicy(tier_1_approvals=2).digest != PromotionPolicy().digest
    task = task_named("regression")
    assert policy_body(PolicyKind.PROMOTION, {"tier_1_approvals": 2}, task)["tier_1_approvals"] == 2
    for bad in ({"tier_1_password": "maybe"}, {"tier_1_approvals": -1}, {"tier_1_approvals": 21}):
        with pytest.raises(InvalidInput, match="tier_1_"):
            policy_body(PolicyKind.PROMOTION, bad, task)


def test_a_policy_that_says_nothing_of_roll_outs_keeps_its_digest_and_has_the_usual_limits() -> None:
    assert not [name for name in PromotionPolicy().as_json() if name.startswith("rollout_")]
    assert PromotionPolicy(rollout_most_times=3).digest != PromotionPolicy().digest
    task = task_named("regression")
    assert policy_body(PolicyKind.PROMOTION, {"rollout_most_failed": 0.02}, task)["rollout_most_failed"] == 0.02
    for bad in ({"rollout_most_failed": 0}, {"rollout_most_failed": 1}, {"rollout_most_times": 0.5},
                {"rollout_most_times": 1_001}, {"rollout_most_times": "twice"}):  # fmt: skip
        with pytest.raises(InvalidInput, match="rollout_most_"):
            policy_body(PolicyKind.PROMOTION, bad, task)


def test_a_model_is_made_less_critical_by_leads_and_not_under_an_open_proposal() -> None:
    assert "lead or admin" in why_not_retier(SCIENTIST, 1, 2, may_judge=False, deciding=False)
    assert "proposal is open" in why_not_retier(LEAD, 1, 2, may_judge=True, deciding=True)
    assert why_not_retier(LEAD, 1, 3, may_judge=True, deciding=False) == ""
    assert why_not_retier(SCIENTIST, 2, 1, may_judge=False, deciding=True) == ""  # more critical: anybody who edits


def test_a_proof_is_of_one_person_for_one_proposal_for_five_minutes() -> None:
    proof = proof_of(KEY, LEAD.person, "p", NOON)
    assert is_proven(KEY, proof, LEAD.person, "p", NOON + timedelta(minutes=4))
    assert not is_proven(KEY, proof, LEAD.person, "p", NOON + timedelta(minutes=5))
    assert not is_proven(KEY, proof, SCIENTIST.person, "p", NOON)
    assert not is_proven(KEY, proof, LEAD.person, "q", NOON)
    assert not is_proven(b"other", proof, LEAD.person, "p", NOON)
    later = int((NOON + timedelta(days=1)).timestamp())
    for forged in ("", ":", "x:y", f"{later}:{proof.partition(':')[2]}", "9" * 40 + ":x"):
        assert not is_proven(KEY, forged, LEAD.person, "p", NOON)
