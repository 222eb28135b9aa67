"""Recipes, schedules and the wish to retrain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash.clock import Clock
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.retraining import TOLD_ELSEWHERE, Misfire, Recipe, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import AlertState, JobState, ProposalState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.retraining import RetrainingService
from mlops_dash.store import audit
from mlops_dash.store import jobs as job_rows
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ProposalRow, ServingRow
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, VIEWER, WORKER, Time, model_row, version_row
from tests.factories import context as make_context

MONTHLY = Recipe("monthly", "flight-delay", ENTRY, {"seed": 1}, max_attempts=2)
WEEKLY = ScheduleDraft("weekly", ScheduleKind.CRON, "0 6 * * 1", "America/New_York", recipe="monthly")


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
    made.save_recipe(ADMIN, MONTHLY)
    return made


@pytest.fixture
def jobs(context: Context) -> JobsService:
    return JobsService(context)


def last_entry(context: Context) -> Entry:
    with reading(context.databases.app) as session:
        return list(audit.entries(session))[-1]


def n_entries(context: Context) -> int:
    with reading(context.databases.app) as session:
        return len(list(audit.entries(session)))


def one(retraining: RetrainingService) -> Schedule:
    (made,) = retraining.schedules(VIEWER)
    return made


def planned(retraining: RetrainingService, *times: datetime, draft: ScheduleDraft = WEEKLY) -> Schedule:
    retraining.save_schedule(SCIENTIST, draft)
    retraining.plan(WORKER, one(retraining), times)
    return one(retraining)


def alert(context: Context, alert_id: str = "a1", *, state: AlertState = AlertState.OPEN, minutes: int = 0) -> None:
    at = NOON + timedelta(minutes=minutes)
    with transaction(context.databases.app) as session:
        session.add(
            AlertRow(
                id=alert_id,
                model="flight-delay",
                version=alert_id,
                kind="harm",
                state=str(state),
                title="Loss is up",
                opened_at=at,
                last_seen_at=at,
                evidence_ids=[],
                body={},
            )
        )


def test_saving_a_recipe_keeps_it_and_audits_what_changed(retraining: RetrainingService, context: Context) -> None:
    retraining.save_recipe(SCIENTIST, replace(MONTHLY, parameters={"seed": 2}))
    assert retraining.recipe(VIEWER, "monthly").parameters == {"seed": 2}
    entry = last_entry(context)
    assert (entry.action, entry.object) == (Action.RECIPE_SAVED, "recipe monthly")
    assert (entry.before["parameters"], entry.after["parameters"]) == ({"seed": 1}, {"seed": 2})
    before = n_entries(context)
    retraining.save_recipe(SCIENTIST, replace(MONTHLY, parameters={"seed": 2}))
    assert n_entries(context) == before, "saving the same again is no decision"


def test_run_now_queues_a_job_with_its_cause_and_audits_it(
    retraining: RetrainingService, jobs: JobsService, context: Context
) -> None:
    alert(context)
    job_id = retraining.run_now(SCIENTIST, "monthly", "loss is up since April", alert_id="a1")
    job = jobs.job(VIEWER, job_id)
    assert (job.state, job.model, job.recipe, job.alert_id) == (JobState.QUEUED, "flight-delay", "monthly", "a1")
    assert job.cause == "asked by scientist: loss is up since April (alert: Loss is up)"
    assert job.max_attempts == 2
    entry = last_entry(context)
    assert (entry.action, entry.reason, entry.after["alert"]) == (Action.JOB_REQUESTED, "loss is up since April", "a1")


def test_a_second_retrain_of_a_model_is_refused_while_one_waits(
    retraining: RetrainingService, jobs: JobsService
) -> None:
    first = retraining.run_now(SCIENTIST, "monthly", "why not")
    with pytest.raises(Conflict, match=first):
        retraining.run_now(LEAD, "monthly", "me too")
    assert len(jobs.recent(VIEWER)) == 1


def test_run_now_needs_a_role_a_reason_and_something_that_exists(retraining: RetrainingService) -> None:
    with pytest.raises(NotAllowed):
        retraining.run_now(VIEWER, "monthly", "why not")
    with pytest.raises(InvalidInput):
        retraining.run_now(SCIENTIST, "monthly", " ")
    with pytest.raises(NotFound):
        retraining.run_now(SCIENTIST, "nothing", "why not")
    with pytest.raises(NotFound):
        retraining.run_now(SCIENTIST, "monthly", "why not", alert_id="nothing")
    with pytest.raises(InvalidInput):
        retraining.run_now(SCIENTIST, None, "why not")


def test_a_schedule_is_edited_in_place_and_planned_anew(retraining: RetrainingService, context: Context) -> None:
    made = planned(retraining, NOON + timedelta(days=1))
    assert made.next_due_at == NOON + timedelta(days=1)
    same = retraining.save_schedule(LEAD, replace(WEEKLY, id=made.id, expression="0 7 * * 2"))
    assert same == made.id
    edited = one(retraining)
    assert (edited.expression, edited.upcoming, edited.next_due_at) == ("0 7 * * 2", None, None)
    assert edited.model == "flight-delay"
    entry = last_entry(context)
    assert (entry.action, entry.before["expression"], entry.after["expression"]) == (
        Action.SCHEDULE_SAVED, "0 6 * * 1", "0 7 * * 2",
    )  # fmt: skip
    with pytest.raises(Conflict):
        retraining.save_schedule(LEAD, WEEKLY)
    with pytest.raises(NotFound):
        retraining.save_schedule(LEAD, replace(WEEKLY, name="new", recipe="nothing"))


def test_a_plan_made_before_an_edit_is_dropped(retraining: RetrainingService, time: Time) -> None:
    seen = planned(retraining)
    time.at += timedelta(seconds=1)
    retraining.save_schedule(LEAD, replace(WEEKLY, id=seen.id, expression="0 7 * * 2"))
    retraining.plan(WORKER, seen, (NOON + timedelta(days=1),))
    assert one(retraining).upcoming is None


def test_no_schedule_of_an_archived_model_is_looked_at(
    context: Context, retraining: RetrainingService, time: Time
) -> None:
    made = planned(retraining, NOON + timedelta(hours=1))
    time.at += timedelta(hours=2)
    assert set(retraining.names_needing_the_metronome(WORKER)) == {made.id}
    with transaction(context.databases.app) as session:
        session.add(model_row(archived_at=NOON))
    assert retraining.names_needing_the_metronome(WORKER) == {}


def test_a_due_slot_becomes_one_job_even_when_two_leaders_fire_it(
    retraining: RetrainingService, jobs: JobsService, time: Time
) -> None:
    due = NOON + timedelta(hours=1)
    seen = planned(retraining, due, due + timedelta(days=7))
    assert retraining.fire(WORKER, seen, ()) is None, "not due yet"
    time.at = due + timedelta(seconds=1)
    assert [s.id for s in retraining.needing_the_metronome(WORKER)] == [seen.id]
    assert retraining.fire(WORKER, seen, (due + timedelta(days=7),)) is not None
    assert retraining.fire(WORKER, seen, (due + timedelta(days=7),)) is None
    (job,) = jobs.recent(VIEWER)
    assert (job.due_at, job.schedule_id, job.max_attempts) == (due, seen.id, 2)
    assert job.cause == "schedule weekly: Mondays at 06:00 (New York)"
    assert one(retraining).next_due_at == due + timedelta(days=7)
    assert retraining.needing_the_metronome(WORKER) == ()


@pytest.mark.parametrize(("misfire", "state"), [(Misfire.RUN_ONCE, JobState.QUEUED), (Misfire.SKIP, JobState.SKIPPED)])
def test_a_slot_missed_by_hours_runs_once_or_is_skipped_as_the_schedule_says(
    retraining: RetrainingService, jobs: JobsService, time: Time, misfire: Misfire, state: JobState
) -> None:
    seen = planned(retraining, NOON + timedelta(hours=1), draft=replace(WEEKLY, misfire=misfire))
    time.at = NOON + timedelta(hours=4)
    retraining.fire(WORKER, seen, ())
    (job,) = jobs.recent(VIEWER)
    assert job.state is state
    assert job.error == ("Missed by 3 h 0 min; the schedule says skip." if misfire is Misfire.SKIP else "")


def test_a_paused_schedule_does_not_fire_until_it_is_resumed(
    retraining: RetrainingService, jobs: JobsService, context: Context, time: Time
) -> None:
    seen = planned(retraining, NOON + timedelta(hours=1))
    until = NOON + timedelta(days=2)
    retraining.pause(SCIENTIST, seen.id, "labels are late", until=until)
    paused = one(retraining)
    assert (paused.enabled, paused.pause_reason, paused.paused_until) == (False, "labels are late", until)
    assert (last_entry(context).action, last_entry(context).reason) == (Action.SCHEDULE_PAUSED, "labels are late")
    time.at = NOON + timedelta(hours=2)
    assert retraining.needing_the_metronome(WORKER) == ()
    assert retraining.fire(WORKER, seen, ()) is None
    assert jobs.recent(VIEWER) == ()
    with pytest.raises(Conflict, match="paused already"):
        retraining.pause(SCIENTIST, seen.id, "again")
    time.at = until
    assert [s.id for s in retraining.needing_the_metronome(WORKER)] == [seen.id]
    retraining.resume(WORKER, seen.id, "the pause is over")
    assert one(retraining).enabled
    assert last_entry(context).action is Action.SCHEDULE_RESUMED
    before = n_entries(context)
    retraining.resume(WORKER, seen.id)
    assert n_entries(context) == before


def test_a_pause_needs_a_reason_and_an_end_that_lies_ahead(retraining: RetrainingService) -> None:
    seen = planned(retraining)
    with pytest.raises(InvalidInput):
        retraining.pause(SCIENTIST, seen.id, "")
    with pytest.raises(InvalidInput, match="passed"):
        retraining.pause(SCIENTIST, seen.id, "why", until=NOON)
    with pytest.raises(NotFound):
        retraining.pause(SCIENTIST, "nothing", "why")


def test_an_open_alert_starts_its_schedule_once(
    retraining: RetrainingService, jobs: JobsService, context: Context, time: Time
) -> None:
    retraining.save_schedule(SCIENTIST, ScheduleDraft("on harm", ScheduleKind.ALERT, "harm", recipe="monthly"))
    assert retraining.follow(WORKER, one(retraining)) is None
    alert(context, "closed", state=AlertState.CLOSED)
    alert(context, "a1", minutes=1)
    alert(context, "a2", minutes=2)
    job_id = retraining.follow(WORKER, one(retraining))
    assert job_id is not None
    job = jobs.job(VIEWER, job_id)
    assert (job.alert_id, job.cause) == ("a1", "alert: Loss is up (schedule on harm)")
    time.at = NOON + timedelta(minutes=5)
    assert retraining.follow(WORKER, one(retraining)) is None, "one retrain of a model at a time"
    claimed = jobs.claim(WORKER, "w1")
    assert claimed is not None
    jobs.finish(WORKER, job_id, claimed.epoch, JobState.SUCCEEDED)
    second = retraining.follow(WORKER, one(retraining))
    assert second is not None
    assert jobs.job(VIEWER, second).alert_id == "a2"
    jobs.cancel(LEAD, second, "enough")
    assert retraining.follow(WORKER, one(retraining)) is None, "each alert starts it once"


def test_what_follows_a_run_is_kept_with_who_wants_it_and_only_who_may_propose_may_want_it(
    retraining: RetrainingService, jobs: JobsService
) -> None:
    wanted = replace(WEEKLY, arguments={"then": "propose", "asked_by": "somebody else"})
    schedule_id = retraining.save_schedule(SCIENTIST, wanted)
    assert one(retraining).arguments == {"model": "flight-delay", "then": "propose", "asked_by": SCIENTIST.id}
    retraining.save_schedule(LEAD, replace(wanted, id=schedule_id, arguments=one(retraining).arguments))
    assert one(retraining).arguments["asked_by"] == LEAD.id, "who changed it last"
    retraining.save_schedule(LEAD, replace(wanted, id=schedule_id, arguments={"then": "review"}))
    assert one(retraining).arguments == {"model": "flight-delay"}
    job = jobs.job(VIEWER, retraining.run_now(LEAD, "monthly", "labels are in", then="propose"))
    assert job.arguments == {"model": "flight-delay", "then": "propose", "asked_by": LEAD.id}
    with pytest.raises(InvalidInput, match="nothing that can follow a run"):
        retraining.save_schedule(LEAD, replace(wanted, name="x", arguments={"then": "promote"}))
    with pytest.raises(InvalidInput, match="nothing that can follow a run"):
        retraining.run_now(LEAD, "monthly", "now", then="promote")


def test_an_alert_that_a_person_answered_with_a_run_starts_nothing_more(
    retraining: RetrainingService, jobs: JobsService, context: Context
) -> None:
    retraining.save_schedule(SCIENTIST, ScheduleDraft("on harm", ScheduleKind.ALERT, "harm", recipe="monthly"))
    alert(context)
    job_id = retraining.run_now(SCIENTIST, "monthly", "I saw it first", alert_id="a1")
    jobs.cancel(SCIENTIST, job_id, "no")
    assert retraining.follow(WORKER, one(retraining)) is None


def test_a_schedule_can_be_run_now_without_losing_its_next_slot(
    retraining: RetrainingService, jobs: JobsService
) -> None:
    seen = planned(retraining, NOON + timedelta(hours=1))
    job = jobs.job(VIEWER, retraining.run_now(LEAD, None, "cannot wait", schedule_id=seen.id))
    assert (job.recipe, job.schedule_id, job.task) == ("monthly", None, Task.RETRAIN)
    assert one(retraining).next_due_at == NOON + timedelta(hours=1)


def test_the_room_says_everything_from_one_read(
    retraining: RetrainingService, jobs: JobsService, context: Context, time: Time
) -> None:
    empty = retraining.room(VIEWER)
    assert (empty.jobs, empty.slots, empty.candidate, empty.worker_seen_at) == ((), (), None, None)
    assert not empty.worker_answers
    planned(retraining, NOON + timedelta(hours=2), NOON + timedelta(hours=5), NOON + timedelta(days=9))
    jobs.lead(WORKER, "w1")
    job_id = retraining.run_now(LEAD, "monthly", "why not")
    claimed = jobs.claim(WORKER, "w1")
    assert claimed is not None
    room = retraining.room(VIEWER)
    assert [slot.at for slot in room.slots] == [NOON + timedelta(hours=2), NOON + timedelta(hours=5)]
    assert [job.id for job in room.running] == [job_id]
    assert room.worker_answers
    assert room.models == ("flight-delay",)
    jobs.finish(WORKER, job_id, 1, JobState.FAILED, error="It broke.")
    time.at = NOON + timedelta(minutes=1)
    after = retraining.room(VIEWER)
    assert (after.failed_24h, after.worker_answers) == (1, False)
    time.at = NOON + timedelta(days=30)
    later = retraining.room(VIEWER, job_id=job_id)
    assert later.failed_24h == 0
    assert later.job(job_id) is not None


def test_the_newest_version_nobody_decided_on_waits_for_review(
    retraining: RetrainingService, jobs: JobsService, context: Context
) -> None:
    job_id = retraining.run_now(LEAD, "monthly", "why not")
    jobs.claim(WORKER, "w1")
    jobs.finish(WORKER, job_id, 1, JobState.SUCCEEDED, result={"version_id": "flight-delay-v3", "version": "3"})
    candidate = retraining.room(VIEWER).candidate
    assert candidate is not None
    assert (candidate.version, candidate.proposed) == ("3", False)
    with transaction(context.databases.app) as session:
        session.add(model_row())
        session.add(version_row("1"))
        session.flush()
        session.add(version_row("3"))
        session.flush()
        session.add(
            ServingRow(
                model="flight-delay", version_id="flight-delay-v1", shadow_version_ids=[], operation_id="o", since=NOON
            )
        )
        session.add(
            ProposalRow(
                id="p1",
                model="flight-delay",
                version_id="flight-delay-v3",
                state=str(ProposalState.OPEN),
                proposer="scientist",
                policy_id="x",
                gates={},
                evidence_ids=[],
                created_at=NOON,
                expires_at=NOON,
            )
        )
    open_ = retraining.room(VIEWER).candidate
    assert open_ is not None
    assert open_.proposed
    with transaction(context.databases.app) as session:
        row = session.get(ProposalRow, "p1")
        assert row is not None
        row.state = str(ProposalState.REJECTED)
    assert retraining.room(VIEWER).candidate is None


def test_the_room_names_harm_that_no_run_answers(retraining: RetrainingService, context: Context) -> None:
    alert(context, "a1")
    alert(context, "a2", minutes=1)
    alert(context, "a3", state=AlertState.CLOSED, minutes=2)
    assert [one.title for one in retraining.room(VIEWER).unanswered] == ["Loss is up"] * 2
    assert retraining.room(VIEWER, model="another").unanswered == ()
    retraining.run_now(SCIENTIST, "monthly", "answer", alert_id="a1")
    (left,) = retraining.room(VIEWER, model="flight-delay").unanswered
    assert (left.model, left.since) == ("flight-delay", NOON + timedelta(minutes=1))


def test_the_recipe_that_refreshes_comes_first_with_what_it_trains_on_and_how_long_it_took(
    retraining: RetrainingService, jobs: JobsService, context: Context, time: Time
) -> None:
    start = {"train_start": "2013-01-01T00:00:00+00:00"}
    retraining.save_recipe(ADMIN, Recipe("a-first", "minutes", ENTRY, {**start, "holdout_days": 0}))
    retraining.save_recipe(ADMIN, Recipe("b-april", "minutes", ENTRY, {"train_days": 30, "holdout_days": 28}))
    retraining.save_recipe(ADMIN, Recipe("c-refresh", "minutes", ENTRY, {**start, "holdout_days": 28}))
    found = retraining.choices(VIEWER, "minutes")
    assert [one.recipe for one in found] == ["c-refresh", "b-april", "a-first"]  # never run: the longest window first
    assert [one.judged for one in found] == [True, True, False]
    assert (found[0].start, found[0].end) == (datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 5, 6, tzinfo=UTC))
    assert found[0].took_seconds is None
    with transaction(context.databases.app) as session:
        for name, minutes in (("a-first", 9), ("b-april", 3)):
            session.add(
                JobRow(
                    id=name, task="retrain", model="minutes", recipe=name, state="succeeded", due_at=NOON,
                    started_at=NOON, finished_at=NOON + timedelta(minutes=minutes), created_at=NOON,
                    exclusive_key="", cause="", requested_by="", arguments={},
                )
            )  # fmt: skip
    found = retraining.choices(VIEWER, "minutes")
    assert [one.recipe for one in found] == [
        "b-april",
        "c-refresh",
        "a-first",
    ]  # what was run last, if it can be judged
    assert (found[0].took_seconds, found[2].took_seconds) == (180.0, 540.0)
    assert {one.recipe for one in retraining.choices(VIEWER)} == {"monthly", "a-first", "b-april", "c-refresh"}


@pytest.mark.parametrize("task", TOLD_ELSEWHERE)
def test_what_monitoring_and_reports_tell_is_no_run_of_this_page_unless_it_is_asked_for(
    retraining: RetrainingService, context: Context, task: Task
) -> None:
    with transaction(context.databases.app) as session:
        wanted = NewJob(task, NOON, "an alert asks for its cause", "worker", "o'neil")
        job_rows.enqueue(session, wanted, job_id="beside", now=NOON)

    assert retraining.room(VIEWER).jobs == ()
    assert [job.id for job in retraining.room(VIEWER, job_id="beside").jobs] == ["beside"]
