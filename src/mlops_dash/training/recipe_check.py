"""How is a check of a recipe run? As a command in the same guarded tree of processes as any run; it tells its result.

    python -m mlops_dash.training.recipe_check module:function FILE

is the command of a function. It is given the environment, as a mapping, and answers a number, (number, how many cases),
True, False, or nothing (fine); an AssertionError is a no. What keeps it from answering is "not run". Its answer is left
in FILE, as a log may be full, or hold half a line before it.
Must not: know what is checked, or where results are kept.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from mlops_dash.domain.recipe_checks import Check, Said, said_of, speaks
from mlops_dash.errors import InvalidInput
from mlops_dash.processes import Limits
from mlops_dash.training import program
from mlops_dash.training.contract import Request
from mlops_dash.training.launcher import Ending, launch

PREFIX: Final = "MLOPS_DASH_CHECK_"
_NO_CODE: Final = 1
_NO_ANSWER_CODE: Final = 2


@dataclass
class _Heard:
    """What counts of a check's output: the last line that speaks, and the last line."""

    spoke: str = ""
    last: str = ""

    def __call__(self, line: str) -> None:
        if line.strip():
            self.last = line
        if speaks(line):
            self.spoke = line

    @property
    def lines(self) -> list[str]:
        return [one for one in (self.spoke, self.last) if one]


def told(check: Check, request: Request, *, model: str, version: str, run_id: str, files: Path) -> dict[str, str]:
    """The variables that a check is told: those of the recipe's program, and which version it looks at.

    Args:
        check: Which one.
        request: What its recipe's program is told.
        model: The folder with the version's files, for `mlflow.pyfunc.load_model`.
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
    with tempfile.TemporaryDirectory(prefix="mlops-dash-answer-") as own:
        answer = Path(own, "answer")
        try:
            argv = _argv(check, request, python, answer)
        except InvalidInput as error:
            return Said(not_run=error.sentence()), 0.0
        limits, heard = Limits(check.timeout_seconds, memory_mib), _Heard()
        ended = launch(
            argv, log=log, limits=limits, should_stop=lambda: False, variables=variables, folder=request.folder,
            heard=heard,
        )  # fmt: skip
        if ended.ending is not Ending.EXITED or ended.code is None:
            return Said(not_run=ended.sentence.replace("the recipe allows", "the check allows")), ended.seconds
        if not program.is_function(check.program):
            return said_of(check, heard.lines, ended.code), ended.seconds
        left = answer.read_text(encoding="utf-8") if answer.is_file() else ""
        code = 0 if ended.code == _NO_CODE and left.startswith("result fail") else ended.code  # a no, not a bad end
        return said_of(check, [left] if left else [heard.last], code, must_say=True), ended.seconds


def _argv(check: Check, request: Request, python: str, answer: Path) -> list[str]:
    if program.is_function(check.program):
        return [python, "-m", "mlops_dash.training.recipe_check", check.program, str(answer)]
    argv = program.argv_of(check.program, request)
    if shutil.which(argv[0]) is None and not Path(request.folder, argv[0]).is_file():
        raise InvalidInput(f"The program {argv[0]} cannot be started: there is no such file that may be run.")
    return ["env", "-u", "PYTHONPATH", *argv] if request.python else argv  # ours have nothing to do in their venv


def main(arguments: Sequence[str] | None = None) -> int:
    """Call a function and leave what it answers; 0 = it answered, 1 = it said no, 2 = it did not answer."""
    entry, file = sys.argv[1:] if arguments is None else arguments
    code = 0
    try:
        said = _line(program.function_of(entry)(dict(os.environ)))
    except AssertionError as error:
        traceback.print_exc(file=sys.stdout)
        said = f"result fail {' '.join(str(error).split())}".strip()
    except InvalidInput as error:
        said, code = f"not run: {error.sentence()}", _NO_ANSWER_CODE
    except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code: its failure is an answer
        traceback.print_exc(file=sys.stdout)
        said, code = f"not run: {' '.join(f'{type(error).__name__}: {error}'.split())}", _NO_ANSWER_CODE
    Path(file).write_text(said, encoding="utf-8", errors="replace")
    sys.stdout.write(f"\n{said}\n")  # after half a line of theirs, too
    return _NO_CODE if said.startswith("result fail") else code


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
