"""Policies at the command line: by which numbers is a model promoted and watched, and who says so?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.policies import PolicyKind, policy_value
from mlops_dash.domain.policies.room import PolicyRoom, second_person
from mlops_dash.domain.policies.text import policy_of_yaml, policy_yaml
from mlops_dash.errors import InvalidInput, NotFound


def add_commands(commands: Any) -> None:
    """Register policy show, replay, diff, set, activate and history."""
    policy = commands.add_parser("policy", help="read a model's policies, write the next version, put it into force")
    verbs = policy.add_subparsers(dest="verb", required=True, metavar="VERB")

    shown = _of_model(verbs, "show", "the policy in force: every field, its default and what it means")
    shown.add_argument("--yaml", action="store_true", help="print it as a file that `set --file` takes")
    json_flag(shown)
    shown.set_defaults(run=_show)

    history = _of_model(verbs, "history", "every version, who wrote it and who put it into force")
    json_flag(history)
    history.set_defaults(run=_history)

    tried = verbs.add_parser("replay", help="what a monitoring policy would have called, beside the one in force")
    tried.add_argument("model")
    _values(tried)
    json_flag(tried)
    tried.set_defaults(run=_replay, kind=str(PolicyKind.MONITORING))

    for name, run, what in (
        ("diff", _diff, "what a file or values would change of the policy in force; nothing is stored"),
        ("set", _set, "write the next version; it holds once a second person has activated it"),
    ):
        said = _of_model(verbs, name, what)
        _values(said)
        json_flag(said)
        said.set_defaults(run=run)
        if name == "set":
            said.add_argument("--reason", required=True)

    activate = verbs.add_parser("activate", help="put a written version into force; never its author")
    activate.add_argument("id", help="as `policy set` and `policy history` print it")
    activate.add_argument("--reason", required=True)
    activate.set_defaults(run=_activate)


def _of_model(verbs: Any, name: str, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = verbs.add_parser(name, help=what)
    command.add_argument("--model", required=True)
    command.add_argument("--kind", choices=[str(kind) for kind in PolicyKind], default=str(PolicyKind.PROMOTION))
    return command


def _values(command: argparse.ArgumentParser) -> None:
    command.add_argument("--file", type=Path, help="YAML: the whole policy; what it leaves out gets its default")
    command.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", dest="values",
        help="one field; without --file the others stay as they are in force",
    )  # fmt: skip


def _show(arguments: argparse.Namespace) -> int:
    made = services()
    room = made.policies.room(actor(made), arguments.model, PolicyKind(arguments.kind))
    if arguments.yaml:
        print(policy_yaml(room.active, room.fields), end="")
        return 0
    lines = [_title(arguments.model, room)]
    for field in room.fields:
        default = "" if field.value == field.default else f" (default {_shown(field.default)})"
        lines.append(f"  {field.name:<22} {_shown(field.value) + default:<30} {field.meaning}")
    waiting = [
        f"Waits for a second person: version {one.number}, {one.id}, by {who(one.author)}." for one in room.waiting
    ]
    facts = {**_facts(room, room.active.number), "fields": [vars(field) for field in room.fields]}
    facts["waiting"] = [_facts(room, one.number) for one in room.waiting]
    show(facts, as_json=arguments.json, line="\n".join([*lines, *waiting]))
    return 0


def _history(arguments: argparse.Namespace) -> int:
    made = services()
    room = made.policies.room(actor(made), arguments.model, PolicyKind(arguments.kind))
    lines = []
    for one in room.history:
        by = f"by {who(one.author)}" + (f", activated by {who(one.approver)}" if one.approver else "")
        lines.append(f"  {one.number:>3}  {one.id}  {room.state(one):<26} {fmt.instant(one.active_from, 'UTC')}  {by}")
    none = f"Nobody has written a {arguments.kind} policy of {arguments.model}; the default of its task holds."
    facts = [_facts(room, one.number) for one in room.history]
    show(facts, as_json=arguments.json, line="\n".join(lines) or none)
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    made = services()
    who_asks = actor(made)
    room = made.policies.room(who_asks, arguments.model, PolicyKind(arguments.kind))
    changes = made.policies.changes(who_asks, arguments.model, room.active.kind, _body(arguments, room))
    facts = {
        "model": arguments.model, "kind": room.active.kind, "against": room.active.number,
        "changes": [{"field": name, "now": now, "then": then} for name, now, then in changes],
    }  # fmt: skip
    show(facts, as_json=arguments.json, line=_changed(changes) or "It says what is in force already.")
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    made = services()
    asks = actor(made)
    room = made.policies.room(asks, arguments.model, PolicyKind.MONITORING)
    found = made.monitoring.replay_policy(asks, arguments.model, _body(arguments, room))
    rows = "\n".join(f"  {name:<24} {now:>12} {then:>12}" for name, now, then in found.rows())
    show(found.as_json(), as_json=arguments.json,
         line=f"{found.sentence}\n  {'':<24} {'in force':>12} {'proposed':>12}\n{rows}")  # fmt: skip
    return 0


def _set(arguments: argparse.Namespace) -> int:
    made = services()
    author = actor(made)
    room = made.policies.room(author, arguments.model, PolicyKind(arguments.kind))
    body = _body(arguments, room)
    changes = made.policies.changes(author, arguments.model, room.active.kind, body)
    written = made.policies.propose(author, arguments.model, room.active.kind, body, reason=arguments.reason)
    after = made.policies.room(author, arguments.model, PolicyKind(arguments.kind))
    said = [
        _changed(changes) or "It says what holds by default.",
        f"The {arguments.kind} policy {written.number} of {arguments.model} is written and waits for a second person:",
        f"  mlops-dash policy activate {written.id} --reason TEXT",
        second_person(after.who_may, author.id),
    ]
    show(_facts(after, written.number), as_json=arguments.json, line="\n".join(said))
    return 0


def _activate(arguments: argparse.Namespace) -> int:
    made = services()
    policy = made.policies.activate(actor(made), arguments.id, reason=arguments.reason)
    print(f"The {policy.kind} policy {policy.number} of {policy.model} is in force.")
    return 0


def _body(arguments: argparse.Namespace, room: PolicyRoom) -> dict[str, Any]:
    """What was given: the file's policy, or else the one in force, with single values changed."""
    if arguments.file is None and not arguments.values:
        raise InvalidInput("Nothing says what to change.", hint="Give --file F.yaml, or --set FIELD=VALUE.")
    body: dict[str, Any] = dict(room.active.body) if arguments.file is None else policy_of_yaml(_text(arguments.file))
    for one in arguments.values:
        name, sign, value = one.partition("=")
        if not sign:
            raise InvalidInput(f"--set {one} names no value.", hint="Write --set FIELD=VALUE, such as --set floor=12.5")
        body[name] = policy_value(room.active.kind, name, value)
    return body


def _text(path: Path) -> str:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.", hint="`mlops-dash policy show --yaml` prints one to begin with.")
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} could not be read: {error}.", hint="Give a YAML file in UTF-8.") from error


def _facts(room: PolicyRoom, number: int) -> dict[str, Any]:
    version = next((one for one in room.history if one.number == number), room.active)
    return {
        **{name: value for name, value in vars(version).items() if name != "body"},
        "body": dict(version.body), "is_default": version.is_default, "state": room.state(version),
    }  # fmt: skip


def _title(model: str, room: PolicyRoom) -> str:
    policy = room.active
    if policy.is_default:
        return f"{model}, {policy.kind}: the default of its task, as nobody has written a policy."
    since = fmt.instant(policy.active_from, "UTC")
    people = f"by {who(policy.author)}, activated by {who(str(policy.approver))}"
    return f"{model}, {policy.kind}: version {policy.number} since {since}, {people}."


def _changed(changes: tuple[tuple[str, Any, Any], ...]) -> str:
    return "\n".join(f"  {name:<22} {_shown(now)} -> {_shown(then)}" for name, now, then in changes)


def _shown(value: Any) -> str:
    return f"{value}" if value != "" else "none"
