"""`board`: of every model which version is where; and moving one to another place."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Actor
from mlops_dash.domain.registry.board import PLACES, BoardRow
from mlops_dash.domain.registry.moves import PRODUCTION, SHADOW
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register board."""
    command = commands.add_parser("board", help="of every model which version is where; move one")
    command.add_argument("--move", metavar="MODEL", default="", help="move a version of this model")
    command.add_argument("--version", metavar="V", default="", help="the one that moves")
    command.add_argument(
        "--to", metavar="PLACE", default="",
        help="production (proposes it), shadow, no-shadow, or an environment's mark in MLflow: staging, dev, ...",
    )  # fmt: skip
    command.add_argument("--reason", default="", help="why; goes into the ledger")
    json_flag(command)
    command.set_defaults(run=_board)


def _board(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.move:
        said = _moved(made, who, arguments)
        show({"moved": said}, as_json=arguments.json, line=said)
        return 0
    if arguments.version or arguments.to or arguments.reason:
        raise InvalidInput("Which model is to be moved?", hint="Add --move MODEL.")
    rows = made.registry.board(who)
    lines = [_line(one) for one in rows] or ["No model is watched yet."]
    show({"models": [one.as_json() for one in rows]}, as_json=arguments.json, line="\n".join(lines))
    return 0


def _moved(made: Services, who: Actor, arguments: argparse.Namespace) -> str:
    """Move a version as typed; what happened, in a sentence."""
    if not (arguments.version and arguments.to):
        raise InvalidInput("Which version, and where to?", hint="Add --version V --to PLACE.")
    version_id = made.registry.version_id(who, arguments.move, arguments.version)
    place, reason = arguments.to.strip(), arguments.reason
    if place == PRODUCTION:
        proposal = made.registry.propose(who, version_id, comment=reason)
        return f"Proposal {proposal.id}: {proposal.state}. Somebody else must approve it."
    if place in (SHADOW, "no-shadow"):
        silent = made.registry.score_silently(who, version_id, on=place == SHADOW, reason=reason)
        return f"Scores silently: {', '.join(silent) or 'none'}."
    entry = made.registry.mark_version(who, version_id, place, reason=reason)
    return f"{place} is {made.registry.finish_mark(who, entry)} of {arguments.move}."


def _line(one: BoardRow) -> str:
    places = [f"{label.lower()} {one.said(place)}" for place, label in PLACES.items() if one.said(place)]
    marks = [f"marks in MLflow: {one.marks_said}"] if one.marks else []
    return f"{one.model}: {'; '.join([*places, *marks]) or 'nothing anywhere'}"
