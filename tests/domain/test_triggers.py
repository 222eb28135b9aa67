"""What holds a trigger back, and how often it would have run before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.domain.triggers import Guards, labels_needed, watched_path, would_run
from mlops_dash.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)
HOURS = st.lists(st.integers(0, 24 * 200), max_size=40).map(lambda hours: [START + timedelta(hours=h) for h in hours])


@given(HOURS, st.integers(0, 72), st.integers(0, 4), st.sampled_from(["UTC", "Pacific/Apia"]), st.booleans())
def test_runs_never_break_what_was_promised(
    asked: list[datetime], hours: int, budget: int, zone: str, each: bool
) -> None:
    guards, until = Guards(hours * 3600, budget), START + timedelta(days=200)
    runs = would_run(sorted(asked), guards, zone, until=until, each=each)
    assert list(runs) == sorted(runs)
    for at, run in enumerate(runs):
        assert run <= until
        assert guards.first_allowed(runs[:at], run, zone) == run
    if budget == hours == 0 and each:
        assert list(runs) == sorted(asked)


def test_labels_that_came_while_a_run_was_held_back_are_answered_by_it() -> None:
    came = [START + timedelta(hours=at) for at in (0, 1, 2, 30)]
    runs = would_run(came, Guards(cooldown_seconds=6 * 3600), "UTC", until=START + timedelta(days=9), each=False)
    assert [(at - START).total_seconds() / 3600 for at in runs] == [0, 6, 30]


def test_a_month_is_one_of_the_schedules_zone() -> None:
    late = datetime(2026, 1, 31, 23, tzinfo=UTC)  # 1 February in Kiritimati
    guards = Guards(runs_a_month=1)
    assert guards.first_allowed([START], late, "Pacific/Kiritimati") == late
    assert guards.first_allowed([START], late, "UTC") == datetime(2026, 2, 1, tzinfo=UTC)
    december = datetime(2026, 12, 5, tzinfo=UTC)
    assert guards.first_allowed([december], december, "UTC") == datetime(2027, 1, 1, tzinfo=UTC)


def test_guards_live_beside_the_arguments_and_no_job_gets_them() -> None:
    kept = Guards(60, 2).beside({"model": "m"})
    assert Guards.of(kept) == Guards(60, 2)
    assert Guards().beside(kept) == {"model": "m"}


@pytest.mark.parametrize("wrong", [Guards(-1), Guards(400 * 86_400), Guards(runs_a_month=-1)])
def test_bounds_that_mean_nothing_are_refused(wrong: Guards) -> None:
    with pytest.raises(InvalidInput):
        wrong.check()


@pytest.mark.parametrize("text", ["0", "-5", "many", "1.5", "", "9" * 400])
def test_no_number_of_labels(text: str) -> None:
    with pytest.raises(InvalidInput, match="no number of labels"):
        labels_needed(text)


@pytest.mark.parametrize("text", ["", "labels.csv", "../x", "/a\nb"])
def test_no_path(text: str) -> None:
    with pytest.raises(InvalidInput, match="no absolute path"):
        watched_path(text)
