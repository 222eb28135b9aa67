"""Triggers: labels, files and alerts start a run once, beside no other, and not beyond pause and budget."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.domain.retraining import Recipe, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.domain.words import AlertState, JobState
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log.rows import Label, to_us
from mlops_dash.store.prediction_log.writes import append_labels
from mlops_dash.store.tables.monitoring import AlertRow
from tests.factories import ADMIN, NOON, SCIENTIST, VIEWER, WORKER, Time
from tests.factories import context as make_context

FREE = Guards()
MODEL = """it's the "fast" one"""


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
    made.save_recipe(ADMIN, Recipe("minutes", MODEL, "{python} train.py"))
    return made


def draft(kind: ScheduleKind, expression: str, guards: Guards = FREE) -> ScheduleDraft:
    return ScheduleDraft("on data", kind, expression, recipe="minutes", arguments=guards.beside({}))


def saved(retraining: RetrainingService, kind: ScheduleKind, expression: str, guards: Guards = FREE) -> Schedule:
    retraining.save_schedule(ADMIN, draft(kind, expression, guards))
    (made,) = retraining.schedules(VIEWER)
    return made


def labels(context: Context, n: int, at: datetime, *, first: int = 0, revised: float = 0.0) -> None:
    with transaction(context.databases.log) as session:
        append_labels(
            session, [Label(MODEL, f"id {first + one}", revised + one, to_us(at), to_us(at)) for one in range(n)]
        )


def finished(context: Context, job_id: str | None) -> None:
    jobs = JobsService(context)
    claimed = jobs.claim(WORKER, "w1")
    assert claimed is not None
    assert claimed.id == job_id
    assert claimed.arguments == {"model": MODEL}
    jobs.finish(WORKER, claimed.id, claimed.epoch, JobState.SUCCEEDED)


def test_enough_new_labels_start_one_run_and_corrections_do_not_count(
    retraining: RetrainingService, context: Context, time: Time
) -> None:
    labels(context, 50, NOON - timedelta(days=1))
    made = saved(retraining, ScheduleKind.LABELS, "30")
    assert made.when == "when 30 new labels have come"
    assert retraining.needing_the_metronome(WORKER) == (made,)
    labels(context, 20, NOON + timedelta(minutes=1), first=50)
    labels(context, 20, NOON + timedelta(minutes=1), revised=7.0)
    time.after(minutes=2)
    assert retraining.follow(WORKER, made) is None
    labels(context, 10, NOON + timedelta(minutes=3), first=70)
    time.after(minutes=4)
    job_id = retraining.follow(WORKER, made)
    assert job_id is not None
    job = JobsService(context).job(VIEWER, job_id)
    assert job.cause.startswith("30 new labels since ")
    assert job.cause.endswith("(schedule on data)")
    finished(context, job_id)
    assert retraining.follow(WORKER, made) is None, "the same labels start it once"
    labels(context, 30, NOON + timedelta(minutes=5), first=80)
    time.after(minutes=6)
    assert retraining.follow(WORKER, made) is not None


def test_a_changed_file_starts_one_run_once_it_is_written(
    retraining: RetrainingService, context: Context, time: Time, tmp_path: Path
) -> None:
    folder = tmp_path / "labels of March"
    folder.mkdir()
    made = saved(retraining, ScheduleKind.FILE, str(folder))
    assert retraining.follow(WORKER, made) is None
    file = folder / "new.csv"
    file.write_text("id,label\n")
    moment = (NOON + timedelta(minutes=1)).timestamp()
    os.utime(file, (moment, moment))
    time.after(seconds=65)
    assert retraining.follow(WORKER, made) is None, "it may be written still"
    time.after(seconds=75)
    job_id = retraining.follow(WORKER, made)
    assert job_id is not None
    finished(context, job_id)
    assert retraining.follow(WORKER, made) is None
    os.utime(file, (moment + 3600, moment + 3600))
    time.after(hours=2)
    assert retraining.follow(WORKER, made) is not None


def test_a_folder_that_is_gone_starts_nothing(retraining: RetrainingService, tmp_path: Path) -> None:
    assert retraining.follow(WORKER, saved(retraining, ScheduleKind.FILE, str(tmp_path / "nowhere"))) is None


