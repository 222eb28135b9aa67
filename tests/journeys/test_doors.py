"""Somebody who has never seen us: a file becomes a watched model, and models of an MLflow are added, by clicks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from mlops_dash.bootstrap import QUIET
from tests.browser.conftest import Watch, assert_sound, settled
from tests.browser.test_files import bring, choose
from tests.journeys.conftest import environment_of, found, until_open
from tests.machine import free_port

pytestmark = pytest.mark.timeout(1_200)

PASSWORD, MINUTES = "four short words", 10
BIRDS, COLOURS, MINUTES_MODEL = """it's the "small" isle""", """it's "colours\"""", "minutes of a call"
SPECIES = ("Adélie", "Gentoo", """it's "Chinstrap\"""")
_TRAIN = """
import mlflow, numpy as np, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, LogisticRegression

draw = np.random.default_rng(3)
x = pd.DataFrame({"width": draw.normal(0, 1, 300), "height": draw.normal(0, 1, 300)})
colour = np.where(x["width"] > 0.4, "dark red", np.where(x["height"] > 0, "light blue", "green"))
for name, model, y in (
    ("it's \\"colours\\"", LogisticRegression(), colour),
    ("minutes of a call", LinearRegression(), 12 + 3 * x["width"]),
):
    model.fit(x, y)
    with mlflow.start_run(run_name=name):
        logged = mlflow.sklearn.log_model(
            model, name="model", signature=infer_signature(x, model.predict(x)), registered_model_name=name,
            serialization_format="skops", skops_trusted_types=["numpy.dtype"], pip_requirements=["scikit-learn"],
        )
    mlflow.MlflowClient().set_registered_model_alias(name, "live", logged.registered_model_version)
"""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A plain MLflow with two models, one of them in words and with quotes in its name, made by its own client."""
    folder, port = tmp_path_factory.mktemp("theirs"), free_port()
    address = f"http://127.0.0.1:{port}"
    words = ["server", "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "./artifacts",
             "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]  # fmt: skip
    env = {**environment_of(folder), **QUIET, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "mlflow", *words], cwd=folder, env=env, stdout=log, stderr=log,
                                  stdin=subprocess.DEVNULL)  # fmt: skip
    try:
        until = time.monotonic() + 120
        while not _answers(address) and time.monotonic() < until:
            time.sleep(0.3)
        done = subprocess.run([sys.executable, "-c", _TRAIN], env={**env, "MLFLOW_TRACKING_URI": address}, cwd=folder,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        yield address
    finally:
        family = psutil.Process(server.pid).children(recursive=True) if server.poll() is None else []
        server.terminate()
        server.wait(30)
        psutil.wait_procs(family, timeout=10)


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Which species a model said and which it was, forty a day; from the thirtieth day on one is taken for another."""
    draw, days, a_day = np.random.default_rng(11), 45, 40
    day = np.repeat(np.arange(days), a_day)
    species = draw.choice(3, day.size, p=[0.4, 0.35, 0.25])
    right = np.where((day >= 30) & (species == 2), 0.15, 0.92)
    said = np.where(draw.random(day.size) < right, species, (species + 1) % 3)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = today - timedelta(days=days) + pd.to_timedelta(np.arange(day.size) * 1440 // a_day, unit="min")
    names = np.array(SPECIES, dtype=object)
    frame = pd.DataFrame({
        "seen": at, "ring": [f"b-{one:05d}" for one in range(day.size)], "bill": draw.normal(40, 5, day.size).round(1),
        "isle": draw.choice(["Biscoe", "Dream", "NA"], day.size), "said": names[said], "was": names[species],
    })  # fmt: skip
    path = tmp_path_factory.mktemp("birds") / "birds.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def opened(theirs: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, float]]:
    """`mlops-dash up` in an empty home beside their MLflow: the page's address, and when it was typed."""
    home = tmp_path_factory.mktemp("doors") / "home"
    env = {**environment_of(home), "MLFLOW_TRACKING_URI": theirs}
    began, output = time.monotonic(), home.parent / "up.log"
    command = [sys.executable, "-m", "mlops_dash.cli"]
    subprocess.run([*command, "user", "add", "ada", "--role", "admin"], env=env, input=f"{PASSWORD}\n", text=True,
                   check=True, capture_output=True)  # fmt: skip
    with output.open("wb") as file:
        process = subprocess.Popen([*command, "up"], env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                                   cwd=home.parent, start_new_session=True)  # fmt: skip
    try:
        yield found(r"Open\s+(\S+)", until_open(process, output)), began
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_two_doors_by_clicks_within_ten_minutes(
    opened: tuple[str, float], theirs: str, birds: Path, chromium: Browser
) -> None:
    address, began = opened
    print(f"doors: the pages answer after {time.monotonic() - began:.0f} s")
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    watch, page = Watch(context, address), context.new_page()
    page.goto(address)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    settled(page)
    expect(page.get_by_text("No model is known yet")).to_be_visible()
    assert_sound(page)

    _door_of_a_file(page, birds)
    print(f"doors: a verdict on a file after {time.monotonic() - began:.0f} s")
    _door_of_mlflow(page, theirs)
    took = time.monotonic() - began
    print(f"doors: both doors after {took:.0f} s, from `mlops-dash up` on")
    context.close()
    assert watch.problems == []
    assert took <= MINUTES * 60


def _door_of_a_file(page: Page, birds: Path) -> None:
    """From the first page to a verdict that names the species which got worse."""
    page.get_by_role("link", name="Watch a model from a file").click()
    expect(page.get_by_role("heading", level=1, name="Files")).to_be_visible()
    settled(page)
    bring(page, "File of predictions", birds)
    expect(page.get_by_text("1,800 rows, 6 columns")).to_be_visible()
    choose(page, "Answered class", "said")
    choose(page, "Outcome", "was")
    choose(page, "Id", "ring")
    page.get_by_role("textbox", name="Model").fill(BIRDS)
    page.get_by_role("textbox", name="Model").press("Enter")
    settled(page)
    assert_sound(page)
    page.get_by_role("button", name="Watch this model").click()
    expect(page.get_by_role("heading", level=1, name="Monitoring")).to_be_visible(timeout=120_000)
    settled(page)
    expect(page.locator(".st-key-card-verdict").get_by_text(SPECIES[2]).first).to_be_visible()
    assert_sound(page)


def _door_of_mlflow(page: Page, theirs: str) -> None:
    """From Overview to two more models, each with the step that is missing to a verdict."""
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    settled(page)
    before = _registered(theirs)
    page.get_by_role("button", name="Add models…").click()
    dialog = page.get_by_role("dialog")
    for name in (COLOURS, MINUTES_MODEL):
        dialog.locator("label").filter(has_text=name).first.click()
    dialog.get_by_role("textbox", name="Classes, with semicolons between").fill("dark red; light blue; green")
    dialog.get_by_role("textbox", name="Reason").fill("ours to watch")
    dialog.get_by_role("button", name="Add models").click()
    expect(page.get_by_text("Watched from now on:")).to_be_visible()
    settled(page)
    for name in (COLOURS, MINUTES_MODEL):
        expect(page.get_by_text(name).first).to_be_visible()
    assert_sound(page)
    assert _registered(theirs) == before  # adopting writes nothing there


def _registered(address: str) -> object:
    return httpx.get(f"{address}/api/2.0/mlflow/registered-models/search", trust_env=False, timeout=10).json()


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.TransportError:
        return False
