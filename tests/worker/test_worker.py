"""The leader's chores in this process, on real services: plan, fire, take back, finish, say troubles once."""

from __future__ import annotations

import itertools
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.due import following
from mlops_dash.domain.jobs import Job, NewJob, Task
from mlops_dash.domain.retraining import Misfire, Recipe, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Unavailable
from mlops_dash.training.launcher import Ending, Exit
from mlops_dash.worker import Running, Worker
from mlops_dash.worker.chore import Chore
from mlops_dash.worker.health import HealthServer
from tests import factories
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER, Time

WEEKLY = ScheduleDraft("weekly", ScheduleKind.CRON, "0 6 * * 1", "America/New_York", recipe="monthly")


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(tmp_path: Path, time: Time) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    made.retraining.save_recipe(ADMIN, Recipe("monthly", "flight-delay", ENTRY))
    yield made
    made.close()


@pytest.fixture
def worker(house: Services) -> Worker:
    return Worker(house)


def schedule(kind: ScheduleKind, expression: str, zone: str = "UTC", next_due_at: datetime | None = None) -> Schedule:
    return Schedule(
        "s1", "s", kind, expression, zone, Task.RETRAIN, "monthly", {}, True, Misfire.RUN_ONCE, "", None, next_due_at,
        None, NOON,
    )  # fmt: skip


def test_cron_fires_on_crons_own_weekdays_and_follows_daylight_saving() -> None:
    before = datetime(2013, 3, 4, 11, tzinfo=UTC)  # Monday 06:00 in New York, winter
    found = following(schedule(ScheduleKind.CRON, "0 6 * * 1", "America/New_York"), before)
    assert found[:2] == (datetime(2013, 3, 11, 10, tzinfo=UTC), datetime(2013, 3, 18, 10, tzinfo=UTC))
    assert len(found) == 5
    assert {at.strftime("%a") for at in found} == {"Mon"}


def test_a_time_that_daylight_saving_skips_does_not_stop_a_schedule() -> None:
    nightly = schedule(ScheduleKind.CRON, "30 2 * * *", "America/New_York")
    found = following(nightly, datetime(2013, 3, 9, 8, tzinfo=UTC))
    assert len(found) == 5
    assert list(found) == sorted(set(found))


def test_intervals_count_from_the_last_slot_and_skip_what_passed() -> None:
    every_hour = schedule(ScheduleKind.INTERVAL, "3600", next_due_at=NOON)
    assert following(every_hour, NOON)[0] == NOON + timedelta(hours=1)
    assert following(every_hour, NOON + timedelta(hours=3, minutes=5))[0] == NOON + timedelta(hours=4)
    assert following(schedule(ScheduleKind.INTERVAL, "3600"), NOON)[0] == NOON + timedelta(hours=1)


def test_once_is_once_and_alerts_have_no_clock() -> None:
    at = NOON + timedelta(days=1)
    assert following(schedule(ScheduleKind.ONCE, at.isoformat()), NOON) == (at,)
    assert following(schedule(ScheduleKind.ONCE, at.isoformat(), next_due_at=at), at) == ()
    assert following(schedule(ScheduleKind.ALERT, "harm"), NOON) == ()


def test_a_tick_plans_a_new_schedule_and_fires_it_when_it_is_due(house: Services, worker: Worker, time: Time) -> None:
    house.retraining.save_schedule(SCIENTIST, WEEKLY)
    worker.tick()
    (made,) = house.retraining.schedules(VIEWER)
    monday = datetime(2013, 6, 10, 10, tzinfo=UTC)
    assert (made.next_due_at, made.upcoming and len(made.upcoming)) == (monday, 5)
    worker.tick()
    assert house.jobs.recent(VIEWER) == ()
    time.at = monday + timedelta(seconds=1)
    worker.tick()
    worker.tick()
    (job,) = house.jobs.recent(VIEWER)
    assert (job.due_at, job.task, job.cause) == (monday, Task.RETRAIN, "schedule weekly: Mondays at 06:00 (New York)")
    (after,) = house.retraining.schedules(VIEWER)
    assert after.next_due_at == monday + timedelta(days=7)


def test_a_tick_ends_a_pause_that_is_over_and_takes_back_lost_jobs(house: Services, worker: Worker, time: Time) -> None:
    made = house.retraining.save_schedule(SCIENTIST, WEEKLY)
    house.retraining.pause(LEAD, made, "labels are late", until=NOON + timedelta(hours=1))
    house.retraining.run_now(LEAD, "monthly", "why not")
    job = house.jobs.claim(WORKER, "gone")
    assert job is not None
    time.at = NOON + timedelta(hours=1)
    worker.tick()
    worker.tick()
    (resumed,) = house.retraining.schedules(VIEWER)
    assert resumed.enabled
    assert resumed.next_due_at is not None
    assert house.jobs.job(VIEWER, job.id).state is JobState.QUEUED


def running(house: Services, *, max_attempts: int = 1) -> Running:
    house.jobs.enqueue(
        WORKER, NewJob(Task.RETRAIN, NOON, "asked", "user:lead", model="flight-delay", max_attempts=max_attempts)
    )
    job = house.jobs.claim(WORKER, "me")
    assert job is not None
    return Running(job)


