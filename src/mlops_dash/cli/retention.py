"""`log`: how much of the prediction log is hot and archived, its cold files, and moving what is old enough."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.retention import ModelRows


def add_commands(commands: Any) -> None:
    """Register log show, log files, log retain."""
    log = commands.add_parser("log", help="the prediction log: what is hot, what is archived, and archiving it")
    kinds = log.add_subparsers(dest="what", required=True, metavar="WHAT")

    of_models = kinds.add_parser("show", help="each model's rows in the tables and in cold files")
    json_flag(of_models)
    of_models.set_defaults(run=_show)

    files = kinds.add_parser("files", help="the cold files as the manifest names them; exit 1 if one is damaged")
    files.add_argument("--model", default="", help="one model alone")
    files.add_argument("--check", action="store_true", help="read every byte and compare it with the manifest")
    json_flag(files)
    files.set_defaults(run=_files)

    retain = kinds.add_parser(
        "retain", help="archive rows that are ripe for long enough, remove what is kept for long enough"
    )
    retain.add_argument("--dry-run", action="store_true", help="only say what would be done")
    json_flag(retain)
    retain.set_defaults(run=_retain)


def _show(arguments: argparse.Namespace) -> int:
    made = services()
    state = made.retention.overview(actor(made))
    lines = [_line(one) for one in state.models] or ["Nothing is logged yet."]
    lines.append(f"Next run of the worker: {state.next:%Y-%m-%d %H:%M} UTC.")
    lines += [f"{model}: {why}" for model, why in state.troubles.items()]
    facts = {"models": [_facts(one) for one in state.models], "last": _iso(state.last), "next": _iso(state.next),
             "troubles": dict(state.troubles)}  # fmt: skip
    show(facts, as_json=arguments.json, line="\n".join(lines))
    return 0


def _files(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.retention.files(actor(made), arguments.model, check=arguments.check)
    damaged = [one for one in found if one.trouble]
    lines = [
        f"{one.file.path}  {fmt.plural(one.file.rows, 'row')}  {one.file.sha256}"
        + (f"  {one.trouble}" if one.trouble else "")
        for one in found
    ] or ["No rows are archived."]
    if arguments.check and found:
        whole = f"{fmt.plural(len(found) - len(damaged), 'file')} whole"
        lines.append(f"{whole}, {len(damaged)} damaged: put them back from a backup." if damaged else f"{whole}.")
    facts = [{**asdict(one.file), "trouble": one.trouble} for one in found]
    show(facts, as_json=arguments.json, line="\n".join(lines))
    return 1 if damaged else 0


def _retain(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.dry_run:
        state = made.retention.overview(who)
        moving = {one.model: one.movable for one in state.models if one.movable}
        removed, troubles, labels = state.removable, dict[str, str](), 0
        said = "would be"
    else:
        done = made.retention.retain(who)
        moving, removed, troubles, labels = dict(done.moved), done.removed, dict(done.troubles), done.labels
        said = "are"
    lines = [f"{fmt.plural(n, 'prediction')} of {model} {said} archived." for model, n in moving.items()]
    lines += [f"{fmt.plural(labels, 'label')} came for archived rows and are with them."] if labels else []
    lines += [f"Kept for long enough, {said} removed: {removed.words()}."] if removed.words() else []
    lines += [f"{model} was left as it is: {why}" for model, why in troubles.items()]
    facts = {"dry_run": arguments.dry_run, "archived": moving, "labels": labels, "removed": asdict(removed),
             "troubles": troubles}  # fmt: skip
    show(facts, as_json=arguments.json, line="\n".join(lines) or "Nothing is old enough.")
    return 1 if troubles else 0


def _line(one: ModelRows) -> str:
    oldest = f" since {one.oldest:%Y-%m-%d}" if one.oldest else ""
    ripe = f", {one.movable:,} of them old enough to be archived" if one.movable else ""
    archived = (
        f"; {fmt.plural(one.archived, 'prediction')} in {fmt.plural(one.files, 'cold file')} "
        f"({one.size / 1e6:,.1f} MB), {one.first:%Y-%m-%d} to {one.last:%Y-%m-%d}"
        if one.archived and one.first and one.last
        else ""
    )
    return f"{one.model}: {fmt.plural(one.hot, 'hot prediction')}{oldest}{ripe}{archived}"


def _facts(one: ModelRows) -> dict[str, Any]:
    return {
        name: _iso(value) if name in {"oldest", "until", "first", "last"} else value
        for name, value in vars(one).items()
    }


def _iso(at: Any) -> str | None:
    return at.isoformat() if at else None
