"""A risen loss of a stranger's minutes is split by a worker: the relation, or "cannot tell" with its reason."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mlops_dash.domain.words import JobState
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests.factories import VIEWER, WORKER
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
    minutes.live(12)
    return minutes


def test_a_changed_relation_is_named_with_its_size_in_minutes(made: Minutes) -> None:
    made.evaluate(DAY)
    assert made.monitoring.split_loss(WORKER, MODEL) is None  # nothing is worse
    assert not made.monitoring.plan_why(WORKER, MODEL)
    made.now -= DAY
    made.worse = 12.0
    made.live(12)
    made.evaluate(2 * DAY)
    assert made.monitoring.plan_why(WORKER, MODEL)
    found = made.monitoring.split_loss(WORKER, MODEL)
    assert found is not None
    parts = {one.name: one for one in found.parts}
    assert parts["relation"].sure
    assert not parts["harder"].sure
    assert parts["relation"].value == pytest.approx(found.change, abs=1.5)
    assert found.change > 4
    assert "The absolute error changed by " in found.sentence
    assert " min (" in found.sentence
    assert "For sure: the relation between inputs and outcome changed" in found.sentence
    causes = made.monitoring.causes(VIEWER, MODEL)
    assert causes is not None
    assert causes.split == found
    assert made.monitoring.summary(VIEWER, MODEL)["causes"]["split"]["overlap"] > 0.9


def test_what_few_days_could_not_tell_is_asked_again_when_a_week_has_passed(made: Minutes) -> None:
    made.worse = 25.0
    made.live(6)
    made.evaluate(DAY)
    assert made.monitoring.plan_why(WORKER, MODEL)
    found = made.monitoring.split_loss(WORKER, MODEL)
    assert found is not None
    assert "1,000 are needed" in found.reason
    jobs = JobsService(made.context)
    job = jobs.claim(WORKER, "here")
    assert job is not None
    jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED)
    assert not made.monitoring.plan_why(WORKER, MODEL)
    made.now -= DAY
    made.live(6)
    made.evaluate(DAY)
    assert made.monitoring.plan_why(WORKER, MODEL)


def test_where_inputs_have_too_little_in_common_nobody_can_tell(made: Minutes) -> None:
    made.worse = 12.0
    made.live(12, moved=5.0)
    made.evaluate(2 * DAY)
    found = made.monitoring.split_loss(WORKER, MODEL)
    assert found is not None
    assert found.parts == ()
    assert found.sentence.startswith(
        "Inputs moved or relation changed? Cannot tell: the inputs have too little in common"
    )
    assert made.room().causes.split == found


def test_of_what_is_not_watched_nothing_is_split(made: Minutes) -> None:
    with pytest.raises(NotFound, match="Nothing of nobody"):
        made.monitoring.split_loss(WORKER, "nobody")
