"""A real server and a real Chromium: helpers that every page's browser tests share.

    ui              the server of this session (fresh demo home, four demo accounts, a few ledger entries)
    full            the server of this session on a home where every room has something to show
    start_ui(home)  the same for a home that a test module arranged itself
    visit           visit("lead", "/audit?tab=Users", mode="dark", width=390) -> a page, logged in and settled
    settled(page)   wait until the script has run
    assert_sound    no exception, no overflow, every chart drawn, readable text

A page made by `visit` fails its test at the end when the console showed an error, a script raised, or anything was
asked of another host.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app.shell.cookies import cookie_name
from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import wall_now
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.settings import Settings, from_environment
from mlops_dash.store import world
from mlops_dash.store.db import transaction
from mlops_dash.store.tables.monitoring import AlertRow
from tests.browser import town
from tests.factories import ADMIN, NOON, WORKER
from tests.machine import free_port, unmeasured

ROOT = Path(__file__).resolve().parents[2]
SIZES = {1440: 900, 390: 844}
BETWEEN = {768: 1024, 1000: 900, 1920: 1080}  # where only the layout is looked at
MODES = ("light", "dark")
SETTLES = 5.0  # seconds within which a turned theme or a resized chart must be sound
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
_READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'

expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Ui:
    """A running ui process and the services of the same home."""

    url: str
    services: Services


def environment(home: Path, port: int) -> dict[str, str]:
    """The environment of a demo installation in `home`; its MLflow does not answer, but its database may be there."""
    runs = home / "mlflow.db"
    return {
        **{key: value for key, value in unmeasured().items() if not key.startswith(("MLOPS_DASH_", "MLFLOW_TRACKING"))},
        "MLOPS_DASH_HOME": str(home),
        "MLOPS_DASH_DEMO": "1",
        "MLOPS_DASH_UI_PORT": str(port),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        **({"MLOPS_DASH_MLFLOW_DATABASE_URL": f"sqlite:///{runs}"} if runs.is_file() else {}),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]),
    }


def settings_of(home: Path) -> Settings:
    """The settings that a ui process on `home` will read."""
    return from_environment(environment(home, free_port()))


@contextmanager
def start_ui(home: Path) -> Iterator[Ui]:
    """Start the ui on an arranged home, wait until it answers, and stop it with all it started."""
    port = free_port()
    env = environment(home, port)
    services = bootstrap.build(from_environment(env))
    log = (home / "ui.out.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "asgi.py"), "--server.address", "127.0.0.1",
         "--server.port", str(port)],
        cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait(f"http://127.0.0.1:{port}", process, home / "ui.out.log")
        yield Ui(f"http://127.0.0.1:{port}", services)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        log.close()
        services.close()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"The ui did not start: {log.read_text(errors='replace')[-2000:]}", pytrace=False)


def arrange(home: Path) -> None:
    """The four demo accounts, two people, a token, an alert, a clock at NOON: what the frame and Audit & admin show."""
    services = bootstrap.build(settings_of(home))
    with transaction(services.context.databases.app) as session:
        world.put(session, world.CLOCK_OFFSET, (NOON - wall_now()).total_seconds())
        session.add(
            AlertRow(
                id="harm",
                model="flight-delay",
                kind="harm",
                state="open",
                title="flight-delay is harmed since 14 Apr",
                cause="base-rate-free log-loss 0.523, reference 0.464",
                opened_at=NOON - timedelta(days=2),
                last_seen_at=NOON,
                evidence_ids=[],
                body={},
            )
        )
    services.access.ensure_demo_users(WORKER)
    services.access.create_user(ADMIN, "ada", Role.LEAD, password="four short words", reason="joins the delay team")
    services.access.create_user(
        ADMIN, "bob", Role.SCIENTIST, password="four short words", reason="joins the delay team"
    )
    services.access.issue_token(ADMIN, "bob", label="airport service", reason="scores from the booking system")
    services.access.set_role(ADMIN, "ada", Role.ADMIN, reason="stands in for the admin")
    services.close()


@pytest.fixture(scope="session")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ui]:
    """The ui of this session on a small arranged home."""
    home = tmp_path_factory.mktemp("ui")
    arrange(home)
    with start_ui(home) as running:
        yield running


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path) -> Iterator[Ui]:
    """The ui of this session on a home in which every room has something to show."""
    home = tmp_path_factory.mktemp("town")
    town.build(home, mlflow_template, environment(home, free_port()))
    with start_ui(home) as running:
        yield running


class Watch:
    """What went wrong in the browser while nobody looked."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.host = urlsplit(url).netloc
        self.problems: list[str] = []
        self.allowed: list[str] = []  # parts of console messages that this test expects
        context.on("console", lambda message: self._console(message.type, message.text, message.location))
        context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))
        context.on("request", lambda request: self._request(request.url))

    def _console(self, kind: str, text: str, where: Any) -> None:
        # On sub-pages Streamlit first asks /<page>/_stcore/health and /<page>/_stcore/host-config: two harmless 404s.
        harmless = "404" in text and "/_stcore/" in str(where.get("url", ""))
        if kind == "error" and not harmless and not any(part in text for part in self.allowed):
            self.problems.append(f"console: {text} at {where}")

    def _request(self, url: str) -> None:
        if urlsplit(url).scheme in {"http", "https", "ws", "wss"} and urlsplit(url).netloc != self.host:
            self.problems.append(f"asked another host: {url}")


