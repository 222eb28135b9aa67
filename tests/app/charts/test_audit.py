"""The ledger, users and tokens as tables: what stands in the cells."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from app.charts import audit as tables
from mlops_dash.domain.access import Role, Token, new_user
from mlops_dash.domain.audit import Action, Entry
from tests.factories import NOON


def entry(before: dict[str, object], after: dict[str, object]) -> Entry:
    return Entry(
        number=7,
        at=NOON,
        recorded_at_wall=NOON,
        actor="user:lead",
        action=Action.PROMOTION_DECIDED,
        object="flight-delay v3",
        model="flight-delay",
        before=before,
        after=after,
        reason="",
        evidence_ids=(),
        previous="",
        mac="",
    )


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ({}, {}, "—"),
        ({"champion": "v2"}, {"champion": "v3"}, "champion v2 → v3"),
        ({"champion": "v2"}, {"role": "lead"}, "role lead, champion was v2"),
        ({"state": "open"}, {"state": "approved", "approvals": 1}, "state open → approved, approvals 1"),
        ({}, {"digest": "0123456789abcdef" * 4}, "digest 01234567"),
    ],
)
def test_a_change_is_one_line_with_real_changes_first(
    before: dict[str, object], after: dict[str, object], line: str
) -> None:
    assert tables.change(entry(before, after)) == line


def test_a_row_of_the_ledger_reads_as_words_in_the_readers_zone() -> None:
    (row,) = tables.ledger([entry({}, {})], "America/New_York").to_dict("records")
    assert row == {
        "#": 7,
        "When": "3 Jun 2013, 12:00 EDT",
        "Who did what": "lead decided to promote flight-delay v3",
        "Why": "—",
        "Before → after": "—",
    }


def test_users_say_their_state() -> None:
    invited = new_user("ada", Role.LEAD, "Ada", at=NOON)
    people = [
        invited,
        replace(invited, invited=False),
        replace(invited, disabled=True),
        new_user("viewer", Role.VIEWER, "", at=NOON, demo=True),
    ]
    shown = tables.users(people, NOON + timedelta(hours=6))
    assert list(shown["State"]) == ["Invited, no password yet", "Active", "Disabled", "Demo account"]
    assert list(shown["Created"]) == ["6 h ago"] * 4


def test_tokens_say_whether_they_open_anything() -> None:
    live = Token("t", "scoring", "ada", Role.LEAD, NOON, NOON + timedelta(days=1), None, None)
    issued = [live, replace(live, revoked_at=NOON), replace(live, expires_at=NOON), replace(live, expires_at=None)]
    of_nobody = tables.tokens(issued, NOON, disabled={issued[0].user_name})
    assert set(of_nobody["State"]) == {"Of a disabled user", "Revoked"}
    shown = tables.tokens(issued, NOON)
    assert list(shown["State"]) == ["Live", "Revoked", "Expired", "Live"]
    assert list(shown["Ends"]) == ["4 Jun 2013", "4 Jun 2013", "3 Jun 2013", "never"]
    assert set(shown["Last used"]) == {"never"}
