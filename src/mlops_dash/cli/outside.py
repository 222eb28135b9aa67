"""`mlops-dash outside MODEL`: what somebody changed in MLflow behind the registry's back, undone or accepted."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import dataclass
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor
from mlops_dash.domain.registry.freezing import changes_said
from mlops_dash.domain.registry.records import OutsideAlarm, RegistryRoom
from mlops_dash.errors import Conflict, InvalidInput, NotFound


@dataclass(frozen=True)
class _Asked:
    """What is to be done, by whom and why."""

    made: Services
    who: Actor
    room: RegistryRoom
    reason: str


def add_commands(commands: Any) -> None:
    """Register outside."""
    outside = commands.add_parser("outside", help="what was changed in MLflow behind the registry: restore or adopt it")
    outside.add_argument("model")
    ways = outside.add_mutually_exclusive_group()
    ways.add_argument("--restore", action="store_true", help="put it back as it was approved")
    ways.add_argument("--adopt", action="store_true", help="accept it as it is in MLflow now; it passes no gate")
    outside.add_argument(
        "--version",
        default="",
        help="whose tags, description or files changed; left out: where the mark points",
    )
    outside.add_argument("--reason", default="", help="goes into the ledger; needed to restore or adopt")
    json_flag(outside)
    outside.set_defaults(run=_outside)


def _outside(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    room = made.registry.room(who, arguments.model)
    if not (arguments.restore or arguments.adopt):
        if arguments.version or arguments.reason:
            raise InvalidInput("A version and a reason belong to --restore or --adopt.", hint="Say which of them.")
        show(as_json(room), as_json=arguments.json, line="\n".join(_lines(room)))
        return 0
    asked = _Asked(made, who, room, arguments.reason)
    if arguments.version:
        said = _of_version(asked, arguments.version, restore=arguments.restore)
    else:
        said = _of_mark(asked, restore=arguments.restore)
    show({"model": room.model.name, "done": said}, as_json=arguments.json, line=said)
    return 0


def _of_mark(asked: _Asked, *, restore: bool) -> str:
    room, registry = asked.room, asked.made.registry
    mark, moved = room.model.mark.phrase, room.alias_moved_to
    if restore:
        registry.finish_promotion(asked.who, registry.restore_alias(asked.who, room.model.name, reason=asked.reason))
        label = room.champion.label if room.champion else "the approved version"
        return f"The {mark} of {room.model.name} points at {label} again."
    if not moved:
        raise Conflict(f"The {mark} of {room.model.name} points where it should.")
    registry.adopt_alias(asked.who, room.model.name, version=moved.removeprefix("v"), reason=asked.reason)
    return f"{room.model.name} {moved} is served from now on, as the {mark} says."


def _of_version(asked: _Asked, number: str, *, restore: bool) -> str:
    version = _alarm(asked.room, number.removeprefix("v")).version
    registry = asked.made.registry
    if not restore:
        registry.adopt_change(asked.who, version.id, reason=asked.reason)
        return f"{version.subject} counts as it is in MLflow now."
    registry.restore_version(asked.who, version.id, reason=asked.reason)
    left = registry.put_back(asked.who, version.id)
    more = f" {fmt.plural(len(left), 'file')} beyond it cannot be taken away by us: {', '.join(left)}." if left else ""
    return f"{version.subject} is as it was approved; the alarm closes at the next look at MLflow.{more}"


def _alarm(room: RegistryRoom, number: str) -> OutsideAlarm:
    found = next((one for one in room.outside if one.version.version == number), None)
    if found is None:
        raise NotFound(
            f"Nothing is known to be changed outside of {room.model.name} v{number}.",
            hint=f"See what is: mlops-dash outside {shlex.quote(room.model.name)}",
        )
    return found


def as_json(room: RegistryRoom) -> dict[str, Any]:
    """What the command prints with --json."""
    return {
        "model": room.model.name,
        "mark": {"name": room.model.mark.phrase, "approved": room.champion.version if room.champion else None,
                 "moved_to": room.alias_moved_to.removeprefix("v") or None},
        "versions": [
            {
                "version": one.version.version,
                "changes": [vars(change) for change in one.changes],
                "why_not_restore": one.why_not_restore,
                "why_not_adopt": one.why_not_adopt,
            }
            for one in room.outside
        ],
    }  # fmt: skip


def _lines(room: RegistryRoom) -> list[str]:
    said = []
    if room.alias_moved_to:
        approved = f"; approved is {room.champion.label}" if room.champion else ""
        said.append(f"The {room.model.mark.phrase} was moved to {room.alias_moved_to}{approved}.")
    said += [f"{one.version.label} is live, and in MLflow {changes_said(one.changes)}." for one in room.outside]
    return said or [f"Nothing of {room.model.name} was changed outside."]
