"""What happened to users, accounts, sessions: events from a file, and which there are."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mlops_dash.cli.problems import tell_problems
from mlops_dash.cli.shared import actor, json_flag, progress_on_terminal, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.errors import InvalidInput
from mlops_dash.services.scoring import EventColumns
from mlops_dash.services.tables import read_table

_ID = (
    "A,B: together. Else a row gets one from its unit, name, value and time: equal rows of one file are so many "
    "events, but one that also came in an earlier file is taken as sent again. Name a column where times are coarse"
)

_EQUAL = " (without --id a row that equals one of an earlier file is taken as sent again)"


def add_commands(commands: Any) -> None:
    """Register events."""
    events = commands.add_parser(
        "events", help="store what happened to units (revenue, clicks, complaints) from a file; without one, list them"
    )
    events.add_argument("file", nargs="?", type=Path, help="CSV, TSV or parquet: a row an event")
    events.add_argument("--model", default="", help="whose answers the units got; of a list, one model alone")
    events.add_argument("--unit", default="", metavar="COLUMN", help="the user, account, session, or prediction id")
    events.add_argument("--time", default="", metavar="COLUMN", help="when it happened")
    events.add_argument("--name", default="", metavar="COLUMN", help="what happened")
    events.add_argument("--event", default="", metavar="NAME", help="what happened in every row, instead of --name")
    events.add_argument("--value", default="", metavar="COLUMN", help="how much; else 1")
    events.add_argument("--id", default="", metavar="COLUMN", help=_ID)
    events.add_argument("--zone", default="UTC", help="of times without one")
    events.add_argument(
        "--on-error", choices=["stop", "skip"], default="stop",
        help="a row that cannot be taken: store nothing of the file, or store the others",
    )  # fmt: skip
    json_flag(events)
    events.set_defaults(run=_events)


def _events(arguments: argparse.Namespace) -> int:
    if arguments.file is None:
        return _list(arguments)
    missing = [one for one in ("model", "unit", "time") if not getattr(arguments, one)]
    if missing:
        raise InvalidInput(f"A file of events needs --{missing[0]}.", hint="See mlops-dash events --help.")
    table, made = read_table(arguments.file), services()
    columns = EventColumns(
        unit=arguments.unit, time=arguments.time, name=arguments.name, event=arguments.event, value=arguments.value,
        id=arguments.id, zone=arguments.zone,
    )  # fmt: skip
    filed, kept = made.scoring.file_events(
        actor(made), arguments.model, table, columns, skip=arguments.on_error == "skip", progress=progress_on_terminal
    )
    problems = tell_problems(arguments.file, filed.unfit, all_known=not filed.refused)
    facts = {"rows": filed.rows, "new": kept.new, "known": kept.known, "refused": filed.refused, "problems": problems}
    refused = f"Nothing of {arguments.file} was stored. Mend these rows, or say --on-error skip to store the others."
    left_out = f" {fmt.plural(len(filed.unfit), 'row')} left out." if filed.unfit else ""
    again = f" {kept.known:,} were known already{'' if arguments.id else _EQUAL}." if kept.known else ""
    line = refused if filed.refused else f"{kept.new:,} new events of {filed.rows:,} rows.{again}{left_out}"
    show(facts, as_json=arguments.json, line=line)
    return 2 if filed.refused else 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.scoring.events(actor(made), arguments.model)
    lines = [
        f"{one.model}: {one.name}  {fmt.plural(one.events, 'event')}, {one.first:%Y-%m-%d} to {one.last:%Y-%m-%d}"
        for one in found
    ]
    nothing = "No event was sent yet: mlops-dash events FILE, or POST /v1/events."
    show([one.as_json() for one in found], as_json=arguments.json, line="\n".join(lines) or nothing)
    return 0
