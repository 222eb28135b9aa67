"""`kill -9` at random moments of gateway, worker, pages and MLflow under load: what was answered is there afterwards.

MLOPS_DASH_TEST_KILLS says how often (a hundred are in docs/trust.md), MLOPS_DASH_TEST_SEED repeats a run.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.domain.access import Actor, Role
from mlops_dash.domain.audit import Filter
from mlops_dash.settings import from_environment
from tests.browser.conftest import Ui
from tests.factories import WORKER
from tests.journeys import conftest
from tests.journeys.conftest import Installation

KILLS = int(os.environ.get("MLOPS_DASH_TEST_KILLS") or 6)
pytestmark = pytest.mark.timeout(300 + 90 * KILLS)

ADMIN = Actor("admin", "admin", Role.ADMIN)
MODEL = "credit 'scoring'"
VICTIMS = {"gateway": "mlops_dash.gateway", "worker": "mlops_dash.worker", "ui": "streamlit", "mlflow": "mlflow"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Installation]:
    """`mlops-dash up` in an empty home."""
    home, output = tmp_path / "home", tmp_path / "up.log"
    env = {**conftest.environment_of(home), "MLOPS_DASH_DEMO": "1"}
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_dash.cli", "up"], env=env, stdout=file, stderr=file,
            stdin=subprocess.DEVNULL, cwd=tmp_path, start_new_session=True,
        )  # fmt: skip
    services: Services | None = None
    try:
        said = conftest.until_open(process, output)
        mlflow = conftest.found(r"MLflow\s+(\S+)", said)
        services = bootstrap.build(from_environment({**env, "MLFLOW_TRACKING_URI": mlflow}))
        services.access.ensure_demo_users(WORKER)
        gateway = conftest.found(r"Gateway\s+(\S+)/docs", said)
        yield Installation(process, home, output, Ui(conftest.found(r"Open\s+(\S+)", said), services), gateway)
    finally:
        if services is not None:
            services.close()
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            conftest._kill([process.pid, *(one.pid for one in family)])


class Load:
    """Clients that send, each as fast as it is answered, and remember what was acknowledged."""

    def __init__(self, house: Installation) -> None:
        self.services = house.ui.services
        secret = self.services.access.issue_token(ADMIN, "scientist", label="load", days=1).secret
        self.gateway = httpx.Client(
            base_url=house.gateway, headers={"Authorization": f"Bearer {secret}"}, timeout=20, trust_env=False
        )
        self.mlflow = httpx.Client(
            base_url=f"{self.services.context.settings.mlflow_uri}/api/2.0/mlflow", timeout=20, trust_env=False
        )
        self.batches: list[str] = []
        self.labelled: list[str] = []
        self.steps: list[int] = []
        self.decided: list[str] = []
        self.over = threading.Event()

    def prepare(self) -> None:
        """A model with one version in MLflow, known to us as soon as the worker has seen it."""
        experiment = self.ask("experiments/create", name="load")["experiment_id"]
        self.run = self.ask("runs/create", experiment_id=experiment, start_time=1)["run"]["info"]["run_id"]
        self.ask("registered-models/create", name=MODEL)
        self.services.registry.add_model(ADMIN, MODEL, reason="is scored under fire")
        self.ask("model-versions/create", name=MODEL, source=f"runs:/{self.run}/model", run_id=self.run)
        wait(lambda: self.send("first"), 90)

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.mlflow.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def send(self, batch: str) -> bool:
        rows = [{"version": "1", "score": 0.2 + row / 10, "features": {"income": row}} for row in range(5)]
        body = {"model": MODEL, "batch": batch, "predictions": rows}
        return self.gateway.post("/v1/predictions", json=body).status_code == 200

    def predict(self, name: str) -> None:
        if self.send(name):
            self.batches.append(name)
            labels = [{"prediction_id": f"{name}-{row}", "value": row % 2} for row in range(5)]
            if self.gateway.post("/v1/labels", json={"model": MODEL, "labels": labels}).status_code == 200:
                self.labelled.append(name)

    def measure(self, name: str) -> None:
        step = int(name)
        answer = self.mlflow.post(
            "runs/log-metric", json={"run_id": self.run, "key": "loss", "value": 1.0, "timestamp": 1, "step": step}
        )
        if answer.status_code == 200:
            self.steps.append(step)

    def decide(self, name: str) -> None:
        self.services.access.issue_token(ADMIN, "viewer", label=f"load {name}", days=1)
        self.decided.append(f"load {name}")
        time.sleep(0.05)

    def threads(self) -> list[threading.Thread]:
        def go_on(act: Callable[[str], None], prefix: str) -> None:
            number = 0
            while not self.over.is_set():
                number += 1
                try:
                    act(f"{prefix}{number}")
                except httpx.TransportError:
                    time.sleep(0.1)

        work = [(self.predict, "a-"), (self.predict, "b-"), (self.measure, ""), (self.decide, "")]
        return [threading.Thread(target=go_on, args=one) for one in work]


@pytest.fixture
def load(house: Installation) -> Iterator[Load]:
    made = Load(house)
    with made.gateway, made.mlflow:
        yield made


def test_random_kills_under_load_lose_nothing_that_was_answered(house: Installation, load: Load) -> None:
    seed = int(os.environ.get("MLOPS_DASH_TEST_SEED") or time.time_ns() % 100_000)
    print(f"random kills: MLOPS_DASH_TEST_SEED={seed}")
    draw = random.Random(seed)
    load.prepare()
    worker = house.child(VICTIMS["worker"]).environ()["MLOPS_DASH_WORKER_PORT"]
    health = {
        "gateway": f"{house.gateway}/healthz",
        "worker": f"http://127.0.0.1:{worker}/healthz",
        "ui": f"{house.ui.url}/healthz",
        "mlflow": f"{load.services.context.settings.mlflow_uri}/health",
    }
    threads = load.threads()
    for thread in threads:
        thread.start()
    killed: Counter[str] = Counter()
    try:
        for number in range(KILLS):
            name = list(VICTIMS)[number % 4] if number < 4 else draw.choice(list(VICTIMS))
            time.sleep(draw.uniform(0, 2))
            victim = house.child(VICTIMS[name])
            victim.kill()
            killed[name] += 1
            wait(lambda module=VICTIMS[name], pid=victim.pid: back(house, module, pid), 60)
            wait(lambda url=health[name]: answers(url), 90)
    finally:
        load.over.set()
        for thread in threads:
            thread.join()

    print(f"{dict(killed)}: {len(load.batches)} batches, {len(load.labelled)} with labels, {len(load.steps)} steps, "
          f"{len(load.decided)} decisions")  # fmt: skip
    assert min(len(load.batches), len(load.labelled), len(load.steps), len(load.decided)) >= 10
    services = load.services
    for batch in load.batches:
        assert [len(row.answers) for row in services.scoring.batch(ADMIN, batch)] == [1] * 5, batch
    counts = services.scoring.counts(ADMIN, MODEL)
    assert counts.labelled >= 5 * len(load.labelled)
    assert counts.predictions >= 5 * len(load.batches)
    assert set(load.steps) <= kept_steps(load)
    tokens = services.access.tokens(ADMIN)
    assert set(load.decided) <= {one.name for one in tokens}
    assert services.audit.entries(ADMIN, Filter(action="token.issued")).total == len(tokens)
    assert services.audit.verify(ADMIN).ok


def kept_steps(load: Load) -> set[int]:
    """The steps of the metric that MLflow has."""
    kept: set[int] = set()
    token: str | None = ""
    while token is not None:
        asked = {"run_id": load.run, "metric_key": "loss", "max_results": "20000", "page_token": token}
        answer = load.mlflow.get("metrics/get-history", params={key: value for key, value in asked.items() if value})
        found = answer.json()
        kept |= {int(one.get("step", 0)) for one in found["metrics"]}
        token = found.get("next_page_token") or None
    return kept


def back(house: Installation, module: str, pid: int) -> bool:
    try:
        return house.child(module).pid != pid
    except (AssertionError, psutil.Error):
        return False


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def wait(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.2)
