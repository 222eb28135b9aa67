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
    policy_value,
    promotion_policy,
)
from mlops_dash.domain.tasks import BINARY
from mlops_dash.errors import InvalidInput


def test_an_empty_body_is_the_named_default() -> None:
    assert promotion_policy({}) == PromotionPolicy()
    assert monitoring_policy({}) == MonitoringPolicy()
    assert default_policy("m", PolicyKind.PROMOTION, BINARY).promotion == PromotionPolicy()
    assert default_policy("m", PolicyKind.MONITORING, BINARY).monitoring == MonitoringPolicy()
    assert default_policy("m", PolicyKind.PROMOTION, BINARY).is_default


def test_a_whole_number_is_taken_where_a_fraction_is_meant() -> None:
    assert promotion_policy({"margin": 1}).margin == 1.0
    assert policy_body(PolicyKind.PROMOTION, {"margin": 1}, BINARY)["margin"] == 1.0


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"marginn": 0.1}, "no field 'marginn'"),
        ({"margin": "0.1"}, "must be a number"),
        ({"margin": True}, "must be a number"),
        ({"margin": -0.1}, "0 or more"),
        ({"margin": float("nan")}, "a finite number"),
        ({"floor": float("inf")}, "a finite number"),
        ({"floor": 10**400}, "a finite number"),
        ({"proposal_expires_days": 10**9}, "at most 3,650"),
        ({"approvals": 0}, "1 or more"),
        ({"approvals": 1.5}, "must be a whole number"),
        ({"level": 1.0}, "above 0 and below 1"),
        ({"primary": "precision"}, "one of auc"),
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
        ({"window": "fortnight"}, "one of hour, day, week, month, rows:N or batch:COLUMN"),
        ({"window": "batch:"}, "not judged"),
        ({"primary": "gini"}, "one of auc"),
        ({"hysteresis_need": 4}, "at most hysteresis_of"),
        ({"min_rows": 0}, "1 or more"),
        ({"label_delay_hours": 1e9}, "at most 43,800"),
    ],
)
def test_a_monitoring_body_out_of_bounds_is_refused_with_the_bound(body: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        monitoring_policy(body)


def test_equal_bodies_have_equal_digests_and_other_bodies_others() -> None:
    assert PromotionPolicy().digest == promotion_policy({}).digest
    assert PromotionPolicy().digest != promotion_policy({"floor": 0.7}).digest


@pytest.mark.parametrize(
    ("kind", "name", "text", "value"),
    [
        (PolicyKind.PROMOTION, "floor", "12.5", 12.5),
        (PolicyKind.PROMOTION, "min_rows", "200", 200),
        (PolicyKind.PROMOTION, "floor_metric", "", ""),
        (PolicyKind.MONITORING, "label_unit", "007", "007"),
    ],
)
def test_a_typed_value_gets_the_type_of_its_field(kind: PolicyKind, name: str, text: str, value: object) -> None:
    assert policy_value(kind, name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("min_rows", "many", "must be a whole number"),
        ("min_rows", "1.5", "must be a whole number"),
        ("floor", "12 min", "must be a number"),
        ("flor", "1", "no field 'flor'"),
    ],
)
def test_a_typed_value_that_cannot_be_meant_is_refused(name: str, text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        policy_value(PolicyKind.PROMOTION, name, text)
