"""Whether a version loads and scores in a process that has never seen it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.imports import QUIET
from mlops_dash.tracking.models import FRESH, Check

_COMMAND = (sys.executable, "-m", "mlops_dash.tracking.fresh")
_ready: list[_Forks] = []


def check_in_fresh_process(
    uri: str, artifact_uri: str, *, allow_pickle: bool = False, timeout_seconds: float = 120.0
) -> Check:
    """Load a version in a process of its own and score its input example there.

    Raises:
        BrokenModel: it cannot be loaded, or fails on its own example; the message says why.
        Unavailable: MLflow does not answer.
    """
    words = (uri, artifact_uri, str(int(allow_pickle)))
    answer = _ready[-1].ask(words, timeout_seconds) if _ready else None
    if answer is None:
        answer = _run(words, timeout_seconds)
    if answer["error"] == "unavailable":
        raise Unavailable(answer["reason"])
    if answer["error"]:
        raise BrokenModel(answer["reason"])
    return Check(bool(answer["ok"]), answer["reason"], FRESH)


@contextmanager
def libraries_ready() -> Iterator[None]:
    """While this lasts, fresh processes are forks of one that has imported the libraries and nothing else.

    Importing costs every process 3 to 5 s of a core; whoever checks many versions in a row (the demo) pays once.
    Where a process cannot fork, nothing changes.
    """
    if not hasattr(os, "fork"):
        yield
        return
    forks = _Forks()
    _ready.append(forks)
    try:
        yield
    finally:
        _ready.remove(forks)
        forks.close()


class _Forks:
    """The process that forks; it ends when its standard input closes, so also when we are killed."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process = subprocess.Popen(
            [*_COMMAND, "--forks"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=_environment(),
        )  # fmt: skip

    def ask(self, words: tuple[str, ...], seconds: float) -> dict[str, Any] | None:
        """One question, one answer; None when the process has ended.

        Raises:
            BrokenModel: no answer within that time; the process is ended then.
        """
        asks, answers = self._process.stdin, self._process.stdout
        with self._one_at_a_time:
            if asks is None or answers is None or self._process.poll() is not None:
                return None
            try:
                asks.write(f"{json.dumps(words)}\n".encode())
                asks.flush()
            except OSError:
                return None
            with selectors.DefaultSelector() as selector:
                selector.register(answers, selectors.EVENT_READ)
                if not selector.select(seconds):
                    self.close()
                    raise BrokenModel(f"The model did not load and score within {seconds:.0f} s.")
            line = answers.readline()
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


def _run(words: tuple[str, ...], seconds: float) -> dict[str, Any]:
    try:
        ended = subprocess.run(
            [*_COMMAND, *words], capture_output=True, text=True, timeout=seconds, env=_environment(), check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BrokenModel(f"The model did not load and score within {seconds:.0f} s.") from error
    said = ended.stdout.strip().splitlines()
    if ended.returncode != 0 or not said:
        why = ended.stderr.strip().splitlines()
        raise BrokenModel(f"The fresh process ended with code {ended.returncode}: {why[-1] if why else 'no word'}")
    answer: dict[str, Any] = json.loads(said[-1])
    return answer


def _environment() -> dict[str, str]:
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
