"""Events as they are sent: what each must be, and what another one under a known id is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mlops_dash.domain.events import Event, clash, sift_events
from mlops_dash.errors import InvalidInput

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GOOD = {"id": "order-1", "unit": 'it\'s "Ana"', "name": "revenue", "value": 24.9, "at": "2026-03-01T09:00:00+01:00"}


def test_an_event_is_read_with_its_unit_as_it_is_and_a_time_in_utc() -> None:
    fit, unfit = sift_events([GOOD, {"id": "c-1", "unit": 17, "name": "点击"}], now=NOW)
    assert unfit == ()
    assert fit[0] == (0, Event("order-1", 'it\'s "Ana"', "revenue", 24.9, NOW.replace(hour=8)))
    assert fit[1] == (1, Event("c-1", "17", "点击", 1.0, NOW, timed=False))


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"unit": ""}, "unit", "a text is needed"),
        ({"unit": "  "}, "unit", "a text is needed"),
        ({"unit": 1.5}, "unit", "whole number"),
        ({"unit": True}, "unit", "whole number"),
        ({"value": "much"}, "value", "finite number"),
        ({"value": float("inf")}, "value", "finite number"),
        ({"value": None}, "value", "finite number"),
        ({"at": "2026-03-01T09:00:00"}, "at", "no zone"),
        ({"name": "a" * 201}, "name", "more than 200"),
        ({"id": None}, "id", "a text is needed"),
        ({"amount": 3}, "amount", "is not a field"),
    ],
)
def test_what_cannot_be_an_event_is_named_with_its_column(change: dict[str, Any], column: str, reason: str) -> None:
    fit, unfit = sift_events([GOOD, {**GOOD, "id": "other", **change}], now=NOW)
    assert [row for row, _ in fit] == [0]
    assert (unfit[0].row, unfit[0].column, reason in unfit[0].reason) == (1, column, True)


def test_an_id_twice_is_one_event_or_a_bad_row() -> None:
    fit, unfit = sift_events([GOOD, GOOD, {**GOOD, "value": 25}], now=NOW)
    assert (len(fit), [one.row for one in unfit]) == (2, [2])
    with pytest.raises(InvalidInput, match="not a list"):
        sift_events({"id": "x"}, now=NOW)


def test_a_known_id_must_be_the_same_event_and_an_unsent_time_counts_not() -> None:
    one = Event("e", "ana", "click", 1.0, NOW)
    known = ("ana", "click", 1.0, NOW)
    assert clash(0, one, known) is None
    for part, other in (("unit", ("bo", "click", 1.0, NOW)), ("value", ("ana", "click", 2.0, NOW)),
                        ("time", ("ana", "click", 1.0, NOW + timedelta(1)))):  # fmt: skip
        found = clash(3, one, other)
        assert found is not None
        assert (found.row, found.reason) == (3, f"is known with another {part}")
    untimed = Event("e", "ana", "click", 1.0, NOW, timed=False)
    assert clash(0, untimed, ("ana", "click", 1.0, NOW + timedelta(1))) is None
