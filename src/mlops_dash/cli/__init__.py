"""The command line: shell words in, one service call, an answer out; the same services as the pages.

Exit codes: 0 fine, 2 bad input, 3 something unreachable; `gate` alone: 0 pass, 1 fail, 2 needs approval, 3 error.
Errors are one sentence on standard error with the next step, never a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence

from mlops_dash import __version__, errors, log, settings
from mlops_dash.cli import ab, admin, bench, control, experiments, reports, up
from mlops_dash.ids import new_id


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    _log_to_file()
    gate = arguments.command == "gate"
    try:
        code: int = arguments.run(arguments)
    except errors.MlopsDashError as error:
        print(error.sentence(), file=sys.stderr)
        unreachable = isinstance(error, errors.Unavailable)
        return 3 if gate or unreachable else 2
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception:  # a person at a terminal never reads a traceback; the log does
        incident = new_id()[:8]
        logging.getLogger(__name__).exception("incident", extra={"incident": incident, "command": arguments.command})
        print(f"That went wrong here, not with you (incident {incident}).", file=sys.stderr)
        return 3 if gate else 1
    return code


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    root = argparse.ArgumentParser(prog="mlops-dash", description="Decide what your models do in production.")
    root.add_argument("--version", action="version", version=f"mlops-dash {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up.add_commands(commands)
    admin.add_commands(commands)
    control.add_commands(commands)
    experiments.add_commands(commands)
    ab.add_commands(commands)
    reports.add_commands(commands)
    bench.add_commands(commands)
    return root


def _log_to_file() -> None:
    """Lines of the log go to the home's folder; a home that cannot be written is said by the command itself."""
    with contextlib.suppress(OSError):
        log.configure("cli", settings.default_home(os.environ) / "logs", console=False)
