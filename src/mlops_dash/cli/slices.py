"""`mlops-dash slices MODEL`: in which parts of the rows a model is worse, worst first."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.monitoring.slices import Slice, Slices

_REASON = "asked on the command line"


def add_commands(commands: Any) -> None:
    """Register slices."""
    asked = commands.add_parser("slices", help="parts of the rows in which it is worse, named or found")
    asked.add_argument("model")
    asked.add_argument("--measure", action="store_true", help="read the rows and measure first (again)")
    asked.add_argument("--reason", default=_REASON, help="of --measure; goes into the ledger")
    json_flag(asked)
    asked.set_defaults(run=_slices)


def _slices(arguments: argparse.Namespace) -> int:
    made = services()
    who, model = actor(made), arguments.model
    if arguments.measure:
        made.monitoring.ask_slices(who, model, arguments.reason, at_once=True)
        found = made.monitoring.measure_slices(who, model)
    else:
        found = made.monitoring.slices(who, model)
    lines = [found.sentence, *(_line(found, one) for one in found.parts), *(f"{one[0].upper()}{one[1:]}."
                                                                           for one in found.notes)]  # fmt: skip
    show({"model": model, **found.as_json()}, as_json=arguments.json, line="\n".join(lines))
    return 0


def _line(found: Slices, one: Slice) -> str:
    said = f"{one.title}: {one.state}"
    if one.more is None:
        return f"{said} ({one.reason})"
    before = " -> ".join("too few" if was.value is None else found.said(was.value) for was in one.before)
    trend = f"; before {before}" if before else ""
    return (
        f"{said}; {found.said(one.value)} ({found.said(one.low)} to {found.said(one.high)}), others "
        f"{found.said(one.rest)}; {one.n:,} rows{trend}{'; found' if one.found else ''}"
    )
