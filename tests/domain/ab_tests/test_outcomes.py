"""Outcomes as people write them, whatever an event is called."""

from __future__ import annotations

import pytest

from mlops_dash.domain.ab_tests.outcomes import is_of_events, metric_of, of_events, written
from mlops_dash.domain.evidence import Direction
from mlops_dash.errors import InvalidInput


def test_names_of_events_may_hold_anything() -> None:
    key = written('lower:mean:it\'s "late": 北/南')
    found = of_events(key)
    assert (found.kind, found.name, found.names, found.higher) == (
        "mean",
        'it\'s "late": 北/南',
        ('it\'s "late": 北/南',),
        False,
    )
    assert metric_of(key).direction is Direction.LOWER
    assert of_events(written("ratio:revenue/order")).names == ("revenue", "order")
    assert written("higher:share:a") == written("share:a")


def test_a_loss_is_itself() -> None:
    assert [written(one) for one in ("mae", "accuracy", "log_loss")] == ["mae", "accuracy", "log_loss"]
    assert not is_of_events("mae")
    assert is_of_events(written("count:click"))


@pytest.mark.parametrize(
    "text", ["", "mean:", "p42:revenue", "ratio:revenue", "ratio:/x", "ratio:x/", "revenue", "rmse "]
)
def test_what_cannot_be_measured_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be measured"):
        written(text)
