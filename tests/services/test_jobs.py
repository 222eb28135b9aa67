"""The queue's verbs: retries, reaping, cancelling, and the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Job, NewJob, Task, Trouble
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.store import audit
from mlops_dash.store.db import reading
from tests.factories import LEAD, NOON, SCIENTIST, VIEWER, WORKER, Time
from tests.factories import context as make_context

RETRAIN = NewJob(Task.RETRAIN, NOON, "asked by lead: why not", "user:lead", model="flight-delay", recipe="monthly")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def context(tmp_path: Path, time: Time) -> Iterator[Context]:
    made = make_context(tmp_path, clock=Clock(wall=time))
    yield made
    made.databases.dispose()


@pytest.fixture
def jobs(context: Context) -> JobsService:
    return JobsService(context)


def running(jobs: JobsService, **changes: object) -> Job:
    jobs.enqueue(WORKER, NewJob(**{**vars(RETRAIN), **changes}))  # type: ignore[arg-type]
    job = jobs.claim(WORKER, "w1")
    assert job is not None
    return job


def ledger(context: Context) -> list[tuple[str, str, str]]:
    with reading(context.databases.app) as session:
        return [(str(entry.action), entry.object, entry.reason) for entry in audit.entries(session)]


def test_a_failed_attempt_goes_again_after_its_back_off_and_fails_in_the_end(jobs: JobsService, time: Time) -> None:
    job = running(jobs, max_attempts=2)
    assert jobs.trouble(WORKER, job.id, job.epoch, Trouble.FAILED, "It broke.") is JobState.QUEUED
    assert jobs.claim(WORKER, "w1") is None
    time.passes(seconds=5)
    again = jobs.claim(WORKER, "w1")
    assert again is not None
    assert (again.attempt, again.epoch) == (2, 2)
    assert jobs.trouble(WORKER, job.id, again.epoch, Trouble.FAILED, "It broke.") is JobState.FAILED
    assert jobs.job(VIEWER, job.id).error == "It broke. That was attempt 2, the last."


def test_a_write_of_a_lost_attempt_is_refused(jobs: JobsService, time: Time) -> None:
    job = running(jobs)
    time.passes(seconds=20)
    assert [found.state for found in jobs.reap(WORKER, 15)] == [JobState.QUEUED]
    again = jobs.claim(WORKER, "w2")
    assert again is not None
    assert again.epoch == 2
    for write in (
        lambda: jobs.progress(WORKER, job.id, 1, "late", 0.9),
        lambda: jobs.finish(WORKER, job.id, 1, JobState.SUCCEEDED, result={}),
        lambda: jobs.trouble(WORKER, job.id, 1, Trouble.FAILED, "late"),
        lambda: jobs.release(WORKER, job.id, 1, "late"),
    ):
        with pytest.raises(Conflict, match="epoch 1 was taken over"):
            write()
    assert not jobs.heartbeat(WORKER, job.id, 1).mine
    assert jobs.job(VIEWER, job.id).claimed_by == "w2"


def test_a_job_whose_workers_keep_vanishing_fails_with_a_sentence(jobs: JobsService, time: Time) -> None:
    job = running(jobs)
    for _ in range(3):
        time.passes(seconds=20)
        jobs.reap(WORKER, 15)
        jobs.claim(WORKER, "w1")
    ended = jobs.job(VIEWER, job.id)
    assert ended.state is JobState.FAILED
    assert ended.error == "The worker w1 vanished during attempt 3. That was attempt 3, the last."


def test_a_living_worker_is_not_reaped(jobs: JobsService, time: Time) -> None:
    job = running(jobs)
    time.passes(seconds=10)
    assert jobs.heartbeat(WORKER, job.id, job.epoch).mine
    time.passes(seconds=10)
    assert jobs.reap(WORKER, 15) == ()


def test_a_waiting_job_is_cancelled_at_once_and_the_ledger_says_why(jobs: JobsService, context: Context) -> None:
    job_id = jobs.enqueue(WORKER, RETRAIN)
    assert job_id is not None
    assert jobs.cancel(SCIENTIST, job_id, "wrong month") is JobState.CANCELLED
    job = jobs.job(VIEWER, job_id)
    assert (job.state, job.error) == (JobState.CANCELLED, "Cancelled by scientist: wrong month")
    assert ledger(context) == [(Action.JOB_CANCEL_REQUESTED, f"job {job_id}", "wrong month")]
    with pytest.raises(Conflict, match="ended already"):
        jobs.cancel(SCIENTIST, job_id, "again")
    assert len(ledger(context)) == 1


def test_a_running_job_hears_of_its_cancel_by_the_next_heartbeat(jobs: JobsService) -> None:
    job = running(jobs)
    assert jobs.cancel(LEAD, job.id, "too slow") is JobState.RUNNING
    beat = jobs.heartbeat(WORKER, job.id, job.epoch)
    assert (beat.mine, beat.cancel_requested, beat.reason) == (True, True, "Cancelled by lead: too slow")


def test_a_cancelled_job_that_lost_its_worker_is_not_run_again(jobs: JobsService, time: Time) -> None:
    job = running(jobs)
    jobs.cancel(LEAD, job.id, "too slow")
    time.passes(seconds=20)
    assert [found.state for found in jobs.reap(WORKER, 15)] == [JobState.CANCELLED]
    assert jobs.claim(WORKER, "w1") is None


def test_cancelling_needs_a_role_a_reason_and_a_job(jobs: JobsService) -> None:
    job = running(jobs)
    with pytest.raises(NotAllowed):
        jobs.cancel(VIEWER, job.id, "no")
    with pytest.raises(InvalidInput):
        jobs.cancel(LEAD, job.id, "  ")
    with pytest.raises(NotFound):
        jobs.cancel(LEAD, "nothing", "no")


def test_people_cannot_claim_or_finish(jobs: JobsService) -> None:
    job = running(jobs)
    with pytest.raises(NotAllowed):
        jobs.claim(LEAD, "me")
    with pytest.raises(NotAllowed):
        jobs.finish(LEAD, job.id, job.epoch, JobState.SUCCEEDED)


def test_a_log_is_read_in_pieces_of_whole_lines(jobs: JobsService) -> None:
    job = running(jobs)
    assert jobs.log(VIEWER, job.id).text == ""
    path = jobs.log_path(VIEWER, job.id)
    path.parent.mkdir(parents=True)
    path.write_text("one\ntwo über\nthree\nunfin", encoding="utf-8")
    whole = jobs.log(VIEWER, job.id)
    assert (whole.text, whole.start) == ("one\ntwo über\nthree\n", 0)
    with path.open("a", encoding="utf-8") as file:
        file.write("ished\nfour\n")
    rest = jobs.log(VIEWER, job.id, offset=whole.next_offset)
    assert rest.text == "unfinished\nfour\n"
    assert rest.next_offset == rest.size == path.stat().st_size
    assert jobs.log(VIEWER, job.id, offset=rest.next_offset).text == ""
    assert jobs.log(VIEWER, job.id, limit=14).text == "four\n"
    assert jobs.log(VIEWER, job.id, offset=0, limit=2).text == "on", "a line longer than the limit still moves on"
    with pytest.raises(NotFound):
        jobs.log(VIEWER, "../../ledger.key")
