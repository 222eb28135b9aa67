"""A retrain job: the flights' program and a stranger's, what is recorded and judged; and when it cannot."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from mlops_dash import attempt, bootstrap, doctor, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo.flights.columns import FEATURE_NAMES, LABEL, load_flights
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.recipe_checks import Check, CheckKind
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ServingRow
from mlops_dash.tracking.experiments import attempts
from mlops_dash.tracking.experiments.runs import client_for
from mlops_dash.tracking.registry import MlflowRegistry
from tests import factories
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER, WORKER
from tests.penguins import MODEL as BIRD_MODEL
from tests.penguins import SPECIES

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
    made.retraining.save_recipe(ADMIN, recipe("first", few_flights, holdout_days=0))
    made.retraining.save_recipe(ADMIN, recipe("refresh", few_flights, holdout_days=10))
    yield made
    made.close()


def recipe(name: str, data: Path, **parameters: object) -> Recipe:
    return Recipe(name, MODEL, ENTRY, {**SMALL, "data": str(data), **parameters}, max_attempts=1)


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


def test_a_version_that_a_lost_attempt_registered_is_taken_up_and_not_made_twice(
    house: Services, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = house.retraining.run_now(SCIENTIST, "first", "why not")

    def lose(share: float, text: str) -> None:
        if text.startswith("keeping the out-of-fold"):
            time.at += timedelta(seconds=30)
            house.jobs.reap(WORKER, 15)

    with pytest.raises(Conflict, match="epoch 1 was taken over"):
        runner.run_next(house, on_progress=lose)
    assert house.jobs.job(VIEWER, job_id).state is JobState.QUEUED
    answers = iter(["MLflow does not answer."] * 2)  # its server was started again with us
    monkeypatch.setattr(MlflowRegistry, "why_unreachable", lambda self: next(answers, ""))
    again = runner.run_next(house, patience=30)
    assert again["version"] == "1"
    assert [one.version for one in house.context.registry.versions(MODEL)] == ["1"]
    version = house.registry.version(LEAD, str(again["version_id"]))
    assert (version.run_id, version.incarnation) == (again["run_id"], 1)
    assert "already; it is taken up" in house.jobs.log(VIEWER, job_id).text
    assert "fitting on" not in house.jobs.log(VIEWER, job_id).text.partition("taken up")[2], "it is not made again"
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


def test_a_child_whose_epoch_was_taken_over_does_nothing(
    house: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = claimed(house)
    monkeypatch.setattr(attempt, "build", lambda _settings: house)
    monkeypatch.setattr(attempt, "from_environment", lambda: house.context.settings)
    assert runner.main([job.id, "7"]) == 4
    assert "epoch 7 was taken over by 1" in capsys.readouterr().out
    assert house.jobs.job(VIEWER, job.id).running


def test_mlflow_away_puts_the_job_back_with_a_back_off_before_anything_is_trained(
    tmp_path: Path, time: Time, few_flights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=time))
    away.registry.add_model(SCIENTIST, MODEL, reason="test")
    away.retraining.save_recipe(ADMIN, recipe("first", few_flights, holdout_days=0))
    job = claimed(away)
    monkeypatch.setattr(attempt, "build", lambda _settings: away)
    monkeypatch.setattr(attempt, "from_environment", lambda: away.context.settings)
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


# --- a stranger's program ---------------------------------------------------------------------------------------------

MINUTES = 'handling "minutes"'
TRAIN = """
import os, sys, numpy as np, pandas as pd, mlflow
from sklearn.linear_model import LinearRegression

