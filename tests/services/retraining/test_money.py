"""A recipe's budget of the month stops runs, checks, backfills, schedules and calls; and what of it people see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.jobs import Trouble
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import CALLED, ScheduleKind
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER

BIRDS = """penguin's "species" 企鹅"""
WEEKLY = Recipe("weekly", BIRDS, "{python} train.py", {"train_days": 90}, price_per_hour=2.0, money_a_month=5.0)


class Time:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 10, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(tmp_path: Path, time: Time) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    made.registry.add_model(ADMIN, BIRDS, task="multiclass", class_names=("Adélie", "Gentoo"), reason="test")
    made.retraining.save_recipe(ADMIN, WEEKLY)
    yield made
    made.close()


def ran(house: Services, time: Time, *, hours: float, state: JobState = JobState.SUCCEEDED) -> str:
    job_id = house.retraining.run_now(SCIENTIST, "weekly", "birds")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(hours=hours)
    house.jobs.finish(WORKER, job.id, job.epoch, state, error="" if state is JobState.SUCCEEDED else "no rows")
    return job_id


def test_a_spent_budget_stops_every_way_to_start_until_the_next_month(house: Services, time: Time) -> None:
    def schedule(name: str, kind: ScheduleKind, expression: str) -> str:
        return house.retraining.save_schedule(SCIENTIST, ScheduleDraft(name, kind, expression, recipe="weekly"))

    hourly = schedule("hourly", ScheduleKind.INTERVAL, "3600")
    schedule("called", ScheduleKind.CALL, CALLED)
    ran(house, time, hours=1.0, state=JobState.FAILED)
    ran(house, time, hours=1.0)
    spent = house.retraining.spending(VIEWER, "weekly")
    assert (spent.spent, spent.n, spent.estimate.value) == (4.0, 2, 2.0), "the failed one too; usual is of successes"
    for start in (
        lambda: house.retraining.run_now(LEAD, "weekly", "once more"),
        lambda: house.retraining.try_recipe(LEAD, "weekly"),
        lambda: house.retraining.backfill(LEAD, "weekly", "how often?", first="2026-01-01"),
        lambda: house.retraining.call(LEAD, "called", key="k1"),
    ):
        with pytest.raises(Conflict, match=r"is 5\.00 EUR a month: 4\.00 EUR is spent since 1 March"):
            start()
    made = next(one for one in house.retraining.schedules(VIEWER) if one.id == hourly)
    house.retraining.plan(WORKER, made, (time.at,))
    made = next(one for one in house.retraining.schedules(VIEWER) if one.id == hourly)
    job_id = house.retraining.fire(WORKER, made, ())
    assert job_id is not None
    skipped = house.jobs.job(VIEWER, job_id)
    assert skipped.state is JobState.SKIPPED
    assert skipped.error.startswith("The budget of the recipe weekly is 5.00 EUR a month")
    room = house.retraining.room(VIEWER)
    assert set(room.held) == {one.id for one in room.schedules}
    assert room.spending["weekly"].words() == "4.00 EUR of 5.00 EUR this month so far (2 runs)"
    time.at = datetime(2026, 4, 1, 1, tzinfo=UTC)
    assert house.retraining.run_now(LEAD, "weekly", "a new month")


def test_a_run_keeps_its_price_and_the_time_of_every_attempt(house: Services, time: Time) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "weekly", "birds")
    house.retraining.save_recipe(LEAD, replace(WEEKLY, price_per_hour=100.0))
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(minutes=30)
    house.jobs.trouble(WORKER, job.id, job.epoch, Trouble.LOST, "the worker vanished")
    job = house.jobs.claim(WORKER, "w2")
    assert job is not None
    time.at += timedelta(minutes=60)
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED)
    kept = house.jobs.job(VIEWER, job_id)
    assert (kept.price_per_hour, kept.spent_seconds) == (2.0, 1800.0)
    assert house.retraining.spending(VIEWER, "weekly").spent == 3.0


def test_what_an_attempt_cost_stays_in_the_month_when_the_job_is_cancelled_while_it_waits_again(
    house: Services, time: Time
) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "weekly", "birds")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(hours=2)
    house.jobs.release(WORKER, job.id, job.epoch, "the worker's machine stops")
    assert house.retraining.spending(VIEWER, "weekly").spent == 4.0
    time.at += timedelta(hours=1)
    house.jobs.cancel(SCIENTIST, job_id, "it's too slow")
    spent = house.retraining.spending(VIEWER, "weekly")
    assert (spent.spent, spent.n) == (4.0, 1)
    time.at = datetime(2026, 4, 1, 1, tzinfo=UTC)
    assert house.retraining.spending(VIEWER, "weekly").spent == 0.0


