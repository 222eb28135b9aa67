"""A retrain job on real flights: train, log, record, judge on later rows; and what happens when it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash import bootstrap, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.store.db import transaction
from mlops_dash.store.tables_app import ServingRow
from mlops_dash.training.flights import FEATURE_NAMES, LABEL, load_flights
from tests import factories
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER

MODEL = "flight-delay"
ROOT = Path(__file__).parents[1]
FIRST_DAY = datetime(2013, 2, 15, 5, tzinfo=UTC)  # midnight in New York
LATER = FIRST_DAY + timedelta(days=14)
SMALL = {"train_start": "2013-01-01T00:00:00-05:00", "validation_days": 7, "folds": 2, "seed": 1,
         "parameters": {"max_iter": 10, "min_samples_leaf": 20}}  # fmt: skip


class Time:
    """A clock in the hand of the test."""

    def __init__(self) -> None:
        self.at = FIRST_DAY

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(scope="module")
def few_flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every eighth flight until the middle of March."""
    frame = pd.read_parquet(ROOT / "data" / "flights-2013.parquet")
    path = tmp_path_factory.mktemp("data") / "few.parquet"
    frame[frame["scheduled_at"] < pd.Timestamp("2013-03-15", tz="UTC")].iloc[::8].to_parquet(path, index=False)
    return path


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def house(
    tmp_path: Path, mlflow_uri: str, time: Time, few_flights: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)  # MLflow on a database address keeps artifacts in the working folder
    made = bootstrap.build(factories.settings(tmp_path, mlflow_uri=mlflow_uri), clock=Clock(wall=time))
    made.registry.add_model(SCIENTIST, MODEL, reason="test")
    made.retraining.save_recipe(SCIENTIST, recipe("first", few_flights, holdout_days=0))
    made.retraining.save_recipe(SCIENTIST, recipe("refresh", few_flights, holdout_days=10))
    yield made
    made.close()


def recipe(name: str, data: Path, **parameters: object) -> Recipe:
    return Recipe(name, MODEL, "flights", {**SMALL, "data": str(data), **parameters}, max_attempts=1)


def replay(house: Services, frame: pd.DataFrame, version_id: str) -> None:
    """Version 1 answers two weeks of flights, and their labels come."""
    with transaction(house.context.databases.app) as session:
        session.add(
            ServingRow(model=MODEL, version_id=version_id, shadow_version_ids=[], operation_id="test", since=FIRST_DAY)
        )
    rows = frame[(frame["scheduled_at"] >= FIRST_DAY) & (frame["scheduled_at"] < LATER)]
    house.scoring.score(
        WORKER, MODEL, rows[list(FEATURE_NAMES)].reset_index(drop=True),
        ids=rows["flight_id"].tolist(), at=[at.to_pydatetime() for at in rows["scheduled_at"]],
    )  # fmt: skip
    known = rows[rows[LABEL].notna()]
    labels = pd.DataFrame(
        {"prediction_id": known["flight_id"], "value": known[LABEL].astype(float), "observed_at": known["landed_at"]}
    )
    house.scoring.record_labels(WORKER, MODEL, labels, received_at=LATER)


@pytest.mark.timeout(600)
def test_a_first_version_and_then_a_challenger_judged_on_later_rows(
    house: Services, few_flights: Path, time: Time
) -> None:
    house.retraining.run_now(SCIENTIST, "first", "nothing serves yet")
    seen: list[tuple[float, str]] = []
    first = runner.run_next(house, on_progress=lambda share, text: seen.append((share, text)))
    version = house.registry.version(LEAD, str(first["version_id"]))
    assert (first["version"], version.recipe, version.created_by) == ("1", "first", SCIENTIST.id)
    assert (version.training_start, version.training_end) == (datetime(2013, 1, 1, 5, tzinfo=UTC), FIRST_DAY)
    assert [share for share, _ in seen] == sorted(share for share, _ in seen)
    alone = house.evidence.get(LEAD, first["evidence_ids"])
    assert {one.kind for one in alone} == {"metric", "check"}

    frame = load_flights(few_flights)
    replay(house, frame, version.id)
    time.at = LATER
    job_id = house.retraining.run_now(LEAD, "refresh", "the month is over")
    result = runner.run_next(house)
    job = house.jobs.job(VIEWER, job_id)
    assert (job.state, job.progress, job.result) == (JobState.SUCCEEDED, 1.0, result)
    assert result["version"] == "2"
    found = house.evidence.get(LEAD, result["evidence_ids"])
    paired = [one for one in found if one.kind == "paired_difference"]
    assert {one.metric for one in paired} >= {"base_rate_free_loss", "brier", "auc"}
    assert paired[0].n > 500
    assert (paired[0].window_start, paired[0].window_end) == (LATER - timedelta(days=10), LATER)
    checks = {one.metric: one.value for one in found if one.kind == "check"}
    assert set(checks.values()) == {1.0}
    log = house.jobs.log(VIEWER, job_id).text
    assert "snapshot rows=" in log
    assert "brier against the champion" in log
    assert log.splitlines()[0].startswith("2013-03-01T05:00:00Z INFO attempt 1 of refresh: asked by lead")
    candidate = house.retraining.room(VIEWER).candidate
    assert candidate is not None
    assert candidate.version == "2"


