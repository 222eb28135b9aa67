"""Score input examples behind walls, one line of JSON each; started by `fresh_check`, never by hand.

    python -m mlops_dash.tracking.models.fresh     asks by lines of JSON on standard input, one answer a line

This process imports the libraries and nothing else. Each question is answered by a fork of it, which puts up its walls
before it loads the model and ends after its answer. When standard input ends, both end.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from mlops_dash.errors import BrokenModel
from mlops_dash.tracking.imports import warm_up
from mlops_dash.tracking.models.example import score_example
from mlops_dash.tracking.models.walls import Walls

_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG


def serve() -> None:
    """Answer question by question until standard input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a model prints must not be taken for an answer
    warm_up()
    kept = b""
    while block := os.read(0, 65_536):
        *lines, kept = (kept + block).split(b"\n")
        for line in lines:
            os.write(answers, json.dumps(_in_a_fork(json.loads(line))).encode() + b"\n")


def _in_a_fork(question: dict[str, Any]) -> dict[str, Any]:
    if not sys.platform.startswith("linux"):  # elsewhere libraries that were loaded do not survive a fork: one question
        return answer(**question)
    reading_end, writing_end = os.pipe()
    child = os.fork()
    if child == 0:
        _answer_and_end(question, writing_end)
    os.close(writing_end)
    said = _wait_for(reading_end)
    if said is None:  # who asked is gone
        os.kill(child, signal.SIGKILL)
        os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code or not said:
        return _broken(f"The fresh process ended with code {code}.")
    told: dict[str, Any] = json.loads(said)
    return told


def _answer_and_end(question: dict[str, Any], answers: int) -> None:
    code = 1
    try:
        if sys.platform.startswith("linux"):
            ctypes.CDLL(None).prctl(_PARENTS_DEATH, signal.SIGKILL, 0, 0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)  # the next questions are not for models
        os.write(answers, json.dumps(answer(**question)).encode())
        code = 0
    finally:
        os._exit(code)  # no clean-up of what belongs to the parent


def _wait_for(answers: int) -> bytes | None:
    """All that is said on this pipe until it closes; None when standard input ends before."""
    said = b""
    with selectors.DefaultSelector() as selector, open(answers, "rb", buffering=0) as pipe:
        selector.register(0, selectors.EVENT_READ)
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == 0:
                    return None  # one question at a time: only its end can be there to read
                block = pipe.read(65_536)
                if not block:
                    return said
                said += block


def answer(model: str, scratch: str, allow_pickle: bool, kernel: bool = True) -> dict[str, Any]:
    """Put up the walls, load and ask; the answer as JSON: ok, reason, broken."""
    sys.dont_write_bytecode = True
    os.chdir(scratch)
    for name in ("HOME", "TMPDIR"):
        os.environ[name] = scratch
    tempfile.tempdir = scratch
    walls = Walls(Path(model), Path(scratch))
    walls.raise_walls(Path(scratch), kernel=kernel)
    try:
        check = score_example(Path(model), allow_pickle=allow_pickle)
        said = {"ok": check.ok, "reason": check.reason, "broken": False}
    except BrokenModel as error:
        said = _broken(error.sentence())
    if walls.refused:
        return _broken(f"The model tried to {walls.refused[0]}, which no model may do when it is asked.")
    return said


def _broken(reason: str) -> dict[str, Any]:
    return {"ok": False, "reason": reason, "broken": True}


if __name__ == "__main__":
    serve()
