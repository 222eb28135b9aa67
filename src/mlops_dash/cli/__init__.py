"""The command line: shell words in, one service call, an answer out; the same services as the pages.

Exit codes: 0 fine, 2 bad input, 3 something unreachable; `gate` alone: 0 pass, 1 fail, 2 needs approval, 3 error.
Errors are one sentence on standard error with the next step, never a traceback.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from mlops_dash import __version__, errors
from mlops_dash.cli import admin, control, up


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    arguments = parser().parse_args(argv)
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
    return code


def parser() -> argparse.ArgumentParser:
    """Every command with its arguments."""
    root = argparse.ArgumentParser(prog="mlops-dash", description="Decide what your models do in production.")
    root.add_argument("--version", action="version", version=f"mlops-dash {__version__}")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up.add_commands(commands)
    admin.add_commands(commands)
    control.add_commands(commands)
    return root


if __name__ == "__main__":
    sys.exit(main())
