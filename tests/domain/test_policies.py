"""Policy bodies: defaults, types and bounds."""

from __future__ import annotations

import pytest

from mlops_dash.domain.policies import (
    MonitoringPolicy,
    PolicyKind,
    PromotionPolicy,
    default_policy,
    monitoring_policy,
    policy_body,
    promotion_policy,
)
from mlops_dash.errors import InvalidInput


def test_an_empty_body_is_the_named_default() -> None:
    assert promotion_policy({}) == PromotionPolicy()
    assert monitoring_policy({}) == MonitoringPolicy()
    assert default_policy("m", PolicyKind.PROMOTION).promotion == PromotionPolicy()
    assert default_policy("m", PolicyKind.MONITORING).monitoring == MonitoringPolicy()
    assert default_policy("m", PolicyKind.PROMOTION).is_default


def test_a_whole_number_is_taken_where_a_fraction_is_meant() -> None:
    assert promotion_policy({"margin": 1}).margin == 1.0
    assert policy_body(PolicyKind.PROMOTION, {"margin": 1})["margin"] == 1.0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"marginn": 0.1}, "no field 'marginn'"),
        ({"margin": "0.1"}, "must be a number"),
        ({"margin": True}, "must be a number"),
        ({"margin": -0.1}, "0 or more"),
        ({"approvals": 0}, "1 or more"),
        ({"approvals": 1.5}, "must be a whole number"),
        ({"level": 1.0}, "above 0 and below 1"),
        ({"primary": "accuracy"}, "one of auc"),
        ({"floor_metric": "gini"}, "one of auc"),
        ({"guardrail": "base_rate_free_loss"}, "another metric than the primary"),
    ],
)
def test_a_promotion_body_out_of_bounds_is_refused_with_the_bound(body: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        promotion_policy(body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"zone": "Mars/Olympus"}, "a zone such as"),
        ({"window": "fortnight"}, "one of hour"),
        ({"primary": "gini"}, "one of auc"),
        ({"hysteresis_need": 4}, "at most hysteresis_of"),
        ({"min_rows": 0}, "1 or more"),
    ],
)
def test_a_monitoring_body_out_of_bounds_is_refused_with_the_bound(body: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        monitoring_policy(body)


def test_equal_bodies_have_equal_digests_and_other_bodies_others() -> None:
    assert PromotionPolicy().digest == promotion_policy({}).digest
    assert PromotionPolicy().digest != promotion_policy({"floor": 0.7}).digest
