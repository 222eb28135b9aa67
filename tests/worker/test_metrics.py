"""What a worker tells Prometheus: the same words and numbers as the Overview, once for all workers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlops_dash.bootstrap import Services
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.words import Health
from mlops_dash.services.command import Context
from mlops_dash.services.fleet import FleetService
from mlops_dash.services.jobs import JobsService
from mlops_dash.worker.metrics import FLEET_SECONDS, WorkerMetrics
from tests import fleet_world
from tests.factories import NOON, VIEWER, WORKER
from tests.test_metrics import read

NAME = 'it\'s "late"'


class Fleet(FleetService):
    """Counts how often the fleet is read."""

    asked = 0

    def room(self, actor: Any) -> Any:
        Fleet.asked += 1
        return super().room(actor)


@pytest.fixture
def report() -> dict[str, object]:
    return {"status": "ok", "holder": "h", "leading": True, "jobs": ["j1"], "trouble": {}}


def metrics(context: Context, report: dict[str, object], now: list[float] | None = None) -> WorkerMetrics:
    services = cast("Services", SimpleNamespace(fleet=Fleet(context), jobs=JobsService(context)))
    return WorkerMetrics(services, WORKER, lambda: report, now=lambda: (now or [0.0])[0])


def test_models_are_told_of_in_the_overviews_words_and_numbers(context: Context, report: dict[str, object]) -> None:
    fleet_world.served(context, NAME, health=Health.HARMED)
    fleet_world.served(context, "weekly grain", health=Health.OK)
    fleet_world.registered(context, "not served yet")
    fleet_world.alert(context, NAME)
    told = read(metrics(context, report).text())
    room = FleetService(context).room(VIEWER)
    for row in room.rows:
        words = {word: told["mlops_dash_model_health", (("health", word), ("model", row.model))] for word in Health}
        assert [word for word, said in words.items() if said] == [row.health]
    harmed = next(row for row in room.rows if row.model == NAME)
    assert harmed.estimate is not None
    measured = (("metric", harmed.metric), ("model", NAME))
    assert told["mlops_dash_model_metric", measured] == pytest.approx(harmed.estimate.value)
    assert told["mlops_dash_model_metric_low", measured] == pytest.approx(harmed.estimate.low)
    assert told["mlops_dash_model_metric_reference", measured] == pytest.approx(harmed.baseline)
    assert told["mlops_dash_model_inputs_moved_ratio", (("model", NAME),)] == len(harmed.moved) / (harmed.n_inputs or 1)
    assert harmed.as_of is not None
    assert told["mlops_dash_model_judged_until_timestamp_seconds", (("model", NAME),)] == harmed.as_of.timestamp()
    assert told["mlops_dash_alerts_open", ()] == room.alerts_open == 1


def test_what_is_not_known_has_no_series_instead_of_a_zero(context: Context, report: dict[str, object]) -> None:
    fleet_world.registered(context, "not served yet")
    told = read(metrics(context, report).text())
    own = {name for name, labels in told if ("model", "not served yet") in labels}
    assert own == {"mlops_dash_model_health", "mlops_dash_model_served_info", "mlops_dash_model_stale"}


def test_jobs_are_counted_by_state(context: Context, report: dict[str, object]) -> None:
    jobs = JobsService(context)
    for number in range(3):
        jobs.enqueue(WORKER, NewJob(Task.RETRAIN, NOON, "a slot", "worker", arguments={"lane": str(number)}))
    jobs.claim(WORKER, "w")
    told = read(metrics(context, report).text())
    assert told["mlops_dash_jobs", (("state", "queued"),)] == 2
    assert told["mlops_dash_jobs", (("state", "running"),)] == 1
    assert told["mlops_dash_worker_jobs_running", ()] == 1


def test_only_the_leader_tells_of_models_and_reads_them_every_ten_seconds(
    context: Context, report: dict[str, object]
) -> None:
    fleet_world.served(context, NAME)
    now, Fleet.asked = [0.0], 0
    numbers = metrics(context, report, now)
    numbers.text()
    numbers.text()
    assert Fleet.asked == 1
    now[0] = FLEET_SECONDS
    numbers.text()
    assert Fleet.asked == 2
    report["leading"] = False
    told = read(numbers.text())
    assert not any(name.startswith("mlops_dash_model") for name, _ in told)
    assert told["mlops_dash_worker_leading", ()] == 0
