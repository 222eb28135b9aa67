"""How is a check of a recipe run? As a command in the same guarded tree of processes as any run; it tells its result.

    python -m mlops_dash.training.recipe_check module:function

is the command of a function. It is given the environment, as a mapping, and answers a number, (number, how many cases),
True, False, or nothing (fine); an AssertionError is a no. What keeps it from answering is "not run".
Must not: know what is checked, or where results are kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlops_dash.domain.recipe_checks import Check, Said, said_of
from mlops_dash.errors import InvalidInput
from mlops_dash.processes import Limits
from mlops_dash.training import program
from mlops_dash.training.contract import Request
from mlops_dash.training.launcher import Ending, launch

PREFIX: Final = "MLOPS_DASH_CHECK_"
TAIL_BYTES: Final = 64_000  # of a check's output; its result stands at the end


def told(check: Check, request: Request, *, model: str, version: str, run_id: str, files: Path) -> dict[str, str]:
    """The variables that a check is told: those of the recipe's program, and which version it looks at.

    Args:
        check: Which one.
        request: What its recipe's program is told.
        model: Where MLflow keeps the version's model, for `mlflow.pyfunc.load_model`.
        version: Its number in MLflow.
        run_id: The run that made it.
        files: Folder with `predictions.parquet` and `reference.parquet`, as far as the run left them.
    """
    own = {"NAME": check.name, "MODEL": model, "VERSION": version, "RUN": run_id}
    for name in ("predictions", "reference"):
        path = files / f"{name}.parquet"
        own[name.upper()] = str(path) if path.is_file() else ""
    # What a check logs is no run of the recipe: it gets no tags of it.
    return {**request.environment(), "MLFLOW_RUN_CONTEXT": "{}", **{f"{PREFIX}{k}": v for k, v in own.items()}}


def run_check(
    check: Check, request: Request, variables: Mapping[str, str], *, log: Path, python: str, memory_mib: float
) -> tuple[Said, float]:
    """Run a check to its end, at most `timeout_seconds` of it; gives what it said and how many seconds it took.

    Args:
        check: Which one.
        request: For the placeholders of its command line.
        variables: What `told` gives.
        log: Its output is appended here.
        python: Runs functions.
        memory_mib: The most resident memory of its processes together.
    """
    try:
        argv = _argv(check, request, python)
    except InvalidInput as error:
        return Said(not_run=error.sentence()), 0.0
    before = log.stat().st_size if log.is_file() else 0
    limits = Limits(check.timeout_seconds, memory_mib)
    ended = launch(argv, log=log, limits=limits, should_stop=lambda: False, variables=variables, folder=request.folder)
    if ended.ending is not Ending.EXITED or ended.code is None:
        return Said(not_run=ended.sentence.replace("the recipe allows", "the check allows")), ended.seconds
    return said_of(check, _printed(log, before), ended.code), ended.seconds


def _argv(check: Check, request: Request, python: str) -> list[str]:
    if program.is_function(check.program):
        return [python, "-m", "mlops_dash.training.recipe_check", check.program]
    argv = program.argv_of(check.program, request)
    if shutil.which(argv[0]) is None and not Path(request.folder, argv[0]).is_file():
        raise InvalidInput(f"The program {argv[0]} cannot be started: there is no such file that may be run.")
    return ["env", "-u", "PYTHONPATH", *argv] if request.python else argv  # ours have nothing to do in their venv


def _printed(log: Path, before: int) -> list[str]:
    """What came into the log since then, without our times."""
    with log.open("rb") as file:
        file.seek(max(before, log.stat().st_size - TAIL_BYTES))
        text = file.read().decode(errors="replace")
    return [line.partition(" ")[2] for line in text.splitlines()]


def main(arguments: Sequence[str] | None = None) -> int:
    """Call a function and print what it answers; 0 = it answered, 1 = it did not."""
    (entry,) = sys.argv[1:] if arguments is None else arguments
    try:
        answer = program.function_of(entry)(dict(os.environ))
        sys.stdout.write(f"{_line(answer)}\n")
    except AssertionError as error:
        said = " ".join(str(error).split())
        sys.stdout.write(f"{traceback.format_exc()}result fail {said}\n")
    except InvalidInput as error:
        sys.stdout.write(f"not run: {error.sentence()}\n")
        return 1
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code: its failure is an answer
        why = " ".join(f"{type(error).__name__}: {error}".split())
        sys.stdout.write(f"{traceback.format_exc()}not run: {why}\n")
        return 1
    return 0


def _line(answer: Any) -> str:
    """An answer as a line `result ...`.

    >>> _line((41.7, 200)), _line(None), _line(False)
    ('result 41.7 n=200', 'result pass', 'result fail')
    """
    value, cases = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
    n = "" if cases is None else f" n={int(cases)}"
    if value is None or isinstance(value, (bool, np.bool_)):
        return f"result {'pass' if value is None or value else 'fail'}{n}"
    return f"result {float(value)!r}{n}"  # what is no number raises, and is "not run"


if __name__ == "__main__":
    raise SystemExit(main())
