"""Windows of a cadence follow the calendar, and meet without a gap."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mlops_dash.domain.cadence import CADENCES


@pytest.mark.parametrize("name", CADENCES)
def test_windows_of_four_years_meet_without_a_gap(name: str) -> None:
    cadence, day = CADENCES[name], date(2023, 12, 27)
    for _ in range(4 * 366):
        first, after = cadence.first_day(day), cadence.next_day(day)
        assert first <= day < after
        assert cadence.first_day(after) == after
        assert cadence.first_day(after - timedelta(days=1)) == first
        assert cadence.next_day(first) == after
        day += timedelta(days=1)


def test_weeks_begin_on_monday_and_nothing_is_old_before_the_next_batch() -> None:
    week, month = CADENCES["week"], CADENCES["month"]
    assert week.first_day(date(2026, 11, 29)).weekday() == 0
    assert (week.patience > timedelta(days=7), month.patience > timedelta(days=31)) == (True, True)
