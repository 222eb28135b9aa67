"""Quorum and password by tier, conditions and reviews: asked with an approval, shown until done, due in the queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from mlops_dash.services.access import AccessService, passwords
from mlops_dash.services.fleet import FleetService
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import access as access_store
from mlops_dash.store.db import transaction
from tests import registry_world
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def ruled(house: World, **fields: object) -> None:
    """A policy with rules of tier 1, and the model is of it."""
    policies = PolicyService(house.context)
    made = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, fields, reason="what an auditor signs")
    policies.activate(ADMIN, made.id, reason="agreed")
    house.service.edit_model(LEAD, MODEL, {"tier": 1}, reason="it decides about people")


def test_a_model_of_tier_1_takes_two_approvals(house: World) -> None:
    ruled(house, tier_1_approvals=2)
    first = house.approved()
    assert first.state is ProposalState.OPEN
    assert house.ledger()[-1].after["needed"] == 2
    with pytest.raises(Conflict, match="1 of 2 approvals"):
        house.service.begin_promotion(LEAD, first.id, first.revision, "now")
    with pytest.raises(Conflict, match="approved it already"):
        house.service.approve(LEAD, first.id, first.revision)
    second = house.service.approve(LEAD_TOO, first.id, first.revision)
    assert second.state is ProposalState.APPROVED
    assert house.service.gate(VIEWER, MODEL, "2")["approvals"] == {"counted": 2, "needed": 2}
    assert house.service.begin_promotion(LEAD, second.id, second.revision, "now")


def test_nobody_weakens_the_rules_under_an_open_proposal(house: World) -> None:
    ruled(house, tier_1_approvals=2)
    made = house.proposal()
    with pytest.raises(Conflict, match="lead or admin"):
        house.service.edit_model(SCIENTIST, MODEL, {"tier": 3}, reason="easier")
    with pytest.raises(Conflict, match="proposal is open"):
        house.service.edit_model(LEAD, MODEL, {"tier": 3}, reason="easier")
    house.service.withdraw(SCIENTIST, made.id, made.revision, comment="later")
    assert house.service.edit_model(LEAD, MODEL, {"tier": 3}, reason="it decides no more").tier == 3


def test_a_password_is_said_again_where_the_tier_asks(house: World) -> None:
    ruled(house, tier_1_password="again")
    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    access = AccessService(house.context)
    made = house.proposal()
    with pytest.raises(NotAllowed, match="password once more"):
        house.service.approve(LEAD, made.id, made.revision)
    with pytest.raises(NotAuthenticated, match="not your password"):
        access.prove_password(LEAD, "another one", made.id)
    with pytest.raises(NotAllowed, match="has no password"):
        access.prove_password(LEAD_TOO, "a long enough one", made.id)
    proof = access.prove_password(LEAD, "a long enough one", made.id)
    with pytest.raises(NotAllowed, match="password once more"):
        house.service.approve(LEAD_TOO, made.id, made.revision, proof=proof)
    house.hands.turn(minutes=6)
    with pytest.raises(NotAllowed, match="password once more"):
        house.service.approve(LEAD, made.id, made.revision, proof=proof)
    proof = access.prove_password(LEAD, "a long enough one", made.id)
    house.service.approve(LEAD, made.id, made.revision, proof=proof)
    assert house.ledger()[-1].after["password"] == "said again"


def test_guessing_it_is_slowed_down_as_a_login_is(house: World) -> None:
    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, password_hash=passwords.hashed("a long enough one", "lead"))
    access = AccessService(house.context)
    for _ in range(5):
        with pytest.raises(NotAuthenticated, match="not your password"):
            access.prove_password(LEAD, "a guess", "p")
    with pytest.raises(NotAuthenticated, match="Too many tries"):
        access.prove_password(LEAD, "a long enough one", "p")


def test_conditions_and_a_review_are_kept_with_the_approval_and_shown_until_done(house: World) -> None:
    made = house.proposal()
    day = house.hands.at.date() + timedelta(days=7)
    house.service.approve(
        LEAD, made.id, made.revision, comment="fine", conditions=["watch <b>Dream</b>\ntell the shift"], review_by=day
    )
    entry = house.ledger()[-1]
    assert entry.after["conditions"] == ["watch <b>Dream</b>", "tell the shift"]
    assert entry.after["review_by"] == day.isoformat()
    asked = house.service.conditions(VIEWER, MODEL)
    assert [one.kind for one in asked] == ["condition", "condition", "review"]
    assert asked[0].text == "tell the shift"
    assert house.service.room(VIEWER, MODEL).conditions == asked

    with pytest.raises(NotAllowed):
        house.service.finish_condition(SCIENTIST, asked[0].id, note="did it")
    with pytest.raises(InvalidInput, match="what came of it"):
        house.service.finish_condition(LEAD, asked[0].id, note=" ")
    with pytest.raises(NotFound):
        house.service.finish_condition(LEAD, "<b>", note="x")
    done = house.service.finish_condition(LEAD_TOO, asked[0].id, note="no change on Dream")
    assert (done.done_by, done.done_note) == (LEAD_TOO.id, "no change on Dream")
    assert house.actions()[-1] is Action.CONDITION_DONE
    with pytest.raises(Conflict, match="done already"):
        house.service.finish_condition(LEAD, asked[0].id, note="again")


def test_a_bad_condition_leaves_no_approval(house: World) -> None:
    made = house.proposal()
    for bad in ({"conditions": ["x" * 501]}, {"review_by": date(1999, 1, 1)}):
        with pytest.raises(InvalidInput):
            house.service.approve(LEAD, made.id, made.revision, **bad)  # type: ignore[arg-type]
    assert house.service.room(VIEWER, MODEL).approvals_counted == 0
    assert house.service.conditions(VIEWER, MODEL) == ()


def test_a_due_review_needs_attention_and_waits_for_those_who_may_say_so(house: World) -> None:
    made = house.proposal()
    made = house.service.approve(LEAD, made.id, made.revision, review_by=house.hands.at.date())
    house.service.finish_promotion(LEAD, house.service.begin_promotion(LEAD, made.id, made.revision, "now"))
    fleet, access = FleetService(house.context), AccessService(house.context)
    assert not [one for one in fleet.room(LEAD).attention if one.label == "Due"]
    house.hands.turn(days=2)
    [due] = [one for one in fleet.room(LEAD).attention if one.label == "Due"]
    assert (due.sentence, due.page) == ("v2 is to be looked at again.", "registry")
    assert [one.title for one in access.waiting(LEAD_TOO) if one.icon == "event_upcoming"] == [f"Review {MODEL} v2"]
    assert not [one for one in access.waiting(SCIENTIST) if one.icon == "event_upcoming"]
    [asked] = house.service.conditions(VIEWER, MODEL)
    house.service.finish_condition(LEAD, asked.id, note="as good as it was")
    assert not [one for one in fleet.room(LEAD).attention if one.label == "Due"]


def test_of_a_proposal_that_was_turned_down_nothing_is_asked(house: World) -> None:
    made = house.proposal()
    made = house.service.approve(LEAD, made.id, made.revision, conditions=["tell the shift"])
    house.service.reject(LEAD_TOO, made.id, made.revision, comment="not now")
    assert house.service.conditions(VIEWER, MODEL) == ()


STRANGER = 'Wartezeit "Ambulanz" & 急诊'


@pytest.fixture
def stranger(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The same with a model of somebody else, whose name has quotes and Chinese."""
    monkeypatch.setattr(registry_world, "MODEL", STRANGER)
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_condition_of_a_promoted_version_waits_until_somebody_says_it_is_met(stranger: World) -> None:
    fleet, access = FleetService(stranger.context), AccessService(stranger.context)

    def seen() -> list[tuple[str, str]]:
        return [(one.sentence, one.cause) for one in fleet.room(LEAD).attention if one.label == "Due"]

    made = stranger.proposal()
    made = stranger.service.approve(LEAD, made.id, made.revision, conditions=['tell "Ambulanz" 急诊'])
    assert not seen()  # nothing of it serves yet
    operation = stranger.service.begin_promotion(LEAD, made.id, made.revision, "now")
    stranger.service.finish_promotion(LEAD, operation)
    stranger.beat("2", epoch=2)
    stranger.service.reconcile(WORKER)
    assert seen() == [("v2 has a condition that nobody said is met.", 'Asked by lead: tell "Ambulanz" 急诊')]
    assert f"Condition of {STRANGER} v2" in [one.title for one in access.waiting(LEAD_TOO)]
    assert f"Condition of {STRANGER} v2" not in [one.title for one in access.waiting(SCIENTIST)]
    [asked] = stranger.service.conditions(VIEWER, STRANGER)
    assert asked.as_json(stranger.hands.at)["due"] is True
    stranger.service.finish_condition(LEAD, asked.id, note="told them")
    assert not seen()


def test_who_approves_again_asks_once(stranger: World) -> None:
    made, day = stranger.proposal(), stranger.hands.at.date()
    first = {"conditions": ["watch 急诊", "tell the shift"], "review_by": day + timedelta(days=7)}
    made = stranger.service.approve(LEAD, made.id, made.revision, **first)  # type: ignore[arg-type]
    policies = PolicyService(stranger.context)
    rules = policies.propose(LEAD, STRANGER, PolicyKind.PROMOTION, {"proposal_expires_days": 20}, reason="r")
    policies.activate(ADMIN, rules.id, reason="ok")
    again = {"conditions": ["watch 急诊"], "review_by": day + timedelta(days=9)}
    stranger.service.approve(LEAD, made.id, made.revision, **again)  # type: ignore[arg-type]
    found = stranger.service.conditions(VIEWER, STRANGER)
    assert sorted(one.text for one in found) == ["Look at it again.", "tell the shift", "watch 急诊"]
    [review] = [one for one in found if one.kind == "review"]
    assert review.due_at is not None
    assert review.due_at > stranger.hands.at + timedelta(days=8)
