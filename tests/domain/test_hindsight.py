"""Cuts of the past, and which version answers when a model is retrained on alarm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain.hindsight import Reading, cuts_of, on_alarm
from mlops_dash.errors import InvalidInput


def even(value: float) -> Reading:
    return Reading(value, value - 0.196, value + 0.196, 100, 10)  # a standard error of 0.1


@given(st.dates(date(2000, 1, 1), date(2030, 1, 1)), st.sampled_from(["month", "7d", "30d"]),
       st.sampled_from(["UTC", "America/Sao_Paulo", "Pacific/Apia"]))  # fmt: skip
def test_windows_follow_one_another_without_a_gap(first: date, every: str, zone: str) -> None:
    until = datetime(first.year, first.month, first.day, tzinfo=UTC) + timedelta(days=400)
    cuts = cuts_of(first, until, every, zone)
    assert [one.number for one in cuts] == list(range(len(cuts)))
    assert all(one.at < one.end for one in cuts)
    assert all(one.end == after.at for one, after in pairwise(cuts))
    assert cuts[-1].end == until


@pytest.mark.parametrize(
    ("every", "until"), [("often", 2027), ("0d", 2027), ("-3d", 2027), ("1d", 2027), ("30d", 2025), ("", 2027)]
)
def test_nonsense_is_refused(every: str, until: int) -> None:
    with pytest.raises(InvalidInput):
        cuts_of(date(2026, 1, 1), datetime(until, 6, 1, tzinfo=UTC), every, "UTC")


def test_an_alarm_is_a_window_worse_than_the_first_one_of_the_version_in_use() -> None:
    errors = {(0, 0): 2.0, (0, 1): 2.1, (0, 2): 5.0, (3, 3): 2.0, (3, 4): 2.0}
    assert on_alarm(5, lambda *at: even(errors[at]), higher=False) == (0, 0, 0, 3, 3)
    shares = {at: -value for at, value in errors.items()}
    assert on_alarm(5, lambda *at: even(shares[at]), higher=True) == (0, 0, 0, 3, 3)


def test_what_chance_can_do_and_what_is_not_known_raise_no_alarm() -> None:
    assert on_alarm(3, lambda version, window: even(2.0 + 0.2 * window), higher=False) == (0, 0, 0)
    unknown = Reading(None, reason="no labelled rows")
    assert on_alarm(3, lambda version, window: even(2.0) if window == 0 else unknown, higher=False) == (0, 0, 0)
    alone = Reading(9.0, None, None, 3, 1, "one day")
    assert on_alarm(2, lambda version, window: even(2.0) if window == 0 else alone, higher=False) == (0, 0)
