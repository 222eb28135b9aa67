"""Whose windows of N rows are shown where two versions have some, and how long that takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.monitoring.past import Span, of_model
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.words import Drift, Health

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVERY = "window of 500 rows"


def window(version: str, place: int, start: datetime, end: datetime) -> Reading:
    return Reading(
        'O\'Neil "queue" 队列', version, version, start, end, 500, 500, True, Drift.STABLE, Health.OK, {},
        kind=f"{EVERY}:{place}",
    )  # fmt: skip


def course(version: str, n: int, *, first: datetime = NOON, long: timedelta = HOUR) -> list[Reading]:
    return [window(version, at, first + at * long, first + (at + 1) * long) for at in range(n)]


def shown(readings: list[Reading], spans: tuple[Span, ...], serving: str = "new") -> list[tuple[str, int]]:
    found = of_model(readings, spans, serving=serving, zone="UTC")
    return [(one.version_id, int(one.batch)) for one in found]


def test_of_two_versions_the_windows_of_the_one_that_served_are_shown() -> None:
    old, new = course("old", 6), course("new", 9, first=NOON + HOUR / 3, long=HOUR * 2 / 3)
    spans = (Span("old", NOON - HOUR, NOON + 3 * HOUR), Span("new", NOON + 3 * HOUR, None))
    assert shown([*new, *old], spans) == [
        ("old", 0), ("old", 1), ("old", 2), ("new", 4), ("new", 5), ("new", 6), ("new", 7), ("new", 8),
    ]  # fmt: skip


def test_a_long_window_that_began_earlier_is_seen_behind_short_ones() -> None:
    long = window("old", 0, NOON, NOON + 10 * HOUR)
    short = [window("old", at + 1, NOON + at * HOUR, NOON + at * HOUR + HOUR / 60) for at in range(1, 5)]
    silent = window("new", 0, NOON + 4.4 * HOUR, NOON + 4.6 * HOUR)
    spans = (Span("old", NOON - HOUR, None),)
    assert ("new", 0) not in shown([long, *short, silent], spans)


@pytest.mark.timeout(20)  # each against all others takes minutes
@pytest.mark.parametrize("versions", [("new",), ("old", "new")])
def test_thousands_of_windows_are_not_held_each_against_all_others(versions: tuple[str, ...]) -> None:
    readings = [one for at, name in enumerate(versions) for one in course(name, 10_000, first=NOON + at * HOUR / 3)]
    assert len(shown(readings, (Span("new", NOON, None),))) >= 10_000
