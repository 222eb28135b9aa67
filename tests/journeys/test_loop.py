"""The main job on real flights, as a newcomer does it: from an alert to a new version that the gateway answers with."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest
from playwright.sync_api import Page
from sqlmodel import col, select

from app.pages import HOME, PAGES
from mlops_dash.demo.flights.columns import AIR_TIME, LATE_ARRIVAL, Target, features_of, load_flights
from mlops_dash.demo.story import FAST
from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.audit import Action, Filter
from mlops_dash.domain.held_back import stretch_of
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.words import Health, JobState
from mlops_dash.settings import checkout_root
from mlops_dash.store.db import reading
from mlops_dash.store.tables.log import LabelRow, PredictionRow, ScoreRow
from tests.browser.conftest import assert_sound
from tests.journeys.conftest import Installation
from tests.journeys.walk import Walk

pytestmark = pytest.mark.timeout(1_800)

ADMIN = Actor("admin", "admin", Role.ADMIN)
MODEL = "flight-delay"
PATHS = tuple("/" if row.url == HOME else f"/{row.url}" for row in PAGES)
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def token(installation: Installation) -> str:
    return installation.ui.services.access.issue_token(
        ADMIN, "scientist", label="journey", days=90
    ).secret  # a week is played


@pytest.fixture(scope="module")
def batch() -> dict[str, Any]:
    return _body(LATE_ARRIVAL)


def _body(target: Target) -> dict[str, Any]:
    """A request about the year's last flights."""
    frame = features_of(_flights().tail(40), target).astype(object)
    rows = [[None if pd.isna(value) else value for value in row] for row in frame.to_numpy().tolist()]
    return {"dataframe_split": {"columns": list(frame.columns), "data": rows}}


def _flights() -> pd.DataFrame:
    root = checkout_root()
    assert root is not None
    return load_flights(root / "data" / "flights-2013.parquet")


def _score(
    installation: Installation, token: str, batch: dict[str, Any], name: str, model: str = MODEL
) -> httpx.Response:
    return httpx.post(
        f"{installation.gateway}/models/{model}/invocations",
        json=batch,
        headers={"Authorization": f"Bearer {token}", "X-Prediction-Batch": name},
        timeout=20,
        trust_env=False,
    )


def test_the_demo_shows_months_of_real_traffic_and_its_ledger_verifies(installation: Installation) -> None:
    services = installation.ui.services
    counts = services.scoring.counts(ADMIN, MODEL)
    room = services.registry.room(ADMIN, MODEL)

    assert counts.predictions > 38_000
    assert room.proposal is not None
    assert services.audit.entries(ADMIN, Filter(action=str(Action.ROLLBACK_DECIDED))).entries
    assert services.audit.verify(ADMIN).ok


def test_a_replay_that_was_killed_again_and_again_holds_every_flight_and_label_once(installation: Installation) -> None:
    """`build_under_fire` made this home: what it holds must be what one undisturbed replay would have stored."""
    services = installation.ui.services
    flights = _flights()
    start, end = pd.Timestamp(FAST.start), pd.Timestamp(FAST.end)
    asked = flights[(flights["scheduled_at"] >= start) & (flights["scheduled_at"] < end)]
    known = asked[(asked["landed_at"] < end) & asked["late"].notna()].set_index("flight_id")["late"].astype(float)

    with reading(services.context.databases.log) as session:
        predictions = session.exec(select(PredictionRow.prediction_id).where(PredictionRow.model == MODEL)).all()
        scores = session.exec(select(ScoreRow.prediction_id, ScoreRow.version, ScoreRow.role)
                              .where(ScoreRow.model == MODEL)).all()  # fmt: skip
        labels = session.exec(select(LabelRow.prediction_id, LabelRow.revision, LabelRow.value)
                              .where(LabelRow.model == MODEL)).all()  # fmt: skip
    flown = set(asked["flight_id"])
    replayed = [one for one in predictions if one in flown]
    assert len(replayed) == len(flown) == len(set(replayed))
    of_v1 = {flight for flight, version, role in scores if version == "1" and role != "replayed"}
    assert flown <= of_v1  # as champion or as shadow, v1 has a score of every flight
    assert {flight: value for flight, _, value in labels} == known.to_dict()
    assert {revision for _, revision, _ in labels} == {1}

    decided = Counter(
        str(entry.action) for entry in services.audit.entries(ADMIN, Filter(model=MODEL), size=500).entries
    )
    once = {"promotion.decided": 2, "promotion.finished": 2, "rollback.decided": 1, "rollback.finished": 1}
    assert {action: decided[action] for action in once} == once
    with closing(sqlite3.connect(installation.home / "mlflow.db")) as mlflow:
        finished = [name for (name,) in mlflow.execute("SELECT name FROM runs WHERE status = 'FINISHED'")]
        (open_runs,) = mlflow.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    swept = [name for name in finished if name.startswith("leaves-")]
    assert len(swept) == len(set(swept)) == FAST.sweep_runs
    assert open_runs == 0


