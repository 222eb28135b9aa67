"""A played week: every flight once and its outcome when it is known, whoever is killed in between; gaps stay gaps."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import pytest

from mlops_dash import bootstrap
from mlops_dash.attempt import Run
from mlops_dash.bootstrap import Services
from mlops_dash.demo import week
from mlops_dash.demo.flights.columns import AIR_TIME, LATE_ARRIVAL, load_flights
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.last_day import set_world_clock
from mlops_dash.domain.held_back import HeldBack, Stretch, stretch_of
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.words import JobState
from mlops_dash.settings import checkout_root
from tests import factories
from tests.factories import LEAD, WORKER

JUNE = datetime(2013, 6, 1, 4, tzinfo=UTC)  # midnight in New York
THE_SECOND = JUNE + timedelta(days=1)


class Gateway:
    """Keeps what it was sent, as the log does; `dies_at` the batch of that number after it was stored."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.batches: dict[str, list[str]] = {}
        self.sent: Counter[tuple[str, str]] = Counter()
        self.outcomes: list[tuple[str, str, datetime]] = []
        self.dies_at = -1
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://gateway")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, now = request.url.path, self._services.context.clock.now()
        if path == "/healthz":
            return httpx.Response(200, json={"now": now.isoformat()})
        if path.startswith("/v1/predictions/"):
            known = path.removeprefix("/v1/predictions/") in self.batches
            return httpx.Response(200 if known else 404, json={})
        body = json.loads(request.content)
        if path == "/v1/labels":
            self.outcomes += [(body["model"], one["prediction_id"], now) for one in body["labels"]]
            return httpx.Response(200, json={})
        model, split = path.split("/")[2], body["dataframe_split"]
        ids = [row[0] for row in split["data"]]
        self.batches[request.headers["X-Prediction-Batch"]] = ids
        self.sent.update((model, one) for one in ids)
        if len(self.batches) == self.dies_at:
            raise httpx.ReadError("killed before it said so")
        return httpx.Response(200, json={})


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Services]:
    made = bootstrap.build(factories.settings(tmp_path))
    set_world_clock(made, JUNE)
    yield made
    made.close()


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    root = checkout_root()
    assert root is not None
    whole = load_flights(root / "data" / "flights-2013.parquet")
    near = whole["scheduled_at"].between(pd.Timestamp(JUNE) - timedelta(days=1), pd.Timestamp(JUNE) + timedelta(days=3))
    return whole[near & (whole["origin"] == "LGA") & (whole["carrier"] == "WN")]  # some flights a day


def run_of(house: Services, until: datetime) -> Run:
    house.held_back.keep(WORKER, HeldBack("flight-delay", week.ZONE, JUNE, JUNE, until))
    house.held_back.play_week(LEAD)
    job = house.jobs.claim(WORKER, "here")
    assert job is not None
    return Run(house, job, lambda _line: None)


def attempt(run: Run, gateway: Gateway, flights: pd.DataFrame) -> None:
    held, stretch = run.services.held_back.held(WORKER), stretch_of(run.job.arguments)
    assert held is not None
    week._Player(run, gateway.client, flights, [LATE_ARRIVAL, AIR_TIME], stretch, held.begun(stretch)).play()


def test_a_week_that_was_killed_sends_every_flight_once(house: Services, flights: pd.DataFrame) -> None:
    run, gateway = run_of(house, THE_SECOND), Gateway(house)
    due = flights[flights["scheduled_at"].between(pd.Timestamp(JUNE), pd.Timestamp(THE_SECOND), inclusive="left")]
    assert len(due) > 5
    for dies_at in (1, 4):  # the first model of an hour, and the second one of another
        gateway.dies_at = dies_at
        with pytest.raises(httpx.ReadError):
            attempt(run, gateway, flights)
    gateway.dies_at = -1
    attempt(run, gateway, flights)

    models = ("flight-delay", "air-time")
    assert gateway.sent == Counter({(model, one): 1 for one in due["flight_id"] for model in models})
    held = house.held_back.held(WORKER)
    assert held is not None
    assert (held.sent_until, held.told_until) == (THE_SECOND, THE_SECOND)
    assert house.context.clock.now() - THE_SECOND < timedelta(minutes=1)


