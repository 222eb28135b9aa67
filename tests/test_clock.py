from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from mlops_dash.clock import Clock, fixed, require_utc

NOON = datetime(2014, 1, 1, 12, tzinfo=UTC)


def test_a_fixed_clock_stands_still() -> None:
    clock = fixed(NOON)

    assert clock.now() == clock.now() == NOON
    assert not clock.shifted


def test_the_offset_is_asked_for_at_most_once_a_second() -> None:
    asked: list[int] = []
    wall = [NOON]

    def offset() -> timedelta:
        asked.append(1)
        return timedelta(days=-10)

    clock = Clock(offset_source=offset, wall=lambda: wall[0])

    assert clock.now() == NOON - timedelta(days=10)
    clock.now()
    assert len(asked) == 1
    wall[0] += timedelta(seconds=2)
    clock.now()
    assert len(asked) == 2
    assert clock.shifted


def test_utc_is_required_and_other_zones_are_turned_into_it() -> None:
    east = timezone(timedelta(hours=2))

    assert require_utc(datetime(2013, 1, 1, 2, tzinfo=east)) == datetime(2013, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="label time 2013-01-01T00:00:00 has no zone"):
        require_utc(datetime(2013, 1, 1), "label time")  # noqa: DTZ001