Visit = Callable[..., Page]


@pytest.fixture
def watches() -> Iterator[list[Watch]]:
    """All watches of this test; their problems fail it at the end."""
    kept: list[Watch] = []
    yield kept
    problems = [problem for watch in kept for problem in watch.problems]
    assert not problems, "\n".join(problems)


@pytest.fixture
def visit(ui: Ui, chromium: Browser, watches: list[Watch]) -> Iterator[Visit]:
    """`visit(role, path, mode=, width=)` opens a page in a fresh browser context; role "" is nobody.

    `at=` names another Ui than the session's.
    """
    opened: list[BrowserContext] = []

    def go(role: str, path: str, *, mode: str = "light", width: int = 1440, at: Ui | None = None) -> Page:
        where = at or ui
        context = chromium.new_context(
            viewport={"width": width, "height": {**SIZES, **BETWEEN}[width]},
            color_scheme="dark" if mode == "dark" else "light",
            timezone_id="America/New_York",
            reduced_motion="reduce",
            has_touch=width < 640,
        )
        opened.append(context)
        watches.append(Watch(context, where.url))
        if role:
            secret, _ = where.services.access.login_demo(NOBODY, role)
            context.add_cookies(
                [{"name": cookie_name(where.services.context.settings), "value": secret, "url": where.url}]
            )
        page = context.new_page()
        page.goto(where.url + path)
        if role:
            settled(page)
        return page

    yield go
    for context in opened:
        context.close()


def settled(page: Page) -> Page:
    """Wait until the script has run and the page's title stands (or the boundary has spoken)."""
    page.wait_for_selector(".ph h1, .st-key-card-error, .empty", timeout=30_000)
    page.wait_for_selector(_READY, timeout=30_000)
    page.wait_for_load_state("networkidle")  # the parts of the page are loaded as they are first needed
    page.evaluate("document.fonts.ready.then(() => true)")
    return page


def assert_sound(page: Page, *, unreadable: tuple[str, ...] = ()) -> None:
    """No exception, no sideways overflow, every chart drawn, and no text under 4.5:1.

    `unreadable` names CSS selectors whose text is decoration.
    """
    expect(page.locator("[data-testid='stException'], .st-key-card-error")).to_have_count(0)
    until = time.monotonic() + SETTLES
    while (problem := unsound(page, unreadable)) and time.monotonic() < until:
        page.wait_for_timeout(100)
    assert not problem, problem


def unsound(page: Page, unreadable: tuple[str, ...] = ()) -> str:
    """What cannot be read or does not fit at this moment, "" when all is well."""
    width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width[0] > width[1]:
        return f"the page is {width[0]} px wide in a window of {width[1]}"
    charts = page.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot .main-svg')].map(s => s.getBoundingClientRect().width)"
    )
    if not all(wide > 0 for wide in charts):
        return f"charts of no width: {charts}"
    weak = page.evaluate(CONTRAST, list(unreadable))
    return "\n".join(f"{one['ratio']:.2f} {one['colour']} on {one['ground']}: {one['text']!r}" for one in weak)
