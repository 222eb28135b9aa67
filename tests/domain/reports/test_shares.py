"""Links to reports: when one opens, and how long it may live."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mlops_dash.domain.reports.shares import MOST_DAYS, Share, ShareState, checked_days
from mlops_dash.errors import InvalidInput
from tests.factories import NOON

LINK = Share(
    id="a", report_id="r", about="Fleet summary of all models", reason="the board", made_by="user:ada", made_at=NOON,
    expires_at=NOON + timedelta(days=1), revoked_at=None, opens=0, last_opened_at=None, has_password=False,
)  # fmt: skip


def test_a_link_ends_at_its_moment_and_not_before() -> None:
    assert LINK.state(LINK.expires_at - timedelta(microseconds=1)) is ShareState.OPEN
    assert LINK.state(LINK.expires_at) is ShareState.EXPIRED


def test_who_revoked_it_or_was_disabled_ends_it_before() -> None:
    assert replace(LINK, revoked_at=NOON).state(NOON) is ShareState.REVOKED
    assert replace(LINK, stopped=True).state(NOON) is ShareState.STOPPED
    assert replace(LINK, stopped=True, revoked_at=NOON).state(NOON) is ShareState.REVOKED


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_a_link_for_no_day_or_for_ever_is_refused(days: int) -> None:
    with pytest.raises(InvalidInput, match=f"{days} days"):
        checked_days(days)


def test_a_day_and_a_year_are_allowed() -> None:
    assert [checked_days(days) for days in (1, MOST_DAYS)] == [1, MOST_DAYS]
