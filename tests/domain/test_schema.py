"""What a row of a version may hold: every value has an answer, and the answer never raises."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain.schema import (
    EARLIEST,
    LARGEST,
    LATEST,
    VersionSchema,
    instant_of,
    sample_of,
    why_not_counted,
)
from mlops_dash.domain.scoring import read_predictions, require_scores
from mlops_dash.domain.tasks import BINARY, REGRESSION
from mlops_dash.errors import InvalidInput, InvalidRow

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = VersionSchema("1", {"rooms": "numeric", "place": "category"}, "the reference")
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_every_moment_is_an_instant_or_none(moment: datetime) -> None:
    found = instant_of(moment)
    assert found is None or (found.tzinfo is UTC and EARLIEST <= found < LATEST)


@pytest.mark.parametrize(
    ("text", "there"),
    [("0001-01-01T00:00:00+05:00", False), ("9999-12-31T23:59:59.999999-05:00", False),
     ("1990-01-01T02:00:00+02:00", True), ("1990-01-01T01:59:59+02:00", False), ("2100-01-01", False),
     ("2099-12-31", True)],
)  # fmt: skip
def test_instants_lie_within_what_can_be_counted(text: str, there: bool) -> None:
    assert (instant_of(datetime.fromisoformat(text)) is not None) is there


def row(**changes: object) -> dict[str, object]:
    return {"version": "1", "score": 0.5, "features": {"rooms": 3, "place": "barn"}, **changes}


def read(sent: dict[str, object], task: object = BINARY) -> None:
    read_predictions([sent], now=NOW, task=task, schemas=lambda _versions: (SCHEMA,))  # type: ignore[arg-type]


@given(ANY, st.sampled_from(["numeric", "category", "the reference holds no value"]))
def test_every_value_is_counted_or_has_a_reason_and_a_short_sample(value: object, kind: str) -> None:
    reason = why_not_counted(kind, value)
    assert isinstance(reason, str)
    assert len(sample_of(value)) <= 80
    if kind == "numeric" and not reason and value is not None:
        assert math.isnan(float(value)) or abs(float(value)) <= LARGEST  # type: ignore[arg-type]


def test_a_number_too_long_to_write_has_a_reason_and_a_sample_too() -> None:
    for value in (10**5000, [10**5000], -(10**5000)):
        assert why_not_counted("numeric", value)
        assert "too long" in sample_of(value)


@pytest.mark.parametrize("value", ["n/a", "12", "", float("inf"), 10**400, -1e91])
def test_a_column_of_numbers_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(InvalidRow) as caught:
        read(row(features={"rooms": value, "place": "barn"}))
    assert (caught.value.row, caught.value.column) == (0, "rooms")


@pytest.mark.parametrize(
    "features",
    [
        {"rooms": None, "place": "barn"},
        {"rooms": True, "place": 7},
        {"rooms": 3.5},
        {"place": None, "extra": "kept"},
    ],
)
def test_missing_values_flags_and_columns_that_are_only_kept_pass(features: dict[str, object]) -> None:
    read(row(features=features))


def test_a_row_with_none_of_the_columns_is_not_a_row_of_the_version() -> None:
    with pytest.raises(InvalidRow, match="none of the columns of version 1: rooms, place"):
        read(row(features={"Rooms": 3}))


@pytest.mark.parametrize("score", [37.5, -0.01, 1.0001])
def test_a_probability_lies_between_0_and_1_and_a_number_anywhere(score: float) -> None:
    with pytest.raises(InvalidRow, match="0 to 1"):
        read(row(score=score))
    with pytest.raises(InvalidRow, match="0 to 1"):
        require_scores([score], task=BINARY)
    read(row(score=score), REGRESSION)
    assert require_scores([score], task=REGRESSION) == (score,)


@pytest.mark.parametrize(
    "at",
    ["0001-01-01T00:00:00+14:00", "1000-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z",
     "2099-12-31T23:59:59-14:00", "9999-12-31T23:59:59-14:00"],
)  # fmt: skip
def test_times_outside_the_stated_years_are_refused(at: str) -> None:
    with pytest.raises(InvalidInput, match="1990 to 2100"):
        read(row(at=at))


@pytest.mark.parametrize("at", ["1990-01-01T00:00:00Z", "2099-12-31T23:59:59Z"])
def test_the_first_and_the_last_second_of_them_pass(at: str) -> None:
    read(row(at=at))
