"""Look at an MLflow server: everything that is registered there, and which of it is watched here."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound, Unavailable


def add_commands(commands: Any) -> None:
    """Register connect."""
    connect = commands.add_parser("connect", help="list what an MLflow server has registered; nothing is written there")
    connect.add_argument("uri", nargs="?", default="", help="address of the server; else that of this installation")
    connect.add_argument("--adopt", nargs="+", default=[], metavar="NAME", help="watch these models from now on")
    connect.add_argument("--all", action="store_true", help="watch all that nobody watches and whose task can be told")
    connect.add_argument("--task", default="", help="of the adopted models, where it cannot be told or is told wrong")
    connect.add_argument("--reason", default="", help="why they are watched; goes into the ledger")
    json_flag(connect)
    connect.set_defaults(run=_connect)


def _connect(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    found = made.registry.catalogue(who, arguments.uri)
    if not found.reachable:
        raise Unavailable(found.reason, hint="Check the address and its credentials.")
    if arguments.adopt or arguments.all:
        return _adopt(arguments, made, who, found)
    lines = [_line(one) for one in found.models]
    lines.append(f"{fmt.plural(len(found.models), 'registered model')}, {len(found.new)} not watched yet.")
    if found.new:
        lines.append("Watch some: mlops-dash connect --adopt NAME ... --reason TEXT   or all: --all --reason TEXT")
    show({"uri": found.uri, "models": [vars(one) for one in found.models]}, as_json=arguments.json,
         line="\n".join(lines))  # fmt: skip
    return 0


def _adopt(arguments: argparse.Namespace, made: Services, who: Actor, found: Catalogue) -> int:
    """Watch the models that were named; every one is checked before the first is added."""
    if found.uri != made.context.registry.uri:
        raise Conflict(
            f"This installation follows {made.context.registry.uri}, not {found.uri}.",
            hint="Start it with MLFLOW_TRACKING_URI set to that address, then adopt.",
        )
    if not arguments.reason.strip():
        raise InvalidInput("Adopting models needs a reason.", hint="Say --reason TEXT; it goes into the ledger.")
    chosen = [one for one in found.new if one.task or arguments.task] if arguments.all else _named(arguments, found)
    for one in chosen:
        if not (arguments.task or one.task):
            raise InvalidInput(
                f"What {one.name} predicts cannot be told: {one.why}.", hint="Say --task, and adopt it alone."
            )
    added: list[str] = []
    refused = ""
    for one in chosen:
        try:
            made.registry.add_model(
                who, one.name, task=arguments.task or one.task, owner=one.owner or who.name, reason=arguments.reason
            )
        except MlopsDashError as error:
            refused = error.sentence()
            break
        added.append(one.name)
    left = [one.name for one in found.new if one.name not in added]
    lines = [f"{name} is watched." for name in added] or ["Nothing was added."]
    if left:
        lines.append(f"Not watched: {', '.join(left)}.")
    show({"adopted": added, "left": left}, as_json=arguments.json, line="\n".join(lines))
    if refused:
        raise Conflict(refused)
    return 0


def _named(arguments: argparse.Namespace, found: Catalogue) -> list[Offered]:
    known = {one.name: one for one in found.models}
    for name in arguments.adopt:
        if name not in known:
            raise NotFound(f"No model {name!r} is registered there.", hint=f"There are: {', '.join(known) or 'none'}.")
        if known[name].watched:
            raise Conflict(f"{name} is {known[name].watched} already.", hint="Leave it out.")
    return [known[name] for name in dict.fromkeys(arguments.adopt)]


def _line(one: Offered) -> str:
    marks = [f"{alias}=v{version}" for alias, version in (*one.aliases.items(), *one.stages.items())]
    signature = {True: "signature", False: "no signature", None: "no MLmodel"}[one.signature]
    newest = f"v{one.version}" if one.version else "no version"
    told = [newest, *marks, one.flavour or "flavour not known", signature, f"{one.task or 'task not told'} ({one.why})"]
    told += [f"{name}:{value}" for name, value in one.tags.items()]
    told += [one.watched] if one.watched else []
    return f"{one.name}: {' · '.join(told)}"
