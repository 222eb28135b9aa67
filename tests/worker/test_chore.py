"""The chore that sends reports, and the slots that ask for them: each once, whatever is done again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.reports.snapshot import ReportKind
from mlops_dash.domain.retraining import ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.worker import Worker
from mlops_dash.worker.chore import Chore
from tests import factories
from tests.factories import SCIENTIST, VIEWER, WORKER, Time
from tests.services.reports_shared import MODEL, shared_report


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(tmp_path: Path, time: Time) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    shared_report(made.context)
    yield made
    made.close()


def run_jobs(house: Services, worker: Worker) -> int:
    done = 0
    while (job := house.jobs.claim(WORKER, worker.holder)) is not None:
        thread = worker.start(job).thread
        assert thread is not None
        thread.join()
        done += 1
    return done


def test_each_slot_is_made_and_sent_once_through_ticks_lost_jobs_and_missed_slots(
    house: Services, time: Time, tmp_path: Path
) -> None:
    worker = Worker(house)
    plan = house.reports.check_plan(SCIENTIST, Plan(ReportKind.CARD, MODEL, to=("ada@example.com", "folder:board")))
    draft = ScheduleDraft("board", ScheduleKind.CRON, "0 7 * * 1", "Europe/Vienna", task=Task.REPORT,
                          arguments=plan.arguments())  # fmt: skip
    house.retraining.save_schedule(SCIENTIST, draft)
    worker.tick()
    assert (run_jobs(house, worker), house.reports.deliveries(VIEWER)) == (0, ())
    time.passes(days=7)
    for _ in range(3):
        worker.tick()
    assert run_jobs(house, worker) == 1
    (job,) = [one for one in house.jobs.recent(VIEWER) if one.task is Task.REPORT]
    assert job.result == {"deliveries": 2}
    worker._inline(job)  # as after a worker that was lost before it could say that it was done
    for _ in range(3):
        worker.send()
    assert {one.state for one in house.reports.deliveries(VIEWER)} == {NoticeState.SENT}
    assert len(list((tmp_path / "outbox").iterdir())) == 1
    assert len(list((tmp_path / "reports" / "board").iterdir())) == 1

    time.passes(days=21)  # three slots without a worker are one report
    for _ in range(3):
        worker.tick()
    assert run_jobs(house, worker) == 1
    worker.send()
    assert len(list((tmp_path / "outbox").iterdir())) == 2


def test_two_hundred_recipients_are_sent_in_turns_that_leave_the_jobs_alone(house: Services) -> None:
    everybody = tuple(f"p{n}@example.com" for n in range(200))
    plan = house.reports.check_plan(SCIENTIST, Plan(ReportKind.CARD, MODEL, to=everybody))
    made = house.reports.prepare(WORKER, "job", "schedule all", plan.arguments())
    assert len(made) == 200
    sent = 0
    while waiting := house.reports.deliver(WORKER):
        sent += waiting
    assert sent == 200


def test_a_chore_has_said_nothing_yet() -> None:
    assert (Chore("send", 2.0).said, Chore("send", 2.0).failures) == ("", 0)
