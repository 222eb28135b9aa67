"""What a frozen week says of a model whose version was replaced in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.monitoring.room import Performance, Point
from mlops_dash.domain.reports import words
from mlops_dash.domain.reports.facts import _performance
from mlops_dash.domain.words import Health

START, DAY = datetime(2026, 3, 2, tzinfo=UTC), timedelta(days=1)


def minutes(*versions: tuple[str, int]) -> Performance:
    """A regression in minutes: so many judged days of each version, in turn."""
    names = [version for version, days in versions for _ in range(days)]
    points = tuple(
        Point(START + n * DAY, START + (n + 1) * DAY, name, 100, 100, True, float(n),
              Estimate(float(n), n - 1.0, n + 1.0, 700, 7), Health.OK)
        for n, name in enumerate(names)
    )  # fmt: skip
    return Performance("mae", "MAE", False, 7, points, (), 9.0, None, False, None, (), (), (), 2, "min")


@pytest.mark.parametrize(
    ("served", "now", "before"),
    [((("1", 20),), 19.0, 12.0), ((("1", 20), ("3", 5)), 24.0, None), ((("1", 20), ("3", 8)), 27.0, 20.0)],
)
def test_a_version_is_compared_with_its_own_week_before(
    served: tuple[tuple[str, int], ...], now: float, before: float | None
) -> None:
    told = _performance(minutes(*served))
    assert told["now"]["value"] == now
    assert (told["week_before"] and told["week_before"]["value"]) == before


@pytest.mark.parametrize(
    ("watched", "performance", "said"),
    [
        (4, None, "No alert was open in this week."),
        (0, {"now": {"value": 8.9}}, "No alert was open in this week."),
        (0, {"now": None}, "No alert was open in this week; nothing was judged that could have opened one."),
        (0, None, "No alert was open in this week; nothing was judged that could have opened one."),
    ],
)
def test_a_week_without_alerts_is_no_good_news_where_nothing_was_judged(
    watched: int, performance: object, said: str
) -> None:
    assert words.alerts({"alerts": [], "inputs": {"watched": watched}, "performance": performance}) == said