@pytest.mark.parametrize(("mode", "width"), [("light", 1440), ("dark", 390)])  # the other corners: tests/browser
@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_sound_with_the_demos_facts(
    installation: Installation, visit: Visit, path: str, mode: str, width: int
) -> None:
    page = visit("lead", path, mode=mode, width=width)

    assert_sound(page)


def test_the_readmes_loop_by_clicks_alone_from_the_worst_alert_to_the_first_verdict_on_its_answer(
    installation: Installation, visit: Visit, token: str
) -> None:
    """All four corners: light desk and dark phone until a rejection, light phone and dark desk after it."""
    services, model, minutes = installation.ui.services, AIR_TIME.model, _body(AIR_TIME)
    assert _score(installation, token, minutes, "before", model).headers["X-Model-Version"] == "1"
    walk = Walk(visit("scientist", "/"), visit("lead", "/", mode="dark", width=390))

    version = walk.from_alert_to_version("A model that saw only winter")
    walk.propose(version, "Better on every day of May")
    walk.review(version)
    walk.reject(version, "What happens to long flights?")
    assert _score(installation, token, minutes, "rejected", model).headers["X-Model-Version"] == "1"
    walk = Walk(visit("scientist", "/", width=390), visit("lead", "/", mode="dark"))
    walk.read_the_rejection(version, "What happens to long flights?")
    walk.propose(version, "They gain most")
    walk.review(version)
    walk.promote(version, "Read the evidence")

    _wait(
        lambda: (
            _score(installation, token, minutes, f"after-{time.time()}", model).headers["X-Model-Version"] == version
        ),
        10,
    )
    assert_sound(walk.scientist)
    tested = _start_a_test(installation, "v3")
    walk.play_a_week()
    assert_sound(walk.lead)
    said = walk.read_the_verdict(model, version)
    assert_sound(walk.lead)
    assert re.search(r"MAE [0-9.]+ min over the last [5-7] ripe days", said), said
    assert services.monitoring.room(ADMIN, model).health is Health.OK
    arms = services.ab_tests.room(ADMIN, tested).reading
    assert arms is not None
    assert [one.ripe > 1_000 for one in (arms.challenger, arms.control)] == [True, True]
    _wait(lambda: all(job.finished for job in services.jobs.recent(ADMIN)), 600)  # the month's refresh, a replay

    actions = Counter(
        str(entry.action) for entry in services.audit.entries(ADMIN, Filter(model=model), size=200).entries
    )
    once = {"proposal.rejected": 1, "promotion.finished": 2}  # with that of the first version
    assert {action: actions[action] for action in once} == once
    asked = [
        one
        for one in services.jobs.recent(ADMIN, model=model)
        if one.task is Task.RETRAIN and one.cause.startswith("asked by")
    ]
    assert actions["job.requested"] == len(asked), [(one.recipe, one.state, one.cause, one.error) for one in asked]
    came = [one.recipe for one in asked if one.state is JobState.SUCCEEDED]
    assert sorted(came) == ["air-time-first", "air-time-refresh"], [(one.recipe, one.state, one.error) for one in asked]
    # A shot at the building may have failed a job of the first version; it was asked for again. No other was.
    assert {one.recipe for one in asked if one.state is not JobState.SUCCEEDED} <= {"air-time-first"}
    assert services.audit.verify(ADMIN).ok


