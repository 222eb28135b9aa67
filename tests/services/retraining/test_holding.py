"""Slots of the clock beside other runs and in blackouts: queued, skipped with the reason, or moved to the end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from mlops_dash.clock import Clock
from mlops_dash.domain.due import following
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.retraining import RetrainingService
from tests.factories import ADMIN, SCIENTIST, VIEWER, WORKER, Time
from tests.factories import context as make_context

MODEL = """the "weekly" batch"""
FRIDAY = datetime(2026, 1, 2, 20, tzinfo=UTC)


@pytest.fixture
def time() -> Time:
    return Time(FRIDAY)


@pytest.fixture
def context(tmp_path: Path, time: Time) -> Iterator[Context]:
    made = make_context(tmp_path, clock=Clock(wall=time))
    yield made
    made.databases.dispose()


@pytest.fixture
def retraining(context: Context) -> RetrainingService:
    made = RetrainingService(context)
    made.save_recipe(ADMIN, Recipe("weekly", MODEL, "{python} train.py"))
    return made


def hourly(retraining: RetrainingService, guards: Guards, name: str = "hourly") -> str:
    draft = ScheduleDraft(name, ScheduleKind.CRON, "0 * * * *", recipe="weekly", arguments=guards.beside({}))
    made = retraining.save_schedule(SCIENTIST, draft)
    tick(retraining)
    return made


def tick(retraining: RetrainingService) -> list[str]:
    """One beat of the worker's metronome; the ids of the jobs that it made."""
    now, made = retraining.context.clock.now(), []
    for schedule in retraining.needing_the_metronome(WORKER):
        if schedule.upcoming is None:
            retraining.plan(WORKER, schedule, following(schedule, now))
        else:
            made.append(retraining.fire(WORKER, schedule, following(schedule, now)))
    return [one for one in made if one]


def live(retraining: RetrainingService, context: Context, time: Time, until: datetime) -> list[tuple[str, str, str]]:
    """Ten minutes a beat, every job done at once: (slot, state, why not) of what came of it."""
    jobs, came = JobsService(context), []
    while time.at <= until:
        for job_id in tick(retraining):
            claimed = jobs.claim(WORKER, "w1")
            if claimed is not None:
                jobs.finish(WORKER, claimed.id, claimed.epoch, JobState.SUCCEEDED)
            job = jobs.job(VIEWER, job_id)
            came.append((f"{job.due_at:%a %H:%M}", str(job.state), job.error))
        time.at += timedelta(minutes=10)
    return came


def test_a_night_is_one_skipped_job_that_says_why(retraining: RetrainingService, context: Context, time: Time) -> None:
    hourly(retraining, Guards(not_between="22:00-06:00"))
    came = live(retraining, context, time, FRIDAY + timedelta(hours=11))
    assert [(at, state) for at, state, _ in came] == [
        ("Fri 21:00", "succeeded"), ("Fri 22:00", "skipped"), ("Sat 06:00", "succeeded"), ("Sat 07:00", "succeeded"),
    ]  # fmt: skip
    assert came[1][2] == "Nothing starts until 2026-01-03 06:00 UTC: not between 22:00-06:00."
    (made,) = retraining.schedules(VIEWER)
    assert "not between 22:00-06:00" in made.when


def test_slots_that_wait_run_once_at_the_end(retraining: RetrainingService, context: Context, time: Time) -> None:
    hourly(retraining, Guards(not_between="22:00-06:30", in_blackout="wait"))
    came = live(retraining, context, time, FRIDAY + timedelta(hours=11))
    assert came == [("Fri 21:00", "succeeded", ""), ("Sat 06:30", "succeeded", ""), ("Sat 07:00", "succeeded", "")]


def test_a_slot_that_nobody_ran_in_time_does_not_start_in_the_blackout_either(
    retraining: RetrainingService, time: Time, context: Context
) -> None:
    made = hourly(retraining, Guards(not_between="22:00-06:30", in_blackout="wait"))
    time.at = FRIDAY + timedelta(hours=5)  # the slot of 21:00 at one in the morning
    assert tick(retraining) == []
    (now,) = retraining.schedules(VIEWER)
    assert (now.id, now.ahead[0]) == (made, datetime(2026, 1, 3, 6, 30, tzinfo=UTC))
    time.at = datetime(2026, 1, 3, 6, 31, tzinfo=UTC)
    assert len(tick(retraining)) == 1


@pytest.mark.parametrize(
    ("overlap", "states"),
    [
        ("queue", ["running", "queued", "queued"]),
        ("queue-one", ["running", "queued", "skipped"]),
        ("skip", ["running", "skipped", "skipped"]),
    ],
)
def test_a_slot_beside_a_run_that_goes_on(
    retraining: RetrainingService, context: Context, time: Time, overlap: str, states: list[str]
) -> None:
    hourly(retraining, Guards(overlap=overlap))
    jobs, made = JobsService(context), []
    for hour in (1, 2, 3):
        time.at = FRIDAY + timedelta(hours=hour)
        made += tick(retraining)
        jobs.claim(WORKER, "w1")
    found = [jobs.job(VIEWER, one) for one in made]
    assert [str(job.state) for job in found] == states
    for job in found:
        assert (job.state is JobState.SKIPPED) == ("already" in job.error)


def test_a_trigger_has_no_overlap_and_every_change_is_in_the_ledger(
    retraining: RetrainingService, context: Context
) -> None:
    made = hourly(retraining, Guards(not_on="sat"))
    trigger = ScheduleDraft(
        "x", ScheduleKind.LABELS, "5", recipe="weekly", arguments=Guards(overlap="skip").beside({}), id=made
    )
    with pytest.raises(InvalidInput, match="waits by itself"):
        retraining.save_schedule(SCIENTIST, trigger)
    after = Guards(overlap="skip", not_on="sat,sun", in_blackout="wait").beside({})
    changed = ScheduleDraft("hourly", ScheduleKind.CRON, "0 * * * *", recipe="weekly", arguments=after, id=made)
    retraining.save_schedule(SCIENTIST, changed)
    entry = AuditService(context).entries(ADMIN).entries[0]
    assert (entry.before["not_on"], entry.before["overlap"]) == ("sat", "queue")
    assert (entry.after["not_on"], entry.after["overlap"], entry.after["in_blackout"]) == ("sat,sun", "skip", "wait")


def test_what_holds_many_schedules_back_is_one_query(retraining: RetrainingService, context: Context) -> None:
    for number in range(30):
        hourly(retraining, Guards(cooldown_seconds=7200, runs_a_month=number), name=f"s {number}")
    asked: list[str] = []
    event.listen(context.databases.app, "before_cursor_execute", lambda *given: asked.append(given[2]))
    retraining.room(VIEWER)
    assert sum("row_number" in statement for statement in asked) == 1
    assert len(asked) < 20
