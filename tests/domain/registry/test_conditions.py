"""What an approver asks: lines as typed, days that can be, who says it is done, and whom a due one waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from mlops_dash.domain.registry.conditions import (
    REVIEW,
    Condition,
    condition_waits,
    conditions_of,
    review_day,
    review_due,
    why_not_done,
)
from mlops_dash.errors import InvalidInput
from tests.factories import LEAD, NOON, SCIENTIST, VIEWER

NAME = 'it\'s "late"'
ONE = Condition("c", REVIEW, NAME, "2", "p", SCIENTIST.id, "Look at it again.", LEAD.id, NOON, NOON + timedelta(days=7))


def test_a_line_is_a_condition_and_too_many_or_too_long_are_refused() -> None:
    assert conditions_of(["  watch <b>Dream</b>\n\ntell the shift\nwatch <b>Dream</b>"]) == (
        "watch <b>Dream</b>", "tell the shift",
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="11 conditions"):
        conditions_of([str(number) for number in range(11)])
    with pytest.raises(InvalidInput, match="too long"):
        conditions_of(["x" * 501])


def test_a_review_is_due_when_its_day_is_over_in_the_model_s_zone() -> None:
    due = review_due(date(2013, 6, 10), NOON, "America/New_York")
    assert due is not None
    assert due.astimezone(UTC) == datetime(2013, 6, 11, 4, tzinfo=UTC)
    assert review_due(None, NOON, "UTC") is None
    for day in (date(2013, 6, 2), date(2099, 1, 1)):
        with pytest.raises(InvalidInput, match="cannot be"):
            review_due(day, NOON, "UTC")
    assert (review_day(" 2026-03-01 "), review_day("")) == (date(2026, 3, 1), None)
    with pytest.raises(InvalidInput, match="is no day"):
        review_day("soon <b>")


def test_a_lead_who_did_not_propose_it_says_that_it_is_done_once() -> None:
    assert why_not_done(LEAD, ONE) == ""
    assert "Needs the role lead" in why_not_done(SCIENTIST, ONE)
    assert "somebody else" in why_not_done(LEAD, replace(ONE, proposer=LEAD.id))
    assert why_not_done(LEAD, replace(ONE, done_at=NOON)) == "It is done already."


def test_a_due_one_waits_for_those_who_may_say_so() -> None:
    late = NOON + timedelta(days=8)
    asked = condition_waits(LEAD, ONE, late)
    assert asked is not None
    assert (asked.title, asked.page, asked.deadline) == (f"Review {NAME} v2", "registry", ONE.due_at)
    assert condition_waits(LEAD, ONE, NOON) is None
    assert condition_waits(VIEWER, ONE, late) is None
    assert condition_waits(LEAD, replace(ONE, done_at=NOON), late) is None
    assert replace(ONE, due_at=None).as_json(late)["due"] is False
    assert replace(ONE, due_at=None, promoted=True).as_json(NOON)["due"] is True
    assert replace(ONE, due_at=None, promoted=True, done_at=NOON).as_json(late)["due"] is False
