"""How is a recipe's program started? A function in this process, a command line as a child of it; both end here.

A line `progress 0.4 what happens` of a command's output is its progress, every other line goes to the log.
Must not: know what is trained, or what MLflow is.
"""

from __future__ import annotations

import importlib
import os
import re
import shlex
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from mlops_dash.domain.workplace import FUNCTION
from mlops_dash.errors import InvalidInput, MlopsDashError
from mlops_dash.training import files
from mlops_dash.training.contract import Request
from mlops_dash.training.workplace import plain_environment

Tell = Callable[[float, str], None]
_LONGEST_LINE = 10_000  # characters; what is longer is cut
_PROGRESS = re.compile(r"progress ([01](?:\.\d+)?) (.+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m mlops_dash.training.program ENTRY`, told by the environment: 0 = well, 1 = a last line says why."""
    (entry,) = sys.argv[1:] if arguments is None else arguments

    def tell(share: float, text: str) -> None:
        sys.stdout.write(f"progress {share:g} {text}\n")

    try:
        run(entry, Request.of(os.environ), tell=tell, write=sys.stdout.write)
    except MlopsDashError as error:
        sys.stdout.write(f"{error.sentence()}\n")
        return 1
    return 0


def run(entry: str, request: Request, *, tell: Tell, write: Callable[[str], object]) -> None:
    """Run the program to its end.

    Args:
        entry: `module:function`, a command line with placeholders as `{start}`, `{end}` or `{parameter}`, or a file
            that a tool runs (`training.files`).
        request: What it is told.
        tell: Its progress, from 0 to 1; what this raises ends the program.
        write: Takes the lines of its log.

    Raises:
        InvalidInput: it cannot be found or started, or it ended with an error.
    """
    if is_function(entry):
        function = function_of(entry)
        try:
            function(request.environment(), tell)
        except MlopsDashError:
            raise
        except (Exception, SystemExit) as error:
            write(traceback.format_exc())
            raise InvalidInput(
                f"The program of {request.recipe} failed: {type(error).__name__}: {error}.", hint="The log says where."
            ) from error
    elif files.names_file(entry):
        try:
            _command(files.command_of(entry, request), request, tell, write)
        except InvalidInput as error:
            ran = files.executed(request)
            hint = f"The notebook as it ran: {ran}." if ran.is_file() else error.hint
            raise InvalidInput(str(error), hint=hint) from error
    else:
        _command(argv_of(entry, request), request, tell, write)


def is_function(entry: str) -> bool:
    """Whether it names a function; a command line, else."""
    return FUNCTION.fullmatch(entry) is not None


def argv_of(entry: str, request: Request) -> list[str]:
    """The command line as arguments; a placeholder never splits into two of them.

    Raises:
        InvalidInput: the line cannot be read, or names a placeholder that is no parameter.
    """
    window = request.window
    known: Mapping[str, Any] = {
        **request.parameters, "python": request.python or sys.executable, "start": window.start.isoformat(),
        "end": window.end.isoformat(), "model": request.model,
    }  # fmt: skip
    try:
        return [part.format_map(known) for part in shlex.split(entry)]
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise InvalidInput(
            f"The command line {entry!r} cannot be read: {error}.", hint=f"Placeholders: {', '.join(sorted(known))}."
        ) from error


def function_of(entry: str) -> Callable[..., object]:
    """The function that `module:function` names.

    Raises:
        InvalidInput: it cannot be imported, or is no function.
    """
    module, _, name = entry.partition(":")
    function: Callable[..., object] | None
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"The program {entry} cannot be imported: {error}.") from error
    if not callable(function):
        raise InvalidInput(f"{entry} is no function.", hint="Name a function that takes (environment, tell).")
    return function


def _command(argv: list[str], request: Request, tell: Tell, write: Callable[[str], object]) -> None:
    base = plain_environment(os.environ) if request.python else os.environ
    try:
        child = subprocess.Popen(
            argv, env={**base, **request.environment()}, cwd=request.folder or None, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise InvalidInput(f"The program {argv[0]} cannot be started: {error.strerror}.") from error
    assert child.stdout is not None  # a pipe
    within = False
    try:
        for line in iter(partial(child.stdout.readline, _LONGEST_LINE), ""):  # one without an end comes in pieces
            rest, within = within, not line.endswith("\n")
            if rest:
                continue
            progress = _PROGRESS.match(line.rstrip())
            cells = files.PROGRESS.search(line)
            if progress:
                tell(min(float(progress[1]), 1.0), progress[2])
            elif cells:
                tell(int(cells[1]) / 100, f"cell {cells[2].replace('/', ' of ')}")
            else:
                write(line if line.endswith("\n") else f"{line}\n")
        code = child.wait()
    finally:
        with suppress(ProcessLookupError):  # what it left running ends with it
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise InvalidInput(f"The program of {request.recipe} {how}.", hint="The log says why.")


if __name__ == "__main__":
    raise SystemExit(main())
