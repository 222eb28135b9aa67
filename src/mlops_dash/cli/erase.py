"""Erase the rows of one person or thing from a model's log, with a ledger entry that does not name them."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt


def add_commands(commands: Any) -> None:
    """Register erase."""
    command = commands.add_parser("erase", help="forget somebody: their predictions and labels leave the log")
    command.add_argument("--model", required=True)
    command.add_argument(
        "--entity",
        required=True,
        metavar="ID",
        help="whose rows: their id, a part of a joined one, or what A/B tests knew them by (user, account, session)",
    )
    command.add_argument("--column", default="", help="compare a logged input, or what tests drew by, instead")
    command.add_argument("--dry-run", action="store_true", help="only say what is stored")
    command.add_argument("--reason", default="", help="goes into the ledger and stays: do not name them")
    json_flag(command)
    command.set_defaults(run=_erase)


def _erase(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    about = made.scoring.about(who, arguments.model, arguments.entity, column=arguments.column)
    erased = 0
    known = bool(about.rows.ids or about.rows.events)
    if known and not arguments.dry_run:
        made.scoring.decide_erasure(who, about, reason=arguments.reason)
        erased = made.scoring.erase_rows(who, about)
    rows = fmt.plural(about.rows.predictions, "prediction")
    labels = fmt.plural(about.rows.labels, "label")
    events = f" and {fmt.plural(about.rows.events, 'event')}" if about.rows.events else ""
    done = "are stored" if arguments.dry_run or not known else "are erased; their hours are counted anew"
    lines = [f"{rows} and {labels}{events} of {arguments.model} {done}."]
    if about.pushes:
        lines.append(
            f"Pushed evidence of {', '.join(about.pushes)} names them and stays, as gates rest on it: "
            "push rows under other ids, without them."
        )
    facts = {"model": about.model, "predictions": about.rows.predictions, "labels": about.rows.labels,
             "events": about.rows.events,
             "erased": erased, "pushes": list(about.pushes), "whom": about.key}  # fmt: skip
    show(facts, as_json=arguments.json, line="\n".join(lines))
    return 0
