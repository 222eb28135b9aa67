"""`channel`: to whom alerts are told, and what became of each message."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.notices import SEVERITIES, Channel, ChannelKind, Notice, NoticeState, Route


def add_commands(commands: Any) -> None:
    """Register channel."""
    channel = commands.add_parser("channel", help="e-mail, Slack, Teams or web hooks that are told of alerts")
    what = channel.add_subparsers(dest="what", required=True)
    add = what.add_parser("add", help="make a channel; prints the secret that signs its messages, once")
    add.add_argument("name")
    add.add_argument("kind", choices=[str(kind) for kind in ChannelKind])
    add.add_argument("address", help="e-mail addresses with commas between, or the URL of a web hook")
    _route(add)
    add.add_argument("--reason", required=True)
    json_flag(add)
    add.set_defaults(run=_add)
    edit = what.add_parser("edit", help="change a channel; what is not named stays")
    edit.add_argument("name")
    edit.add_argument("--address")
    _route(edit)
    state = edit.add_mutually_exclusive_group()
    state.add_argument("--off", dest="enabled", action="store_const", const=False, help="send nothing for now")
    state.add_argument("--on", dest="enabled", action="store_const", const=True, help="send again")
    edit.add_argument("--reason", required=True)
    json_flag(edit)
    edit.set_defaults(run=_edit, enabled=None)
    remove = what.add_parser("remove", help="take a channel away; what was sent stays in the log")
    remove.add_argument("name")
    remove.add_argument("--reason", required=True)
    remove.set_defaults(run=_remove)
    test = what.add_parser("test", help="send a test message now; exit code 3 when it did not go")
    test.add_argument("name")
    json_flag(test)
    test.set_defaults(run=_test)
    listed = what.add_parser("list", help="all channels")
    json_flag(listed)
    listed.set_defaults(run=_list)
    log = what.add_parser("log", help="what was sent, waits, is held or failed, newest first")
    log.add_argument("--limit", type=int, default=50, metavar="N")
    json_flag(log)
    log.set_defaults(run=_log)
    again = what.add_parser("resend", help="send again what failed, was held or may have been lost")
    again.add_argument("message", help="its id, from the log")
    again.add_argument("--reason", required=True)
    again.set_defaults(run=_resend)


def _route(command: argparse.ArgumentParser) -> None:
    command.add_argument("--severity", choices=SEVERITIES, help="the least that it is told of; warning unless said")
    command.add_argument("--model", action="append", dest="models", metavar="M", help="only of this one; may repeat")
    command.add_argument("--all-models", action="store_const", const=[], dest="models", help="of all models")
    command.add_argument(
        "--unanswered-for", type=int, dest="after_minutes", metavar="MINUTES",
        help="only what nobody has answered for so long: a channel to escalate to; 0 = at once",
    )  # fmt: skip
    command.add_argument(
        "--pause", type=int, dest="pause_minutes", metavar="MINUTES", help="between two of the same; 0 = none"
    )
    command.add_argument("--quiet", metavar="HH:MM-HH:MM", help="when only critical ones go; none = never")
    command.add_argument("--digest", metavar="HH:MM", help="one message a day with all that came; none = at once")
    command.add_argument("--zone", help="whose clocks; UTC unless said")


def _route_of(arguments: argparse.Namespace, base: Route) -> Route:
    named = {
        name: getattr(arguments, name)
        for name in ("severity", "after_minutes", "pause_minutes", "zone")
        if getattr(arguments, name) is not None
    }
    if arguments.models is not None:
        named["models"] = tuple(dict.fromkeys(arguments.models))
    if arguments.digest is not None:
        named["digest_at"] = "" if arguments.digest == "none" else arguments.digest
    if arguments.quiet is not None:
        first, _, end = ("", "", "") if arguments.quiet == "none" else arguments.quiet.partition("-")
        named |= {"quiet_from": first, "quiet_to": end}
    return replace(base, **named)


def _add(arguments: argparse.Namespace) -> int:
    made = services()
    kind, route = ChannelKind(arguments.kind), _route_of(arguments, Route())
    new = made.notices.add(actor(made), arguments.name, kind, arguments.address, route, reason=arguments.reason)
    line = f"{new.name} is told of: {new.route.words()}."
    if kind is not ChannelKind.EMAIL:
        line += f"\nSecret of its signatures, shown once: {new.secret}"
    elif not made.context.settings.smtp:
        line += "\nNo mail server is set (MLOPS_DASH_SMTP): its messages are files in the folder outbox of the home."
    show({**_as_json(new), "secret": new.secret}, as_json=arguments.json, line=line)
    return 0


def _edit(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    now = next((one for one in made.notices.channels(who) if one.name == arguments.name), None)
    route = None if now is None else _route_of(arguments, now.route)
    new = made.notices.edit(
        who, arguments.name, reason=arguments.reason, address=arguments.address, route=route, enabled=arguments.enabled
    )
    show(_as_json(new), as_json=arguments.json, line=_line(new))
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    made = services()
    made.notices.remove(actor(made), arguments.name, reason=arguments.reason)
    print(f"{arguments.name} is told of nothing any more.")
    return 0


def _test(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    ended = made.notices.send_now(who, made.notices.test(who, arguments.name).id)
    show(_notice(ended), as_json=arguments.json, line=f"{str(ended.state).capitalize()}: {ended.note}")
    return 0 if ended.state is NoticeState.SENT else 3


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.notices.channels(actor(made))
    line = "\n".join(_line(one) for one in found) or "No channel yet: nobody is told of alerts. See: channel add --help"
    show([_as_json(one) for one in found], as_json=arguments.json, line=line)
    return 0


def _log(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.notices.log(actor(made), limit=max(1, min(arguments.limit, 10_000)))
    lines = (
        f"{one.created_at:%Y-%m-%d %H:%M}  {one.state!s:<9}  {one.channel}  {one.event}  {one.title}"
        f"{f'  ({one.note})' if one.note else ''}  {one.id}"
        for one in found
    )
    show([_notice(one) for one in found], as_json=arguments.json, line="\n".join(lines) or "Nothing was sent yet.")
    return 0


def _resend(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    ended = made.notices.send_now(who, made.notices.send_again(who, arguments.message, reason=arguments.reason).id)
    print(f"{str(ended.state).capitalize()}: {ended.note}")
    return 0 if ended.state is NoticeState.SENT else 3


def _line(one: Channel) -> str:
    off = "" if one.enabled else "  switched off"
    return f"{one.name}  {one.kind}  {one.shown_address}  {one.route.words()}{off}"


def _as_json(one: Channel) -> dict[str, Any]:
    route = {**vars(one.route), "models": list(one.route.models)}
    return {"name": one.name, "kind": str(one.kind), "address": one.address, "route": route, "enabled": one.enabled}


def _notice(one: Notice) -> dict[str, Any]:
    return {**vars(one), "event": str(one.event), "state": str(one.state)}
