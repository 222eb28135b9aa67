"""A stranger's minutes are estimated without labels by a model of their error, and held against what came."""

from __future__ import annotations

import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_dash import attempt, why
from mlops_dash.domain.audit import Action
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.monitoring.label_free import Trust
from mlops_dash.domain.words import JobState
from mlops_dash.errors import InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.monitoring_world import MODEL, V1, world
from tests.services.monitoring.test_regression import POLICY, Minutes

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> Minutes:
    base = world(context)
    minutes = Minutes(base.context, base.monitoring)
    context.clock.wall = lambda: minutes.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    minutes.reference(V1)
    return minutes


def test_later_windows_are_estimated_by_the_job_and_held_against_their_labels(made: Minutes) -> None:
    made.live(39)
    made.live(3, labels=False)
    made.evaluate()
    assert made.room().estimated is None
    assert made.monitoring.plan_estimate(WORKER, MODEL)
    assert not made.monitoring.plan_estimate(WORKER, MODEL)  # once a week
    jobs = JobsService(made.context)
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert job.task is Task.ESTIMATE
    services: Any = SimpleNamespace(monitoring=made.monitoring, jobs=jobs)
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), why.work) == 0
    assert jobs.job(WORKER, job.id).state is JobState.SUCCEEDED
    found = made.room().estimated
    assert found is not None
    assert (found.metric, found.unit, found.test.trust) == ("mae", "min", Trust.TRUSTED)
    assert found.last.realised is None
    assert found.last.low < 8.0 < found.last.high  # ten minutes of noise are eight of mean error
    assert "Estimated without labels: MAE " in found.sentence
    assert " min (" in found.sentence
    assert made.monitoring.summary(VIEWER, MODEL)["estimated"]["trust"] == "trusted"


def test_a_changed_relation_refutes_it(made: Minutes) -> None:
    made.live(30)
    made.worse = 15.0
    made.live(10)
    made.evaluate(2 * DAY)
    found = made.monitoring.estimate_losses(WORKER, MODEL)
    assert found is not None
    assert found.test.trust is Trust.NOT_TRUSTED
    assert "its assumption does not hold" in found.sentence


def test_who_has_it_estimated_now_is_in_the_ledger(made: Minutes) -> None:
    ask = made.monitoring.ask_estimate
    with pytest.raises(NotAllowed):
        ask(VIEWER, MODEL, "why not")
    with pytest.raises(InvalidInput, match="needs a reason"):
        ask(SCIENTIST, MODEL, " ")
    with pytest.raises(NotFound, match="Nothing of nobody"):
        ask(SCIENTIST, "nobody", "unsure")
    ask(SCIENTIST, MODEL, "labels come late")
    with reading(made.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.ESTIMATE_REQUESTED]
    assert (entry.model, entry.reason) == (MODEL, "labels come late")
    assert "estimated without labels" in sentence(entry)


def test_too_little_teaches_nothing_and_says_so(made: Minutes) -> None:
    made.live(3)
    made.evaluate()
    assert not made.monitoring.plan_estimate(WORKER, MODEL)
    with pytest.raises(InvalidInput, match="cannot be estimated: 360 labelled rows on 3 days to learn from"):
        made.monitoring.estimate_losses(WORKER, MODEL)
    with pytest.raises(NotFound, match="Nothing of nobody is estimated"):
        made.monitoring.estimate_losses(WORKER, "nobody")
