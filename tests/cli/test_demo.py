"""The second demo refuses in one sentence what it cannot begin with; the first one goes on by command."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.held_back import HeldBack
from mlops_dash.domain.words import JobState
from tests.cli.conftest import Run, house
from tests.factories import ADMIN, WORKER

__all__ = ["house"]


def test_it_brings_its_own_mlflow(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLOPS_DASH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, out, err = run("demo", "--yours")
    assert (code, out) == (2, "")
    assert err.startswith("This demo brings a plain MLflow of its own.")


def test_it_does_not_type_into_a_home_that_somebody_uses(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    house.registry.add_model(ADMIN, """it's "ours\"""", reason="ours to watch")
    code, _, err = run("demo", "--yours")
    assert (code, """holds data already: it's "ours\".""" in err) == (2, True)
    assert [one.name for one in house.registry.models(ADMIN)] == ["""it's "ours\""""]


def worked(house: Services, state: JobState, *, error: str = "") -> None:
    """As a worker would: take the week, say how far it is, and end it."""
    until = time.monotonic() + 30
    while (job := house.jobs.claim(WORKER, "here")) is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    house.jobs.progress(WORKER, job.id, job.epoch, "day 3 of 7: 5 Jun 2013", 0.4)
    time.sleep(1.5)  # the command looks twice a second
    result = {"flights": 6_528, "outcomes": 6_186} if state is JobState.SUCCEEDED else None
    house.jobs.finish(WORKER, job.id, job.epoch, state, result=result, error=error)


def hold_back(house: Services) -> None:
    now = house.context.clock.now()
    house.held_back.keep(WORKER, HeldBack("flight-delay", "America/New_York", now, now, now + timedelta(days=30)))


def test_the_next_week_of_a_home_that_is_no_demo(house: Services, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, out, err = run("demo", "--play-week")
    assert (code, out) == (2, "")
    assert err.startswith("Nothing is held back here. Only the demo has a week to play")


def test_the_next_week_is_followed_to_its_end(house: Services, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    hold_back(house)
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(worked, house, JobState.SUCCEEDED)
        code, out, err = run("demo", "--play-week", "--json")
        done.result()
    assert (code, "day 3 of 7: 5 Jun 2013" in err) == (0, True)
    assert json.loads(out)["flights"] == 6_528
    assert len(house.jobs.recent(ADMIN)) == 1


def test_a_week_that_was_not_played_to_its_end_says_why(
    house: Services, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    hold_back(house)
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(worked, house, JobState.CANCELLED, error="Cancelled by lead: enough")
        code, out, err = run("demo", "--play-week")
        done.result()
    assert (code, out) == (2, "")
    assert "The week was not played to its end: Cancelled by lead: enough The same command goes on there." in err
