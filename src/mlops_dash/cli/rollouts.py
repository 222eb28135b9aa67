"""`rollout`: where a staged roll-out is, and pausing, continuing or stopping it."""

from __future__ import annotations

import argparse
from datetime import datetime
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.registry.rollouts import Rollout, limit_text, stages_said
from mlops_dash.domain.words import look
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register rollout."""
    command = commands.add_parser("rollout", help="say where a staged roll-out is; pause, continue or stop it")
    command.add_argument("model")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--pause", action="store_true", help="the share stays, the time stands still")
    what.add_argument("--continue", action="store_true", dest="go_on", help="go on from there")
    what.add_argument("--stop", action="store_true", help="the champion answers all rows again")
    command.add_argument("--reason", default="", help="goes into the ledger")
    json_flag(command)
    command.set_defaults(run=_rollout)


def _rollout(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.reason and not (arguments.pause or arguments.go_on or arguments.stop):
        raise InvalidInput("A reason for what?", hint="Add --pause, --continue or --stop.")
    found = made.registry.rollout(who, arguments.model)
    asked = {
        "pause": (arguments.pause, made.registry.pause_rollout),
        "continue": (arguments.go_on, made.registry.continue_rollout),
        "stop": (arguments.stop, made.registry.stop_rollout),
    }
    for wanted, verb in asked.values():
        if wanted:
            found = verb(who, found.id, found.revision, reason=arguments.reason)
    now = made.context.clock.now()
    why = made.registry.why_no_rows(who, arguments.model)
    lines = [*_lines(found, now), *([f"  {why}"] if why else [])]
    show({**found.as_json(now), "why_no_rows": why}, as_json=arguments.json, line="\n".join(lines))
    return 0


def _lines(found: Rollout, now: datetime) -> list[str]:
    lines = [f"{look(found.state).label}. {found.said(now)}", f"  {stages_said(found.stages)}"]
    lines += [f"  {look(one.state).label:<15} {one.name} ({limit_text(one)}): {one.sentence}" for one in found.guards]
    return lines
