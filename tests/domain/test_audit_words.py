"""Every action of the ledger reads as a sentence: who did what to which."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.audit_words import done, sentence
from tests.factories import NOON

NAME = """it's the "queue" model"""
ENTRY = Entry(
    number=7, at=NOON, recorded_at_wall=NOON, actor="user:ann", action=Action.PROPOSAL_OPENED, object=f"{NAME} v3",
    model=NAME, before={}, after={}, reason="", evidence_ids=(), previous="", mac="",
)  # fmt: skip


@pytest.mark.parametrize("action", list(Action))
def test_every_action_names_who_and_what_on_one_line(action: Action) -> None:
    said = sentence(replace(ENTRY, action=action), {"user:ann": "Ann"})
    assert said.startswith("Ann ")
    assert NAME in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("action", "before", "after", "told"),
    [
        (Action.PROPOSAL_APPROVED, {}, {"approvals": 1, "needed": 2}, f"approved {NAME} v3 (1 of 2)"),
        (Action.GATE_OVERRIDDEN, {}, {"gate": "signature", "overridden": False},
         f"asked to override the gate signature of {NAME} v3"),
        (Action.PROMOTION_FINISHED, {"champion": "v2"}, {"champion": "v3", "overridden": ["signature"]},
         f"promoted {NAME} v3 in place of v2, 1 gate overridden"),
        (Action.PROMOTION_FINISHED, {"champion": "v2"}, {"failed": "gone"}, f"could not make {NAME} v3 champion"),
        (Action.MODEL_EDITED, {}, {"do_not_log": []}, f"changed do not log of {NAME} v3"),
        ("from.elsewhere", {}, {}, f"from elsewhere: {NAME} v3"),
    ],
)  # fmt: skip
def test_what_was_done_is_told_with_what_matters(
    action: str, before: dict[str, object], after: dict[str, object], told: str
) -> None:
    assert done(replace(ENTRY, action=action, before=before, after=after)) == told


@pytest.mark.parametrize(
    ("action", "named", "said"),
    [
        (Action.SCHEDULE_SAVED, "schedule weekly", "saved schedule weekly"),
        (Action.RECIPE_SAVED, 'recipe it\'s "fresh"', 'saved recipe it\'s "fresh"'),
        (Action.TOKEN_REVOKED, "token kiosk", "revoked token kiosk"),
        (Action.ALERT_CLOSED, "alert harm of churn v2", "closed alert harm of churn v2"),
        (Action.CHANNEL_TESTED, "channel on call", "sent a test to channel on call"),
        (Action.TRIGGER_CALLED, "schedule on load", "called schedule on load"),
    ],
)
def test_an_object_that_says_what_it_is_says_it_once(action: Action, named: str, said: str) -> None:
    assert done(replace(ENTRY, action=action, object=named)) == said


def test_a_job_is_named_by_the_begin_of_its_number_as_its_page_has_it() -> None:
    told = sentence(replace(ENTRY, action=Action.JOB_REQUESTED, object="job 0198f3c2a77b4e1fb0c55d21e4ab"))
    assert told.endswith("asked for a run of job 0198f3c2")
