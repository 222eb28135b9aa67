"""What became of one row: columns that must not be logged by now are one line of an older answer too."""

from __future__ import annotations

import pytest

from mlops_dash.domain.monitoring.contributions import MASKED, Added, RowContributions
from tests.factories import NOON

WARD = 'patient\'s "ward"'


def told(*added: Added) -> RowContributions:
    total = 30.0 + sum(one.amount for one in added)
    return RowContributions("r1", NOON, "3", "answer", "min", "41", 30.0, total, added, False, 200, "the reference")


def test_columns_that_are_masked_by_now_join_the_masked_ones_without_an_interval() -> None:
    found = told(Added("age", 4.0, 3.0, 5.0), Added(WARD, -3.0, -4.0, -2.0), Added(MASKED, 2.5, 2.0, 3.0))
    now = found.masking(["age"])
    assert now.added == (Added(MASKED, 6.5), Added(WARD, -3.0, -4.0, -2.0))
    assert now.base + sum(one.amount for one in now.added) == pytest.approx(now.total)
    assert "age" not in now.sentence
    assert {one.column for one in now.masking(["age", WARD]).added} == {MASKED}


def test_what_is_masked_already_stays_as_it_is() -> None:
    found = told(Added("age", 4.0, 3.0, 5.0), Added(MASKED, 2.5, 2.0, 3.0))
    assert found.masking(["ward"]) is found
    assert found.masking([]) is found
