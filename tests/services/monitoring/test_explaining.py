"""What a version rests on is measured by a worker, once; its ranking is on the page, in the alert and by command."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_dash import attempt, bootstrap, why
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.monitoring.causes import By, Role
from mlops_dash.domain.words import JobState
from mlops_dash.errors import BrokenModel, Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.services.command import Context
from mlops_dash.services.jobs import JobsService
from mlops_dash.services.monitoring import explaining
from mlops_dash.store import audit
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.tables.registry import ModelRow, PolicyVersionRow
from tests import factories, penguins
from tests.factories import SCIENTIST, VIEWER, WORKER
from tests.services.monitoring.monitoring_world import MODEL, V1, world
from tests.services.monitoring.test_regression import POLICY, Minutes

DAY = timedelta(days=1)


class Windy(Minutes):
    """The wind costs minutes as well."""

    def rows(self, days: int, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
        rows = super().rows(days, moved=moved, blind=blind)
        late = 8.0 * rows["wind"]
        return rows.assign(label=rows["label"] + late, score=rows["score"] + late)


class Dated(Windy):
    """One of its inputs is called "day"."""

    def rows(self, days: int, *, moved: float = 0.0, blind: bool = False) -> pd.DataFrame:
        return super().rows(days, moved=moved, blind=blind).rename(columns={"wind": "day"})


@pytest.fixture
def made(context: Context) -> Minutes:
    """Arrival minutes of a stranger: 20 calm days, then the wind is another and 12 minutes too much are answered."""
    base = world(context)
    return twenty_calm_days(context, Windy(base.context, base.monitoring))


def twenty_calm_days(context: Context, minutes: Minutes) -> Minutes:
    context.clock.wall = lambda: minutes.now
    with transaction(context.databases.app) as session:
        session.get_one(ModelRow, MODEL).task = "regression"
        row = session.get_one(PolicyVersionRow, "policy")
        row.body, row.digest = POLICY.as_json(), POLICY.digest
    minutes.reference(V1)
    minutes.live(20)
    minutes.worse = 12.0
    minutes.live(14, moved=3.0)
    minutes.evaluate(2 * DAY)
    return minutes


def needs_wind(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    x, wind = (rows[name].to_numpy(dtype=np.float64) for name in ("x", "wind"))
    return np.asarray(150.0 + 40.0 * x + 8.0 * wind)


def needs_a_storm(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    """Wind counts above 4.5 alone, where it never was."""
    x, wind = (rows[name].to_numpy(dtype=np.float64) for name in ("x", "wind"))
    return np.asarray(150.0 + 40.0 * x + 90.0 * (wind > 4.5))


def needs_no_wind(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(150.0 + 40.0 * rows["x"].to_numpy(dtype=np.float64))


def silent(_version_id: str, _columns: Sequence[str]) -> Mapping[str, float]:
    return {}


def cause(made: Minutes) -> str:
    found: str = made.room().cause
    return found


def test_before_anybody_measured_the_ranking_is_by_drift_alone_and_says_so(made: Minutes) -> None:
    found = made.monitoring.causes(VIEWER, MODEL)
    assert found is not None
    assert found.worse
    assert [(one.column, one.role, one.share) for one in found.ranked] == [("wind", Role.LIKELY, None)]
    assert "not known (nobody has measured it yet)" in found.importance.sentence
    assert made.room().causes == found
    assert cause(made).startswith("Likely cause: wind has moved since before that, and still does (wind excess PSI")


def test_a_column_that_the_model_needs_is_named_with_its_share(made: Minutes) -> None:
    measured = made.monitoring.explain(WORKER, MODEL, needs_wind, silent)
    assert measured.by is By.PERMUTATION
    assert explaining.MIN_ROWS < measured.n <= 20 * 120  # of the days before it got worse
    assert measured.shares["x"][0] > measured.shares["wind"][0] > 0.1
    assert measured.unused("place")
    assert "absolute error rises when a column's values are shuffled, on " in measured.sentence
    made.evaluate()
    assert "of what the model rests on" in cause(made)
    (one,) = made.monitoring.causes(VIEWER, MODEL).ranked  # type: ignore[union-attr]
    assert one.weight == pytest.approx(one.excess * one.share)  # type: ignore[operator]
    told = made.monitoring.summary(VIEWER, MODEL)["causes"]
    assert told["ranked"][0]["role"] == "likely cause"
    assert told["importance"]["by"] == "permutation"


def test_a_column_that_the_model_does_without_is_no_likely_cause(made: Minutes) -> None:
    made.monitoring.explain(WORKER, MODEL, needs_no_wind, silent)
    made.evaluate()
    assert cause(made).startswith("No likely cause among the inputs: wind moved, but the answers hardly depend on it")
    assert [one.role for one in made.room().causes.ranked] == [Role.UNUSED]


def test_a_column_that_does_harm_only_where_it_moved_to_is_the_likely_cause(made: Minutes) -> None:
    found = made.monitoring.explain(WORKER, MODEL, needs_a_storm, silent)
    assert max(found.shares["wind"][0], found.effects["wind"]) < 0.01
    assert found.moved_to["wind"] > 0.05
    made.evaluate()
    assert [one.role for one in made.room().causes.ranked] == [Role.LIKELY]
    assert cause(made).startswith("Likely cause: wind")


def test_an_input_that_is_called_day_is_measured_like_any_other(context: Context) -> None:
    base = world(context)
    dated = twenty_calm_days(context, Dated(base.context, base.monitoring))

    def needs_its_day(version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        return needs_wind(version_id, rows.rename(columns={"day": "wind"}))

    found = dated.monitoring.explain(WORKER, MODEL, needs_its_day, silent)
    assert found.why == ""
    assert found.shares["day"][0] > 0.1


def test_what_cannot_be_asked_says_why_and_is_not_asked_again(made: Minutes) -> None:
    def refuses(_version_id: str, _rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        raise BrokenModel("Its files are not trusted.")

    assert made.monitoring.plan_why(WORKER, MODEL)
    found = made.monitoring.explain(WORKER, MODEL, refuses, silent)
    assert not found.known
    assert found.why == "Its files are not trusted"
    assert not made.monitoring.plan_why(WORKER, MODEL)


def test_with_too_few_labels_the_model_is_asked_what_it_says_of_itself(
    made: Minutes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "MIN_ROWS", 1_000_000)
    found = made.monitoring.explain(WORKER, MODEL, needs_wind, lambda _id, _columns: {"x": 0.25, "wind": 0.75})
    assert found.by is By.MODEL
    assert found.of("wind") == 0.75
    assert "labelled rows of the first windows are in the log" in found.sentence
    made.now += DAY
    assert not made.monitoring.explain(WORKER, MODEL, needs_wind, silent).known


def test_who_asks_needs_a_reason_and_waits_and_it_is_in_the_ledger(made: Minutes) -> None:
    ask = made.monitoring.ask_why
    with pytest.raises(NotAllowed):
        ask(VIEWER, MODEL, "why not")
    with pytest.raises(InvalidInput, match="needs a reason"):
        ask(SCIENTIST, MODEL, " ")
    with pytest.raises(NotFound, match="Nothing of nobody"):
        ask(SCIENTIST, "nobody", "unsure")
    job_id = ask(SCIENTIST, MODEL, "is it the wind?")
    with pytest.raises(Conflict, match="is being measured"):
        ask(SCIENTIST, MODEL, "again")
    assert made.room().causes.importance.asked
    with reading(made.context.databases.app) as session:
        (entry,) = [one for one in audit.entries(session) if one.action == Action.WHY_REQUESTED]
    assert entry.reason == "is it the wind?"
    assert entry.after["job"] == job_id


def test_the_job_measures_and_judges_again(made: Minutes) -> None:
    jobs = JobsService(made.context)
    scoring = SimpleNamespace(
        answer_again=lambda _who, _model, version, rows: needs_wind(version, rows),
        own_importance=lambda _who, _model, version, columns: silent(version, columns),
    )
    services: Any = SimpleNamespace(monitoring=made.monitoring, scoring=scoring, jobs=jobs)
    made.monitoring.plan_why(WORKER, MODEL)
    job = jobs.claim(WORKER, "here")
    assert job is not None
    assert job.task is Task.WHY
    assert attempt.finish(attempt.Run(services, job, sys.stdout.write), why.why) == 0
    assert jobs.job(WORKER, job.id).state is JobState.SUCCEEDED
    assert "of what the model rests on" in cause(made)


def test_of_a_model_that_others_serve_nothing_is_known_and_nobody_can_ask(tmp_path: Path) -> None:
    house = bootstrap.build(factories.settings(tmp_path))
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=45))
    found = house.monitoring.causes(VIEWER, penguins.MODEL)
    assert found is not None
    assert found.importance.why == found.importance.barred == explaining.ELSEWHERE
    assert not house.monitoring.plan_why(WORKER, penguins.MODEL)
    with pytest.raises(InvalidInput, match="others serve this model"):
        house.monitoring.ask_why(SCIENTIST, penguins.MODEL, "unsure")
    house.close()


def test_a_model_that_says_how_probable_each_class_is_is_measured_by_the_class_it_says(tmp_path: Path) -> None:
    house = bootstrap.build(factories.settings(tmp_path))
    table = penguins.with_probabilities(penguins.penguins(house.context.clock.now(), days=45))
    table["bill"] += np.where(table["label"] == penguins.SPECIES[1], 8.0, -8.0)
    penguins.watched(house, table)
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, penguins.MODEL).source = "mlflow"

    def by_the_bill(_version_id: str, rows: pd.DataFrame) -> np.ndarray:  # type: ignore[type-arg]
        long = rows["bill"].to_numpy(dtype=np.float64) > 40.0
        return np.where(long[:, None], [0.1, 0.7, 0.2], [0.8, 0.1, 0.1])

    found = house.monitoring.explain(WORKER, penguins.MODEL, by_the_bill, silent)
    house.close()
    assert found.loss == "error rate"
    assert not found.unused("bill")
    assert found.unused("isle")


def test_a_job_that_failed_is_planned_again_once_a_day(made: Minutes) -> None:
    jobs = JobsService(made.context)

    def fails() -> None:
        job = jobs.claim(WORKER, "here")
        assert job is not None
        jobs.finish(WORKER, job.id, job.epoch, JobState.FAILED, error="ValueError")

    assert made.monitoring.plan_why(WORKER, MODEL)
    fails()
    assert made.monitoring.plan_why(WORKER, MODEL)
    assert not made.monitoring.plan_why(WORKER, MODEL)
    fails()
    assert not made.monitoring.plan_why(WORKER, MODEL)
    made.now += DAY
    assert made.monitoring.plan_why(WORKER, MODEL)
