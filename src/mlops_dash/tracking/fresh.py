"""Score a version's input example in this process and say one line of JSON; started by `fresh_check`.

    python -m mlops_dash.tracking.fresh URI ARTIFACT_URI ALLOW_PICKLE
    python -m mlops_dash.tracking.fresh --forks     asks by lines of JSON on standard input, one answer a line

With `--forks` this process imports the libraries and nothing else; each question is answered by a fork of it, which
ends after that.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from mlops_dash.errors import BrokenModel, Unavailable
from mlops_dash.tracking.imports import warm_up
from mlops_dash.tracking.models import score_example


def main(uri: str, artifact_uri: str, allow_pickle: str) -> str:
    """The answer as JSON: ok, reason, error ("" | "broken" | "unavailable")."""
    try:
        check = score_example(uri, artifact_uri, allow_pickle=allow_pickle == "1")
    except BrokenModel as error:
        return json.dumps({"ok": False, "reason": error.sentence(), "error": "broken"})
    except Unavailable as error:
        return json.dumps({"ok": False, "reason": error.sentence(), "error": "unavailable"})
    return json.dumps({"ok": check.ok, "reason": check.reason, "error": ""})


def forks() -> None:
    """Answer question by question, each in a fork, until standard input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)  # whatever a model prints must not be taken for an answer
    warm_up()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _answer(json.loads(line), answers)
        _, status = os.waitpid(child, 0)
        if status:
            code = os.waitstatus_to_exitcode(status)
            _say(answers, {"ok": False, "reason": f"The fresh process ended with code {code}.", "error": "broken"})


def _answer(words: list[str], answers: int) -> None:
    code = 1
    try:
        os.write(answers, f"{main(*words)}\n".encode())
        code = 0
    finally:
        os._exit(code)  # no clean-up of what belongs to the parent


def _say(answers: int, answer: dict[str, Any]) -> None:
    os.write(answers, f"{json.dumps(answer)}\n".encode())


if __name__ == "__main__":
    if sys.argv[1:] == ["--forks"]:
        forks()
    else:
        sys.stdout.write(main(*sys.argv[1:4]) + "\n")