rng = np.random.default_rng(int(sys.argv[1]))
days = pd.date_range(os.environ["MLOPS_DASH_RECIPE_START"][:10], periods=40, freq="D", tz="UTC")
at = days.repeat(10)
rows = pd.DataFrame({"at": at, "crates": rng.integers(1, 90, 400).astype(float), "depot": "north"})
label = 12 + 0.7 * rows["crates"] + rng.normal(0, 4, 400)
print("progress 0.2 fitting on 400 handlings")
with mlflow.start_run(run_name="weekly"):
    with mlflow.start_run(nested=True):
        mlflow.log_metric("tried", 1.0)
    model = LinearRegression().fit(rows[["crates"]], label)
    score = model.predict(rows[["crates"]])
    mlflow.log_metric("mae", float(np.abs(label - score).mean()))
    mlflow.sklearn.log_model(model, name="model", input_example=rows[["crates"]].head(3), serialization_format="skops")
    if WITH_ROWS:
        kept = rows.assign(label=label, score=score, row_id=[f"h{i}" for i in range(400)])
        kept[["row_id", "label", "score", "depot"]].to_parquet("predictions.parquet")
        mlflow.log_artifact("predictions.parquet", "eval")
        kept[["at", "crates", "label", "score"]].to_parquet("reference.parquet")
        mlflow.log_artifact("reference.parquet", "eval")
print("done")
"""


@pytest.fixture
def depot(tmp_path: Path, mlflow_uri: str, time: Time, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Another team's house: a regression in minutes, with quotes in its name, and a plain train.py."""
    monkeypatch.chdir(tmp_path)
    made = bootstrap.build(factories.settings(tmp_path, mlflow_uri=mlflow_uri), clock=Clock(wall=time))
    made.registry.add_model(SCIENTIST, MINUTES, task="regression", reason="test")
    yield made
    made.close()


def their_recipe(folder: Path, *, rows: bool = True, code: str = TRAIN) -> Recipe:
    path = folder / "their train.py"
    path.write_text(code.replace("WITH_ROWS", str(rows)))
    return Recipe("weekly", MINUTES, f"{{python}} '{path}' {{seed}}", {"seed": 7, "train_days": 60, "holdout_days": 7})


@pytest.mark.timeout(600)
def test_a_strangers_plain_program_becomes_a_version_that_is_measured_and_watched(
    depot: Services, tmp_path: Path
) -> None:
    depot.retraining.save_recipe(ADMIN, their_recipe(tmp_path))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week", parameters={"train_days": 50})
    seen: list[str] = []
    result = runner.run_next(depot, on_progress=lambda _share, text: seen.append(text))
    assert "fitting on 400 handlings" in seen
    version = depot.registry.version(VIEWER, str(result["version_id"]))
    assert (version.version, version.recipe, version.run_id) == ("1", "weekly", result["run_id"])
    assert version.training_end == datetime(2013, 2, 8, tzinfo=UTC)
    assert version.training_start == datetime(2012, 12, 20, tzinfo=UTC), "the run's own 50 days, not the recipe's 60"
    evidence = depot.evidence.get(LEAD, result["evidence_ids"])
    mae = next(one for one in evidence if one.metric == "mae")
    assert mae.value == pytest.approx(3.2, abs=0.4)
    assert "out of fold" in mae.bound
    assert {one.metric: one.value for one in evidence if one.kind == "check"} == {
        "signature": 1.0,
        "input_example": 1.0,
    }
    assert " done\n" in depot.jobs.log(VIEWER, job_id).text