@pytest.mark.parametrize(
    ("ending", "code", "why", "state", "says"),
    [
        (Ending.TIMED_OUT, None, "", JobState.TIMED_OUT, "It ended."),
        (Ending.OUT_OF_MEMORY, None, "", JobState.FAILED, "It ended."),
        (Ending.STOPPED, None, "cancelled", JobState.CANCELLED, "Cancelled by lead: no"),
        (Ending.STOPPED, None, "worker stops", JobState.QUEUED, "The worker was stopped"),
        (Ending.EXITED, -11, "", JobState.FAILED, "The end of its log says more."),
        (Ending.EXITED, 0, "", JobState.FAILED, "It left no result."),
    ],
)
def test_how_a_child_ended_becomes_the_jobs_state(
    house: Services, worker: Worker, ending: Ending, code: int | None, why: str, state: JobState, says: str
) -> None:
    mine = running(house)
    mine.why, mine.reason = why, "Cancelled by lead: no"
    worker._settle(mine, Exit(ending, code, 1.0, 10.0, "It ended."))
    job = house.jobs.job(VIEWER, mine.job.id)
    assert job.state is state
    assert says in job.error


def test_a_child_that_wrote_its_own_result_is_left_alone(house: Services, worker: Worker) -> None:
    mine = running(house)
    house.jobs.finish(WORKER, mine.job.id, mine.job.epoch, JobState.SUCCEEDED, result={"version": "3"})
    worker._settle(mine, Exit(Ending.EXITED, 0, 1.0, 10.0, "It ended."))
    assert house.jobs.job(VIEWER, mine.job.id).state is JobState.SUCCEEDED


def wait(mine: Running) -> None:
    assert mine.thread is not None
    mine.thread.join(20)
    assert not mine.thread.is_alive()


def start(house: Services, worker: Worker, job: NewJob) -> Job:
    house.jobs.enqueue(WORKER, job)
    taken = house.jobs.claim(WORKER, worker.holder)
    assert taken is not None
    wait(worker.start(taken))
    return house.jobs.job(VIEWER, taken.id)


def test_a_short_task_is_done_in_the_worker_and_keeps_its_result(house: Services, worker: Worker) -> None:
    house.registry.add_model(SCIENTIST, "flight-delay", reason="test")
    job = start(house, worker, NewJob(Task.EVALUATE, NOON, "asked", "user:lead", model="flight-delay"))
    assert (job.state, job.result) == (JobState.SUCCEEDED, {"health": "not_known"})
    profiled = start(house, worker, NewJob(Task.PROFILE, NOON, "asked", "user:lead"))
    assert (profiled.state, profiled.result) == (JobState.SUCCEEDED, {"hours": 0})


def test_a_task_that_is_refused_fails_with_its_sentence(house: Services, worker: Worker) -> None:
    job = start(house, worker, NewJob(Task.EVALUATE, NOON, "asked", "user:lead", model="nothing"))
    assert job.state is JobState.FAILED
    assert "nothing" in job.error


def test_a_bug_of_ours_fails_the_job_and_not_the_worker(
    house: Services, worker: Worker, caplog: pytest.LogCaptureFixture
) -> None:
    job = start(house, worker, NewJob(Task.BACKFILL, NOON, "asked", "user:lead", model="flight-delay"))
    assert job.state is JobState.FAILED
    assert "KeyError" in job.error
    assert "Traceback" in caplog.text


def test_trouble_is_said_once_waited_out_and_its_end_said_too(
    worker: Worker, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    chore, calls = Chore("reconcile", 3.0), []
    down = [True]

    def work() -> None:
        calls.append(time.at)
        if down[0]:
            raise Unavailable("MLflow does not answer.")

    with caplog.at_level(logging.WARNING):
        for _ in range(40):
            worker._guarded(chore, work)
            time.at += timedelta(seconds=3)
    assert [record.message for record in caplog.records] == ["reconcile: MLflow does not answer."]
    gaps = [later - earlier for earlier, later in itertools.pairwise(calls)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= timedelta(seconds=24)
    caplog.clear()
    down[0] = False
    time.at += timedelta(seconds=60)
    worker._guarded(chore, work)
    worker._guarded(chore, work)
    assert [record.message for record in caplog.records] == ["reconcile works again"]


def test_a_surprise_in_a_chore_does_not_stop_the_others(worker: Worker, caplog: pytest.LogCaptureFixture) -> None:
    chore = Chore("profile", 2.0)
    worker._guarded(chore, lambda: 1 / 0)
    assert "ZeroDivisionError" in chore.said
    assert "Traceback" in caplog.text


def test_healthz_and_metrics_answer_on_loopback_and_nothing_else_does() -> None:
    told: list[bytes] = []

    def numbers() -> bytes:
        if not told:
            raise Unavailable("The database is away.", hint="Wait.")
        return told[0]

    server = HealthServer(0, lambda: {"status": "ok", "leading": True}, numbers)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5) as answer:
            assert json.load(answer) == {"status": "ok", "leading": True}
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/jobs", timeout=5)
        assert caught.value.code == 404
        caught.value.close()
        with pytest.raises(Unavailable, match=str(server.port)):
            HealthServer(server.port, dict, numbers)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5)
        assert caught.value.code == 503
        assert json.load(caught.value) == {"error": "The database is away. Wait."}
        caught.value.close()
        told.append(b"rows_total 1\n")
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=5) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=")
            assert answer.read() == told[0]
    finally:
        server.close()
