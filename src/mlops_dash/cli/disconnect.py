"""Leave an MLflow server as if we had never been there: list what of ours stands in it, and take it away."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.audit import LeftInMlflow
from mlops_dash.errors import Unavailable


def add_commands(commands: Any) -> None:
    """Register disconnect."""
    command = commands.add_parser("disconnect", help="list what we wrote to an MLflow server, and take it away")
    command.add_argument("uri", nargs="?", default="", help="address of the server; else that of this installation")
    command.add_argument("--dry-run", action="store_true", help="only list it")
    command.add_argument("--reason", default="", help="why; goes into the ledger")
    json_flag(command)
    command.set_defaults(run=_disconnect)


def _disconnect(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    left = made.audit.left_in_mlflow(who, arguments.uri)
    removed: tuple[str, ...] = ()
    if left.models and not arguments.dry_run:
        made.audit.leave_mlflow(who, left, reason=arguments.reason)
        try:
            removed = made.audit.take_tags(who, left)
        except Unavailable as error:
            raise Unavailable(
                f"Nothing was taken away, or not all: {error.message}",
                hint=f"Take the tag {left.tag} off {', '.join(left.models)} by an account that may, or try again.",
            ) from error
    show({**vars(left), "removed": removed}, as_json=arguments.json, line="\n".join(_lines(left, removed)))
    return 0


def _lines(left: LeftInMlflow, removed: tuple[str, ...]) -> list[str]:
    if removed:
        lines = [f"The tag {left.tag} is gone from {name}." for name in removed]
    else:
        lines = [f"{name} carries the tag {left.tag}: the head of our ledger." for name in left.models]
    if not left.models:
        lines = [f"Nothing of ours stands in {left.uri}."]
    lines += [f"Stays as it was decided: the {mark} of {model} is at {label}." for model, mark, label in left.promoted]
    if left.models and not removed:
        lines.append("Take it away: mlops-dash disconnect --reason TEXT")
    return lines
