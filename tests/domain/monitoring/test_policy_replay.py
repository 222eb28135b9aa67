"""What a policy would have called is counted beside the drops that were real."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.monitoring.judging import Episode
from mlops_dash.domain.monitoring.policy_replay import MONTH, Drop, Outcome, PolicyReplay, Span, outcome_of
from tests.factories import NOON

DAY = timedelta(days=1)
DROPS = (
    Drop(NOON + 10 * DAY, NOON + 20 * DAY, "MAE", NOON + 21 * DAY),
    Drop(NOON + 40 * DAY, NOON + 50 * DAY, "MAE", NOON + 51 * DAY),
)


def calls(kind: str, *spans: tuple[int, int]) -> list[Episode]:
    return [Episode(kind, NOON + first * DAY, NOON + last * DAY, None) for first, last in spans]


def outcome(*harm: tuple[int, int], inputs: int = 0, length: int = 1, delay: int = 0) -> Outcome:
    windows = {NOON + number * DAY: Span(NOON + (number + length) * DAY, NOON + (number + length + delay) * DAY)
               for number in range(0, 60, length)}  # fmt: skip
    found = {"harm": calls("harm", *harm), "inputs": calls("inputs", *((n, n) for n in range(inputs)))}
    return outcome_of(found, DROPS, days=2 * MONTH, windows=windows)


def test_an_alarm_inside_a_drop_caught_it_and_one_outside_is_false() -> None:
    found = outcome((12, 19), (30, 31), inputs=4)
    assert found.caught == (3.0, None)
    assert found.false == 1
    assert found.per_month == pytest.approx(1.0)
    assert found.notices_per_month == pytest.approx(2.0)
    assert outcome((5, 19)).caught[0] == 0.0  # it had called before the drop began
    assert outcome((20, 25)).caught == (11.0, None)


def test_an_alarm_is_known_when_its_window_is_over_and_its_labels_are_old_enough() -> None:
    assert outcome((12, 19), delay=4).caught[0] == 7.0
    week = outcome((7, 7), length=7, delay=1)  # began before the drop, ended in it
    assert week.caught == (5.0, None)
    assert week.false == 0
    assert outcome((0, 0), length=7).false == 1


def test_the_sentence_and_the_rows_put_both_side_by_side() -> None:
    made = PolicyReplay("it's \"late\"", "1", NOON, NOON + 61 * DAY, 61, "day", DROPS, outcome((12, 19)),
                        outcome((12, 19), (41, 50)), useful=1)  # fmt: skip
    assert made.sentence == (
        "Over 61 days it would have called 1.0 times a month, 0.5 as it is; moved inputs 0.0, 0.0 as it is. "
        "Of 2 real drops it would have caught 2, 1 as it is."
    )
    assert ("real drops caught", "1 of 2", "2 of 2") in made.rows()
    told = made.as_json()
    assert (told["in_force"]["missed"], told["proposed"]["missed"]) == (1, 0)
    assert told["feedback"] == {"useful": 1, "noise": 0}
    calm = PolicyReplay("m", "1", NOON, NOON + DAY, 1, "day", (), outcome_of({}, (), days=1, windows={}), outcome())
    assert "never worse for sure in this time, so there was nothing to catch" in calm.sentence
