"""`thread`: what people say about a proposal, adding to it, and getting what was attached."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show, write_bytes
from mlops_dash.domain.audit import who as said_by
from mlops_dash.domain.format import instant
from mlops_dash.domain.registry.threads import MOST_BYTES, Comment
from mlops_dash.errors import InvalidInput, NotFound


def add_commands(commands: Any) -> None:
    """Register thread."""
    command = commands.add_parser("thread", help="what people say about a model's last proposal; add to it")
    command.add_argument("model")
    command.add_argument("--version", default="", help="of the proposal; by default the one that waits, else the last")
    command.add_argument("--say", default="", metavar="TEXT", help="a comment; @NAME puts it into NAME's queue")
    command.add_argument("--attach", action="append", type=Path, default=[], metavar="FILE", help="at most 1 MiB each")
    command.add_argument("--get", default="", metavar="ID", help="an attachment, written to --out")
    command.add_argument("--out", type=Path, metavar="FILE")
    json_flag(command)
    command.set_defaults(run=_thread)


def _thread(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if bool(arguments.get) != (arguments.out is not None):
        raise InvalidInput("An attachment is got into a file.", hint="Give both --get ID and --out FILE.")
    if arguments.attach and not arguments.say:
        raise InvalidInput("What is attached?", hint="Add --say TEXT.")
    room = made.registry.room(who, arguments.model, arguments.version or None)
    if room.proposal is None:
        raise NotFound("Nothing is proposed that could be talked about.", hint="Name a version: --version 3.")
    if arguments.get:
        found, content = made.registry.attachment(who, arguments.get)
        write_bytes(arguments.out, content)
        print(f"{arguments.out}: {found.name}, {found.size:,} bytes, sha256 {found.sha256}")
        return 0
    if arguments.say:
        files = [(path.name, _read(path)) for path in arguments.attach]
        made.registry.comment(who, room.proposal.id, arguments.say, files=files)
    comments = made.registry.thread(who, room.proposal.id)
    version = "" if room.selected is None else room.selected.label
    facts = {"model": arguments.model, "version": version, "proposal": room.proposal.id,
             "comments": [one.as_json() for one in comments]}  # fmt: skip
    lines = [line for one in comments for line in _lines(one, room.zone)] or ["Nobody has said anything yet."]
    show(facts, as_json=arguments.json, line="\n".join(lines))
    return 0


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path} could not be read: {error.strerror}.", hint="Check its name.") from error


def _lines(one: Comment, zone: str) -> list[str]:
    lines = [f"{said_by(one.by)}, {instant(one.at, zone)}", *(f"  {line}" for line in one.text.splitlines())]
    return [
        *lines,
        *(f"  {file.id}  {file.name}, {file.size:,} bytes, sha256 {file.sha256}" for file in one.attachments),
    ]
