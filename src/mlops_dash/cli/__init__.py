"""The command line: shell words in, one service call, an answer out; the same services as the pages.

Exit codes: 0 fine, 2 bad input, 3 something unreachable; `gate` alone: 0 pass, 1 fail, 2 needs approval, 3 error.
Errors are one sentence on standard error with the next step, never a traceback.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from itertools import pairwise

from mlops_dash import __version__, errors, log, settings
from mlops_dash.ids import new_id

# Which file holds a command: only that one is imported for it, and with it what it needs (pandas alone takes half of a
# second). In the order of `mlops-dash --help`.
COMMANDS = {
    "up": ("up", "ui", "worker", "gateway"),
    "demo": ("demo",),
    "admin": ("db", "user"),
    "audit": ("audit",),
    "service_accounts": ("service",),
    "watch": ("watch",),
    "rows": ("ingest", "labels"),
    "events": ("events",),
    "evidence": ("evidence",),
    "references": ("reference",),
    "control": (
        "monitor", "quarantine", "gate", "propose", "approve", "reject", "promote", "rollback", "retrain", "jobs",
    ),
    "conditions": ("conditions",),
    "deputies": ("deputy",),
    "board": ("board",),
    "threads": ("thread",),
    "rollouts": ("rollout",),
    "outside": ("outside",),
    "erase": ("erase",),
    "retention": ("log",),
    "connect": ("connect",),
    "disconnect": ("disconnect",),
    "models": ("model",),
    "trust": ("trust",),
    "policies": ("policy",),
    "cards": ("card",),
    "numbers": ("semver",),
    "recipes": ("recipe",),
    "schedules": ("schedule",),
    "backfill": ("backfill",),
    "experiments": ("runs",),
    "drift": ("drift",),
    "second_opinion": ("second-opinion",),
    "replay": ("replay",),
    "alerts": ("alerts",),
    "why": ("why", "estimate"),
    "slices": ("slices", "fairness"),
    "ab": ("ab",),
    "ab_tests": ("ab-test",),
    "channels": ("channel",),
    "reports": ("report",),
    "bench": ("bench",),
}  # fmt: skip
_READ_ENOUGH = 141  # as of a process that SIGPIPE ends


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    words = sys.argv[1:] if argv is None else argv
    arguments = parser(words[0] if words else "").parse_args(words)
    os.umask(0o077)  # also the log is its owner's alone
    _log_to_file()
    gate = arguments.command == "gate"
    try:
        _refuse_empty(words)
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except errors.MlopsDashError as error:
        print(error.sentence(), file=sys.stderr)
        unreachable = isinstance(error, errors.Unavailable)
        return 3 if gate or unreachable else 2
    except BrokenPipeError:  # `| head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READ_ENOUGH
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except Exception:  # a person at a terminal never reads a traceback; the log does
        incident = new_id()[:8]
        logging.getLogger(__name__).exception("incident", extra={"incident": incident, "command": arguments.command})
        print(f"That went wrong here, not with you (incident {incident}).", file=sys.stderr)
        return 3 if gate else 1
    return code


def parser(command: str = "") -> argparse.ArgumentParser:
    """The commands of the file that holds this one; all commands where none does."""
    root = argparse.ArgumentParser(prog="mlops-dash", description="Decide what your models do in production.")
    root.add_argument("--version", action="version", version=f"mlops-dash {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    holders = [module for module, names in COMMANDS.items() if command in names]
    for module in holders or COMMANDS:
        importlib.import_module(f"mlops_dash.cli.{module}").add_commands(commands)
    return root


def _refuse_empty(words: Sequence[str]) -> None:
    """An empty word is a variable of a script that was never set; it would be taken for "not given".

    Raises:
        InvalidInput: a word is empty, or an option ends with its equals sign.
    """
    for before, word in pairwise(["", *words]):
        option, sign, value = word.partition("=")
        if not word.strip() or (option.startswith("--") and sign and not value.strip()):
            name = option.strip() or (before if before.startswith("-") else "an argument")
            raise errors.InvalidInput(f"The value of {name} is empty.", hint="Give it one, or leave it out.")


def _log_to_file() -> None:
    """Lines of the log go to the home's folder; a home that cannot be written is said by the command itself."""
    with contextlib.suppress(OSError):
        log.configure("cli", settings.default_home(os.environ) / "logs", console=False)
