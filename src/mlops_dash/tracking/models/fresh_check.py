"""Whether a version loads and answers in a process that has never seen it, has no secrets and sees nothing else.

This process fetches the files into a private folder. The other one gets that folder, one to write, a scrubbed
environment, and `walls.py`; its time and its resident memory are watched from here.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mlops_dash.errors import BrokenModel
from mlops_dash.processes import Limits, environment, resident_mib, tree
from mlops_dash.tracking.imports import QUIET
from mlops_dash.tracking.models.download import download
from mlops_dash.tracking.models.example import FRESH
from mlops_dash.tracking.models.loading import Check
from mlops_dash.tracking.models.trust import artifact_digest

LIMITS = Limits(timeout_seconds=120.0, memory_mib=min(4_096.0, psutil.virtual_memory().total / 2**21))
_COMMAND = (sys.executable, "-m", "mlops_dash.tracking.models.fresh")
_POLL_SECONDS = 0.1
_NEEDED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "PYTHONPYCACHEPREFIX", "SYSTEMROOT")
_ready: list[_Fresh] = []


def check_in_fresh_process(
    uri: str,
    artifact_uri: str,
    *,
    allow_pickle: bool = False,
    trusted: str = "",
    limits: Limits = LIMITS,
    kernel: bool = True,
) -> Check:
    """Load a version in a process of its own and score its input example there.

    Args:
        uri: MLflow's address; the other process does not learn it.
        artifact_uri: Where MLflow keeps the version's files.
        allow_pickle: The installation's setting.
        trusted: The digest of files that an admin trusts; others are not.
        limits: Time, and resident memory, of the other process and what it starts.
        kernel: Whether the kernel's walls stand too, where it has them (tests look at the other ones alone).

    Raises:
        BrokenModel: it cannot be loaded, fails on its own example, or does what a model may not; the message says why.
        Unavailable: MLflow does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="mlops-dash-check-") as folder:  # its owner's alone
        scratch = Path(folder, "scratch")
        scratch.mkdir()
        model = download(uri, artifact_uri, Path(folder, "model"))
        anything = allow_pickle or (trusted != "" and artifact_digest(model) == trusted)
        question = {
            "model": str(model), "scratch": str(scratch), "allow_pickle": anything, "kernel": kernel,
        }  # fmt: skip
        answer = _ready[-1].ask(question, limits) if _ready else None
        if answer is None:
            with _fresh() as alone:
                answer = alone.ask(question, limits)
    if answer is None:
        raise BrokenModel("The fresh process ended without a word.")
    if answer["broken"]:
        raise BrokenModel(answer["reason"])
    return Check(bool(answer["ok"]), answer["reason"], FRESH)


@contextmanager
def libraries_ready() -> Iterator[None]:
    """While this lasts, fresh processes are forks of one that has imported the libraries and nothing else.

    Importing costs every process 3 to 5 s of a core; whoever checks many versions in a row (the demo) pays once.
    Elsewhere than on Linux nothing changes: libraries that were loaded do not survive a fork there.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    with _fresh() as fresh:
        _ready.append(fresh)
        try:
            yield
        finally:
            _ready.remove(fresh)


@contextmanager
def _fresh() -> Iterator[_Fresh]:
    fresh = _Fresh()
    try:
        yield fresh
    finally:
        fresh.close()


class _Fresh:
    """The process that answers by forks; it ends when its standard input closes, so also when we are killed."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, env=_environment(),
        )  # fmt: skip

    def ask(self, question: dict[str, Any], limits: Limits) -> dict[str, Any] | None:
        """One question, one answer; None when the process has ended.

        Raises:
            BrokenModel: no answer within the limits; the process is ended then.
        """
        asks, answers = self._process.stdin, self._process.stdout
        with self._one_at_a_time:
            if asks is None or answers is None or self._process.poll() is not None:
                return None
            try:
                asks.write(f"{json.dumps(question)}\n".encode())
                asks.flush()
            except OSError:
                return None
            if (why := self._over(limits)) is not None:
                self.close()
                raise BrokenModel(why, hint="Log a smaller model, or mlops-dash evidence push, which loads no model.")
            line = answers.readline()
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def _over(self, limits: Limits) -> str | None:
        """Wait for the answer; why it is not waited for any longer, or None when it is there."""
        until = time.monotonic() + limits.timeout_seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout or 0, selectors.EVENT_READ)
            while not selector.select(min(_POLL_SECONDS, max(0.0, until - time.monotonic()))):
                held = resident_mib(tree(self._process.pid, with_root=False))
                if held > limits.memory_mib:
                    return f"The model held {held:,.0f} MiB of memory; a check allows {limits.memory_mib:,.0f} MiB."
                if time.monotonic() >= until:
                    return f"The model did not load and score within {limits.timeout_seconds:.0f} s."
        return None

    def close(self) -> None:
        """End it and what it started."""
        for process in tree(self._process.pid):
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._process.communicate()


def _environment() -> dict[str, str]:
    """What Python and its libraries need, and nothing that opens anything: no address, no token, no key."""
    needed = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    return environment({**needed, **QUIET, "PYTHONPATH": os.pathsep.join(filter(None, paths))}, threads=LIMITS.threads)
