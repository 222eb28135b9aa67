"""The rules of the queue."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mlops_dash.domain.jobs import LONGEST_WAIT, NewJob, Task, Trouble, wait_after

AT = datetime(2014, 1, 1, tzinfo=UTC)


def test_a_failed_attempt_is_repeated_only_while_attempts_are_left() -> None:
    assert wait_after(Trouble.FAILED, attempt=1, max_attempts=3) == timedelta(seconds=5)
    assert wait_after(Trouble.FAILED, attempt=2, max_attempts=3) == timedelta(seconds=10)
    assert wait_after(Trouble.FAILED, attempt=3, max_attempts=3) is None


def test_a_job_that_lost_its_worker_goes_again_at_once_but_not_for_ever() -> None:
    waits = [wait_after(Trouble.LOST, attempt=attempt, max_attempts=1) for attempt in (1, 2, 3)]
    assert waits == [timedelta(0), timedelta(0), None]


def test_something_that_does_not_answer_gets_longer_and_longer_waits() -> None:
    waits = [wait_after(Trouble.UNAVAILABLE, attempt=attempt, max_attempts=1) for attempt in range(1, 9)]
    known = [wait for wait in waits if wait is not None]
    assert known == sorted(known)
    assert max(known) == LONGEST_WAIT
    assert waits[-1] is None
    assert sum(known, timedelta(0)) > timedelta(minutes=10)


@pytest.mark.parametrize(("model", "key"), [("flight-delay", "retrain:flight-delay"), ("", "retrain")])
def test_two_retrains_of_one_model_share_a_key(model: str, key: str) -> None:
    assert NewJob(Task.RETRAIN, AT, "asked", "lead", model=model).exclusive_key == key
