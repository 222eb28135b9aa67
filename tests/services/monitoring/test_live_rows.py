"""Windows back in time: whole ones behind each other, the oldest may be shorter, and long enough for an interval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Drift, Health
from mlops_dash.services.monitoring.live_rows import between, windows_back

FIRST = datetime(2026, 1, 5, tzinfo=UTC)


def ripe(n: int, step: timedelta) -> list[Reading]:
    word = (True, Drift.STABLE, Health.OK, {})
    return [
        Reading("queue", "1", "q-1", FIRST + at * step, FIRST + (at + 1) * step, 50, 50, *word) for at in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("window", "step", "n", "sizes"),
    [
        ("day", timedelta(days=1), 100, [28, 28, 28, 16]),
        ("day", timedelta(days=1), 30, [28]),
        ("week", timedelta(days=7), 44, [20, 20]),
        ("hour", timedelta(hours=1), 24 * 45, [457, 457, 166]),
        ("day", timedelta(days=1), 0, []),
    ],
)
def test_windows_have_twenty_days_and_leave_no_scrap(window: str, step: timedelta, n: int, sizes: list[int]) -> None:
    found = windows_back(ripe(n, step), MonitoringPolicy(window=window))
    assert [len(one) for one in found] == sizes
    joined = [one for part in found[::-1] for one in part]
    assert joined == ripe(n, step)[n - len(joined) :]


def test_a_stretch_of_a_number_is_said() -> None:
    inf = float("inf")
    assert [between("age", *one) for one in ((-inf, 30.0), (30.0, 41.5), (41.5, inf))] == [
        "age up to 30", "age 30 to 41.5", "age above 41.5",
    ]  # fmt: skip
