"""Look at an MLflow server: everything that is registered there, and which of it is watched here."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show, write_text
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.registry.adoption import Adoption, adoption_csv, checked_classes, read_adoptions
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.domain.registry.live import HOW, live_mark
from mlops_dash.domain.tasks import task_named
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound, Unavailable


def add_commands(commands: Any) -> None:
    """Register connect."""
    connect = commands.add_parser("connect", help="list what an MLflow server has registered; nothing is written there")
    connect.add_argument("uri", nargs="?", default="", help="address of the server; else that of this installation")
    connect.add_argument("--adopt", nargs="+", default=[], metavar="NAME", help="watch these models from now on")
    connect.add_argument("--all", action="store_true", help="watch all that nobody watches and whose task can be told")
    connect.add_argument("--task", default="", help="of the adopted models, where it cannot be told or is told wrong")
    connect.add_argument("--class", dest="classes", action="append", default=[], metavar="NAME",
                         help="of a model that answers in words: once a class, in the order that stays")  # fmt: skip
    connect.add_argument("--live", default="", metavar="MARK", help=f"which mark says what is live: {HOW}")
    connect.add_argument("--export", type=Path, metavar="FILE", help="write them to a CSV file, to be filled in")
    connect.add_argument("--adopt-from", type=Path, metavar="FILE", help="watch what a filled-in file says yes to")
    connect.add_argument("--reason", default="", help="why they are watched; goes into the ledger")
    json_flag(connect)
    connect.set_defaults(run=_connect)


def _connect(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    found = made.registry.catalogue(who, arguments.uri)
    if not found.reachable:
        raise Unavailable(found.reason, hint="Check the address and its credentials.")
    if arguments.export is not None:
        write_text(arguments.export, adoption_csv(found))
        line = (
            f"{fmt.plural(len(found.models), 'model')} in {arguments.export}: fill in watch, task, owner, tier, live."
        )
        show({"file": str(arguments.export), "models": len(found.models)}, as_json=arguments.json, line=line)
        return 0
    if arguments.adopt or arguments.all or arguments.adopt_from is not None:
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
    chosen = _chosen(arguments, found)
    added: list[str] = []
    refused = ""
    for one in chosen:
        try:
            made.registry.add_model(
                who, one.name, task=one.task, class_names=one.class_names, owner=one.owner or who.name, tier=one.tier,
                live=one.live, cadence=one.window, cluster=one.cluster, reason=arguments.reason,
            )  # fmt: skip
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


def _chosen(arguments: argparse.Namespace, found: Catalogue) -> tuple[Adoption, ...]:
    """What was named by words or in a file, each checked."""
    if arguments.adopt_from is not None:
        if arguments.adopt or arguments.all or arguments.task or arguments.live or arguments.classes:
            raise InvalidInput("A file says everything itself.", hint="Give --adopt-from alone, with --reason TEXT.")
        return read_adoptions(_read(arguments.adopt_from), found)
    offered = [one for one in found.new if one.task or arguments.task] if arguments.all else _named(arguments, found)
    for one in offered:
        if not (arguments.task or one.task):
            raise InvalidInput(
                f"What {one.name} predicts cannot be told: {one.why}.", hint="Say --task, and adopt it alone."
            )
    mark = str(live_mark(arguments.live)) if arguments.live else ""
    return tuple(
        Adoption(
            one.name, task := arguments.task or one.task, _classes(one, task, arguments.classes), one.owner,
            live=mark or one.live,
        )
        for one in offered
    )  # fmt: skip


def _classes(one: Offered, task: str, said: Sequence[str]) -> tuple[str, ...]:
    """Those that were named, or that a tag of the model names; a task in words needs them."""
    if not task_named(task).in_words:
        return ()
    try:
        return checked_classes(task, "; ".join(said or one.classes), "")
    except InvalidInput as error:
        raise InvalidInput(
            f"{one.name} answers with a class by its name, and {error.message[:1].lower()}{error.message[1:]}",
            hint="Adopt it alone with --class NAME, once a class in the order that stays; or adopt from a file.",
        ) from None


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="mlops-dash connect --export FILE writes one to begin with.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} could not be read: {error.strerror}.") from error


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
