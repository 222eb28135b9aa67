"""The queue on SQLite and on Postgres: who gets a job, who may still write, who leads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from mlops_dash.domain.jobs import Job, NewJob, Task
from mlops_dash.domain.words import JobState
from mlops_dash.store import jobs as rows
from mlops_dash.store.db import Engine, engine, reading, transaction
from mlops_dash.store.tables.app import APP

NOW = datetime(2014, 1, 1, 5, tzinfo=UTC)
WALL = datetime(2026, 1, 1, 12, tzinfo=UTC)
RETRAIN = NewJob(Task.RETRAIN, NOW, "asked by lead: why not", "user:lead", model="flight-delay", recipe="monthly")


@pytest.fixture
def target(database_url: str) -> Iterator[Engine]:
    made = engine(database_url, schema="app")
    if made.dialect.name == "postgresql":
        with made.begin() as connection:
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS app"))
    APP.create_all(made)
    yield made
    made.dispose()


def add(target: Engine, job: NewJob = RETRAIN, *, job_id: str = "j1") -> bool:
    with transaction(target) as session:
        return rows.enqueue(session, job, job_id=job_id, now=NOW)


def take(target: Engine, *, worker: str = "w1", now: datetime = NOW, wall: datetime = WALL) -> Job | None:
    with transaction(target) as session:
        return rows.claim(session, worker=worker, now=now, wall=wall)


def see(target: Engine, job_id: str = "j1") -> Job:
    with reading(target) as session:
        found = rows.get(session, job_id)
    assert found is not None
    return found


def test_a_slot_of_a_schedule_is_queued_once(target: Engine) -> None:
    slot = replace(RETRAIN, schedule_id="s1")
    assert add(target, slot, job_id="j1")
    assert not add(target, slot, job_id="j2")
    assert add(target, replace(slot, due_at=NOW + timedelta(days=7)), job_id="j3")
    assert add(target, RETRAIN, job_id="j4")
    assert add(target, RETRAIN, job_id="j5"), "jobs without a schedule have no slot"
    with reading(target) as session:
        assert {job.id for job in rows.recent(session, since=None)} == {"j1", "j3", "j4", "j5"}


def test_a_claim_takes_the_job_under_a_new_epoch(target: Engine) -> None:
    add(target)
    job = take(target)
    assert job is not None
    assert (job.state, job.epoch, job.attempt, job.claimed_by) == (JobState.RUNNING, 1, 1, "w1")
    assert (job.started_at, job.heartbeat_at, job.cause) == (NOW, WALL, "asked by lead: why not")
    assert take(target) is None


def test_a_job_is_not_taken_before_it_is_due_or_while_it_backs_off(target: Engine) -> None:
    add(target, replace(RETRAIN, due_at=NOW + timedelta(seconds=10)))
    assert take(target) is None
    assert take(target, now=NOW + timedelta(seconds=10)) is not None
    later = NOW + timedelta(minutes=5)
    with transaction(target) as session:
        assert rows.put_back(
            session, job_id="j1", epoch=1, error="down", not_before=later, count_attempt=True, seconds=90.0
        )
    assert take(target, now=later - timedelta(seconds=1)) is None
    again = take(target, now=later)
    assert again is not None
    assert (again.epoch, again.attempt, again.error) == (2, 2, "")
    assert again.spent_seconds == 90.0, "what the attempt before took is paid for"


def test_the_most_urgent_job_comes_first_then_the_oldest(target: Engine) -> None:
    for job_id, priority, minutes in (("late", 0, 5), ("early", 0, 1), ("urgent", 10, 9)):
        due = NOW + timedelta(minutes=minutes)
        add(target, replace(RETRAIN, model=job_id, priority=priority, due_at=due), job_id=job_id)
    taken = [take(target, now=NOW + timedelta(hours=1)) for _ in range(3)]
    assert [job.id for job in taken if job] == ["urgent", "early", "late"]


def test_jobs_of_one_exclusive_key_never_run_together(target: Engine) -> None:
    add(target, RETRAIN, job_id="j1")
    add(target, RETRAIN, job_id="j2")
    add(target, replace(RETRAIN, model="air-time"), job_id="other")
    assert [job.id for job in (take(target), take(target)) if job] == ["j1", "other"]
    assert take(target) is None
    with transaction(target) as session:
        assert rows.finish(session, job_id="j1", epoch=1, now=NOW, state=JobState.SUCCEEDED)
    second = take(target)
    assert second is not None
    assert second.id == "j2"


def test_many_workers_at_once_take_each_job_exactly_once(target: Engine) -> None:
    for number in range(24):
        # two jobs a model: while one runs, the other must wait
        add(target, replace(RETRAIN, model=f"m{number // 2}"), job_id=f"j{number:02d}")
    start = threading.Barrier(6)

    def work(name: str) -> list[Job]:
        start.wait()
        found: list[Job] = []
        misses = 0
        while misses < 20:
            job = take(target, worker=name)
            if job is None:
                misses += 1
            else:
                found.append(job)
        return found

    with ThreadPoolExecutor(6) as pool:
        taken = [job for jobs in pool.map(work, [f"w{n}" for n in range(6)]) for job in jobs]
    assert len(taken) == 12
    assert len({job.exclusive_key for job in taken}) == 12


def test_an_old_epoch_cannot_write_any_more(target: Engine) -> None:
    add(target)
    assert take(target) is not None
    with transaction(target) as session:
        rows.put_back(session, job_id="j1", epoch=1, error="lost", not_before=None, count_attempt=True, seconds=0)
    assert take(target, worker="w2") is not None
    with transaction(target) as session:
        assert not rows.heartbeat(session, job_id="j1", epoch=1, wall=WALL).mine
        assert not rows.progress(session, job_id="j1", epoch=1, text="late", share=0.9, wall=WALL)
        assert not rows.finish(
            session, job_id="j1", epoch=1, now=NOW, state=JobState.SUCCEEDED, result={"version": "9"}
        )
        assert not rows.put_back(
            session, job_id="j1", epoch=1, error="", not_before=None, count_attempt=True, seconds=0
        )
        assert not rows.mine(session, job_id="j1", epoch=1)
        assert rows.mine(session, job_id="j1", epoch=2)
    job = see(target)
    assert (job.state, job.claimed_by, job.progress, job.result) == (JobState.RUNNING, "w2", 0.0, None)


def test_progress_and_result_are_kept(target: Engine) -> None:
    add(target)
    take(target)
    with transaction(target) as session:
        assert rows.progress(session, job_id="j1", epoch=1, text="training", share=0.4, wall=WALL)
    assert (see(target).progress_text, see(target).progress) == ("training", 0.4)
    done = NOW + timedelta(minutes=2)
    with transaction(target) as session:
        assert rows.finish(session, job_id="j1", epoch=1, now=done, state=JobState.SUCCEEDED, result={"version": "3"})
    job = see(target)
    assert (job.state, job.finished_at, job.result, job.progress) == (JobState.SUCCEEDED, done, {"version": "3"}, 1.0)


def test_a_silent_worker_is_found_by_wall_time(target: Engine) -> None:
    add(target)
    take(target)
    with transaction(target) as session:
        assert rows.lost(session, silent_since=WALL - timedelta(seconds=1)) == ()
        assert [job.id for job in rows.lost(session, silent_since=WALL)] == ["j1"]
        assert rows.heartbeat(session, job_id="j1", epoch=1, wall=WALL + timedelta(seconds=5)).mine
        assert rows.lost(session, silent_since=WALL + timedelta(seconds=1)) == ()


def test_a_cancel_reaches_a_waiting_job_at_once_and_a_running_one_by_its_heartbeat(target: Engine) -> None:
    add(target, RETRAIN, job_id="j1")
    add(target, replace(RETRAIN, model="air-time"), job_id="j2")
    take(target)
    with transaction(target) as session:
        assert not rows.cancel_queued(session, job_id="j1", now=NOW, reason="no")
        assert rows.request_cancel(session, job_id="j1", reason="Cancelled by lead: no")
        beat = rows.heartbeat(session, job_id="j1", epoch=1, wall=WALL)
        assert (beat.mine, beat.cancel_requested, beat.reason) == (True, True, "Cancelled by lead: no")
        assert rows.cancel_queued(session, job_id="j2", now=NOW, reason="no")
        assert not rows.request_cancel(session, job_id="j2", reason="no")
    assert see(target, "j2").state is JobState.CANCELLED


def test_a_clean_stop_does_not_cost_an_attempt(target: Engine) -> None:
    add(target)
    take(target)
    with transaction(target) as session:
        rows.put_back(
            session, job_id="j1", epoch=1, error="worker stopped", not_before=None, count_attempt=False, seconds=0
        )
    again = take(target)
    assert again is not None
    assert (again.attempt, again.epoch) == (1, 2)


def lead(target: Engine, holder: str, *, at: float = 0.0) -> tuple[bool, str, int]:
    with transaction(target) as session:
        got = rows.lease(session, name="worker", holder=holder, wall=WALL + timedelta(seconds=at), seconds=2)
    return got.held, got.holder, got.epoch


def test_one_leads_until_its_lease_runs_out_and_the_epoch_grows_with_each_new_leader(target: Engine) -> None:
    assert lead(target, "a") == (True, "a", 1)
    assert lead(target, "b", at=1.9) == (False, "a", 1)
    assert lead(target, "a", at=1.9) == (True, "a", 1)
    assert lead(target, "b", at=3.8) == (False, "a", 1)
    assert lead(target, "b", at=4.0) == (True, "b", 2)
    assert lead(target, "a", at=4.0) == (False, "b", 2)


def test_a_leader_that_steps_down_is_followed_at_once(target: Engine) -> None:
    lead(target, "a")
    with transaction(target) as session:
        rows.give_up_lease(session, name="worker", holder="a", wall=WALL)
    assert lead(target, "b", at=0.1) == (True, "b", 2)


def test_of_many_that_want_to_lead_at_once_exactly_one_does(target: Engine) -> None:
    start = threading.Barrier(6)

    def want(name: str) -> bool:
        start.wait()
        return lead(target, name)[0]

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(want, [f"w{n}" for n in range(6)])) == 1
