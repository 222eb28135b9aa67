"""A roll-out's guards: three answers each, and harm is believed on rows of one day while its absence is not."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.domain.registry.guards import Calls, errors_guard, loss_guard, time_guard
from mlops_dash.domain.registry.rollouts import limit_text
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import GateState
from mlops_dash.stats.rollouts import cell_of


def times(seconds: float, n: int) -> dict[int, int]:
    return {cell_of(seconds): n}


@pytest.mark.parametrize(
    ("asked", "failed", "state"),
    [
        (0, 0, GateState.WAITING), (1, 1, GateState.CANNOT_TELL), (2, 2, GateState.FAILED), (50, 0, "cannot_tell"),
        (2_000, 0, GateState.PASSED), (2_000, 60, GateState.FAILED), (300, 3, GateState.CANNOT_TELL),
    ],
)  # fmt: skip
def test_calls_that_fail(asked: int, failed: int, state: GateState) -> None:
    found = errors_guard(Calls(asked, failed), loads=True)
    assert found.state == state
    assert found.n == asked


def test_a_version_that_does_not_load_fails_before_any_call() -> None:
    found = errors_guard(Calls(), loads=False, why_not_loaded="a pickle")
    assert (found.state, found.sentence) == (GateState.FAILED, "It does not load: a pickle")


def test_a_policys_own_limits_are_what_is_judged_by_and_shown() -> None:
    strict, loose = (errors_guard(Calls(2_000, 60), loads=True, most=most) for most in (0.01, 0.1))
    assert [one.state for one in (strict, loose)] == [GateState.FAILED, GateState.PASSED]
    assert limit_text(loose) == "at most 10.0 % of the calls"
    calls = Calls(400, 0, times(0.2, 400), times(0.02, 400))
    assert [time_guard(calls, most=most).state for most in (2.0, 30.0)] == [GateState.FAILED, GateState.PASSED]
    assert limit_text(time_guard(calls, most=30.0)) == "at most 30 times the champion's"


def test_answers_that_take_longer() -> None:
    slow = time_guard(Calls(400, 0, times(0.2, 400), times(0.02, 400)))
    same = time_guard(Calls(400, 0, times(0.02, 400), times(0.02, 400)))
    few = time_guard(Calls(5, 0, times(0.2, 5), times(0.02, 5)))
    quick = time_guard(Calls(400, 0, times(0.008, 400), times(0.001, 400)))
    states = [GateState.FAILED, GateState.PASSED, GateState.CANNOT_TELL, GateState.PASSED]
    assert [one.state for one in (slow, same, few, quick)] == states
    assert slow.value == pytest.approx(10, rel=0.3)
    assert few.high is None
    assert time_guard(Calls(3, 3)).state is GateState.WAITING


def test_a_loss_that_rises_stops_it_even_on_one_day_and_one_that_does_not_is_not_called_fine_there() -> None:
    rng = np.random.default_rng(3)
    old = rng.exponential(4.0, 3_000)  # minutes
    noise = rng.normal(0, 0.1, 3_000)
    one_day, days = ["2026-01-05"] * 3_000, [f"2026-01-{1 + n // 150:02}" for n in range(3_000)]

    def state(new: np.ndarray, at: list[str]) -> GateState:
        return loss_guard(new, old, at, loss="absolute error", margin=0.05, label_hours=24).state

    assert state(old * 1.5 + noise, one_day) is GateState.FAILED
    assert state(old * 1.5 + noise, days) is GateState.FAILED
    assert state(old * 0.9 + noise, one_day) is GateState.CANNOT_TELL
    assert state(old * 0.9 + noise, days) is GateState.PASSED
    young = loss_guard([], [], [], loss="absolute error", margin=0.05, label_hours=24)
    assert (young.state, "rows older than 24 h" in young.sentence) == (GateState.WAITING, True)


def test_a_champion_without_an_error_does_not_keep_a_new_one_that_is_always_wrong() -> None:
    islands = task_named("multiclass", ("Dream", "Torgersen", 'the "far" one'))
    label = np.arange(600) % 3.0
    old, new = islands.row_losses(label, label), islands.row_losses(label, (label + 1) % 3)
    days = [str(n % 20) for n in range(600)]
    found = loss_guard(new, old, days, loss=islands.row_loss, margin=0.05, label_hours=24)
    assert (found.state, found.limit) == (GateState.FAILED, 0.0)
    assert "where the champion's is 0" in found.sentence
    blinded = loss_guard(
        np.append(new, np.inf), np.append(old, 0.0), [*days, "0"], loss=islands.row_loss, margin=0.05, label_hours=24
    )
    assert blinded.state is GateState.FAILED
    assert "1 row without a finite loss left out" in blinded.sentence
