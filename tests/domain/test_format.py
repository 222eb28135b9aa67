"""Numbers and times as people read them."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain import format as fmt

NOW = datetime(2013, 6, 3, 16, 0, tzinfo=UTC)
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (fmt.metric(0.8712), "0.871"),
        (fmt.metric(-0.5, 1), "−0.5"),
        (fmt.delta(0.0312), "+0.031"),
        (fmt.delta(-0.0312), "−0.031"),
        (fmt.delta(-0.0001), "0.000"),
        (fmt.delta(0.0), "0.000"),
        (fmt.interval(0.009, 0.031), "[+0.009, +0.031]"),
        (fmt.interval(-0.013, -0.003), "[−0.013, −0.003]"),
        (fmt.interval(0.861, 0.883, signed=False), "[0.861, 0.883]"),
        (fmt.interval(None, 0.883), "—"),
        (fmt.percent(0.0245), "2.5 %"),
        (fmt.percent(1, 0), "100 %"),
        (fmt.points(0.012), "+1.2 pp"),
        (fmt.points(-0.2, 0), "−20 pp"),
        (fmt.count(0), "0"),
        (fmt.count(9_412), "9,412"),
        (fmt.count(10_000), "10 K"),
        (fmt.count(412_345), "412 K"),
        (fmt.count(999_960), "1.0 M"),
        (fmt.count(1_234_567), "1.2 M"),
        (fmt.count(41_000_000), "41 M"),
        (fmt.count(-12_000), "−12 K"),
        (fmt.whole(336_776), "336,776"),
        (fmt.psi(19.234), "19.23"),
        (fmt.p_value(0.0004), "< 0.001"),
        (fmt.p_value(0.0312), "0.031"),
        (fmt.plural(1, "run"), "1 run"),
        (fmt.plural(3, "run"), "3 runs"),
        (fmt.plural(0, "entry", "entries"), "0 entries"),
        (fmt.short("abcdef0123456789"), "abcdef01"),
        (fmt.short(""), "—"),
    ],
)
def test_a_number_reads_as_agreed(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize(
    "function", [fmt.metric, fmt.delta, fmt.percent, fmt.points, fmt.count, fmt.whole, fmt.psi, fmt.p_value]
)
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_missing_is_a_dash_and_never_a_number(function: object, value: float | None) -> None:
    assert function(value) == "—"  # type: ignore[operator]


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_true_minus_is_used_everywhere(value: float) -> None:
    for text in (fmt.metric(value), fmt.delta(value), fmt.percent(value), fmt.points(value), fmt.count(value)):
        assert "-" not in text
        assert "nan" not in text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.2, "under 1 s"),
        (42, "42 s"),
        (119, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (7_900, "2.2 h"),
        (86_400, "24 h"),
        (3 * 86_400, "3 d"),
        (math.nan, "—"),
        (None, "—"),
    ],
)
def test_how_long(seconds: float | None, expected: str) -> None:
    assert fmt.duration(seconds) == expected


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (timedelta(seconds=10), "just now"),
        (timedelta(minutes=9), "9 min ago"),
        (timedelta(hours=6), "6 h ago"),
        (timedelta(days=12), "12 d ago"),
        (timedelta(hours=-2), "in 2 h"),
    ],
)
def test_how_long_ago(ago: timedelta, expected: str) -> None:
    assert fmt.ago(NOW, NOW - ago) == expected


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [(timedelta(hours=2), "in 2 h"), (timedelta(0), "now"), (timedelta(minutes=-9), "9 min late")],
)
def test_how_long_from_now(ahead: timedelta, expected: str) -> None:
    assert fmt.until(NOW, NOW + ahead) == expected


def test_moments_carry_their_zone_and_follow_summer_time() -> None:
    assert fmt.instant(NOW, NEW_YORK) == "3 Jun 2013, 12:00 EDT"
    assert fmt.instant(datetime(2013, 1, 3, 16, tzinfo=UTC), NEW_YORK, seconds=True) == "3 Jan 2013, 11:00:00 EST"
    assert fmt.instant(NOW) == "3 Jun 2013, 16:00 UTC"


def test_a_day_is_the_zones_day() -> None:
    late = datetime(2013, 6, 4, 3, 0, tzinfo=UTC)
    assert (fmt.day(late), fmt.day(late, NEW_YORK)) == ("4 Jun 2013", "3 Jun 2013")


def test_a_window_is_said_with_its_last_day() -> None:
    start = datetime(2013, 5, 1, 4, tzinfo=UTC)
    assert fmt.period(start, datetime(2013, 6, 1, 4, tzinfo=UTC), NEW_YORK) == "1 May to 31 May 2013"
    assert fmt.period(start, start + timedelta(days=1), NEW_YORK) == "1 May 2013"
    assert fmt.period(start, datetime(2014, 1, 2, 5, tzinfo=UTC), NEW_YORK) == "1 May 2013 to 1 Jan 2014"


@pytest.mark.parametrize(
    "shown",
    [
        fmt.ago(NOW, None),
        fmt.until(NOW, None),
        fmt.instant(None),
        fmt.day(None),
        fmt.period(None, NOW),
    ],
)
def test_a_time_that_is_missing_is_a_dash(shown: str) -> None:
    assert shown == "—"
