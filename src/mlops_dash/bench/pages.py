"""What every page costs: server time, bytes, a cold browser, and many people at once; beside the targets.

It starts and stops its own ui process on the given home (or asks a running one), and judges nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError

from mlops_dash.bench import SESSION, browser
from mlops_dash.errors import Unavailable
from mlops_dash.ports import free_port
from mlops_dash.settings import LOOPBACK, Settings

TARGETS = {
    "server_ms": "Overview <= 150, others <= 250",
    "kilobytes": "<= 120",
    "first_s": "<= 2.5",
    "next_s": "<= 0.5",
    "people_p95_s": "20 people: <= 1.5",
}
_START_SECONDS = 90
_MEASURE_SECONDS = 900
PEOPLE_SECONDS = 40.0


@dataclass(frozen=True)
class PageCost:
    """One page: median of five reruns, and kilobytes (1,000 bytes) of all messages of a first load."""

    url: str
    title: str
    server_ms: float
    server_ms_range: tuple[float, float]
    kilobytes: float
    first_s: float | None  # None: no browser
    next_s: float | None
    face: str  # what stood in place of the page, "" when the page was there


@dataclass(frozen=True)
class Crowd:
    """Clicks of many websocket clients."""

    people: int
    clicks: int
    seconds: float
    p50_s: float
    p95_s: float

    def sentence(self) -> str:
        """What was measured and how."""
        return (
            f"{self.people} people: p95 {self.p95_s:.2f} s, median {self.p50_s:.2f} s of {self.clicks} clicks in "
            f"{self.seconds:.0f} s (target 1.5 s). They are websocket clients that think 1 to 3 s between clicks to "
            "random pages; a click ends with the last message of its page."
        )


@dataclass(frozen=True)
class PagesBench:
    """The whole measurement."""

    pages: tuple[PageCost, ...]
    crowd: Crowd | None
    browser: str  # why there are no numbers of a browser; "" when there are
    cores: int
    load: tuple[float, float]  # runnable processes in the last minute, at the start and at the end
    targets: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return asdict(self)

    def table(self) -> str:
        """The lines for a terminal."""
        lines = [
            f"{'page':<16}{'server ms':>11}{'range':>15}{'kB':>8}{'first s':>9}{'next s':>8}",
            f"{'target':<16}{'150 / 250':>11}{'':>15}{'120':>8}{'2.5':>9}{'0.5':>8}",
        ]
        for one in self.pages:
            low, high = one.server_ms_range
            shown = f"{one.title:<16}{one.server_ms:>11.0f}{f'{low:.0f}-{high:.0f}':>15}{one.kilobytes:>8.1f}"
            shown += f"{_seconds(one.first_s):>9}{_seconds(one.next_s):>8}"
            lines.append(f"{shown}  shows: {textwrap.shorten(one.face, 60)}" if one.face else shown)
        lines += [
            "server ms: one rerun in process (AppTest), median of five after a first run; no browser, no network.",
            "kB: all websocket messages of a first load in a fresh session, 1,000 bytes, before compression.",
        ]
        if self.browser:
            lines.append(f"first, next: not measured, {self.browser}.")
        else:
            lines += [
                "first: a cold headless Chromium opens the page; charts drawn.",
                f"next: a click in its sidebar {browser.THINK_SECONDS:.0f} s after another page stood; charts drawn.",
            ]
        before, after = self.load
        lines.append(f"Machine: {self.cores} cores; load {before:.1f} at the start, {after:.1f} at the end.")
        if self.crowd is not None:
            lines.append(self.crowd.sentence())
        return "\n".join(lines)


def _seconds(value: float | None) -> str:
    return "—" if value is None else f"{value:.2f}"


def measure(settings: Settings, root: Path, secret: str, *, url: str = "", people: int = 0) -> PagesBench:
    """Measure every page.

    Args:
        settings: Of the home whose pages are measured.
        root: The folder that holds `app`.
        secret: Of a session cookie of that home.
        url: A running ui of that home; "" starts one and stops it again.
        people: How many click at the same time; 0 leaves that out.

    Raises:
        Unavailable: the ui does not start or does not answer.
    """
    environment = {
        **os.environ,
        SESSION: secret,
        "MLOPS_DASH_HOME": str(settings.home),
        **({"MLOPS_DASH_DEMO": "1"} if settings.demo else {}),
        **({} if settings.mlflow_is_ours else {"MLFLOW_TRACKING_URI": settings.mlflow_uri}),
        "PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH", "")])]),
    }
    before = os.getloadavg()[0]
    ours = _ask(root, environment, "server")
    with _running(url, root, environment) as address:
        sent = {one["url"]: one for one in _ask(root, environment, "wire", address)["found"]}
        missing = browser.why_not()
        paths = [("" if n == 0 else one["url"], one["title"]) for n, one in enumerate(ours["found"])]
        shown = {} if missing else browser.measure(address, {"name": ours["cookie"], "value": secret}, paths)
        crowd = None if people == 0 else _crowd(root, environment, address, people)
    pages = []
    for (path, _), one in zip(paths, ours["found"], strict=True):
        seen = shown.get(path)
        pages.append(
            PageCost(
                url=one["url"],
                title=one["title"],
                server_ms=median(one["rerun_ms"]),
                server_ms_range=(min(one["rerun_ms"]), max(one["rerun_ms"])),
                kilobytes=sent[one["url"]]["bytes"] / 1_000,
                first_s=None if seen is None else seen.first_s,
                next_s=None if seen is None else seen.next_s,
                face=one["face"],
            )
        )
    load = (before, os.getloadavg()[0])
    return PagesBench(tuple(pages), crowd, missing, os.cpu_count() or 1, load, TARGETS)


def _crowd(root: Path, environment: Mapping[str, str], url: str, people: int) -> Crowd:
    found = _ask(root, environment, "people", url, str(people), str(PEOPLE_SECONDS))["found"]
    spent = found["clicks_ms"]
    if not spent:
        raise Unavailable("No click was answered.", hint="Look into the log of the ui.")
    return Crowd(
        people=people,
        clicks=len(spent),
        seconds=found["seconds"],
        p50_s=median(spent) / 1_000,
        p95_s=spent[min(len(spent) - 1, int(0.95 * len(spent)))] / 1_000,
    )


def _ask(root: Path, environment: Mapping[str, str], *words: str) -> dict[str, Any]:
    """Run one measurement in a process of its own and read its JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "mlops_dash.bench.visits", *words],
        cwd=root,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=_MEASURE_SECONDS,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Unavailable(f"The measurement {words[0]!r} stopped: {said[0]}", hint="Look into the log of the ui.")
    # Libraries may print at their import: the answer is the last line.
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


@contextmanager
def _running(url: str, root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """A ui that answers: the given one, or one of our own for as long as this lasts."""
    if url:
        _wait(url, None)
        yield url.rstrip("/")
        return
    port = free_port(8_551)
    address = f"http://{LOOPBACK}:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(root / "app" / "asgi.py"),
         "--server.address", LOOPBACK, "--server.port", str(port)],
        cwd=root, env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        _wait(address, process)
        yield address
    finally:
        _stop(process)


def _wait(url: str, process: subprocess.Popen[bytes] | None) -> None:
    until = time.monotonic() + (5 if process is None else _START_SECONDS)
    while time.monotonic() < until and (process is None or process.poll() is None):
        try:
            with urllib.request.urlopen(f"{url.rstrip('/')}/healthz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError, ValueError):
            time.sleep(0.2)
    raise Unavailable(f"The ui at {url} does not answer.", hint="Start it with `mlops-dash up`, or leave --url out.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
