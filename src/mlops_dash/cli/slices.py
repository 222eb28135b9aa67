"""`mlops-dash slices|fairness MODEL`: in which parts of the rows a model is worse, and gaps between groups."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.monitoring.fairness import Fairness, Gap
from mlops_dash.domain.monitoring.slices import Slice, Slices

_REASON = "asked on the command line"


def add_commands(commands: Any) -> None:
    """Register slices and fairness."""
    asked = commands.add_parser("slices", help="parts of the rows in which it is worse, named or found")
    asked.add_argument("model")
    asked.add_argument("--measure", action="store_true", help="read the rows and measure first (again)")
    asked.add_argument("--reason", default=_REASON, help="of --measure; goes into the ledger")
    json_flag(asked)
    asked.set_defaults(run=_slices)

    gaps = commands.add_parser("fairness", help="gaps between the groups that the owner named, over time")
    gaps.add_argument("model")
    gaps.add_argument("--measure", action="store_true", help="read the rows and measure first (again)")
    gaps.add_argument("--reason", default=_REASON, help="of --measure; goes into the ledger")
    json_flag(gaps)
    gaps.set_defaults(run=_fairness)


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


def _fairness(arguments: argparse.Namespace) -> int:
    made = services()
    who, model = actor(made), arguments.model
    if arguments.measure:
        made.monitoring.ask_slices(who, model, arguments.reason, at_once=True)
        made.monitoring.measure_slices(who, model)
    found = made.monitoring.fairness(who, model)
    lines = [found.sentence, *(_gap(found, one) for one in found.gaps)]
    show({"model": model, **found.as_json()}, as_json=arguments.json, line="\n".join(lines))
    return 0


def _gap(found: Fairness, one: Gap) -> str:
    said = f"{one.group} beside {one.base}, {one.measure}: {one.state}"
    if one.gap is None:
        return f"{said} ({one.reason})"
    before = " -> ".join("too few" if was.gap is None else found.said(one, was.gap) for was in one.before)
    return (
        f"{said}; {found.said(one, one.value)} and {found.said(one, one.base_value)}, gap {found.said(one, one.gap)} "
        f"({found.said(one, one.low)} to {found.said(one, one.high)}){f'; before {before}' if before else ''}"
    )


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