def test_a_run_that_lost_its_job_stops_before_its_next_side_effect(house: Services, time: Time) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "first", "why not")

    def lose(share: float, text: str) -> None:
        if text.startswith("fitting on"):
            time.at += timedelta(seconds=30)
            house.jobs.reap(WORKER, 15)

    with pytest.raises(Conflict, match="epoch 1 was taken over"):
        runner.run_next(house, on_progress=lose)
    assert house.jobs.job(VIEWER, job_id).state is JobState.QUEUED
    assert house.context.registry.models() == ()
    again = runner.run_next(house)
    assert again["version"] == "1"
    assert house.jobs.job(VIEWER, job_id).epoch == 2


def test_a_version_that_a_lost_attempt_registered_is_taken_up_and_not_made_twice(house: Services, time: Time) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "first", "why not")

    def lose(share: float, text: str) -> None:
        if text.startswith("keeping the out-of-fold"):
            time.at += timedelta(seconds=30)
            house.jobs.reap(WORKER, 15)

    with pytest.raises(Conflict, match="epoch 1 was taken over"):
        runner.run_next(house, on_progress=lose)
    assert house.jobs.job(VIEWER, job_id).state is JobState.QUEUED
    again = runner.run_next(house)
    assert again["version"] == "1"
    assert [one.version for one in house.context.registry.versions(MODEL)] == ["1"]
    version = house.registry.version(LEAD, str(again["version_id"]))
    assert (version.run_id, version.incarnation) == (again["run_id"], 1)
    assert "as v1 already; it is taken up" in house.jobs.log(VIEWER, job_id).text
    assert {one.kind for one in house.evidence.get(LEAD, again["evidence_ids"])} == {"metric", "check"}


def test_ctrl_c_in_the_middle_gives_the_job_back_and_the_next_start_takes_it_up(house: Services) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "first", "why not")

    def interrupt(share: float, text: str) -> None:
        if text.startswith("fitting on"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runner.run_next(house, on_progress=interrupt)
    job = house.jobs.job(VIEWER, job_id)
    assert (job.state, job.attempt, job.not_before) == (JobState.QUEUED, 0, None)
    again = house.jobs.claim(WORKER, "next start")
    assert again is not None
    assert (again.id, again.epoch) == (job_id, 2)


def test_a_recipe_with_a_misspelt_parameter_fails_with_a_sentence(house: Services, few_flights: Path) -> None:
    house.retraining.save_recipe(SCIENTIST, recipe("first", few_flights, hold_out_days=3))
    job_id = house.retraining.run_now(SCIENTIST, "first", "why not")
    with pytest.raises(InvalidInput):
        runner.run_next(house)
    job = house.jobs.job(VIEWER, job_id)
    assert job.state is JobState.FAILED
    assert "hold_out_days" in job.error


def test_rows_that_are_not_there_fail_with_a_sentence(house: Services, tmp_path: Path) -> None:
    house.retraining.save_recipe(SCIENTIST, recipe("first", tmp_path / "nothing.parquet"))
    house.retraining.run_now(SCIENTIST, "first", "why not")
    with pytest.raises(NotFound, match=r"nothing\.parquet"):
        runner.run_next(house)


def test_nothing_due_is_said(house: Services) -> None:
    with pytest.raises(Conflict, match="No retrain job is due"):
        runner.run_next(house)


def test_the_training_window_counts_back_from_the_last_known_label(few_flights: Path) -> None:
    frame = load_flights(few_flights)
    made = recipe("refresh", few_flights, holdout_days=10)
    live = runner.window_of(made, frame, now=LATER + timedelta(hours=20))
    assert (live.end, live.edge) == (LATER - timedelta(days=10), LATER + timedelta(hours=20))
    # the last flight of the file is on 14 March: a world that lives on keeps the same later rows
    end = datetime(2013, 3, 15, 4, tzinfo=UTC)
    for days in (2, 400):
        after = runner.window_of(made, frame, now=end + timedelta(days=days))
        assert (after.end, after.edge) == (datetime(2013, 3, 5, 5, tzinfo=UTC), end)


@pytest.mark.parametrize(
    "changes", [{"holdout_days": -1}, {"holdout_days": 2.5}, {"holdout_days": 400}, {"train_start": "2013-01-01"}]
)
def test_a_window_that_cannot_be_meant_is_refused(few_flights: Path, changes: dict[str, object]) -> None:
    made = recipe("refresh", few_flights)
    with pytest.raises(InvalidInput):
        runner.window_of(replace(made, parameters={**made.parameters, **changes}), load_flights(few_flights), now=LATER)


def test_a_child_whose_epoch_was_taken_over_does_nothing(
    house: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = claimed(house)
    monkeypatch.setattr(runner, "build", lambda _settings: house)
    monkeypatch.setattr(runner, "from_environment", lambda: house.context.settings)
    assert runner.main([job.id, "7"]) == 4
    assert "epoch 7 was taken over by 1" in capsys.readouterr().out
    assert house.jobs.job(VIEWER, job.id).running


def test_mlflow_away_puts_the_job_back_with_a_back_off_before_anything_is_trained(
    tmp_path: Path, time: Time, few_flights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    away.registry.add_model(SCIENTIST, MODEL, reason="test")
    away.retraining.save_recipe(SCIENTIST, recipe("first", few_flights, holdout_days=0))
    job = claimed(away)
    monkeypatch.setattr(runner, "build", lambda _settings: away)
    monkeypatch.setattr(runner, "from_environment", lambda: away.context.settings)
    assert runner.main([job.id, "1"]) == 3
    again = away.jobs.job(VIEWER, job.id)
    assert (again.state, again.not_before) == (JobState.QUEUED, FIRST_DAY + timedelta(seconds=5))
    assert "The job is queued." in capsys.readouterr().out
    away.close()


def claimed(house: Services) -> Job:
    house.retraining.run_now(SCIENTIST, "first", "why not")
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    return job
