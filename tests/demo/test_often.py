"""The demo's question about the past is asked once and trained once, also when a start was broken off in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mlops_dash import bootstrap, runner
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo import often
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.demo.story import FULL, MODEL, RECIPE_REFRESH
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, Unavailable
from mlops_dash.store.db import transaction
from tests import factories
from tests.factories import ADMIN, VIEWER, WORKER

ASKED = datetime(2013, 12, 1, 5, 1, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path), clock=Clock(wall=lambda: ASKED))
    with transaction(made.context.databases.app) as session:
        session.add(factories.model_row())
    made.retraining.save_recipe(
        ADMIN, Recipe(RECIPE_REFRESH, MODEL, ENTRY, {"train_start": "2013-01-01T00:00:00-05:00", "holdout_days": 61})
    )
    yield made
    made.close()


def trained(services: Services, after: int = 99) -> Any:
    """Training takes no time, and MLflow is away after so many versions."""
    lock, made = threading.Lock(), [0]

    def run_next(_services: Services, **_: Any) -> dict[str, str]:
        with lock:
            if made[0] >= after:
                raise Unavailable("MLflow does not answer.")
            job = services.jobs.claim(WORKER, "here")
            if job is None:
                raise Conflict("No retrain job is due.")
            made[0] += 1
            services.jobs.finish(WORKER, job.id, job.epoch, JobState.SUCCEEDED, result={"version_id": f"v{job.id}"})
            return {}

    return run_next


def test_each_month_since_may_is_trained_once_also_after_a_start_that_broke_off(
    house: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []
    monkeypatch.setattr(runner, "run_next", trained(house, after=3))
    with pytest.raises(Unavailable):
        often.ask(house, lambda share, _text: told.append(share))
    monkeypatch.setattr(runner, "run_next", trained(house))
    asked = often.ask(house, lambda share, _text: told.append(share))
    assert often.ask(house, lambda share, _text: told.append(share)) == asked
    (known,) = house.retraining.backfills(VIEWER, MODEL)
    assert [f"{job.due_at:%m-%d}" for job in known.jobs] == [f"{month:02d}-01" for month in range(5, 12)]
    assert known.finished
    assert known.until <= FULL.end
    assert told[-1] == 1.0
