"""Real worker processes, real signals: no job is lost, none is done twice, nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import psutil
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.hindsight import Backfill
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.settings import from_environment
from tests.factories import ADMIN, LEAD, SCIENTIST, VIEWER
from tests.machine import free_port, unmeasured

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(400)
MODEL = "flight-delay"


@dataclass
class House:
    """One installation in a folder, and the workers started on it."""

    home: Path
    variables: dict[str, str]
    services: Services
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)

    def worker(self) -> subprocess.Popen[bytes]:
        """Start one more worker."""
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_dash.worker", "--stale-seconds", "4"],
            env={**self.variables, "MLOPS_DASH_WORKER_PORT": str(port)}, cwd=self.home,
        )  # fmt: skip
        self.workers.append(process)
        self.ports[process.pid] = port
        return process

    def health(self, process: subprocess.Popen[bytes]) -> dict[str, object]:
        """What a worker's /healthz says; empty while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[process.pid]}/healthz", timeout=2) as answer:
                said: dict[str, object] = json.load(answer)
                return said
        except (urllib.error.URLError, OSError):
            return {}

    def job(self, job_id: str) -> Job:
        """The job as it is now."""
        return self.services.jobs.job(VIEWER, job_id)


def wait_for(condition: Callable[[], object], what: str, seconds: float = 150.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.05)


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    frame = pd.read_parquet(ROOT / "data" / "flights-2013.parquet")
    few = tmp_path / "few.parquet"
    frame[frame["scheduled_at"] < pd.Timestamp("2013-02-15T05:00Z")].iloc[::8].to_parquet(few, index=False)
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_uri)
    for name in ("MLOPS_DASH_DATABASE_URL", "MLOPS_DASH_LOG_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    services = bootstrap.build(from_environment())
    services.registry.add_model(SCIENTIST, MODEL, reason="test")
    parameters = {"data": str(few), "train_start": "2013-01-01T00:00:00-05:00", "holdout_days": 0, "folds": 2,
                  "validation_days": 7, "parameters": {"max_iter": 10, "min_samples_leaf": 20}}  # fmt: skip
    services.retraining.save_recipe(ADMIN, Recipe("small", MODEL, ENTRY, parameters, timeout_seconds=120))
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    made = House(tmp_path, {**unmeasured(), "PYTHONPATH": paths}, services)
    yield made
    for process in made.workers:
        if process.poll() is None:
            process.kill()
        process.wait()
    services.close()


def tree_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


def test_kill_9_in_the_middle_of_a_retrain_and_the_job_still_finishes_exactly_once(house: House) -> None:
    job_id = house.services.retraining.run_now(LEAD, "small", "does it survive?")
    first = house.worker()
    wait_for(lambda: house.job(job_id).progress >= 0.05, "training")
    tree = tree_of(first)
    assert len(tree) >= 2, "the guard and the runner"
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: all_gone(tree), "the end of the whole tree", 20)
    assert house.job(job_id).state is JobState.RUNNING, "nobody has noticed yet"

    second = house.worker()
    wait_for(lambda: house.job(job_id).finished, "the second attempt")
    job = house.job(job_id)
    assert (job.state, job.epoch, job.attempt, job.error) == (JobState.SUCCEEDED, 2, 2, "")
    assert job.result is not None
    assert job.result["version"] == "1"
    assert len(house.services.context.registry.versions(MODEL)) == 1
    log = house.services.jobs.log(VIEWER, job_id).text
    assert "attempt 1 of small" in log
    assert "attempt 2 of small" in log
    assert log.count("done: v1") == 1
    assert house.services.jobs.recent(VIEWER, states=(JobState.QUEUED, JobState.RUNNING)) == ()
    second.send_signal(signal.SIGTERM)
    assert second.wait(30) == 0


def test_a_clean_stop_ends_children_and_gives_the_job_back_without_costing_an_attempt(house: House) -> None:
    job_id = house.services.retraining.run_now(LEAD, "small", "will it be stopped?")
    worker = house.worker()
    wait_for(lambda: house.job(job_id).progress >= 0.05, "training")
    tree = tree_of(worker)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0
    assert all_gone(tree)
    job = house.job(job_id)
    assert (job.state, job.attempt) == (JobState.QUEUED, 0)
    assert "stopped" in job.error


def test_a_cancel_ends_the_processes_of_a_running_job(house: House) -> None:
    job_id = house.services.retraining.run_now(LEAD, "small", "a mistake")
    worker = house.worker()
    wait_for(lambda: house.job(job_id).progress >= 0.05, "training")
    tree = tree_of(worker)
    house.services.jobs.cancel(SCIENTIST, job_id, "wrong recipe")
    wait_for(lambda: house.job(job_id).finished, "the cancel")
    assert (house.job(job_id).state, house.job(job_id).error) == (
        JobState.CANCELLED, "Cancelled by scientist: wrong recipe",
    )  # fmt: skip
    wait_for(lambda: all_gone(tree), "the end of the whole tree", 20)


def test_one_of_two_workers_leads_and_the_other_takes_over_after_a_kill(house: House) -> None:
    both = [house.worker(), house.worker()]
    wait_for(lambda: all(house.health(one).get("status") for one in both), "two healthy workers")
    wait_for(lambda: sum(bool(house.health(one)["leading"]) for one in both) == 1, "one leader")
    leader, other = sorted(both, key=lambda one: not house.health(one)["leading"])
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    killed = time.monotonic()
    wait_for(lambda: house.health(other).get("leading"), "the take-over", 15)
    assert time.monotonic() - killed < 10, "two seconds of lease, a step, and a busy machine"
    other.send_signal(signal.SIGTERM)
    assert other.wait(30) == 0
    lease = house.services.jobs.leader(VIEWER)
    assert lease is not None
    assert lease.holder == "", "a clean stop gives the lead back"


def test_a_worker_trains_two_versions_of_a_backfill_beside_each_other_and_asks_nobody(house: House) -> None:
    backfill_id = house.services.retraining.backfill(
        SCIENTIST, "small", "how often?", first="2013-02-01", until="2013-02-15", every="7d", parallel=2
    )

    def known() -> Backfill:
        (one,) = house.services.retraining.backfills(VIEWER)
        assert one.id == backfill_id
        return one

    house.worker()
    wait_for(lambda: known().count(JobState.RUNNING) == 2, "both lanes")
    wait_for(lambda: known().finished, "both versions", 300)
    assert known().words == "2 of 2 versions are trained", [job.error for job in known().jobs]
    ends = [house.services.registry.version(VIEWER, str((job.result or {})["version_id"])) for job in known().jobs]
    assert [one.training_end for one in ends] == [job.due_at for job in known().jobs]
    assert house.services.retraining.room(VIEWER).candidate is None
    assert "No labelled row" in house.services.retraining.hindsight(VIEWER, backfill_id).sentence
