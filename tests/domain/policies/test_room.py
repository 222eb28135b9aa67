"""Every field of a policy is explained, beside what would hold by default."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mlops_dash.domain.access import Role, new_service, new_user
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy, default_policy
from mlops_dash.domain.policies.room import EXPLAINED, others_who_may, policy_fields
from mlops_dash.domain.tasks import REGRESSION
from tests.factories import NOON


@pytest.mark.parametrize(
    ("kind", "policy"), [(PolicyKind.PROMOTION, PromotionPolicy), (PolicyKind.MONITORING, MonitoringPolicy)]
)
def test_every_field_and_no_other_is_explained(
    kind: PolicyKind, policy: type[PromotionPolicy] | type[MonitoringPolicy]
) -> None:
    assert set(EXPLAINED[kind]) == {one.name for one in fields(policy)}
    assert all(meaning == meaning.strip() and len(meaning) > 10 for meaning in EXPLAINED[kind].values())


def test_the_default_beside_a_value_is_that_of_the_models_task() -> None:
    shown = {one.name: one for one in policy_fields(default_policy("m", PolicyKind.PROMOTION, REGRESSION), REGRESSION)}
    assert (shown["primary"].value, shown["primary"].default) == ("mae", "mae")


def test_a_program_is_no_second_person() -> None:
    ada = new_user("ada", Role.LEAD, "Ada", at=NOON)
    ben = new_user("ben", Role.SCIENTIST, "Ben", at=NOON)
    kiosk = new_service("kiosk", ['it\'s the "fast" one'], at=NOON)
    assert others_who_may([kiosk, ben, ada], demo=False) == (("user:ada", "ada"),)
