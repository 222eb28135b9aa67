"""What several commands need: the services, who acts, and how answers are printed."""

from __future__ import annotations

import argparse
import functools
import gc
import json
import os
import pwd
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_dash import settings
from mlops_dash.domain.access import Actor
from mlops_dash.errors import InvalidInput, MlopsDashError, NotAuthenticated

if TYPE_CHECKING:
    from mlops_dash.bootstrap import Services


def services() -> Services:
    """The services of this installation; they are imported only for commands that need them."""
    from mlops_dash import bootstrap

    made = bootstrap.build(settings.from_environment())
    _keep_what_is_imported()
    return made


@functools.cache
def _keep_what_is_imported() -> None:
    """What was imported is no garbage while we run: a million rows are stored in a fifth less time. Once a process."""
    gc.freeze()


def actor(made: Services) -> Actor:
    """Who types: the owner of MLOPS_DASH_TOKEN; without one, the owner of a local SQLite store, by their login's name.

    Raises:
        NotAuthenticated: no token, and the store is not a SQLite file of this user.
    """
    token = os.environ.get("MLOPS_DASH_TOKEN", "")
    if token:
        return made.access.actor_for_token(token)
    path = made.context.databases.app.url.database
    local = made.context.settings.database_url.startswith("sqlite") and path is not None
    if local and Path(str(path)).stat().st_uid == os.getuid():
        return made.access.actor_for_owner(login())
    raise NotAuthenticated(
        "The command line does not know who you are.",
        hint="Set MLOPS_DASH_TOKEN to a token from Audit & admin, tab Tokens.",
    )


def login() -> str:
    """The name of the account that runs this process, as the operating system knows it.

    The environment is not asked: LOGNAME and USER say whatever somebody typed.
    """
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return f"uid{os.getuid()}"


def show(value: Any, *, as_json: bool, line: str) -> None:
    """Print JSON when asked, else the sentence."""
    print(json.dumps(value, indent=2, sort_keys=True, default=str) if as_json else line)


def write_text(path: Path, text: str) -> None:
    """Write a file that somebody named.

    Raises:
        InvalidInput: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise InvalidInput(
            f"{path} could not be written: {error.strerror}.", hint="Name a file in a folder that is there."
        ) from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file that somebody named.

    Raises:
        InvalidInput: it cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise InvalidInput(
            f"{path} could not be written: {error.strerror}.", hint="Name a file in a folder that is there."
        ) from error


def json_flag(command: argparse.ArgumentParser) -> None:
    """Add --json."""
    command.add_argument("--json", action="store_true", help="print JSON")


def progress_on_terminal(done: int, rows: int) -> None:
    """One line on standard error that moves; nothing where nobody looks."""
    if sys.stderr.isatty():
        print(f"\r{done:,} of {rows:,} rows", end="" if done < rows else "\n", file=sys.stderr)


@contextmanager
def counted(made: Services, who: Actor, job_id: str) -> Iterator[None]:
    """While a recipe's programs run in this process: afterwards that is a job that has ended, whatever came of it."""
    try:
        yield
    except BaseException as error:
        said = error.sentence() if isinstance(error, MlopsDashError) else f"It ended with {type(error).__name__}."
        made.retraining.ran_here(who, job_id, error=said)
        raise
    made.retraining.ran_here(who, job_id)
