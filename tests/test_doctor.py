"""A recipe is tried with real processes: what works, and every way in which a stranger's program may not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlops_dash import attempt, bootstrap, doctor, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.recipe_checks import Check, CheckKind
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import NotAllowed
from mlops_dash.tracking.experiments.runs import client_for
from tests import factories
from tests.factories import ADMIN, SCIENTIST, VIEWER, WORKER

MINUTES = 'handling "minutes"'
RUN = "import mlflow\nwith mlflow.start_run():\n    mlflow.log_metric('mae', {value})\n"


@pytest.fixture
def depot(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Another team's house: a regression in minutes, with quotes in its name."""
    monkeypatch.chdir(tmp_path)
    clock = Clock(wall=lambda: datetime(2013, 2, 15, tzinfo=UTC))
    made = bootstrap.build(factories.settings(tmp_path, mlflow_uri=mlflow_uri), clock=clock)
    made.registry.add_model(SCIENTIST, MINUTES, task="regression", reason="test")
    yield made
    made.close()


def tried(house: Services, folder: Path, code: str, **limits: int) -> doctor.Checked:
    path = folder / "their train.py"
    path.write_text(code)
    parameters = {"seed": 7, "train_days": 60, "holdout_days": 7}
    house.retraining.save_recipe(
        ADMIN, Recipe("weekly", MINUTES, f"{{python}} '{path}' {{seed}}", parameters, **limits)
    )
    return doctor.check(house, SCIENTIST, "weekly")


@pytest.mark.timeout(300)
def test_a_program_that_keeps_the_contract_works_and_leaves_nothing(depot: Services, tmp_path: Path) -> None:
    from tests.test_runner import TRAIN

    found = tried(depot, tmp_path, TRAIN.replace("WITH_ROWS", "True"))
    assert (found.ok, found.missing, found.advice) == (True, (), ())
    assert found.last[-1] == "done"
    assert (found.window.start, found.window.end) == (
        datetime(2013, 2, 1, tzinfo=UTC),
        datetime(2013, 2, 8, tzinfo=UTC),
    )
    assert found.seconds > 0 < found.peak_mib
    assert depot.context.registry.models() == ()
    client = client_for(depot.context.settings.mlflow_uri)
    assert client.search_runs([one.experiment_id for one in client.search_experiments()]) == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("code", "missing", "printed"),
    [
        ("print('all went well')", "The program of weekly left no run. mlflow.start_run() tags it", "all went well"),
        (RUN.format(value=1.0) * 2, "The program of weekly left 2 runs.", ""),
        (RUN.format(value="float('nan')"), "Its metrics mae are no finite numbers.", ""),
        ("print(input('which month? '))", "The program of weekly ended with exit code 1.", "EOFError"),
        ("import nowhere_to_be_found", "The program of weekly ended with exit code 1.", "No module named 'nowhere"),
    ],
    ids=["exits 0 without a run", "two runs", "NaN metrics", "asks for input", "cannot be imported"],
)
def test_what_a_job_would_fail_for_is_said(
    depot: Services, tmp_path: Path, code: str, missing: str, printed: str
) -> None:
    found = tried(depot, tmp_path, code)
    assert not found.ok
    assert any(one.startswith(missing) for one in found.missing), found
    assert printed in "\n".join(found.last), "and what was printed last"
    assert depot.context.registry.models() == ()


def test_a_program_over_its_time_is_ended_and_said(depot: Services, tmp_path: Path) -> None:
    found = tried(depot, tmp_path, "import time\ntime.sleep(600)", timeout_seconds=3)
    assert found.missing == (found.said,)
    assert "the recipe allows 3 s" in found.said


def as_job(house: Services) -> Job:
    """The job that waits, done by this process as its own would do it."""
    job = house.jobs.claim(WORKER, "w1")
    assert job is not None
    path = house.jobs.log_path(WORKER, job.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as log:
        assert attempt.finish(attempt.Run(house, job, lambda line: log.write(f"now {line}")), doctor.work) == 0
    return house.jobs.job(VIEWER, job.id)


@pytest.mark.timeout(300)
def test_asked_for_on_the_page_it_is_a_job_whose_log_and_result_say_what_is_missing(
    depot: Services, tmp_path: Path
) -> None:
    path = tmp_path / "their train.py"
    path.write_text("print('reading crates')\n" + RUN.format(value=1.0))
    depot.retraining.save_recipe(ADMIN, Recipe("weekly", MINUTES, f"{{python}} '{path}'", {"holdout_days": 7}))
    job_id = depot.retraining.try_recipe(SCIENTIST, "weekly", days=3)
    job = as_job(depot)
    assert (job.id, job.title, job.state) == (job_id, "check of weekly", JobState.SUCCEEDED)
    tried = (job.result or {})["tried"]
    assert tried["ok"] is False
    assert tried["missing"] == ["Its run has no logged model.", "Its run keeps no eval/predictions.parquet."]
    assert tried["window"]["start"] == "2013-02-05T00:00:00+00:00"
    assert "reading crates\n" in depot.jobs.log(VIEWER, job_id).text
    assert depot.context.registry.models() == ()
    assert depot.retraining.choices(VIEWER)[0].last_at is None, "a check is no run that made a version"


@pytest.mark.timeout(300)
def test_checks_of_a_version_are_run_again_by_a_job(depot: Services, tmp_path: Path) -> None:
    from tests.test_runner import TRAIN

    (tmp_path / "train.py").write_text(TRAIN.replace("WITH_ROWS", "True"))
    recipe = Recipe("weekly", MINUTES, f"{{python}} '{tmp_path}/train.py' 7", {"train_days": 60, "holdout_days": 7})
    depot.retraining.save_recipe(ADMIN, recipe)
    depot.retraining.run_now(SCIENTIST, "weekly", "first")
    version_id = str(runner.run_next(depot)["version_id"])
    assert depot.retraining.check_by_recipe(SCIENTIST, version_id) is None, "it carries none"
    rows = Check("rows", CheckKind.DATA, "{python} -c 'print(\"result 400 n=400\")'", at_least=300.0)
    depot.retraining.save_recipe(ADMIN, replace(recipe, checks=(rows,)))
    assert depot.registry.gate(VIEWER, MINUTES, "1")["gates"][-1]["state"] == "waiting", "asked since, not run"
    assert depot.retraining.check_by_recipe(SCIENTIST, version_id)
    job = as_job(depot)
    assert (job.title, (job.result or {})["checked"]) == ("checks of v1", ["passed, 400"])
    assert depot.registry.gate(VIEWER, MINUTES, "1")["gates"][-1]["state"] == "passed"


def test_those_who_may_not_run_it_may_not_try_it(depot: Services) -> None:
    with pytest.raises(NotAllowed):
        doctor.check(depot, VIEWER, "weekly")
