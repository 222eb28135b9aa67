"""An A/B test of a stranger's model by clicks: design, past, start, users and revenue, blind, verdict, proposal.

The model is a regression in minutes whose name has quotes; days pass by the clock that all processes of a demo share.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import httpx
import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from mlops_dash import bootstrap
from mlops_dash.demo.last_day import set_world_clock
from mlops_dash.domain.access import Actor, Role
from mlops_dash.settings import from_environment
from tests.browser.conftest import Ui, Visit, assert_sound, settled, visit, watches
from tests.browser.test_files import choose
from tests.factories import WORKER
from tests.journeys.conftest import environment_of, found, until_open

__all__ = ["visit", "watches"]

pytestmark = pytest.mark.timeout(1_200)

MODEL = """it's "queue" minutes"""
ADMIN = Actor("user:admin", "admin", Role.ADMIN)
A_DAY, LIFT = 260, 6.0
_TRAIN = """
import sys
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

draw = np.random.default_rng(3)
x = pd.DataFrame({"people": draw.normal(0, 1, 300), "open_tills": draw.normal(0, 1, 300)})
for add in (0.0, 0.5):
    model = LinearRegression().fit(x, 12 + 3 * x["people"] + add)
    with mlflow.start_run():
        mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(x, model.predict(x)), registered_model_name=sys.argv[1],
            serialization_format="skops", skops_trusted_types=["numpy.dtype"], pip_requirements=["scikit-learn"],
        )
mlflow.MlflowClient().set_registered_model_alias(sys.argv[1], "champion", "1")
"""


