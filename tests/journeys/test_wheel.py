"""The built wheel in an environment of its own, started from any folder: a file is watched, and its page answers."""

from __future__ import annotations

import json
import signal
import site
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
from playwright.sync_api import Browser, expect

from tests.architecture.tree import ROOT, tracked
from tests.browser.conftest import Watch, assert_sound, settled
from tests.journeys.conftest import environment_of, found, until_open

pytestmark = pytest.mark.timeout(900)

NAME, PASSWORD = """it's the "fast" one""", "four short words"
SHIPPED = ("src/mlops_dash/", "app/", ".streamlit/", "examples/", "client/src/")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `pip install` would be given."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@dataclass(frozen=True)
class Elsewhere:
    """An environment that knows the wheel and the libraries, and nothing of the checkout."""

    command: Path
    folder: Path
    env: dict[str, str]

    def run(self, *words: str, stdin: str = "") -> str:
        """Type a command in that folder; gives what it said."""
        done = subprocess.run(
            [str(self.command), *words], cwd=self.folder, env=self.env, input=stdin, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """The wheel in a fresh environment. The libraries are those of this one, so that nothing is fetched.

    A path file names their folder; path files that lie there (the checkout's own) are not read from it.
    """
    home = tmp_path_factory.mktemp("elsewhere")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    python = home / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    (own,) = (home / "venv" / "lib").glob("python3*/site-packages")
    (own / "libraries.pth").write_text(f"{site.getsitepackages()[0]}\n")
    env = {key: value for key, value in environment_of(home).items() if key not in {"MLOPS_DASH_HOME", "PYTHONPATH"}}
    (home / "work").mkdir()
    return Elsewhere(home / "venv" / "bin" / "mlops-dash", home / "work", {**env, "XDG_DATA_HOME": str(home / "share")})


@pytest.fixture(scope="module")
def deliveries(elsewhere: Elsewhere) -> Path:
    """Minutes of deliveries, fifteen off in the last ten of 45 days."""
    draw, days, a_day = np.random.default_rng(5), 45, 80
    n = days * a_day
    day, km = np.repeat(np.arange(days), a_day), draw.gamma(4.0, 2.0, n)
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    at = today - timedelta(days=days + 1) + pd.to_timedelta(np.arange(n) * 1440 // a_day, unit="min")
    frame = pd.DataFrame({
        "asked_at": at, "km": km, "rain": draw.choice(["no", "drizzle", "pouring"], n),
        "minutes": 12 + 3 * km - np.where(day >= days - 10, 15.0, 0.0), "took": 12 + 3 * km + draw.normal(0, 4, n),
    })  # fmt: skip
    frame.to_csv(elsewhere.folder / "deliveries.csv", index=False)
    return Path("deliveries.csv")


@pytest.fixture(scope="module")
def verdict(elsewhere: Elsewhere, deliveries: Path) -> dict[str, object]:
    """What door 1 says of the file."""
    words = ("--model", NAME, "--score", "minutes", "--label", "took", "--yes", "--json")
    said: dict[str, object] = json.loads(elsewhere.run("watch", str(deliveries), *words))
    return said


@pytest.fixture(scope="module")
def address(elsewhere: Elsewhere, verdict: dict[str, object]) -> Iterator[str]:
    """`mlops-dash up` from another folder: where its pages are."""
    elsewhere.run("user", "add", "ada", "--role", "admin", stdin=f"{PASSWORD}\n")
    output = elsewhere.folder.parent / "up.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [str(elsewhere.command), "up"], env=elsewhere.env, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
            cwd=elsewhere.folder, start_new_session=True,
        )  # fmt: skip
    try:
        began = time.monotonic()
        said = until_open(process, output)
        print(f"up from the wheel: {time.monotonic() - began:.0f} s")
        yield found(r"Open\s+(\S+)", said)
    finally:
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        process.wait(60)
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive


def test_all_files_of_the_program_are_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as made:
        names = set(made.namelist())
    ours = [name for name in tracked() if name.startswith(SHIPPED)]
    assert len(ours) > 400
    inside = {
        name: name.removeprefix("src/") if name.startswith("src/") else f"mlops_dash/_app/{name}" for name in ours
    }
    assert [name for name, place in inside.items() if place not in names] == []
    assert {"mlops_dash/_app/data/flights-2013.parquet", "mlops_dash/_app/client/pyproject.toml"} <= names


def test_what_runs_is_the_wheel_and_not_the_checkout(elsewhere: Elsewhere) -> None:
    code = "import mlops_dash, mlops_dash.settings as s; print(mlops_dash.__file__, s.checkout_root(), s.app_root())"
    python = elsewhere.folder.parent / "venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-c", code], cwd=elsewhere.folder, env=elsewhere.env, capture_output=True, text=True, check=True
    )
    file, checkout, app = done.stdout.split()
    assert str(elsewhere.folder.parent / "venv") in file
    assert (checkout, Path(app).name) == ("None", "_app")


def test_a_file_is_watched_there(elsewhere: Elsewhere, verdict: dict[str, object]) -> None:
    assert (verdict["verdict"], verdict["stored"]) == ("harmed", verdict["rows"])
    assert "MAE" in str(verdict["sentence"])
    assert sorted(one.name for one in elsewhere.folder.iterdir()) == ["deliveries.csv"]  # all of ours is in the home
    assert (elsewhere.folder.parent / "share" / "mlops-dash" / "app.db").is_file()


def test_its_page_answers_with_fonts_and_styles(address: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    watch, page = Watch(context, address), context.new_page()
    page.goto(address)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    settled(page)
    expect(page.get_by_text(NAME).first).to_be_visible()
    page.goto(f"{address}/monitoring")
    settled(page)
    expect(page.get_by_text("The harm alarm of MAE is on").first).to_be_visible()
    assert page.evaluate("[...document.fonts].filter(one => one.status === 'loaded').map(one => one.family)") != []
    assert_sound(page)
    context.close()
    assert watch.problems == []