def test_only_an_admin_says_which_file_is_looked_at(retraining: RetrainingService) -> None:
    with pytest.raises(NotAllowed):
        retraining.save_schedule(SCIENTIST, draft(ScheduleKind.FILE, "/etc/hosts"))
    made = saved(retraining, ScheduleKind.FILE, "/data")
    edited = ScheduleDraft("renamed", ScheduleKind.FILE, "/data", recipe="minutes", id=made.id)
    assert retraining.save_schedule(SCIENTIST, edited) == made.id


def test_a_pause_between_runs_and_a_budget_hold_back_and_say_so(
    retraining: RetrainingService, context: Context, time: Time
) -> None:
    made = saved(retraining, ScheduleKind.LABELS, "10", Guards(cooldown_seconds=3600, runs_a_month=2))
    assert made.when.endswith("not within 1 h of the last run, at most 2 runs a month")
    for number, minutes in enumerate((1, 70)):
        labels(context, 10, NOON + timedelta(minutes=minutes), first=10 * number)
        time.after(minutes=minutes + 1)
        finished(context, retraining.follow(WORKER, made))
        labels(context, 10, NOON + timedelta(minutes=minutes + 2), first=1_000 + 10 * number)
        time.after(minutes=minutes + 3)
        assert retraining.follow(WORKER, made) is None
        assert "not within 1 h" in retraining.room(VIEWER).held[made.id]
    time.after(days=3)
    assert retraining.follow(WORKER, made) is None
    month = datetime(NOON.year + NOON.month // 12, NOON.month % 12 + 1, 1, tzinfo=UTC)
    assert retraining.room(VIEWER).held == {
        made.id: f"Held back until {month:%Y-%m-%d} 00:00 UTC: not within 1 h of the last run, at most 2 runs a month."
    }
    time.at = month + timedelta(minutes=1)
    assert retraining.room(VIEWER).held == {}
    assert retraining.follow(WORKER, made) is not None


def test_a_slot_of_the_clock_beyond_the_budget_is_skipped_with_the_reason(
    retraining: RetrainingService, context: Context, time: Time
) -> None:
    made = saved(retraining, ScheduleKind.INTERVAL, "3600", Guards(runs_a_month=1))
    first, second = NOON + timedelta(hours=1), NOON + timedelta(hours=2)
    retraining.plan(WORKER, made, (first,))
    time.after(hours=1)
    (due,) = retraining.needing_the_metronome(WORKER)
    finished(context, retraining.fire(WORKER, due, (second,)))
    time.after(hours=2)
    (due,) = retraining.needing_the_metronome(WORKER)
    job_id = retraining.fire(WORKER, due, (second + timedelta(hours=1),))
    assert job_id is not None
    job = JobsService(context).job(VIEWER, job_id)
    assert job.state is JobState.SKIPPED
    assert "at most 1 run a month" in job.error


def test_how_often_a_trigger_would_have_run(retraining: RetrainingService, context: Context) -> None:
    for day in range(9):
        labels(context, 10, NOON - timedelta(days=20 - 2 * day), first=10 * day)
        with transaction(context.databases.app) as session:
            at = NOON - timedelta(days=20 - day)
            session.add(
                AlertRow(id=f"a{day}", model=MODEL, version=str(day), kind="harm", state=str(AlertState.CLOSED),
                         title="MAE is up", opened_at=at, last_seen_at=at, evidence_ids=[], body={})
            )  # fmt: skip
    since = NOON - timedelta(days=90)
    weekly = Guards(cooldown_seconds=7 * 86_400)
    counted = [
        retraining.past_runs(VIEWER, draft(kind, text, guards), since)
        for kind, text, guards in (
            (ScheduleKind.LABELS, "30", Guards()), (ScheduleKind.LABELS, "10", weekly),
            (ScheduleKind.ALERT, "harm", Guards()), (ScheduleKind.ALERT, "inputs", Guards()),
        )
    ]  # fmt: skip
    assert [None if one is None else len(one) for one in counted] == [3, 3, 9, 0]
    assert retraining.past_runs(VIEWER, draft(ScheduleKind.FILE, "/data"), since) is None
    assert retraining.past_runs(VIEWER, draft(ScheduleKind.CRON, "0 6 * * 1"), since) is None
    with pytest.raises(InvalidInput):
        retraining.past_runs(VIEWER, draft(ScheduleKind.LABELS, "none"), since)
    unknown = ScheduleDraft("x", ScheduleKind.LABELS, "5", recipe="nobody's")
    with pytest.raises(NotFound):
        retraining.past_runs(VIEWER, unknown, since)