def notebook(path: Path, *cells: str) -> Path:
    """A notebook whose first cell takes the parameters."""
    tags = [["parameters"], *([] for _ in cells[1:])]
    body = [
        {"cell_type": "code", "id": f"c{place}", "metadata": {"tags": tag}, "source": text, "outputs": [],
         "execution_count": None}
        for place, (tag, text) in enumerate(zip(tags, cells, strict=True))
    ]  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    path.write_text(json.dumps({"cells": body, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    return path


@pytest.mark.timeout(600)
def test_a_notebook_is_a_program_and_lies_with_its_run_as_it_ran(depot: Services, tmp_path: Path) -> None:
    code = TRAIN.replace("WITH_ROWS", "True").replace("sys.argv[1]", "seed")
    path = notebook(tmp_path / "their weekly.ipynb", "seed = 1\nmodel = ''", "named = model", code)
    depot.retraining.save_recipe(ADMIN, replace(their_recipe(tmp_path), entry=f"'{path}'"))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    seen: list[str] = []
    result = runner.run_next(depot, on_progress=lambda _share, text: seen.append(text))
    assert depot.registry.version(VIEWER, str(result["version_id"])).recipe == "weekly"
    assert any(text.startswith("cell ") for text in seen), seen
    assert "fitting on 400 handlings" in depot.jobs.log(VIEWER, job_id).text
    client = client_for(depot.context.settings.mlflow_uri)
    (kept,) = client.list_artifacts(str(result["run_id"]), "notebook")
    ran = Path(client.download_artifacts(str(result["run_id"]), kept.path, str(tmp_path))).read_text()
    assert "seed = 7" in ran
    assert json.dumps(MINUTES) in "".join(json.loads(ran)["cells"][1]["source"])
    assert not list((depot.context.settings.home / "notebooks").iterdir())


@pytest.mark.timeout(600)
def test_an_mlflow_project_is_a_program_with_the_parameters_it_declares(depot: Services, tmp_path: Path) -> None:
    entry = their_recipe(tmp_path)
    (tmp_path / "MLproject").write_text(
        "name: weekly\nentry_points:\n  train:\n    parameters:\n      seed: int\n"
        f"    command: \"{sys.executable} 'their train.py' {{seed}}\"\n"
    )
    depot.retraining.save_recipe(ADMIN, replace(entry, entry=f"'{tmp_path / 'MLproject'}' train"))
    depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    result = runner.run_next(depot)
    assert depot.registry.version(VIEWER, str(result["version_id"])).run_id == result["run_id"]


BIRDS = """
import numpy as np, pandas as pd, mlflow
from sklearn.linear_model import LogisticRegression

names = np.array(["Adélie", "Gentoo", 'it\\'s "Chinstrap"'], dtype=object)
rng = np.random.default_rng(3)
species = rng.integers(0, 3, 300)
rows = pd.DataFrame({"at": pd.date_range("2013-01-01", periods=30, tz="UTC").repeat(10),
                     "bill": 38.0 + 5 * species + rng.normal(0, 2, 300)})
with mlflow.start_run():
    model = LogisticRegression(max_iter=500).fit(rows[["bill"]], names[species].astype(str))
    mlflow.sklearn.log_model(model, name="model", input_example=rows[["bill"]].head(3), serialization_format="skops")
    kept = rows.assign(label=names[species], score=model.predict(rows[["bill"]]), row_id=[str(i) for i in range(300)])
    both = ["label", "score"]
    for name, columns in (("predictions", ["row_id", *both]), ("reference", ["at", "bill", *both])):
        kept[columns].to_parquet(f"{name}.parquet")
        mlflow.log_artifact(f"{name}.parquet", "eval")
"""


@pytest.mark.timeout(600)
def test_a_program_whose_labels_are_words_becomes_a_version_that_is_measured(depot: Services, tmp_path: Path) -> None:
    depot.registry.add_model(SCIENTIST, BIRD_MODEL, task="multiclass", class_names=SPECIES, reason="test")
    depot.retraining.save_recipe(ADMIN, replace(their_recipe(tmp_path, code=BIRDS), model=BIRD_MODEL))
    depot.retraining.run_now(SCIENTIST, "weekly", "the birds are back")
    result = runner.run_next(depot)
    evidence = {one.metric: one for one in depot.evidence.get(LEAD, result["evidence_ids"])}
    assert evidence["accuracy"].value == pytest.approx(0.85, abs=0.1)
    assert evidence["macro_f1"].n == 300


@pytest.mark.timeout(600)
def test_a_program_that_leaves_no_rows_is_told_what_is_missing_and_its_runs_are_orphans(
    depot: Services, tmp_path: Path
) -> None:
    depot.retraining.save_recipe(ADMIN, their_recipe(tmp_path, rows=False))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    with pytest.raises(InvalidInput, match=r"keeps no eval/predictions\.parquet"):
        runner.run_next(depot)
    assert depot.jobs.job(VIEWER, job_id).state is JobState.FAILED
    assert attempts.of_job(depot.context.settings.mlflow_uri, job_id=job_id) == ()
    assert depot.context.registry.models() == ()


def test_a_program_that_fails_says_its_exit_code_and_its_last_words_are_in_the_log(
    depot: Services, tmp_path: Path
) -> None:
    depot.retraining.save_recipe(ADMIN, their_recipe(tmp_path, code="raise SystemExit('no rows in March')"))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    with pytest.raises(InvalidInput, match="ended with exit code 1"):
        runner.run_next(depot)
    assert "no rows in March" in depot.jobs.log(VIEWER, job_id).text


@pytest.mark.timeout(300)
def test_what_a_failing_program_had_begun_is_an_orphan_and_of_several_runs_the_one_with_a_model_counts(
    depot: Services, tmp_path: Path
) -> None:
    several = "import mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('tried', 1.0)\n" + TRAIN
    depot.retraining.save_recipe(ADMIN, their_recipe(tmp_path, code=several + "raise SystemExit(3)"))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    with pytest.raises(InvalidInput, match="ended with exit code 3"):
        runner.run_next(depot)
    assert attempts.of_job(depot.context.settings.mlflow_uri, job_id=job_id) == ()
    their_recipe(tmp_path, code=several)
    depot.retraining.run_now(SCIENTIST, "weekly", "once more")
    assert runner.run_next(depot)["version"] == "1"


SPEED = """
import os, time, mlflow, pandas as pd
model = mlflow.pyfunc.load_model(os.environ["MLOPS_DASH_CHECK_MODEL"])
rows = pd.read_parquet(os.environ["MLOPS_DASH_CHECK_REFERENCE"])[["crates"]].head(20)
begun = time.perf_counter()
model.predict(rows)
print(f"result {(time.perf_counter() - begun) * 1000} n={len(rows)}")
"""
SLICE = """
import os, pandas as pd
rows = pd.read_parquet(os.environ["MLOPS_DASH_CHECK_PREDICTIONS"])
north = rows[rows["depot"] == "north"]
print(f"result {(north.label - north.score).abs().mean()} n={len(north)}")
"""


@pytest.mark.timeout(600)
def test_checks_of_a_recipe_run_after_training_and_are_a_gate_that_blocks(
    depot: Services, time: Time, tmp_path: Path
) -> None:
    for name, code in (("speed", SPEED), ("slice", SLICE)):
        (tmp_path / f"{name}.py").write_text(code)
    checks = (
        Check("answers in time", CheckKind.LATENCY, f"{{python}} '{tmp_path}/speed.py'", at_most=5_000.0, unit="ms"),
        Check("minutes of the north", CheckKind.SLICE, f"{{python}} '{tmp_path}/slice.py'", at_most=0.5, unit="min"),
        Check("asks nobody", CheckKind.UNIT, "{python} -c 'input()'"),
        Check("never ends", CheckKind.DATA, "{python} -c 'import time; time.sleep(99)'", timeout_seconds=1),
    )
    theirs = replace(their_recipe(tmp_path), checks=checks)
    with pytest.raises(NotAllowed):
        depot.retraining.save_recipe(SCIENTIST, theirs)
    depot.retraining.save_recipe(ADMIN, theirs)
    with pytest.raises(NotAllowed):
        depot.retraining.save_recipe(SCIENTIST, replace(theirs, checks=()))
    job_id = depot.retraining.run_now(LEAD, "weekly", "labels are in", then="propose")
    result = runner.run_next(depot)
    assert "recipe checks failed" in result["not_proposed"]
    log = depot.jobs.log(VIEWER, job_id).text
    assert "check answers in time: passed, " in log
    assert "EOFError" in log, "what they print stands in the job's log"
    assert "check never ends: not run: Stopped after " in log

    answer = depot.registry.gate(VIEWER, MINUTES, "1")
    gate = next(one for one in answer["gates"] if one["name"] == "recipe checks")
    assert (gate["state"], gate["required"], answer["outcome"]) == ("failed", True, "fail")
    fast, north, asks, never = gate["measures"]
    assert [one["state"] for one in gate["measures"]] == ["passed", "failed", "failed", "not_computable"]
    assert 0 < fast["value"] < 5_000
    assert (fast["n"], fast["limit"], fast["unit"]) == (20, 5_000.0, "ms")
    assert north["value"] == pytest.approx(3.2, abs=0.4)
    assert north["n"] == 400
    assert (asks["value"], never["value"]) == (0.0, None)
    assert "the check allows 1 s" in never["reason"]
    kept = depot.evidence.get(LEAD, [fast["evidence_id"]])[0]
    assert (kept.kind, kept.subject, kept.metric) == ("recipe_check", f"{MINUTES} v1", "answers in time")

    loose = (checks[0], replace(checks[1], at_most=9.0))
    depot.retraining.save_recipe(ADMIN, replace(theirs, checks=loose))
    gate = depot.registry.gate(VIEWER, MINUTES, "1")["gates"][-1]
    assert (gate["state"], gate["measures"][1]["state"]) == ("waiting", "waiting"), "an answer to another question"
    said: list[str] = []
    time.at += timedelta(hours=1)
    found = depot.evidence.run_checks(
        SCIENTIST, str(result["version_id"]), log=tmp_path / "again.log", tell=said.append
    )
    assert [one.details["passed"] for one in found] == [True, True]
    assert said[-1] == "slice check minutes of the north"
    assert depot.registry.gate(VIEWER, MINUTES, "1")["gates"][-1]["state"] == "passed"


@pytest.mark.timeout(600)
def test_a_program_works_in_its_own_venv_and_checkout_and_so_do_its_checks(depot: Services, tmp_path: Path) -> None:
    from tests.training.test_workplace import repository, wheel

    wheel(tmp_path / "wheels")
    client_for(depot.context.settings.mlflow_uri).create_experiment(MINUTES)  # keeps files here, not in a checkout
    ours = Path(pd.__file__).parents[1]  # stands for an index that has MLflow
    train = f"import sys, their_crates\nsys.path.append({str(ours)!r})\n" + TRAIN.replace("WITH_ROWS", "True")
    files = {
        "train.py": train.replace('print("done")', 'print("crates", their_crates.CRATES, os.getcwd())'),
        "check.py": "import their_crates, os\nprint('result', their_crates.CRATES, os.path.exists('train.py'))\n",
        "requirements.txt": (tmp_path / "wheels" / "requirements.txt").read_text(),
    }
    address, commit = repository(tmp_path / "their repo", files)
    crates = Check("crates", CheckKind.DATA, "{python} check.py", at_least=12.0)
    recipe = Recipe(
        "weekly", MINUTES, "{python} train.py {seed}", {"seed": 7, "train_days": 60, "holdout_days": 7},
        checks=(crates,), requirements="requirements.txt", repository=address, commit=commit,
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="is a function"):
        depot.retraining.save_recipe(ADMIN, replace(recipe, entry="train:main"))
    depot.retraining.save_recipe(ADMIN, recipe)
    with pytest.raises(NotAllowed):
        depot.retraining.save_recipe(SCIENTIST, replace(recipe, commit="0" * 40))
    job_id = depot.retraining.run_now(SCIENTIST, "weekly", "a new week")
    result = runner.run_next(depot)
    log = depot.jobs.log(VIEWER, job_id).text
    assert f"working in {address} at {commit}" in log
    assert "crates 12 " in log
    assert "check crates: passed, 12: True" in log
    run = next(one for one in attempts.of_job(depot.context.settings.mlflow_uri, job_id=job_id) if not one.parent)
    assert run.run_id == result["run_id"]
    assert run.tags["mlflow.source.git.commit"] == commit
    assert run.tags["mlops_dash.environment"] in {one.name for one in (tmp_path / "environments").iterdir()}
    assert list((tmp_path / "checkouts").iterdir()) == [], "a checkout goes with its run"

    depot.retraining.save_recipe(ADMIN, replace(recipe, commit="0" * 40))
    depot.retraining.run_now(SCIENTIST, "weekly", "once more")
    with pytest.raises(InvalidInput, match="has no commit"):
        runner.run_next(depot)
    again = depot.evidence.run_checks(SCIENTIST, str(result["version_id"]), log=tmp_path / "again.log")
    assert [(one.value, "has no commit" in one.reason) for one in again] == [(None, True)], "not run, and says why"
    tried = doctor.check(depot, SCIENTIST, "weekly")
    assert tried.missing[0].startswith("The repository of weekly has no commit 000")


def test_only_admins_say_which_program_runs(depot: Services, tmp_path: Path) -> None:
    theirs = their_recipe(tmp_path)
    for person in (SCIENTIST, LEAD):
        with pytest.raises(NotAllowed):
            depot.retraining.save_recipe(person, theirs)
    depot.retraining.save_recipe(ADMIN, theirs)
    depot.retraining.save_recipe(SCIENTIST, replace(theirs, parameters={"seed": 8}, timeout_seconds=60))
    with pytest.raises(NotAllowed):
        depot.retraining.save_recipe(SCIENTIST, replace(theirs, entry="{python} other.py"))
    with pytest.raises(NotAllowed):
        depot.retraining.save_recipe(SCIENTIST, replace(theirs, model="flight-delay"))


@pytest.mark.timeout(600)
def test_a_version_that_passes_is_proposed_in_the_name_of_who_asked_and_one_that_does_not_says_why(
    depot: Services, tmp_path: Path
) -> None:
    depot.retraining.save_recipe(ADMIN, their_recipe(tmp_path))
    depot.retraining.run_now(LEAD, "weekly", "labels are in", then="propose")
    result = runner.run_next(depot)
    assert "proposal_id" not in result
    assert result["not_proposed"].startswith("Not proposed: ")
    room = depot.registry.room(VIEWER, MINUTES, str(result["version"]))
    closed = [gate.name for gate in room.gates if not gate.opens]
    assert closed
    assert all(name in result["not_proposed"] for name in closed)

    body = {"floor_metric": "mae", "floor": 20.0, "min_rows": 100, "min_clusters": 5}
    written = depot.policies.propose(LEAD, MINUTES, PolicyKind.PROMOTION, body, reason="minutes")
    depot.policies.activate(ADMIN, written.id, reason="agreed")
    depot.retraining.save_schedule(
        LEAD, ScheduleDraft("on harm", ScheduleKind.ALERT, "harm", recipe="weekly", arguments={"then": "propose"})
    )
    (on_harm,) = depot.retraining.schedules(VIEWER)
    assert on_harm.when == "when an alert “harm” opens; proposed when it passes all gates"
    opened = depot.context.clock.now()
    with transaction(depot.context.databases.app) as session:
        session.add(
            AlertRow(id="a1", model=MINUTES, version="1", kind="harm", state="open", title="MAE is up",
                     opened_at=opened, last_seen_at=opened, evidence_ids=[], body={})
        )  # fmt: skip
    assert depot.retraining.follow(WORKER, on_harm) is not None
    result = runner.run_next(depot)
    proposal = depot.registry.open_proposal(VIEWER, MINUTES)
    assert (proposal.id, proposal.version_id) == (result["proposal_id"], result["version_id"])
    assert (proposal.proposer, proposal.alert_id) == (LEAD.id, "a1")
    assert proposal.comment == "By itself after a run: alert: MAE is up (schedule on harm)"
    assert depot.audit.entries(ADMIN).entries[0].actor == runner.RUNNER.id, "the ledger says that it was no person"
    with pytest.raises(NotAllowed, match="cannot judge it"):
        depot.registry.approve(LEAD, proposal.id, comment="mine", revision=proposal.revision)
