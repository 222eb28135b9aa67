"""Where a rollback goes, and the one thing to do next."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.registry.gates import judge
from mlops_dash.domain.registry.proposals import next_action, previous_champion
from mlops_dash.domain.registry.records import Approval, Proposal, Reign, Serving, Step, Version
from mlops_dash.domain.words import ProposalState
from tests.domain.registry.test_gates import ALL_GOOD, CHAMPION
from tests.factories import NOON


def reigns(story: str) -> tuple[Reign, ...]:
    """ "1 2 <1 3" reads: v1 and v2 promoted, rolled back to v1, v3 promoted."""
    made = []
    for number, word in enumerate(story.split()):
        kind = "rollback" if word.startswith("<") else "promote"
        at = NOON + timedelta(days=number)
        made.append(Reign(word.lstrip("<"), f"v{word}", at, None, kind, "who", "why", f"o{number}"))
    return tuple(made)


@pytest.mark.parametrize(
    ("story", "back_to"),
    [
        ("1", None),
        ("1 2", "1"),
        ("1 2 3", "2"),
        ("1 2 <1", None),  # v2 was rolled back; there is nothing before v1
        ("1 2 <1 3", "1"),
        ("1 2 3 <2", "1"),
        ("1 2 <1 2 3", "2"),  # the second time v2 held
    ],
)
def test_a_rollback_never_goes_to_a_reign_that_was_rolled_back(story: str, back_to: str | None) -> None:
    told = reigns(story)
    serving = Serving("m", "champion", told[-1].version_id, (), len(told), told[-1].operation_id, NOON)
    assert previous_champion(told, serving) == back_to


def test_without_a_champion_there_is_nothing_to_go_back_to() -> None:
    assert previous_champion((), None) is None


V1 = Version("id1", "m", "1", 1, "", "", "", None, None, "", "", NOON, "", "")
V2 = replace(V1, id="id2", version="2")
PROPOSAL = Proposal(
    "p", "m", "id2", "id1", ProposalState.OPEN, 1, "user:a", "c", "x", {}, (), None, NOON, NOON + timedelta(days=1)
)
GATES = judge(PromotionPolicy(), ALL_GOOD, NOON, champion=CHAMPION)
CLOSED = judge(PromotionPolicy(), ALL_GOOD[1:], NOON, champion=CHAMPION)
APPROVED = Approval("a", "p", "user:b", "approve", "", "", "x", NOON)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"selected": None}, Step.NOTHING),
        ({"selected": V1, "proposal": None}, Step.NOTHING),
        ({"proposal": None}, Step.PROPOSE),
        ({"proposal": None, "gates": CLOSED}, Step.NOTHING),
        ({"proposal": None, "rejected": True}, Step.NOTHING),  # the reason comes first, not "Propose it."
        ({}, Step.APPROVE),
        ({"gates": CLOSED}, Step.OVERRIDE),
        ({"holding": [APPROVED]}, Step.PROMOTE),
        ({"holding": [APPROVED], "needed": 2}, Step.APPROVE),
        ({"holding": [replace(APPROVED, approver="user:a")]}, Step.APPROVE),  # the proposer's own never counts
        ({"in_flight": True}, Step.WAIT),
        ({"alias_moved_to": "v7", "in_flight": True}, Step.RESTORE),
    ],
)
def test_the_next_action_follows_from_the_state(changes: dict[str, object], step: Step) -> None:
    given: dict[str, object] = {
        "selected": V2,
        "champion": V1,
        "proposal": PROPOSAL,
        "gates": GATES,
        "holding": [],
        "needed": 1,
        "in_flight": False,
        "alias_moved_to": "",
    }
    found = next_action(**{**given, **changes})  # type: ignore[arg-type]
    assert found.step is step
    assert found.sentence
