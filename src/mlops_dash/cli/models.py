"""Models at the command line: add one to watch, say more about it, take it away and back, list them."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import NAMES
from mlops_dash.domain.clusters import TOGETHER
from mlops_dash.domain.file_windows import said_of
from mlops_dash.domain.registry.editing import TIERS
from mlops_dash.domain.registry.live import HOW
from mlops_dash.domain.registry.records import EXTERNAL, Model
from mlops_dash.domain.tasks import BINARY, TASKS
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register model add, edit, answers, archive, restore and list."""
    model = commands.add_parser(
        "model", help="add, edit, archive, restore or list the models that are watched; which version answers"
    )
    verbs = model.add_subparsers(dest="verb", required=True, metavar="VERB")

    add = _of_name(verbs, "add", "watch a model: one of MLflow, or one that is served elsewhere")
    add.add_argument("--source", choices=["mlflow", EXTERNAL], default="mlflow", help="external: served elsewhere")
    _facts(add)
    add.add_argument(
        "--class", dest="class_names", action="append", default=[], metavar="NAME",
        help="a class of a multiclass model, once a class, in an order that stays",
    )  # fmt: skip
    add.set_defaults(run=_add)

    edit = _of_name(verbs, "edit", "say something else of a model; what is not named stays")
    _facts(edit)
    edit.set_defaults(run=_edit)

    answers = _of_name(verbs, "answers", "say which version of a model that is served elsewhere answers now")
    answers.add_argument("--version", required=True)
    answers.set_defaults(run=_answers)

    archive = _of_name(verbs, "archive", "take it out of pages, chores and serving; its history stays")
    archive.set_defaults(run=_archive)
    restore = _of_name(verbs, "restore", "take an archived model back as it was")
    restore.set_defaults(run=_restore)

    listed = verbs.add_parser("list", help="every model with what is said of it")
    listed.add_argument("--archived", action="store_true", help="those that are archived too")
    json_flag(listed)
    listed.set_defaults(run=_list)


def _of_name(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    command.add_argument("name")
    command.add_argument("--reason", required=True)
    return command


def _facts(command: argparse.ArgumentParser) -> None:
    command.add_argument("--title", help="what pages call it")
    command.add_argument("--owner", help="who is asked about it")
    command.add_argument("--tier", type=int, choices=TIERS, help="1 is the most critical")
    command.add_argument("--task", choices=[task.name for task in TASKS], help="what it predicts")
    command.add_argument("--window", help=f"what is judged as one: {NAMES}, which names the batch of a row")
    command.add_argument("--cluster", metavar="COLUMN", help=f"which rows belong together: {TOGETHER}")
    command.add_argument("--no-cluster", action="store_true", help="no column says which rows belong together")
    command.add_argument("--live", metavar="MARK", help=f"which mark in MLflow says what is live: {HOW}")
    command.add_argument("--positive", help="the label that its score is the probability of")
    command.add_argument(
        "--do-not-log", action="append", metavar="COLUMN", help="an input that is never stored; once a column"
    )
    command.add_argument(
        "--slice", action="append", dest="slices", metavar="COLUMN",
        help="a column whose values are parts that are watched by themselves; once a column",
    )  # fmt: skip
    command.add_argument(
        "--group", action="append", dest="groups", metavar="COLUMN",
        help="a column whose values are groups that must fare alike; once a column",
    )  # fmt: skip
    command.add_argument("--no-groups", action="store_true", help="compare no groups")
    command.add_argument("--no-slices", action="store_true", help="watch no parts of the owner's own")
    command.add_argument("--log-all", action="store_true", help="store every input from now on")


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What was named of a model."""
    if arguments.log_all and arguments.do_not_log:
        raise InvalidInput("--log-all and --do-not-log contradict each other.", hint="Give one of them.")
    if arguments.no_cluster and arguments.cluster:
        raise InvalidInput("--no-cluster and --cluster contradict each other.", hint="Give one of them.")
    if arguments.no_groups and arguments.groups:
        raise InvalidInput("--no-groups and --group contradict each other.", hint="Give one of them.")
    if arguments.no_slices and arguments.slices:
        raise InvalidInput("--no-slices and --slice contradict each other.", hint="Give one of them.")
    given = {
        "title": arguments.title, "owner": arguments.owner, "tier": arguments.tier, "task": arguments.task,
        "positive_label": arguments.positive, "cadence": arguments.window,
        "cluster": "" if arguments.no_cluster else arguments.cluster,
        "live": arguments.live,
        "do_not_log": [] if arguments.log_all else arguments.do_not_log,
        "groups": [] if arguments.no_groups else arguments.groups,
        "slices": [] if arguments.no_slices else arguments.slices,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value is not None}


def _add(arguments: argparse.Namespace) -> int:
    made = services()
    given = {"task": BINARY.name, **_given(arguments)}
    model = made.registry.add_model(
        actor(made), arguments.name, source=arguments.source, reason=arguments.reason,
        class_names=arguments.class_names, **given,
    )  # fmt: skip
    then = "push its rows, or watch a file of them" if model.source == EXTERNAL else "its versions come from MLflow"
    print(f"{model.name} is watched as a {model.task} model: {then}.")
    return 0


def _edit(arguments: argparse.Namespace) -> int:
    made = services()
    given = _given(arguments)
    if not given:
        raise InvalidInput("Nothing says what to change.", hint="Name --title, --owner, --tier or another.")
    model = made.registry.edit_model(actor(made), arguments.name, given, reason=arguments.reason)
    print(_line(model))
    return 0


def _answers(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    version = made.registry.known_version(who, arguments.name, arguments.version, reason=arguments.reason)
    made.registry.serve_elsewhere(who, version.id, reason=arguments.reason)
    print(f"{version.subject} answers now; its rows are watched.")
    return 0


def _archive(arguments: argparse.Namespace) -> int:
    made = services()
    model = made.registry.archive_model(actor(made), arguments.name, reason=arguments.reason)
    print(f"{model.name} is archived: it answers nothing, takes no rows and stands on no page. Its history stays.")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    made = services()
    model = made.registry.restore_model(actor(made), arguments.name, reason=arguments.reason)
    print(f"{model.name} is back as it was.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    models = made.registry.all_models(who) if arguments.archived else made.registry.models(who)
    lines = [_line(one) for one in models]
    show([vars(one) for one in models], as_json=arguments.json, line="\n".join(lines) or "No model is watched yet.")
    return 0


def _line(model: Model) -> str:
    told = [model.task, f"tier {model.tier}", f"owner {model.owner or 'nobody'}", model.source]
    if model.title != model.name:
        told.insert(0, model.title)
    if model.cadence != Model.cadence:
        told.append(f"judged by {said_of(model.cadence)}")
    if model.cluster:
        told.append(f"rows belong together by {model.cluster}")
    if model.live != Model.live:
        told.append(f"live: {model.live}")
    if model.groups:
        told.append(f"groups by {', '.join(model.groups)}")
    if model.slices:
        told.append(f"watched by {', '.join(model.slices)}")
    if model.do_not_log:
        told.append(f"never logs {', '.join(model.do_not_log)}")
    if model.archived_at is not None:
        told.append(f"archived {fmt.instant(model.archived_at)}")
    return f"{model.name}: {' · '.join(told)}"