def test_outcomes_come_at_midnight_and_only_those_that_are_known(house: Services, flights: pd.DataFrame) -> None:
    gateway = Gateway(house)
    attempt(run_of(house, THE_SECOND), gateway, flights)

    landed = flights["landed_at"].between(pd.Timestamp(JUNE), pd.Timestamp(THE_SECOND), inclusive="left")
    late = {one for model, one, _ in gateway.outcomes if model == "flight-delay"}
    assert late == set(flights[landed & flights["late"].notna()]["flight_id"])
    assert all(THE_SECOND <= at < THE_SECOND + timedelta(minutes=1) for _, _, at in gateway.outcomes)


def test_what_was_missed_while_the_clock_went_on_is_neither_sent_nor_told(
    house: Services, flights: pd.DataFrame
) -> None:
    noon, gateway = JUNE + timedelta(hours=12), Gateway(house)
    set_world_clock(house, noon)
    attempt(run_of(house, THE_SECOND), gateway, flights)

    morning = flights["scheduled_at"].between(pd.Timestamp(JUNE), pd.Timestamp(noon), inclusive="left")
    missed = set(flights[morning]["flight_id"])
    assert missed
    assert missed.isdisjoint(one for _, one in gateway.sent)
    assert missed.isdisjoint(one for _, one, _ in gateway.outcomes)
    held = house.held_back.held(WORKER)
    assert held is not None
    assert [gap.start for gap in held.missed] == [JUNE]


def test_the_clock_waits_for_what_is_trained_and_not_for_what_no_worker_has_taken(
    house: Services, flights: pd.DataFrame
) -> None:
    run, gateway = run_of(house, THE_SECOND), Gateway(house)
    for model in ("flight-delay", "air-time"):
        house.jobs.enqueue(WORKER, NewJob(Task.RETRAIN, JUNE, "the month is over", "user:lead", model))
    trained = house.jobs.claim(WORKER, "here")  # the other one stays in the queue
    assert trained is not None
    sent_before: list[int] = []

    def end() -> None:
        time.sleep(2.0)
        sent_before.append(gateway.sent.total())
        house.jobs.finish(WORKER, trained.id, trained.epoch, JobState.SUCCEEDED, result={})

    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(end)
        attempt(run, gateway, flights)
        done.result()
    assert sent_before == [0]
    assert gateway.sent.total() > 5
    assert [job.task for job in house.jobs.recent(WORKER, states=(JobState.QUEUED,))] == [Task.RETRAIN]


def test_what_runs_for_ever_holds_up_the_week_once(
    house: Services, flights: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(week, "_TRAIN_SECONDS", 0.5)
    waits: list[str] = []
    run, gateway = run_of(house, THE_SECOND), Gateway(house)
    house.jobs.enqueue(WORKER, NewJob(Task.RETRAIN, JUNE, "the month is over", "user:lead", "flight-delay"))
    assert house.jobs.claim(WORKER, "here") is not None
    real = run.step

    def step(share: float, text: str) -> None:
        waits.extend([text] if "waits for" in text else [])
        real(share, text)

    object.__setattr__(run, "step", step)
    attempt(run, gateway, flights)
    assert gateway.sent.total() > 5
    assert len(waits) == 1


def test_a_home_that_was_built_earlier_is_told_what_it_has_not_played_and_only_once(house: Services) -> None:
    journal = Journal(house)
    journal.note("replayed_until", "2013-05-31T00:00:00-04:00")  # a short demo: its last day came over HTTP
    week.hold_back(house)
    held = house.held_back.held(WORKER)
    assert held is not None
    assert held.coming(JUNE) == Stretch(JUNE, JUNE + timedelta(days=7))
    journal.note("replayed_until", "2013-12-31T00:00:00-05:00")
    week.hold_back(house)
    assert house.held_back.held(WORKER) == held
