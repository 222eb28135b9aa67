"""Proposals: four eyes, quorum, revisions, overrides, and approvals that lose their ground."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.gates import GATE_NAMES
from mlops_dash.domain.words import GateState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.access import AccessService
from mlops_dash.services.policies import PolicyService
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading
from tests.factories import ADMIN, LEAD, LEAD_TOO, SCIENTIST, VIEWER, WORKER
from tests.registry_world import MODEL, World, world

BETTER_NO_MORE = {"low": -0.02, "high": 0.01}  # the limit lies inside


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_a_proposal_carries_its_gates_their_evidence_and_the_reason(house: World) -> None:
    made = house.proposal()

    assert made.state is ProposalState.OPEN
    assert made.champion_version_id == house.ids["1"]
    assert {gate["state"] for gate in made.gates.values()} == {"passed"}
    assert len(made.evidence_ids) == 5
    entry = house.ledger()[-1]
    assert entry.action is Action.PROPOSAL_OPENED
    assert (entry.object, entry.model, entry.reason) == (f"{MODEL} v2", MODEL, "better in May")
    assert entry.evidence_ids == made.evidence_ids
    assert entry.before == {"champion": "v1"}


def test_a_viewer_may_not_propose(house: World) -> None:
    with pytest.raises(NotAllowed, match="proposal:open"):
        house.proposal(VIEWER)


def test_the_champion_cannot_be_proposed_nor_a_version_twice(house: World) -> None:
    with pytest.raises(Conflict, match="v1 is the champion already"):
        house.proposal(version="1")
    house.proposal()
    with pytest.raises(Conflict, match="v2 has an open proposal already"):
        house.proposal()


def test_a_proposal_needs_a_comment_and_known_evidence(house: World) -> None:
    with pytest.raises(InvalidInput, match="comment"):
        house.service.propose(SCIENTIST, house.ids["2"], comment=" ")
    with pytest.raises(NotFound, match="No evidence"):
        house.service.propose(SCIENTIST, house.ids["2"], comment="c", evidence_ids=["none"])
    with pytest.raises(NotFound, match="No version"):
        house.service.propose(SCIENTIST, "none", comment="c")


def test_an_approval_by_another_person_is_kept_and_audited(house: World) -> None:
    made = house.proposal()
    after = house.service.approve(LEAD, made.id, made.revision, comment="looks right")
    assert after.state is ProposalState.APPROVED
    assert after.revision == made.revision + 1
    with reading(house.context.databases.app) as session:
        kept = store.approvals(session, made.id)
    assert [(one.approver, one.kind, one.comment) for one in kept] == [(LEAD.id, "approve", "looks right")]
    entry = house.ledger()[-1]
    assert (entry.action, entry.actor, entry.after["approvals"]) == (Action.PROPOSAL_APPROVED, LEAD.id, 1)


@pytest.mark.parametrize("proposer", [LEAD, ADMIN])
def test_nobody_approves_or_rejects_their_own_proposal_admin_included(house: World, proposer: Actor) -> None:
    made = house.proposal(proposer)
    for act in (house.service.approve, house.service.reject):
        with pytest.raises(NotAllowed, match="proposed this"):
            act(proposer, made.id, made.revision, comment="mine")
    with pytest.raises(NotAllowed, match="proposed this"):
        house.service.override_gate(
            proposer,
            made.id,
            made.revision,
            gate="signature",
            reason="r",
        )
    assert house.actions()[-1] is Action.PROPOSAL_OPENED


def test_who_proposed_at_the_command_line_is_the_account_that_was_made_later(house: World) -> None:
    """Older entries have the owner of a local store as `owner:NAME`."""
    made = house.proposal(Actor("owner:Lead", "Lead", Role.ADMIN, kind="owner"))
    typing = AccessService(house.context).actor_for_owner(LEAD.name)
    for actor in (LEAD, typing):
        for act in (house.service.approve, house.service.reject):
            with pytest.raises(NotAllowed, match="proposed this"):
                act(actor, made.id, made.revision, comment="mine")
        with pytest.raises(NotAllowed, match="proposed this"):
            house.service.override_gate(actor, made.id, made.revision, gate="signature", reason="r")
    assert house.service.room(LEAD, MODEL, "2").why_not["approve"] == (
        "You proposed it, so somebody else must judge it."
    )
    assert house.service.room(LEAD_TOO, MODEL, "2").why_not["approve"] == ""
    after = house.service.withdraw(LEAD, made.id, made.revision, comment="not yet")
    assert after.state is ProposalState.WITHDRAWN


def test_one_person_under_two_ids_is_one_half_of_an_override(house: World) -> None:
    house.hands.turn(hours=1)
    house.measured("2", "1", **BETTER_NO_MORE)
    made = house.proposal()
    house.service.override_gate(LEAD, made.id, made.revision, gate="primary metric", reason="known")
    older = Actor("owner:lead", "lead", Role.ADMIN, kind="owner")
    with pytest.raises(Conflict, match="a second person must join"):
        house.service.override_gate(older, made.id, made.revision + 1, gate="primary metric", reason="me again")


def test_a_scientist_may_not_approve(house: World) -> None:
    made = house.proposal(LEAD)
    with pytest.raises(NotAllowed, match="proposal:judge"):
        house.service.approve(SCIENTIST, made.id, made.revision)


def test_a_click_on_what_changed_meanwhile_is_a_conflict(house: World) -> None:
    made = house.proposal()
    house.service.approve(LEAD, made.id, made.revision)
    with pytest.raises(Conflict, match="changed since you looked"):
        house.service.reject(LEAD_TOO, made.id, made.revision, comment="late")


def test_the_same_person_does_not_count_twice(house: World) -> None:
    made = house.approved()
    with pytest.raises(Conflict, match="approved it already"):
        house.service.approve(LEAD, made.id, made.revision)


def test_a_quorum_of_two_needs_two_people(house: World) -> None:
    policies = PolicyService(house.context)
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"approvals": 2}, reason="tier 1")
    policies.activate(ADMIN, policy.id, reason="agreed")
    made = house.proposal()
    once = house.service.approve(LEAD, made.id, made.revision)
    assert once.state is ProposalState.OPEN
    with pytest.raises(Conflict, match="1 of 2 approvals"):
        house.service.begin_promotion(LEAD, made.id, once.revision, "now")
    twice = house.service.approve(ADMIN, made.id, once.revision)
    assert twice.state is ProposalState.APPROVED
    assert house.service.begin_promotion(LEAD, made.id, twice.revision, "now")


def test_a_closed_gate_cannot_be_approved_away(house: World) -> None:
    house.hands.turn(hours=1)
    house.measured("2", "1", **BETTER_NO_MORE)
    made = house.proposal()
    with pytest.raises(Conflict, match=r"primary metric \(cannot tell\)"):
        house.service.approve(LEAD, made.id, made.revision)


def test_reject_and_withdraw_close_with_a_reason(house: World) -> None:
    made = house.proposal()
    with pytest.raises(InvalidInput, match="needs a reason"):
        house.service.reject(LEAD, made.id, made.revision, comment="")
    after = house.service.reject(LEAD, made.id, made.revision, comment="calibration")
    assert (after.state, after.close_reason, after.closed_at) == (ProposalState.REJECTED, "calibration", house.hands.at)
    again = house.proposal()
    with pytest.raises(NotAllowed, match="Only the proposer or an admin"):
        house.service.withdraw(LEAD, again.id, again.revision, comment="not mine")
    gone = house.service.withdraw(SCIENTIST, again.id, again.revision, comment="found a bug")
    assert gone.state is ProposalState.WITHDRAWN
    assert house.actions()[-3:] == [Action.PROPOSAL_REJECTED, Action.PROPOSAL_OPENED, Action.PROPOSAL_WITHDRAWN]
    with pytest.raises(Conflict, match="withdrawn already"):
        house.service.approve(LEAD, gone.id, gone.revision)


def test_an_approval_survives_moving_numbers_and_dies_with_a_gates_state(house: World) -> None:
    made = house.approved()
    house.hands.turn(hours=1)
    house.measured("2", "1", low=-0.028, high=-0.002)
    assert house.service.room(LEAD, MODEL, "2").approvals_counted == 1

    house.hands.turn(hours=1)
    house.measured("2", "1", **BETTER_NO_MORE)
    assert house.service.room(LEAD, MODEL, "2").approvals_counted == 0
    with pytest.raises(Conflict, match="Not through the gates"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")

    house.service.reconcile(WORKER)  # strikes it out, so that it does not come to life again by itself
    house.hands.turn(hours=1)
    house.measured("2", "1")
    room = house.service.room(LEAD, MODEL, "2")
    assert room.approvals_counted == 0
    assert room.approvals[0].reason == "The gates, the champion, the policy or what the tier asks changed since."
    assert room.proposal is not None
    assert room.proposal.state is ProposalState.OPEN
    again = house.service.approve(LEAD, made.id, room.proposal.revision)
    assert again.state is ProposalState.APPROVED


def test_an_approval_dies_with_the_policy(house: World) -> None:
    made = house.approved()
    policies = PolicyService(house.context)
    policy = policies.propose(LEAD, MODEL, PolicyKind.PROMOTION, {"floor": 0.61}, reason="r")
    policies.activate(ADMIN, policy.id, reason="r")
    with pytest.raises(Conflict, match="0 of 1 approvals"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")


def test_an_expired_proposal_is_closed_and_the_version_may_be_proposed_again(house: World) -> None:
    made = house.approved()
    house.hands.turn(days=30)
    with pytest.raises(Conflict, match="expired on"):
        house.service.begin_promotion(LEAD, made.id, made.revision, "now")
    again = house.proposal()
    assert again.id != made.id
    assert house.service.room(LEAD, MODEL).proposal == again


def test_an_override_takes_two_other_people_a_reason_and_an_end(house: World) -> None:
    house.hands.turn(hours=1)
    house.measured("2", "1", **BETTER_NO_MORE)
    made = house.proposal()
    act = {"gate": "primary metric", "reason": "the old one is broken", "days": 7}
    for bad in ({"reason": " "}, {"days": 0}, {"days": 31}):
        with pytest.raises(InvalidInput):
            house.service.override_gate(LEAD, made.id, made.revision, **{**act, **bad})  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="signature is open"):
        house.service.override_gate(LEAD, made.id, made.revision, **{**act, "gate": "signature"})  # type: ignore[arg-type]

    half = house.service.override_gate(LEAD, made.id, made.revision, **act)  # type: ignore[arg-type]
    assert house.service.room(LEAD, MODEL, "2").gates[0].state is GateState.CANNOT_TELL
    assert house.ledger()[-1].after["overridden"] is False
    with pytest.raises(Conflict, match="second person"):
        house.service.override_gate(LEAD, made.id, half.revision, **act)  # type: ignore[arg-type]

    whole = house.service.override_gate(ADMIN, made.id, half.revision, **act)  # type: ignore[arg-type]
    gate = house.service.room(LEAD, MODEL, "2").gates[0]
    assert gate.state is GateState.OVERRIDDEN
    assert "the old one is broken" in gate.reason
    assert house.ledger()[-1].after["overridden"] is True

    approved = house.service.approve(LEAD, made.id, whole.revision)
    house.hands.turn(days=8)
    assert house.service.room(LEAD, MODEL, "2").approvals_counted == 0
    with pytest.raises(Conflict, match="primary metric"):
        house.service.begin_promotion(LEAD, made.id, approved.revision, "now")


def test_a_champion_let_through_by_overrides_stays_shown_as_overridden(house: World) -> None:
    house.register("3", end=house.hands.at)  # nothing was ever measured of it
    made = house.proposal(version="3")
    for gate in house.service.room(LEAD, MODEL, "3").gates:
        for who in (LEAD, ADMIN):
            act = {"gate": gate.name, "reason": "the old one is broken", "days": 2}
            made = house.service.override_gate(who, made.id, made.revision, **act)  # type: ignore[arg-type]
    approved = house.service.approve(LEAD, made.id, made.revision)
    house.service.finish_promotion(LEAD, house.service.begin_promotion(LEAD, approved.id, approved.revision, "now"))
    house.hands.turn(days=40)  # the overrides ended long ago, and everything measured is too old
    house.measured("3", "1", low=0.01, high=0.02)
    line = house.service.room(VIEWER, MODEL, "3").line_of(house.ids["3"])
    assert line is not None
    assert (line.is_champion, line.through.said()) == (True, "4 of 4, 4 overridden")
    assert {gate.state for gate in line.gates} == {GateState.OVERRIDDEN}
    assert {gate.measured_state for gate in line.gates} == {GateState.WAITING}
    day = f"{house.hands.at - timedelta(days=40):%d %b %Y}"
    assert {gate.reason for gate in line.gates} == {f"Overridden by admin and lead on {day}: the old one is broken"}

    answer = house.service.gate(VIEWER, MODEL, "3")
    assert (answer["outcome"], answer["through"]) == ("pass", {"n": 4, "of": 4, "overridden": 4})
    assert {(gate["state"], gate["measured_state"]) for gate in answer["gates"]} == {("overridden", "waiting")}
    assert house.ledger()[-1].after["overridden"] == sorted(GATE_NAMES)


def test_an_override_does_not_survive_a_change_of_what_the_gates_say(house: World) -> None:
    house.hands.turn(hours=1)
    house.measured("2", "1", **BETTER_NO_MORE)
    made = house.proposal()
    act = {"gate": "primary metric", "reason": "r", "days": 7}
    half = house.service.override_gate(LEAD, made.id, made.revision, **act)  # type: ignore[arg-type]
    house.service.override_gate(ADMIN, made.id, half.revision, **act)  # type: ignore[arg-type]
    house.hands.turn(hours=1)
    house.measured("2", "1", low=0.01, high=0.02)
    assert house.service.room(LEAD, MODEL, "2").gates[0].state is GateState.FAILED


def test_people_of_other_roles_see_why_they_cannot(house: World) -> None:
    made = house.proposal()
    why = {one.name: house.service.room(one, MODEL, "2").why_not for one in (VIEWER, SCIENTIST, LEAD)}
    assert why["viewer"]["approve"] == "Needs the role lead; you are viewer."
    assert why["scientist"]["withdraw"] == ""
    assert why["lead"]["approve"] == ""
    assert "0 of 1 approvals" in why["lead"]["promote"]
    own = replace(LEAD, id=made.proposer, role=Role.LEAD)
    assert "somebody else" in house.service.room(own, MODEL, "2").why_not["approve"]


def test_a_rejection_waits_for_its_proposer_with_its_reason_until_they_answer_it(house: World) -> None:
    queue = AccessService(house.context)
    made = house.proposal()
    house.service.reject(LEAD, made.id, made.revision, comment="one month is too short")
    (item,) = queue.waiting(SCIENTIST)
    assert item.title == f"{MODEL} v2 was rejected"
    assert item.why == "by lead: one month is too short"
    assert (item.page, dict(item.parameters)) == ("registry", {"model": MODEL, "version": "2"})
    assert queue.waiting(LEAD) == ()
    said = house.service.room(SCIENTIST, MODEL, "2").rejection
    assert said is not None
    assert (said.by, said.reason, said.at) == (LEAD.id, "one month is too short", house.hands.at)

    house.hands.turn(hours=1)
    again = house.proposal()
    assert queue.waiting(SCIENTIST) == ()
    assert house.service.room(SCIENTIST, MODEL, "2").rejection is None
    house.service.withdraw(SCIENTIST, again.id, again.revision, comment="not yet")
    assert queue.waiting(SCIENTIST) == ()


def test_a_rejection_nobody_answers_leaves_the_queue_after_two_weeks(house: World) -> None:
    made = house.proposal()
    house.service.reject(LEAD, made.id, made.revision, comment="no")
    house.hands.turn(days=13)
    assert len(AccessService(house.context).waiting(SCIENTIST)) == 1
    house.hands.turn(days=1)
    assert AccessService(house.context).waiting(SCIENTIST) == ()
