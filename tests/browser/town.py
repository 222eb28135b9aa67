"""A home in which every room has something to show: versions with gates, a harmed model, runs, decisions."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.demo.flights.train import ENTRY
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.retraining import Recipe, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import JobState
from mlops_dash.settings import from_environment
from mlops_dash.store import world
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.registry import PolicyVersionRow
from tests import registry_world
from tests.factories import ADMIN, LEAD, NOON, SCIENTIST, WORKER
from tests.registry_world import MODEL, Hands
from tests.services.monitoring import monitoring_world

GOOD, BLIND = 14, 12  # live days whose score says something, and after them days where it says nothing


def build(home: Path, mlflow_template: Path, environment: dict[str, str]) -> str:
    """Fill an empty home; returns the address of its MLflow store, which a running ui does not reach."""
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    address = f"sqlite:///{home}/mlflow.db"
    hands = Hands()
    services = bootstrap.build(from_environment({**environment, "MLFLOW_TRACKING_URI": address}), clock=hands.clock())
    services.access.ensure_demo_users(WORKER)
    told = registry_world.story(services.context, hands)
    _runs(services)
    _traffic(services, hands, told.ids["1"])
    with transaction(services.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, (NOON - wall_now()).total_seconds())
    services.close()
    return address


def _runs(services: Services) -> None:
    recipe = Recipe("refresh", MODEL, ENTRY, {"seed": 1, "parameters": {"max_iter": 80}}, max_attempts=2)
    services.retraining.save_recipe(ADMIN, recipe)
    services.jobs.lead(WORKER, "w1", seconds=600)
    job_id = services.retraining.run_now(LEAD, "refresh", "loss is up since April")
    job = services.jobs.claim(WORKER, "w1")
    assert job is not None
    path = services.jobs.log_path(WORKER, job_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("2013-06-03T16:00:00Z INFO snapshot rows=336,776\n2013-06-03T16:00:05Z WARN wind_gust is missing\n")
    services.jobs.finish(WORKER, job_id, job.epoch, JobState.SUCCEEDED, result={"version": "3"})
    draft = ScheduleDraft(
        name="weekly", kind=ScheduleKind.CRON, expression="0 6 * * 1", zone="America/New_York", recipe="refresh"
    )
    made = services.retraining.save_schedule(SCIENTIST, draft)
    (seen,) = [one for one in services.retraining.schedules(WORKER) if one.id == made]
    now = services.context.clock.now()
    services.retraining.plan(WORKER, seen, tuple(now + timedelta(hours=2 + 168 * n) for n in range(5)))


def _traffic(services: Services, hands: Hands, version_id: str) -> None:
    """Six weeks of reference, then days of live rows whose score goes blind, judged two days later."""
    policy = MonitoringPolicy(label_delay_hours=24.0)
    start = (NOON - timedelta(days=GOOD + BLIND + 1)).replace(hour=0)
    with transaction(services.context.databases.app) as session:
        session.add(
            PolicyVersionRow(id="policy", model=MODEL, kind="monitoring", number=1, body=policy.as_json(),
                             digest=policy.digest, author="a", approver="b", active_from=monitoring_world.FIRST)
        )  # fmt: skip
    live = monitoring_world.World(services.context, services.monitoring, now=start)
    live.reference(version_id)
    live.live(GOOD, version_id=version_id)
    live.live(BLIND, blind=True, moved=1.5, version_id=version_id)
    hands.at = NOON
    live.evaluate()
