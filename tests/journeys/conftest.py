"""The whole installation as a person starts it: one demo home, all processes under the supervisor."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.settings import from_environment
from tests.browser.conftest import Ui, visit, watches
from tests.machine import free_port, unmeasured

__all__ = ["visit", "watches"]

_BUILD_SECONDS = 900


@dataclass(frozen=True)
class Installation:
    """A running demo."""

    process: subprocess.Popen[bytes]
    home: Path
    output: Path
    ui: Ui
    gateway: str

    def child(self, module: str) -> psutil.Process:
        """The supervised process that runs this module (a part of its command line)."""
        for one in psutil.Process(self.process.pid).children():
            if any(module in part for part in one.cmdline()):
                return one
        raise AssertionError(f"no child runs {module}")


def build_under_fire(env: dict[str, str], output: Path, *, kills: int = 3) -> None:
    """Build the short demo while `kill -9` hits it: once anywhere, then in the middle of replays; then let it finish.

    What is hit and when is drawn from a seed that is printed, and can be given as MLOPS_DASH_TEST_SEED.
    """
    seed = int(os.environ.get("MLOPS_DASH_TEST_SEED") or time.time_ns() % 100_000)
    print(f"build under fire: MLOPS_DASH_TEST_SEED={seed}")
    draw = random.Random(seed)
    for shot in range(kills):
        with _builder(env, output) as builder:
            if shot == 0:
                _ends_within(builder, draw.uniform(5, 30))
            else:
                _ends_after(builder, output, "Replaying", draw.uniform(0, 1.5))
            assert builder.poll() is None, f"it ended by itself: {output.read_text(errors='replace')[-2000:]}"
            victims = [builder.pid, *(one.pid for one in psutil.Process(builder.pid).children())]
            victim = builder.pid if shot == kills - 1 else draw.choice(victims)
            _kill([victim])
            if victim != builder.pid:  # it goes on without its child, or says what it misses and ends
                _ends_within(builder, 10)
            _kill([builder.pid])
            builder.wait()
        _wait_until_gone(env)
    with _builder(env, output) as builder:
        code = builder.wait(_BUILD_SECONDS)
    assert code == 0, output.read_text(errors="replace")[-4000:]


@contextlib.contextmanager
def _builder(env: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "mlops_dash.cli", "up", "--demo", "--fast", "--build-only"]
    with output.open("ab") as file:
        process = subprocess.Popen(
            command, env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, cwd=output.parent,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def _ends_within(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _ends_after(process: subprocess.Popen[bytes], output: Path, word: str, seconds: float) -> None:
    """Wait until the builder says a word that it had not said before it was started, and some seconds more."""
    before = output.stat().st_size
    until = time.monotonic() + _BUILD_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if word in output.read_bytes()[before:].decode(errors="replace"):
            _ends_within(process, seconds)
            return
        time.sleep(0.05)


def _wait_until_gone(env: dict[str, str]) -> None:
    """The guard of a killed supervisor ends its children; nobody of this home may be left."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        left = [one for one in psutil.process_iter() if _belongs(one, env["MLOPS_DASH_HOME"])]
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"still running after kill -9: {left}")


def _belongs(process: psutil.Process, home: str) -> bool:
    try:
        return process.environ().get("MLOPS_DASH_HOME") == home
    except psutil.Error:
        return False


def environment_of(home: Path) -> dict[str, str]:
    """The environment of somebody who has set nothing but the home."""
    clean = {k: v for k, v in unmeasured().items() if not k.startswith(("MLOPS_DASH_", "MLFLOW_TRACKING"))}
    ports = {f"MLOPS_DASH_{name}_PORT": str(free_port()) for name in ("UI", "GATEWAY", "MLFLOW", "WORKER")}
    return {**clean, **ports, "MLOPS_DASH_HOME": str(home)}


@pytest.fixture(scope="module")  # gone with its story: its processes would run beside all browser tests
def installation(tmp_path_factory: pytest.TempPathFactory, chromium_path: str) -> Iterator[Installation]:
    """`mlops-dash up --demo --fast` in an empty home, until it says where to look; stopped by Ctrl-C at the end.

    MLOPS_DASH_TEST_HOME names a demo built earlier, for a quick second look (it is changed by the walk).
    """
    built = os.environ.get("MLOPS_DASH_TEST_HOME")
    home = Path(built or tmp_path_factory.mktemp("journey") / "home")
    output = home.parent / "up.log"
    env = environment_of(home)
    if not built:
        build_under_fire(env, home.parent / "build.log")
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlops_dash.cli", "up", "--demo", "--fast"],
            env=env, stdout=file, stderr=file, stdin=subprocess.DEVNULL, cwd=home.parent, start_new_session=True,
        )  # fmt: skip
    services: Services | None = None
    try:
        said = until_open(process, output)
        env_now = {**env, "MLOPS_DASH_DEMO": "1", "MLFLOW_TRACKING_URI": found(r"MLflow\s+(\S+)", said)}
        services = bootstrap.build(from_environment(env_now))
        yield Installation(
            process=process,
            home=home,
            output=output,
            ui=Ui(found(r"Open\s+(\S+)", said), services),
            gateway=found(r"Gateway\s+(\S+)/docs", said),
        )
    finally:
        if services is not None:
            services.close()
        family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        finally:
            _kill([process.pid, *(one.pid for one in family)] if process.poll() is None else [])
        _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, f"still running after Ctrl-C: {alive}"


@pytest.fixture(scope="module")
def ui(installation: Installation) -> Ui:
    """What `visit` opens: the real installation instead of the browser tests' small home."""
    return installation.ui


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def until_open(process: subprocess.Popen[bytes], output: Path) -> str:
    """Wait until all that was started answers; gives what was printed."""
    until = time.monotonic() + _BUILD_SECONDS
    while time.monotonic() < until and process.poll() is None:
        said = output.read_text(encoding="utf-8", errors="replace")
        if "Ctrl-C stops everything" in said:
            return said
        time.sleep(0.5)
    pytest.fail(f"The demo did not start:\n{output.read_text(errors='replace')[-4000:]}", pytrace=False)


def found(pattern: str, text: str) -> str:
    """The first group of a pattern that must be there."""
    match = re.search(pattern, text)
    assert match, f"{pattern} is not in:\n{text}"
    return match.group(1)
