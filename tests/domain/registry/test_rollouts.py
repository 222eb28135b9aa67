"""Stages as people type them, every arrow of a roll-out and every one that is forbidden, and where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from mlops_dash.domain.registry.guards import Calls, errors_guard
from mlops_dash.domain.registry.rollouts import (
    ARROWS,
    Guard,
    Rollout,
    Stage,
    check_stages,
    failed,
    is_over,
    may_become,
    stages_as_json,
    stages_from_json,
    stages_of,
    stages_said,
    why_not_continue,
    why_not_pause,
    why_not_stop,
)
from mlops_dash.domain.words import GateState, RolloutState
from mlops_dash.errors import InvalidInput
from tests.factories import LEAD, NOON, SCIENTIST

TEN, HALF = Stage(0.1, minutes=60), Stage(0.5, minutes=30, rows=5_000)
GOING = Rollout("r", 'it\'s "late"', "p", "v1", "v2", (TEN, HALF), RolloutState.RUNNING, 0, "key", 1, LEAD.id, NOON,
                "now", NOON, NOON)  # fmt: skip
ALLOWED = {
    ("running", "running"), ("running", "paused"), ("running", "finishing"), ("running", "stopped"),
    ("paused", "running"), ("paused", "stopped"), ("finishing", "done"), ("finishing", "stopped"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(product(RolloutState, RolloutState)))
def test_each_arrow_is_there_or_forbidden(before: RolloutState, after: RolloutState) -> None:
    assert may_become(replace(GOING, state=before), after) is ((str(before), str(after)) in ALLOWED)
    assert set(ARROWS) == set(RolloutState)


@pytest.mark.parametrize("state", list(RolloutState))
def test_a_button_is_open_exactly_where_its_arrow_is(state: RolloutState) -> None:
    known = replace(GOING, state=state)
    open_ones = {
        "pause": why_not_pause(LEAD, known) == "",
        "continue": why_not_continue(LEAD, known) == "",
        "stop": why_not_stop(LEAD, known) == "",
    }
    assert open_ones == {
        "pause": state is RolloutState.RUNNING,
        "continue": state is RolloutState.PAUSED,
        "stop": state in (RolloutState.RUNNING, RolloutState.PAUSED),
    }
    assert all(verb(SCIENTIST, known) for verb in (why_not_pause, why_not_continue, why_not_stop))
    assert why_not_stop(LEAD, None) == "No roll-out runs."


def test_stages_are_read_as_they_are_typed_and_kept() -> None:
    made = stages_of(["10%:60m", " 25 % : 2h+5000rows\n95%:1d"])
    assert made == (TEN, Stage(0.25, minutes=120, rows=5_000), Stage(0.95, minutes=1_440))
    assert stages_from_json(stages_as_json(made)) == made
    assert stages_said(made) == "10 % for 1 h, 25 % for 2 h and 5,000 rows, 95 % for 24 h, then all"
    assert stages_of([""]) == ()
    assert stages_from_json(None) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("10", "cannot be read"), ("10%", "cannot be read"), ("10%:", "cannot be read"), ("10%:x", "cannot be read"),
        ("<b>%:1m", "cannot be read"), ("10%:5m+5m", "minutes twice"), ("0%:5m", "between 1 % and 95 %"),
        ("99%:5m", "between 1 % and 95 %"), ("10%:0m", "never ends"), ("10%:5m,10%:5m", "does not grow"),
        ("50%:5m,10%:5m", "does not grow"), ("10%:8d", "too long"), ("10%:99999999rows", "too long"),
        ("1%:1m,2%:1m,3%:1m,4%:1m,5%:1m,6%:1m,7%:1m", "7 stages"),
    ],
)  # fmt: skip
def test_stages_that_cannot_be_are_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        stages_of([text])


def test_no_stages_are_no_roll_out() -> None:
    assert check_stages([]) == ()


def test_time_counts_without_its_pauses_and_rows_with_them() -> None:
    assert GOING.progress(NOON + timedelta(minutes=30)) == pytest.approx(0.5)
    paused = replace(GOING, state=RolloutState.PAUSED, waited_seconds=600.0)
    assert paused.waited(NOON + timedelta(days=1)) == timedelta(minutes=10)
    both = replace(GOING, stage=1, rows=1_000)
    assert both.progress(NOON + timedelta(hours=9)) == pytest.approx(0.2)
    assert "Stage 2 of 2: 50 % of the rows, 30 of 30 min, 1,000 of 5,000 rows." in both.said(NOON + timedelta(hours=9))
    assert "the time stands still" in paused.said(NOON)


def test_a_stage_without_a_single_answer_is_never_over() -> None:
    late = NOON + timedelta(hours=2)
    unseen = replace(GOING, rows=1)
    assert not is_over(unseen, late)  # nothing was judged
    assert "nothing was judged yet" in unseen.said(late)
    counted = replace(GOING, guards=(errors_guard(Calls(1, 0), loads=True),))
    assert not is_over(counted, late)
    assert is_over(replace(counted, rows=1), late)
    assert "nothing was judged yet" not in replace(counted, rows=1).said(late)
    assert not is_over(replace(counted, rows=1), NOON + timedelta(minutes=59))
    assert not is_over(replace(counted, rows=1, state=RolloutState.PAUSED, waited_seconds=9e9), late)


def test_only_what_is_shown_to_fail_stops_it() -> None:
    guards = [Guard(str(one), one, None, None, None, 1.0, 0, "calls", "", f"{one}!") for one in GateState]
    assert failed(guards) == "failed!"
    assert failed([one for one in guards if one.state is not GateState.FAILED]) == ""
    assert Guard.from_json(guards[0].as_json()) == guards[0]


def test_the_share_ends_with_the_roll_out() -> None:
    shares = {state: replace(GOING, state=state).share for state in RolloutState}
    assert shares[RolloutState.RUNNING] == shares[RolloutState.PAUSED] == shares[RolloutState.FINISHING] == 0.1
    assert shares[RolloutState.DONE] == shares[RolloutState.STOPPED] == 0.0
    assert (
        replace(GOING, state=RolloutState.STOPPED, end_reason="it was slow")
        .as_json(NOON)["sentence"]
        .endswith("it was slow")
    )