def test_a_schedule_has_a_budget_of_its_own_which_needs_a_price(house: Services, time: Time) -> None:
    house.retraining.save_recipe(LEAD, replace(WEEKLY, money_a_month=None))
    draft = ScheduleDraft("called", ScheduleKind.CALL, CALLED, recipe="weekly",
                          arguments={"guards": {"money_a_month": 3.0}})  # fmt: skip
    house.retraining.save_schedule(SCIENTIST, draft)
    ran(house, time, hours=1.0)
    house.retraining.call(LEAD, "called", key="k1")  # what people ran by hand is not of the schedule
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(hours=1)
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED)
    with pytest.raises(Conflict, match="The budget of the schedule called"):
        house.retraining.call(LEAD, "called", key="k2")
    assert house.retraining.run_now(LEAD, "weekly", "by hand")
    house.retraining.save_recipe(ADMIN, replace(WEEKLY, name="free", price_per_hour=None, money_a_month=None))
    with pytest.raises(InvalidInput, match="a budget and no price"):
        house.retraining.save_schedule(SCIENTIST, replace(draft, name="other", recipe="free"))


def test_leads_say_price_and_budget_and_the_ledger_keeps_what_changed(house: Services) -> None:
    with pytest.raises(NotAllowed):
        house.retraining.save_recipe(SCIENTIST, replace(WEEKLY, money_a_month=500.0))
    house.retraining.save_recipe(SCIENTIST, replace(WEEKLY, parameters={"train_days": 30}))
    house.retraining.save_recipe(LEAD, replace(WEEKLY, money_a_month=500.0))
    entry = house.audit.entries(ADMIN).entries[0]
    assert (entry.before["money_a_month"], entry.after["money_a_month"]) == (5.0, 500.0)


def test_a_dry_run_of_a_backfill_says_its_cost_as_an_estimate_and_from_how_many_runs(
    house: Services, time: Time
) -> None:
    plan = house.retraining.planned_backfill(VIEWER, "weekly", first="2026-01-01", every="30d")
    assert plan.cost is not None
    assert (plan.cost.value, "has not run yet" in plan.cost.words()) == (None, True)
    ran(house, time, hours=1.0)
    plan = house.retraining.planned_backfill(VIEWER, "weekly", first="2026-01-01", every="30d")
    assert plan.cost is not None
    assert plan.cost.value == 2.0 * len(plan.cuts)
    assert plan.cost.words().endswith("an estimate from its last run")


def test_a_run_that_goes_on_is_ended_when_it_has_used_up_the_budget(house: Services, time: Time) -> None:
    ran(house, time, hours=1.0)
    assert house.retraining.end_over_budget(WORKER) == ()
    job_id = house.retraining.run_now(SCIENTIST, "weekly", "birds")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(hours=1.4)
    assert house.retraining.end_over_budget(WORKER) == ()  # 4.80 of 5.00
    time.at += timedelta(hours=0.2)
    assert house.retraining.end_over_budget(WORKER) == (job_id,)
    beat = house.jobs.heartbeat(WORKER, job.id, job.epoch)
    assert beat.cancel_requested
    assert beat.reason.startswith("The budget of the recipe weekly is 5.00 EUR a month, and 5.20 EUR is spent")
    assert house.retraining.end_over_budget(WORKER) == ()  # it is on its way out


def test_a_run_of_a_schedule_is_ended_by_the_budget_of_that_schedule_alone(house: Services, time: Time) -> None:
    made = house.retraining.save_schedule(
        SCIENTIST,
        ScheduleDraft(
            "called", ScheduleKind.CALL, CALLED, recipe="weekly", arguments={"guards": {"money_a_month": 1.0}}
        ),
    )
    assert made
    house.retraining.call(LEAD, "called", key="k1")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    time.at += timedelta(hours=0.6)
    assert house.retraining.end_over_budget(WORKER) == (job.id,)
    assert "schedule called" in house.jobs.heartbeat(WORKER, job.id, job.epoch).reason
    house.jobs.finish(WORKER, job.id, job.epoch, JobState.CANCELLED)
    own = house.retraining.run_now(SCIENTIST, "weekly", "birds")
    mine = house.jobs.claim(WORKER, "w1")
    assert mine is not None
    time.at += timedelta(hours=1.0)
    assert (mine.id, house.retraining.end_over_budget(WORKER)) == (own, ())


def test_a_run_is_not_ended_for_money_of_a_month_that_it_did_not_begin_in(house: Services, time: Time) -> None:
    time.at = time.at.replace(day=28, hour=23)
    house.retraining.run_now(SCIENTIST, "weekly", "birds")
    assert house.jobs.claim(WORKER, "w1") is not None
    time.at += timedelta(days=5)  # the next month, of which it has used up far more than the budget
    assert house.retraining.end_over_budget(WORKER) == ()


def test_without_a_price_or_a_budget_nothing_is_ended(house: Services, time: Time) -> None:
    house.retraining.save_recipe(ADMIN, replace(WEEKLY, price_per_hour=None, money_a_month=None))
    house.retraining.run_now(SCIENTIST, "weekly", "birds")
    assert house.jobs.claim(WORKER, "w1") is not None
    time.at += timedelta(hours=900)
    assert house.retraining.end_over_budget(WORKER) == ()
