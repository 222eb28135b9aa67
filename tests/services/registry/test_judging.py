"""Which approvals count at a moment: what they rest on, and who gave them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.ab_tests.rules import ABTest, NewTest
from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.rollouts import Stage
from mlops_dash.domain.words import GateState, ProposalState, RolloutState
from mlops_dash.errors import Conflict
from mlops_dash.services.ab_tests import ABTestService
from mlops_dash.services.access import AccessService, passwords
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import access as access_store
from mlops_dash.store.db import transaction
from tests import registry_world
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import World

MODEL = 'Wartezeit "Ambulanz" & 急诊'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A model of somebody else, whose name has quotes and Chinese."""
    monkeypatch.setattr(registry_world, "MODEL", MODEL)
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_model_made_tier_1_after_its_approval_takes_the_password(house: World) -> None:
    policies = PolicyService(house.context)
    rules = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"tier_1_password": "again"}, reason="an auditor's")
    policies.activate(ADMIN, rules.id, reason="agreed")
    made = house.approved()
    house.service.edit_model(SCIENTIST, MODEL, {"tier": 1}, reason="it decides about people")
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    [line] = house.service.room(VIEWER, MODEL).approvals
    assert (line.holds, "what the tier asks changed" in line.reason) == (False, True)
    house.service.reconcile(WORKER)
    after = house.service.room(VIEWER, MODEL).proposal
    assert after is not None
    assert after.state is ProposalState.OPEN

    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    proof = AccessService(house.context).prove_password(LEAD, "a long enough one", made.id)
    again = house.service.approve(LEAD, after.id, after.revision, proof=proof)
    assert house.service.begin_promotion(LEAD, again.id, again.revision, "now")


def changed(house: World, who: Actor, **fields: object) -> None:
    """An account is changed, or disabled."""
    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, who.id, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("gone", [{"role": Role.VIEWER}, {"disabled": True}])
def test_the_approval_of_one_who_may_not_judge_any_more_does_not_count(house: World, gone: dict[str, object]) -> None:
    made = house.approved()
    changed(house, LEAD, **gone)
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_promotion(LEAD_TOO, made.id, made.revision, "now")
    [line] = house.service.room(VIEWER, MODEL).approvals
    assert (line.holds, line.reason) == (False, "Who gave it may not judge proposals any more.")
    house.service.reconcile(WORKER)
    after = house.service.room(VIEWER, MODEL).proposal
    assert after is not None
    assert after.state is ProposalState.OPEN
    again = house.service.approve(LEAD_TOO, after.id, after.revision)
    assert house.service.begin_promotion(LEAD_TOO, again.id, again.revision, "now")


def test_nor_does_their_half_of_an_override(house: World) -> None:
    house.hands.turn(days=1)
    house.measured("2", "1", low=-0.02, high=0.01)
    made = house.proposal()
    for who in (LEAD, LEAD_TOO):
        made = house.service.override_gate(who, made.id, made.revision, gate="primary metric", reason="a rare month")
    assert house.service.room(VIEWER, MODEL).gates[0].state is GateState.OVERRIDDEN
    changed(house, LEAD_TOO, role=Role.SCIENTIST)
    assert house.service.room(VIEWER, MODEL).gates[0].state is not GateState.OVERRIDDEN


@pytest.mark.parametrize("who", [LEAD, LEAD_TOO])
def test_a_roll_out_stops_when_its_approver_or_starter_may_not_any_more(house: World, who: Actor) -> None:
    made = house.service.propose(SCIENTIST, house.ids["2"], comment="better", stages=(Stage(0.1, minutes=60),))
    made = house.service.approve(LEAD, made.id, made.revision)
    house.service.begin_rollout(LEAD_TOO, made.id, made.revision, "a quiet morning")
    house.service.watch_rollouts(WORKER)
    assert house.service.rollout(VIEWER, MODEL).state is RolloutState.RUNNING
    changed(house, who, role=Role.SCIENTIST)
    house.service.watch_rollouts(WORKER)
    stopped = house.service.rollout(VIEWER, MODEL)
    assert stopped.state is RolloutState.STOPPED
    assert "may not" in stopped.end_reason


def test_the_owner_of_a_store_whose_own_account_may_not_judge_is_told_so(house: World) -> None:
    owner = AccessService(house.context).actor_for_owner(VIEWER.name)
    made = house.proposal()
    with pytest.raises(Conflict, match="would not count"):
        house.service.approve(owner, made.id, made.revision)
    stranger = AccessService(house.context).actor_for_owner("nobody-else")
    again = house.service.approve(stranger, made.id, made.revision)
    assert again.state is ProposalState.APPROVED


def over(house: World) -> ABTest:
    """A test of v2 against v1 that saw no row: nothing is known."""
    tests = ABTestService(house.context)
    made = tests.design(SCIENTIST, NewTest(MODEL, house.ids["2"], question="?", planned_units=1_000))
    running = tests.start(LEAD, made.id, made.revision, reason="go")
    return tests.stop(LEAD, running.id, running.revision, reason="enough")


def test_what_was_kept_after_a_test_is_not_proposed_nor_promoted(house: World) -> None:
    test, waiting = over(house), house.approved()
    ABTestService(house.context).decide(SCIENTIST, test.id, test.revision, "keep", reason='"Ambulanz" waits longer.')
    said = house.service.room(LEAD, MODEL).why_not["promote"]
    assert 'decided to keep the control: "Ambulanz" waits longer.' in said
    with pytest.raises(Conflict, match="keep the control"):
        house.service.begin_promotion(LEAD, waiting.id, waiting.revision, "now")
    house.service.withdraw(SCIENTIST, waiting.id, waiting.revision, comment="see the test")
    assert house.service.room(SCIENTIST, MODEL, "2").why_not["propose"] == said
    with pytest.raises(Conflict, match="keep the control"):
        house.proposal()

    house.hands.turn(days=1)
    newer, tests = over(house), ABTestService(house.context)
    asked = tests.decide(LEAD, newer.id, newer.revision, "ship", reason="the old one costs too much")
    with pytest.raises(Conflict, match="a second person must"):
        house.proposal()
    tests.second(LEAD_TOO, newer.id, asked.revision, reason="agreed")
    assert house.proposal()


def test_a_roll_out_stops_when_its_test_is_decided_otherwise(house: World) -> None:
    test = over(house)
    made = house.service.propose(SCIENTIST, house.ids["2"], comment="better", stages=(Stage(0.1, minutes=60),))
    made = house.service.approve(LEAD, made.id, made.revision)
    house.service.begin_rollout(LEAD, made.id, made.revision, "a quiet morning")
    ABTestService(house.context).decide(SCIENTIST, test.id, test.revision, "keep", reason="no gain")
    house.service.watch_rollouts(WORKER)
    assert "keep the control" in house.service.rollout(VIEWER, MODEL).end_reason
