"""`board`: of every model which version is where."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.registry.board import PLACES, BoardRow


def add_commands(commands: Any) -> None:
    """Register board."""
    command = commands.add_parser("board", help="of every model which version is where")
    json_flag(command)
    command.set_defaults(run=_board)


def _board(arguments: argparse.Namespace) -> int:
    made = services()
    rows = made.registry.board(actor(made))
    lines = [_line(one) for one in rows] or ["No model is watched yet."]
    show({"models": [one.as_json() for one in rows]}, as_json=arguments.json, line="\n".join(lines))
    return 0


def _line(one: BoardRow) -> str:
    places = [f"{label.lower()} {one.said(place)}" for place, label in PLACES.items() if one.said(place)]
    marks = [f"marks in MLflow: {one.marks_said}"] if one.marks else []
    return f"{one.model}: {'; '.join([*places, *marks]) or 'nothing anywhere'}"
