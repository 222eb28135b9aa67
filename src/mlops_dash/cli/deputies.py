"""Deputies: who approves in whose name while they are away; named, listed, ended."""

from __future__ import annotations

import argparse
from datetime import date, datetime, time, timedelta
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.calendar import day_start
from mlops_dash.domain.deputies import Deputy, named
from mlops_dash.domain.format import instant
from mlops_dash.domain.schema import EARLIEST, LATEST, instant_of


def add_commands(commands: Any) -> None:
    """Register deputy add, list, end."""
    deputy = commands.add_parser("deputy", help="who approves in your name while you are away")
    verbs = deputy.add_subparsers(dest="verb", required=True, metavar="VERB")

    add = verbs.add_parser("add", help="name one; they must be allowed to approve themselves")
    add.add_argument("name", help="of the deputy's account")
    add.add_argument("--from", dest="first", type=_day, metavar="DAY", help="first day, UTC; default: from now on")
    add.add_argument("--until", dest="last", type=_day, required=True, metavar="DAY", help="last day, UTC")
    add.add_argument("--reason", required=True)
    json_flag(add)
    add.set_defaults(run=_add)

    listed = verbs.add_parser("list", help="who stands in for whom, until when and why")
    json_flag(listed)
    listed.set_defaults(run=_list)

    end = verbs.add_parser("end", help="end it before its time; what was approved stays")
    end.add_argument("id")
    end.add_argument("--reason", required=True)
    json_flag(end)
    end.set_defaults(run=_end)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2026-03-01") from error
    if instant_of(datetime.combine(day, time())) is None:
        raise argparse.ArgumentTypeError(f"{text!r} lies outside {EARLIEST:%Y} to {LATEST:%Y}")
    return day


def _add(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.access.name_deputy(
        actor(made),
        arguments.name,
        since=None if arguments.first is None else day_start(arguments.first, "UTC"),
        until=day_start(arguments.last + timedelta(days=1), "UTC"),
        reason=arguments.reason,
    )
    now = made.context.clock.now()
    show(found.as_json(now), as_json=arguments.json, line=_line(found, found.state(now)))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    found, now = made.access.deputies(actor(made)), made.context.clock.now()
    lines = [_line(one, one.state(now)) for one in found] or ["Nobody stands in for anybody."]
    show([one.as_json(now) for one in found], as_json=arguments.json, line="\n".join(lines))
    return 0


def _end(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.access.end_deputy(actor(made), arguments.id, reason=arguments.reason)
    now = made.context.clock.now()
    show(found.as_json(now), as_json=arguments.json, line=_line(found, found.state(now)))
    return 0


def _line(one: Deputy, state: str) -> str:
    span = f"{instant(one.since)} until {instant(one.until)}"
    return f"{state:<8}  {one.id}  {named(one.deputy, one.principal)}, {span}: {one.reason}"
