"""The story's versions are trained once, also when a start was broken off in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlops_dash import bootstrap, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo import train as training
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.demo.journal import Journal
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict
from mlops_dash.store.db import transaction
from tests import factories
from tests.factories import ADMIN, SCIENTIST, WORKER

VERSION = "flight-delay-v1"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A model with a recipe; running it takes no time and makes version 1."""
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock())
    with transaction(made.context.databases.app) as session:
        session.add(factories.model_row())
        session.add(factories.version_row("1", recipe="first"))
    made.retraining.save_recipe(ADMIN, Recipe("first", "flight-delay", ENTRY, {"seed": 1}))
    monkeypatch.setattr(training, "wait_for_mlflow", lambda _services: None)
    monkeypatch.setattr(runner, "run_next", _run_next)
    yield made
    made.close()


def _run_next(services: Services, **_: Any) -> dict[str, str]:
    job = services.jobs.claim(WORKER, "here")
    if job is None:
        raise Conflict("No retrain job is due.")
    services.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"version_id": VERSION})
    return {"version_id": VERSION}


def train(house: Services, key: str = "demo") -> dict[str, str]:
    return training.train(house, Journal(house, key), ["first"], reason="r", tell=lambda _share, _text: None)


def test_a_version_that_was_made_is_not_made_again_whether_it_was_noted_or_not(house: Services) -> None:
    assert train(house) == train(house) == train(house, "forgot") == {"first": VERSION}
    assert len(house.jobs.recent(SCIENTIST)) == 1


def test_a_job_of_a_start_that_was_broken_off_later_in_the_storys_time_is_taken_up(house: Services) -> None:
    clock = house.context.clock
    clock.offset += timedelta(seconds=1.5)
    house.retraining.run_now(SCIENTIST, "first", "r")
    job = house.jobs.claim(WORKER, "killed")
    assert job is not None
    clock.offset -= timedelta(seconds=1.5)
    assert train(house) == {"first": VERSION}
    assert [(one.id, one.attempt) for one in house.jobs.recent(SCIENTIST)] == [(job.id, 2)]
