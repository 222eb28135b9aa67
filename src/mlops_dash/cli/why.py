"""`mlops-dash why MODEL`: the columns that moved, likeliest cause first, and what the version in service rests on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Actor, system
from mlops_dash.domain.format import percent, psi
from mlops_dash.domain.monitoring.causes import Causes, told
from mlops_dash.domain.monitoring.contributions import RowContributions, shown
from mlops_dash.domain.monitoring.samples import ColumnRows
from mlops_dash.domain.schema import EARLIEST, LATEST, instant_of

_REASON = "asked on the command line"


def add_commands(commands: Any) -> None:
    """Register why and estimate."""
    asked = commands.add_parser("why", help="the columns that moved, ranked by drift times importance")
    asked.add_argument("model")
    asked.add_argument("--measure", action="store_true", help="ask the model first what it rests on (again)")
    asked.add_argument("--reason", default=_REASON, help="of --measure; goes into the ledger")
    asked.add_argument(
        "--rows", metavar="COLUMN", help="a few rows of the cell of a column that grew, beside typical ones"
    )
    asked.add_argument("--row", metavar="ID", help="ask the model why one row got its answer: what each column adds")
    asked.add_argument(
        "--at", type=_instant, metavar="TIME", help="of --row: when it was answered, for an archived one"
    )
    json_flag(asked)
    asked.set_defaults(run=_why)

    estimate = commands.add_parser("estimate", help="how large errors are while labels are awaited, of a regression")
    estimate.add_argument("model")
    estimate.add_argument("--reason", default=_REASON, help="goes into the ledger")
    json_flag(estimate)
    estimate.set_defaults(run=_estimate)


def _why(arguments: argparse.Namespace) -> int:
    made = services()
    who, model = actor(made), arguments.model
    if arguments.measure:
        made.monitoring.ask_why(who, model, arguments.reason, at_once=True)
        made.monitoring.explain(
            who, model, partial(made.scoring.answer_again, who, model), partial(made.scoring.own_importance, who, model)
        )
        made.monitoring.split_loss(who, model)
        made.monitoring.evaluate(system("cli"), model)
    if arguments.row:
        return _row(made, who, arguments)
    found = made.monitoring.causes(who, model)
    rows = made.monitoring.column_rows(who, model, arguments.rows) if arguments.rows else None
    facts = told(model, found) if rows is None else {**told(model, found), "rows": rows.as_json()}
    show(facts, as_json=arguments.json, line="\n".join(_lines(found) if rows is None else _table(rows)))
    return 0


def _row(made: Services, who: Actor, arguments: argparse.Namespace) -> int:
    model = arguments.model
    made.monitoring.ask_row(who, model, arguments.row, at=arguments.at, at_once=True)
    found = made.monitoring.explain_row(
        who, model, arguments.row, partial(made.scoring.answer_again, who, model), at=arguments.at
    )
    facts = {"model": model, "row": found.as_json()}
    show(facts, as_json=arguments.json, line="\n".join(_added(found)))
    return 0


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; write 2026-03-01T12:30:00+00:00") from None
    instant = instant_of(at)
    if instant is None:
        raise argparse.ArgumentTypeError(f"{text!r} lies outside {EARLIEST:%Y} to {LATEST:%Y}")
    return instant


def _added(found: RowContributions) -> list[str]:
    """The base, what each column adds, and the answer that they add up to."""
    lines = [f"{found.sentence}", f"  {found.said(found.base)}: mean of the reference rows"]
    for one in found.added:
        between = (
            "" if one.low is None else f" ({found.said(one.low, signed=True)} to {found.said(one.high, signed=True)})"
        )
        lines.append(f"  {found.said(one.amount, signed=True)}{between}: {shown(one)}")
    return [*lines, f"  {found.said(found.total)}: this row", f"{found.method[0].upper()}{found.method[1:]}."]


def _estimate(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    made.monitoring.ask_estimate(who, arguments.model, arguments.reason)
    found = made.monitoring.estimate_losses(who, arguments.model)
    facts = None if found is None else {"model": arguments.model, **found.as_json()}
    show(facts, as_json=arguments.json, line="" if found is None else found.sentence)
    return 0


def _lines(found: Causes | None) -> list[str]:
    if found is None:
        return ["No window of it is judged yet, so nothing is known to have moved."]
    lines = [f"{one.column}: {one.role}; {_far(one.excess, one.how)}{_share(one.share)}" for one in found.ranked]
    split = [] if found.split is None else [found.split.sentence]
    return [*(lines or ["No input moved."]), found.importance.sentence, *split]


def _far(excess: float | None, how: str) -> str:
    return how if excess is None else f"excess PSI {psi(excess)}"


def _share(share: float | None) -> str:
    return "" if share is None else f", {percent(share)} of what the model rests on"


def _table(found: ColumnRows) -> list[str]:
    """What grew, then both kinds of rows."""
    said = f"{found.column}: {found.cell} was {percent(found.before)} of the reference, {percent(found.now)} now"
    if found.median_before is not None and found.median_now is not None:
        said += f"; median {found.median_before:.4g} -> {found.median_now:.4g} {found.unit}".rstrip()
    if found.hidden:
        return [said, found.hidden]
    lines = [said, "rows of that cell:", *(_values(one) for one in found.moved), f"{found.typical_are}:"]
    return [*lines, *(_values(one) for one in found.typical)]


def _values(row: Mapping[str, Any]) -> str:
    return "  " + ", ".join(f"{name}={'-' if value is None else value}" for name, value in row.items())
