"""`mlops-dash replay MODEL`: the version that took over, on the rows before that; told, and asked for with a reason."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.format import short
from mlops_dash.domain.monitoring.replay import told_of


def add_commands(commands: Any) -> None:
    """Register replay."""
    asked = commands.add_parser(
        "replay", help="the version that took over, on the rows before that: never live evidence"
    )
    asked.add_argument("model")
    asked.add_argument("--reason", help="have a worker do it (again); without it, what is known is told")
    json_flag(asked)
    asked.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    made = services()
    who, line, job_id = actor(made), "", None
    if arguments.reason:
        job_id = made.monitoring.ask_replay(who, arguments.model, arguments.reason)
        line = f"Asked as job {short(job_id)}; a worker does it."
    view = made.monitoring.replayed(who, arguments.model)
    facts = told_of(arguments.model, view, job_id=job_id)
    show(facts, as_json=arguments.json, line=line or str(facts["sentence"]))
    return 0
