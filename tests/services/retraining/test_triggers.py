"""A recipe after another one, and a program that calls: once each, no loops, held back as everything else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.audit import Action
from mlops_dash.domain.retraining import Recipe, Schedule, ScheduleDraft
from mlops_dash.domain.starting import CALLED, ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.audit import AuditService
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.retraining import RetrainingService
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER, Time
from tests.factories import context as make_context

FREE = Guards()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def context(tmp_path: Path, time: Time) -> Iterator[Context]:
    made = make_context(tmp_path, clock=Clock(wall=time))
    yield made
    made.databases.dispose()


@pytest.fixture
def retraining(context: Context) -> RetrainingService:
    made = RetrainingService(context)
    for name in ("features", "minutes", "report"):
        made.save_recipe(ADMIN, Recipe(name, f'the "{name}"', "{python} train.py"))
    return made


def saved(
    retraining: RetrainingService, recipe: str, kind: ScheduleKind, expression: str, guards: Guards = FREE
) -> Schedule:
    draft = ScheduleDraft(f"{recipe} {kind}", kind, expression, recipe=recipe, arguments=guards.beside({}))
    made = retraining.save_schedule(SCIENTIST, draft)
    return next(one for one in retraining.schedules(VIEWER) if one.id == made)


def ran(retraining: RetrainingService, recipe: str, state: JobState) -> None:
    jobs = JobsService(retraining.context)
    job_id = retraining.run_now(LEAD, recipe, "new features")
    job = jobs.claim(WORKER, "w1")
    assert job is not None
    assert job.id == job_id
    jobs.finish(WORKER, job_id, job.epoch, state)


def test_a_recipe_runs_once_after_each_success_of_another_one(retraining: RetrainingService, time: Time) -> None:
    ran(retraining, "features", JobState.SUCCEEDED)
    time.after(minutes=1)
    made = saved(retraining, "minutes", ScheduleKind.RECIPE, "features")
    assert made.when == "after features made a version"
    assert retraining.follow(WORKER, made) is None, "what was before it starts nothing"
    time.after(minutes=2)
    ran(retraining, "features", JobState.FAILED)
    assert retraining.follow(WORKER, made) is None
    for minutes in (3, 4):
        time.after(minutes=minutes)
        ran(retraining, "features", JobState.SUCCEEDED)
    (due,) = retraining.needing_the_metronome(WORKER)
    job_id = retraining.follow(WORKER, due)
    jobs = JobsService(retraining.context)
    job = jobs.claim(WORKER, "w1")
    assert job is not None
    assert (job.id, job.recipe, job.due_at) == (job_id, "minutes", NOON + timedelta(minutes=4))
    assert job.cause.startswith("features made a version in run ")
    jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED)
    time.after(minutes=9)
    assert retraining.follow(WORKER, due) is None, "one run answers both"
    draft = ScheduleDraft("x", ScheduleKind.RECIPE, "features", recipe="report")
    past = retraining.past_runs(VIEWER, draft, NOON - timedelta(days=1))
    assert past is not None
    assert [(at - NOON).total_seconds() / 60 for at in past] == [0, 3, 4]


def test_loops_are_refused_however_long(retraining: RetrainingService) -> None:
    with pytest.raises(InvalidInput, match="would start itself again"):
        saved(retraining, "minutes", ScheduleKind.RECIPE, "minutes")
    first = saved(retraining, "minutes", ScheduleKind.RECIPE, "features")
    saved(retraining, "report", ScheduleKind.RECIPE, "minutes")
    with pytest.raises(InvalidInput, match="features would start itself again: report follows it already"):
        saved(retraining, "features", ScheduleKind.RECIPE, "report")
    again = ScheduleDraft("renamed", ScheduleKind.RECIPE, "features", recipe="minutes", id=first.id)
    assert retraining.save_schedule(SCIENTIST, again) == first.id, "its own arrow does not count"
    with pytest.raises(NotFound):
        saved(retraining, "minutes", ScheduleKind.RECIPE, "nobody's")
    assert len(retraining.schedules(VIEWER)) == 2


def test_a_key_starts_one_run_and_the_call_is_in_the_ledger(retraining: RetrainingService, time: Time) -> None:
    made = saved(retraining, "minutes", ScheduleKind.CALL, CALLED)
    assert made.when == "when a program calls"
    assert retraining.needing_the_metronome(WORKER) == (), "nobody looks for it"
    assert retraining.call(SCIENTIST, made.name, key="march", dry_run=True).why_not == ""
    assert JobsService(retraining.context).recent(VIEWER) == ()
    first = retraining.call(SCIENTIST, made.name, key="march", reason="the month is loaded")
    assert (first.state, first.again) == (JobState.QUEUED, False)
    again = retraining.call(LEAD, made.id, key="march")
    assert (again.job, again.again) == (first.job, True)
    with pytest.raises(Conflict, match="is queued already"):
        retraining.call(SCIENTIST, made.name, key="april")
    entry = AuditService(retraining.context).entries(ADMIN).entries[0]
    assert (entry.action, entry.reason, entry.after["job"]) == (
        Action.TRIGGER_CALLED, "the month is loaded", first.job,
    )  # fmt: skip
    jobs = JobsService(retraining.context)
    job = jobs.claim(WORKER, "w1")
    assert job is not None
    assert job.cause == "called by scientist: the month is loaded (schedule minutes call)"
    jobs.finish(WORKER, job.id, job.epoch, JobState.FAILED)
    time.after(days=90)
    assert retraining.call(SCIENTIST, made.name, key="march").state is JobState.FAILED, "whatever came of it"


def test_pause_budget_and_blackout_hold_calls_back(retraining: RetrainingService, time: Time) -> None:
    guards = Guards(cooldown_seconds=3600, runs_a_month=2, not_on="2030-01-01")
    made = saved(retraining, "minutes", ScheduleKind.CALL, CALLED, guards)
    jobs = JobsService(retraining.context)

    def call(key: str) -> None:
        retraining.call(SCIENTIST, made.name, key=key)
        job = jobs.claim(WORKER, "w1")
        assert job is not None
        jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED)

    call("1")
    with pytest.raises(Conflict, match="not within 1 h"):
        call("2")
    assert "Held back until" in retraining.call(SCIENTIST, made.name, dry_run=True).why_not
    time.after(hours=2)
    call("2")
    time.after(hours=4)
    with pytest.raises(Conflict, match="at most 2 runs a month"):
        call("3")
    retraining.pause(LEAD, made.id, "labels are late")
    with pytest.raises(Conflict, match="is paused: labels are late"):
        call("4")
    assert len(jobs.recent(VIEWER)) == 2


def test_who_may_not_call_and_what_is_not_called(retraining: RetrainingService) -> None:
    made = saved(retraining, "minutes", ScheduleKind.CALL, CALLED)
    clock = saved(retraining, "report", ScheduleKind.CRON, "0 6 * * *")
    with pytest.raises(NotAllowed):
        retraining.call(VIEWER, made.name)
    with pytest.raises(Conflict, match="calls do not start it"):
        retraining.call(SCIENTIST, clock.name)
    with pytest.raises(NotFound):
        retraining.call(SCIENTIST, "nobody's")
    with pytest.raises(InvalidInput):
        retraining.call(SCIENTIST, made.name, key="x" * 201)
