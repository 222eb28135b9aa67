"""`mlops-dash alerts MODEL`: its alerts, what was done about each, and whether it helped."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.monitoring.incidents import Incident
from mlops_dash.errors import NotFound


def add_commands(commands: Any) -> None:
    """Register alerts."""
    told = commands.add_parser("alerts", help="alerts of a model, what was done about each, and whether it helped")
    told.add_argument("model")
    told.add_argument("--limit", type=int, default=20, metavar="N", help="at most; those that are open come first")
    json_flag(told)
    told.set_defaults(run=_alerts)


def _alerts(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.model not in {one.name for one in made.registry.models(who)}:
        raise NotFound(f"Nobody watches a model {arguments.model!r}.", hint="List them with: mlops-dash model list.")
    found = made.monitoring.incidents(who, arguments.model, limit=max(arguments.limit, 1))
    lines = [line for one in found for line in _lines(one)] or [f"{arguments.model} has no alert."]
    show([one.as_json() for one in found], as_json=arguments.json, line="\n".join(lines))
    return 0


def _lines(one: Incident) -> list[str]:
    head = f"{one.opened_at:%Y-%m-%d %H:%M} UTC  v{one.version.removeprefix('v')}  {one.state}: {one.title}"
    deeds = [f"    {deed.at:%Y-%m-%d %H:%M} UTC  {f'{deed.who} ' if deed.who else ''}{deed.what}" for deed in one.deeds]
    return [head, *deeds, *([f"    {one.sentence}"] if one.sentence else [])]