def _start_a_test(installation: Installation, challenger: str) -> str:
    """Somebody has started an A/B test before the week is played; gives its id."""
    services = installation.ui.services
    lines = services.registry.room(ADMIN, MODEL).lines
    version = next(one.version for one in lines if one.version.label == challenger)
    test = services.ab_tests.design(ADMIN, NewTest(MODEL, version.id, "Does it hold in summer?", planned_units=4_000))
    return services.ab_tests.start(ADMIN, test.id, test.revision, reason="Nobody knows yet").id


def test_a_played_week_holds_every_flight_once(installation: Installation) -> None:
    """The week that the walk has played: as many rows as the file has flights, for each model."""
    services = installation.ui.services
    (job,) = [one for one in services.jobs.recent(ADMIN) if one.task is Task.PLAY_WEEK]
    week = stretch_of(job.arguments)
    flights = _flights()
    due = set(flights[(flights["scheduled_at"] >= week.start) & (flights["scheduled_at"] < week.end)]["flight_id"])
    assert len(due) > 6_000
    for model in (MODEL, AIR_TIME.model):
        with reading(services.context.databases.log) as session:
            asked = session.exec(select(ScoreRow.prediction_id).where(
                ScoreRow.model == model, col(ScoreRow.role).in_(["champion", "arm"]))).all()  # fmt: skip
        assert Counter(one for one in asked if one in due) == dict.fromkeys(due, 1)


def test_a_killed_gateway_comes_back_and_nothing_answered_is_lost(
    installation: Installation, token: str, batch: dict[str, Any]
) -> None:
    answered: list[str] = []
    victim = installation.child("mlops_dash.gateway")
    for number in range(60):
        name = f"kill-{number}"
        if number == 30:
            victim.kill()
        try:
            if _score(installation, token, batch, name).status_code == 200:
                answered.append(name)
        except httpx.TransportError:
            time.sleep(0.3)

    _wait(lambda: _answers(f"{installation.gateway}/healthz"), 60)
    services = installation.ui.services
    assert len(answered) >= 30
    for name in answered:
        assert len(services.scoring.batch(ADMIN, name)) == 40


def test_a_killed_worker_and_ui_come_back_and_no_job_runs_twice(installation: Installation) -> None:
    services = installation.ui.services
    before = {job.id: (job.state, job.attempt) for job in services.jobs.recent(ADMIN)}
    for module in ("mlops_dash.worker", "streamlit"):
        old = installation.child(module)
        old.kill()
        _wait(lambda module=module, old=old: _restarted(installation, module, old), 60)

    _wait(lambda: _answers(f"{installation.ui.url}/healthz"), 60)
    assert {job.id: (job.state, job.attempt) for job in services.jobs.recent(ADMIN)} == before


def test_anonymous_requests_reach_the_login_and_health_only(installation: Installation) -> None:
    ui, gateway = installation.ui.url, installation.gateway
    with httpx.Client(timeout=10, trust_env=False) as client:
        for path in (*PATHS, "/?model=x", "/static/index.html", "/nowhere"):
            answer = client.get(ui + path)
            assert answer.status_code in {303, 401}, path
            assert answer.status_code == 401 or answer.headers["location"].startswith("/login"), path
        for path in ("/_stcore/host-config", "/_stcore/metrics", "/media/x", "/component/x", "/openapi.json"):
            assert client.get(ui + path).status_code in {303, 401, 404}, path
        assert client.get(f"{ui}/healthz").status_code == 200
        assert client.get(f"{gateway}/ping").status_code == 200
        for method, path in (
            ("POST", f"/models/{MODEL}/invocations"),
            ("POST", "/v1/predictions"),
            ("POST", "/v1/labels"),
            ("GET", "/v1/predictions/before"),
        ):
            assert client.request(method, gateway + path, json={}).status_code == 401, path


def _restarted(installation: Installation, module: str, old: psutil.Process) -> bool:
    try:
        return installation.child(module).pid != old.pid
    except (AssertionError, psutil.NoSuchProcess):
        return False


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.3)
