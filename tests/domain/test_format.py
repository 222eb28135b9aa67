"""A number reads the same on a page and in a file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app import format as page
from mlops_dash.domain import format as fmt
from tests.factories import NOON

NUMBERS: list[float | None] = [None, float("nan"), float("inf"), 0.0, -0.0001, 0.5, -0.031, 0.9996, 1234.5, 336_776.0]


@pytest.mark.parametrize("name", ["metric", "delta", "percent", "whole"])
@pytest.mark.parametrize("value", NUMBERS)
def test_numbers_read_as_on_the_pages(name: str, value: float | None) -> None:
    assert getattr(fmt, name)(value) == getattr(page, name)(value)


@pytest.mark.parametrize("low", NUMBERS)
@pytest.mark.parametrize("signed", [True, False])
def test_intervals_read_as_on_the_pages(low: float | None, signed: bool) -> None:
    assert fmt.interval(low, 0.5, signed=signed) == page.interval(low, 0.5, signed=signed)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("days", [1, 7, 400])
def test_times_read_as_on_the_pages(zone: str, days: int) -> None:
    span: Any = (NOON, NOON + timedelta(days=days))
    assert fmt.day(NOON, zone) == page.day(NOON, zone)
    assert fmt.instant(NOON, zone) == page.instant(NOON, zone)
    assert fmt.period(*span, zone) == page.period(*span, zone)
    assert fmt.period(None, NOON) == page.period(None, NOON)


@pytest.mark.parametrize("n", [0, 1, 2, 1500])
def test_nouns_count_as_on_the_pages(n: int) -> None:
    assert fmt.plural(n, "entry", "entries") == page.plural(n, "entry", "entries")
