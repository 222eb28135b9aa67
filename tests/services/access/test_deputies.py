"""Deputies: named, ended, over; and approvals in a name, with four eyes and a quorum that count nobody twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.access import Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.proposals import approvers
from mlops_dash.domain.registry.records import Proposal
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.access import AccessService
from mlops_dash.services.policies import PolicyService
from mlops_dash.services.registry.judging import standing
from mlops_dash.services.registry.shown import could_approve
from mlops_dash.store import access as access_store
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading, transaction
from tests import registry_world
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER
from tests.registry_world import MODEL, World


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    policies = PolicyService(made.context)
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"approvals": 2}, reason="two of us")
    policies.activate(ADMIN, policy.id, reason="agreed")
    yield made
    made.context.databases.dispose()


def away(house: World, who: object = LEAD, deputy: str = "lead-too", *, days: float = 7) -> str:
    """Somebody names a deputy from now on."""
    until = house.hands.at + timedelta(days=days)
    access = AccessService(house.context)
    return access.name_deputy(who, deputy, since=None, until=until, reason="on leave").id  # type: ignore[arg-type]


def test_a_deputy_approves_in_the_name_and_the_ledger_says_for_whom(house: World) -> None:
    away(house)
    made = house.proposal()
    room = house.service.room(LEAD_TOO, MODEL, "2")
    assert room.stands_for == ("lead",)
    assert "lead (away, lead-too stands in)" in room.may_approve
    with reading(house.context.databases.app) as session:
        at = standing(session, made, house.context.clock.now())
        others = replace(at, proposal=replace(made, proposer=LEAD_TOO.id))  # who proposed it stands in for nobody
        people = [(one.id, one.name, str(one.role)) for one in (LEAD, LEAD_TOO)]
        named = AccessService(house.context).deputies(VIEWER)
    assert could_approve(others, people, named) == ("lead",)
    after = house.service.approve(LEAD_TOO, made.id, made.revision, comment="as agreed", in_name_of="lead")
    assert after.state is ProposalState.OPEN  # one of two
    entry = house.ledger()[-1]
    assert (entry.actor, entry.after["in_name_of"]) == (LEAD_TOO.id, LEAD.id)
    assert sentence(entry) == f"lead-too for lead approved {MODEL} v2 (1 of 2)"
    room = house.service.room(VIEWER, MODEL, "2")
    assert [room.given_by(one.approval) for one in room.approvals] == ["lead-too for lead"]
    assert room.may_approve == ("admin",)

    last = house.service.approve(ADMIN, made.id, after.revision)
    operation = house.service.begin_promotion(ADMIN, made.id, last.revision, "now")
    assert house.ledger()[-1].after["in_name_of"] == {LEAD_TOO.id: LEAD.id}
    house.service.finish_promotion(ADMIN, operation)
    assert house.verified().ok


def test_the_queue_says_in_whose_stead_a_proposal_may_be_approved_and_asks_neither_again(house: World) -> None:
    away(house)
    access, made = AccessService(house.context), house.proposal()
    assert [one.why for one in access.waiting(LEAD_TOO)] == ["proposed by scientist; you stand in for lead"]
    assert [one.why for one in access.waiting(ADMIN)] == ["proposed by scientist"]
    house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    assert access.waiting(LEAD_TOO) == access.waiting(LEAD) == ()
    own = house.service.withdraw(SCIENTIST, made.id, made.revision + 1, comment="again")
    assert own.state is ProposalState.WITHDRAWN
    house.proposal(LEAD)
    assert [one.why for one in access.waiting(LEAD_TOO)] == ["proposed by lead"]


def test_nobody_is_counted_twice_as_deputy_or_by_one(house: World) -> None:
    away(house)
    away(house, ADMIN)  # lead-too stands in for both
    made = house.proposal()
    first = house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    with pytest.raises(Conflict, match="You approved it already"):
        house.service.approve(LEAD_TOO, made.id, first.revision)
    with pytest.raises(Conflict, match="You approved it already"):  # for two at once
        house.service.approve(LEAD_TOO, made.id, first.revision, in_name_of="admin")
    with pytest.raises(Conflict, match="lead-too approved it already, in your name"):
        house.service.approve(LEAD, made.id, first.revision)
    second = house.service.approve(ADMIN, made.id, first.revision)
    assert second.state is ProposalState.APPROVED


def test_who_approved_themselves_is_not_approved_for_again(house: World) -> None:
    away(house)
    made = house.proposal()
    first = house.service.approve(LEAD, made.id, made.revision)
    with pytest.raises(Conflict, match="lead is among those who approved it already"):
        house.service.approve(LEAD_TOO, made.id, first.revision, in_name_of="lead")
    assert house.service.room(LEAD_TOO, MODEL, "2").stands_for == ()


@pytest.mark.parametrize("proposer", [LEAD, LEAD_TOO])
def test_four_eyes_hold_for_both_of_them(house: World, proposer: object) -> None:
    away(house)
    made = house.proposal(proposer)  # type: ignore[arg-type]
    with pytest.raises((Conflict, NotAllowed), match="proposed"):
        house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    assert house.actions()[-1] is Action.PROPOSAL_OPENED


def test_approvals_that_share_a_person_count_once_however_they_came_in(house: World) -> None:
    """As a database would hold them that two processes wrote at the same moment."""
    away(house)
    made = house.proposal()
    house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    with reading(house.context.databases.app) as session:
        given = store.approvals(session, made.id)
    twin = type(given[0])(**{**vars(given[0]), "id": "twin", "approver": LEAD.id, "in_name_of": ""})
    assert approvers(made, (*given, twin)) == {LEAD_TOO.id}


def test_it_stands_from_until_and_no_longer(house: World) -> None:
    access, now = AccessService(house.context), house.hands.at
    begin = now + timedelta(days=1)
    access.name_deputy(LEAD, "lead-too", since=begin, until=begin + timedelta(days=2), reason="a fair")
    made = house.proposal()
    with pytest.raises(NotAllowed, match="does not stand in for lead now"):
        house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    house.hands.turn(days=1)
    after = house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    house.hands.turn(days=2)
    assert counted(house, after) == 1  # given while it stood
    with pytest.raises(Conflict, match="over already"):
        access.end_deputy(LEAD, access.deputies(VIEWER)[0].id, reason="back")


def test_it_is_ended_by_either_of_them_and_by_nobody_else(house: World) -> None:
    access = AccessService(house.context)
    key = away(house)
    with pytest.raises(NotAllowed):
        access.end_deputy(SCIENTIST, key, reason="x")
    with pytest.raises(InvalidInput, match="needs a reason"):
        access.end_deputy(LEAD_TOO, key, reason=" ")
    ended = access.end_deputy(LEAD_TOO, key, reason="too much")
    assert (ended.ended_by, ended.state(house.hands.at)) == (LEAD_TOO.id, "ended")
    assert house.actions()[-1] is Action.DEPUTY_ENDED
    assert "lead-too for lead" in sentence(house.ledger()[-1])
    made = house.proposal()
    with pytest.raises(NotAllowed, match="does not stand in"):
        house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    away(house)  # and may be named anew
    with pytest.raises(NotFound):
        access.end_deputy(LEAD, "nothing", reason="x")


def test_whoever_may_not_judge_gives_and_gets_nothing(house: World) -> None:
    access, until = AccessService(house.context), house.hands.at + timedelta(days=7)
    with pytest.raises(NotAllowed):
        access.name_deputy(SCIENTIST, "lead", since=None, until=until, reason="x")
    for name, said in (("scientist", "gets no right"), ("lead", "for yourself")):
        with pytest.raises(Conflict, match=said):
            access.name_deputy(LEAD, name, since=None, until=until, reason="x")
    with pytest.raises(NotFound, match="no user"):
        access.name_deputy(LEAD, "nobody", since=None, until=until, reason="x")
    assert access.possible_deputies(LEAD) == ("admin", "lead-too")

    away(house)
    made = house.proposal()
    given = house.service.approve(LEAD_TOO, made.id, made.revision, in_name_of="lead")
    assert counted(house, given) == 1
    with transaction(house.context.databases.app) as session:
        access_store.change_user(session, LEAD.id, role=Role.SCIENTIST)
    assert counted(house, given) == 0  # a name that may not judge any more lends nothing
    assert house.service.room(VIEWER, MODEL, "2").approvals[0].reason.startswith("In whose name it was given")


def test_times_that_cannot_be_are_refused_and_two_at_once_too(house: World) -> None:
    access, now = AccessService(house.context), house.hands.at
    for since, until, said in (
        (None, now - timedelta(days=1), "over already"),
        (now + timedelta(days=3), now + timedelta(days=2), "before it begins"),
        (None, now + timedelta(days=400), "longer than 180 days"),
    ):
        with pytest.raises(Conflict, match=said):
            access.name_deputy(LEAD, "lead-too", since=since, until=until, reason="x")
    with pytest.raises(InvalidInput, match="needs a reason"):
        access.name_deputy(LEAD, "lead-too", since=None, until=now + timedelta(days=1), reason="")
    away(house)
    with pytest.raises(Conflict, match="lead-too stands in for you until"):
        away(house, deputy="admin")


def counted(house: World, proposal: Proposal) -> int:
    """How many approvals count now."""
    with reading(house.context.databases.app) as session:
        at = standing(session, store.proposal(session, proposal.id), house.context.clock.now())
    return len(approvers(at.proposal, at.holding))
