"""Whether an estimate is believed is said by the windows whose labels came, and by nothing else."""

from __future__ import annotations

from datetime import timedelta

from mlops_dash.domain.monitoring.label_free import EstimatedPoint, EstimatedView, Trust, back_test
from tests.factories import NOON

DAY = timedelta(days=1)


def point(number: int, came: float | None, *, value: float = 0.8) -> EstimatedPoint:
    return EstimatedPoint(NOON + number * DAY, NOON + (number + 1) * DAY, value, value - 0.04, value + 0.04, came)


def view(points: list[EstimatedPoint], **more: str) -> EstimatedView:
    return EstimatedView("accuracy", "Accuracy", True, 3, "", "week", tuple(points), back_test(points), **more)


def test_trust_needs_eight_windows_six_inside_and_small_errors() -> None:
    close = [point(number, 0.805) for number in range(7)]
    assert back_test(close).trust is Trust.UNKNOWN
    assert back_test([*close, point(8, None)]).trust is Trust.UNKNOWN  # one without labels proves nothing
    found = back_test([*close, point(8, 0.9)])
    assert (found.trust, found.windows, found.inside) == (Trust.TRUSTED, 8, 7)
    assert found.as_json()["coverage"] == 7 / 8
    assert back_test([*close[:5], *(point(number, 0.9) for number in (5, 6, 7))]).trust is Trust.NOT_TRUSTED
    inside_but_off = [point(number, 0.835) for number in range(8)]
    assert back_test(inside_but_off).trust is Trust.NOT_TRUSTED
    assert back_test([]).error is None


def test_the_sentence_says_on_what_it_rests_and_that_it_broke() -> None:
    close = [point(number, 0.805) for number in range(8)]
    said = view([*close, point(9, None)]).sentence
    assert said.startswith(
        "Estimated without labels: Accuracy 0.800 (0.760 to 0.840) in the latest week. Of the last 8"
    )
    assert (
        "weeks with labels 8 came out inside the interval, 0.005 off on average; it assumes that answers come" in said
    )
    broken = view([point(number, 0.6) for number in range(8)])
    assert "its assumption does not hold, so do not go by it" in broken.sentence
    assert "No week with labels to compare it with yet" in view([point(0, None)]).sentence
    assert (
        "the answers drifted, which is outside what was proven" in view(close, suspended="the answers drifted").sentence
    )
    assert view(close).as_json()["trust"] == "trusted"