@dataclass
class Shop:
    """A running installation that watches the model, and the people who stand in its queues."""

    ui: Ui
    gateway: str
    token: str
    customers: int = 0

    def now(self) -> datetime:
        """The time of this world."""
        return self.ui.services.context.clock.now()

    def send(self, door: str, body: dict[str, object], **headers: str) -> httpx.Response:
        """One request, with the token."""
        said = httpx.post(f"{self.gateway}{door}", json=body, timeout=30, trust_env=False,
                          headers={"Authorization": f"Bearer {self.token}", **headers})  # fmt: skip
        assert said.status_code < 300, said.text
        return said

    def day(self, *, lift: float = 0.0) -> None:
        """A day: each customer is answered once and spends something, where the challenger answered `lift` more."""
        draw = np.random.default_rng(self.customers)
        people = [f"cust'{self.customers + n}" for n in range(A_DAY)]
        self.customers += A_DAY
        batch = f"day-{self.customers}"
        rows = [[float(a), float(b), one] for a, b, one in zip(*draw.normal(0, 1, (2, A_DAY)), people, strict=True)]
        frame = {"columns": ["people", "open_tills", "customer"], "data": rows}
        self.send(f"/models/{quote(MODEL)}/invocations", {"dataframe_split": frame}, **{"X-Prediction-Batch": batch})
        by = {one.prediction_id: {role: version for version, role, _ in one.answers}
              for one in self.ui.services.scoring.batch(ADMIN, batch)}  # fmt: skip
        spent = draw.gamma(2.0, 5.0, A_DAY)
        spent += [lift * ("arm" in by[f"{batch}-{n}"]) for n in range(A_DAY)]
        self.turn(timedelta(hours=1))
        events = [{"id": f"{one} paid", "unit": one, "name": "revenue", "value": round(float(value), 2)}
                  for one, value in zip(people, spent, strict=True)]  # fmt: skip
        self.send("/v1/events", {"model": MODEL, "events": events})
        self.turn(timedelta(hours=23))

    def turn(self, by: timedelta) -> None:
        """Let time pass in all processes; the clock is asked a few times a second."""
        set_world_clock(self.ui.services, self.now() + by)
        time.sleep(0.6)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Shop]:
    """`mlops-dash up` on an empty home whose clock may be turned; two versions come by MLflow's own client."""
    home = tmp_path_factory.mktemp("shop") / "home"
    env = {**environment_of(home), "MLOPS_DASH_DEMO": "1"}
    command, output = [sys.executable, "-m", "mlops_dash.cli"], home.parent / "up.log"
    with output.open("wb") as file:
        process = subprocess.Popen([*command, "up"], env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                                   cwd=home.parent, start_new_session=True)  # fmt: skip
    services = None
    try:
        said = until_open(process, output)
        env["MLFLOW_TRACKING_URI"] = found(r"MLflow\s+(\S+)", said)
        for words in ([sys.executable, "-c", _TRAIN, MODEL],
                      [*command, "connect", "--adopt", MODEL, "--task", "regression", "--reason", "ours"]):  # fmt: skip
            done = subprocess.run(words, env=env, cwd=home.parent, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr[-2000:]
        services = bootstrap.build(from_environment(env))
        services.access.ensure_demo_users(WORKER)
        secret = services.access.issue_token(ADMIN, "scientist", label="tills", reason="the tills ask and tell").secret
        made = Shop(Ui(found(r"Open\s+(\S+)", said), services), found(r"Gateway\s+(\S+)/docs", said), secret)
        _wait_until_served(made)
        yield made
    finally:
        if services is not None:
            services.close()
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def _wait_until_served(shop: Shop) -> None:
    """The worker sees the alias, the gateway the model, within some seconds of the adoption."""
    body = {"dataframe_split": {"columns": ["people", "open_tills", "customer"], "data": [[0.0, 0.0, "the first"]]}}
    until = time.monotonic() + 90
    while True:
        said = httpx.post(f"{shop.gateway}/models/{quote(MODEL)}/invocations", json=body, timeout=30, trust_env=False,
                          headers={"Authorization": f"Bearer {shop.token}"})  # fmt: skip
        if said.status_code == 200:
            return
        assert time.monotonic() < until, said.text
        time.sleep(0.5)


@pytest.fixture(scope="module")
def ui(shop: Shop) -> Ui:
    """What `visit` opens."""
    return shop.ui


def test_from_a_design_to_a_proposal_by_clicks(shop: Shop, visit: Visit) -> None:
    for _ in range(8):  # the past: nobody is tested
        shop.day()
    scientist = visit("scientist", "/ab")
    _design(scientist)
    assert_sound(scientist)
    _replay(scientist)
    lead = visit("lead", "/ab", mode="dark", width=390)
    _decide(lead, "Start the test…", "Nobody knows yet", "Start the test")
    assert_sound(lead)

    shop.day(lift=LIFT)
    _again(scientist)
    expect(scientist.get_by_text("nothing is shown yet").first).to_be_visible(timeout=60_000)
    assert "better than" not in scientist.locator(".st-key-card-verdict").inner_text()
    for _ in range(6):
        shop.day(lift=LIFT)
    for _ in range(3):
        shop.turn(timedelta(days=1))  # the last ones ripen
    _again(scientist)
    expect(scientist.get_by_text("v2 is better than v1: revenue, sum a unit +").first).to_be_visible(timeout=60_000)
    expect(scientist.get_by_text("The sample ratio holds.").first).to_be_visible()
    assert_sound(scientist)

    _decide(scientist, "Stop the test…", "It is clear", "Stop the test")
    _decide(scientist, "Propose for promotion…", "They spend more", "Propose v2")
    room = shop.ui.services.registry.room(ADMIN, MODEL)
    (test,) = shop.ui.services.ab_tests.room(ADMIN).tests
    assert room.proposal is not None
    assert test.evidence_ids
    assert set(test.evidence_ids) <= set(room.proposal.evidence_ids)
    lead.goto(f"{shop.ui.url}/registry?model={quote(MODEL)}")
    settled(lead)
    expect(lead.get_by_text("They spend more").first).to_be_visible(timeout=60_000)
    assert_sound(lead)


def _design(page: Page) -> None:
    page.get_by_role("button", name="Design a test…").click()
    dialog = page.get_by_role("dialog")
    choose(page, "Primary outcome", "revenue, sum a unit: higher is better")
    choose(page, "Unit", "customer")
    dialog.get_by_role("spinbutton", name="Days", exact=True).fill("8")
    dialog.get_by_text("Share, reading, minimum, exposure").click()
    dialog.get_by_role("spinbutton", name="Blind until each arm has units").fill("300")
    dialog.get_by_role("spinbutton", name="Days after a unit's first row").fill("1")
    dialog.get_by_role("textbox", name="Question").fill("Do people spend more when they know the queue?")
    dialog.get_by_role("button", name="Design the test", exact=True).click()
    expect(dialog).to_have_count(0, timeout=60_000)
    settled(page)
    expect(page.get_by_text("waits for its start").first).to_be_visible()


def _replay(page: Page) -> None:
    page.get_by_role("button", name="Replay the past").click()
    expect(page.get_by_text("saw a difference where none is").first).to_be_visible(timeout=120_000)
    settled(page)
    assert_sound(page)


def _decide(page: Page, opens: str, reason: str, acts: str) -> None:
    page.get_by_role("button", name=opens, exact=True).first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox").last.fill(reason)
    dialog.get_by_role("button", name=acts, exact=True).click()
    expect(dialog).to_have_count(0, timeout=60_000)
    settled(page)


def _again(page: Page) -> None:
    page.reload()
    settled(page)
