"""`audit`: prove the ledger, give it out as a file, and pack a quarter for the auditor."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show, write_bytes
from mlops_dash.domain.audit import Filter
from mlops_dash.errors import InvalidInput

_LONGEST = 10_000  # bytes of a file that holds a head


def add_commands(commands: Any) -> None:
    """Register audit verify, audit head, audit export, audit pack."""
    audit = commands.add_parser("audit", help="verify the ledger, export it, pack a quarter for the auditor")
    kinds = audit.add_subparsers(dest="what", required=True, metavar="WHAT")

    verify = kinds.add_parser("verify", help="walk the chain: exit 0 whole, 1 not")
    verify.add_argument(
        "--anchor", metavar="TEXT|FILE", help="a head that was kept elsewhere, as `audit head` printed it"
    )
    json_flag(verify)
    verify.set_defaults(run=_verify)

    head = kinds.add_parser("head", help="print the sealed head, to be kept where nobody of this machine can write")
    json_flag(head)
    head.set_defaults(run=_head)

    export = kinds.add_parser("export", help="the entries as CSV or JSON, oldest first")
    export.add_argument("--format", choices=["csv", "json"], default="csv")
    for name, what in (("model", "about this model"), ("actor", "by this person, such as user:ann"),
                       ("action", "such as proposal.approved")):  # fmt: skip
        export.add_argument(f"--{name}", default="", help=f"only entries {what}")
    _days(export, required=False)
    export.set_defaults(run=_export)

    pack = kinds.add_parser("pack", help="every change of champion with its evidence and approvals, as one zip")
    pack.add_argument("--model", default="", help="one model alone")
    _days(pack, required=True)
    pack.set_defaults(run=_pack)


def _days(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument("--from", dest="first", type=_day, required=required, metavar="DAY", help="first day, UTC")
    command.add_argument("--to", dest="last", type=_day, required=required, metavar="DAY", help="last day, UTC")
    command.add_argument("-o", "--output", type=Path, required=required, metavar="FILE")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2013-06-01") from error


def _verify(arguments: argparse.Namespace) -> int:
    made = services()
    kept = "" if arguments.anchor is None else _kept(arguments.anchor)
    verdict = made.audit.verify(actor(made), anchor=kept)
    show(vars(verdict), as_json=arguments.json, line=verdict.sentence())
    if verdict.ok and verdict.reason:
        print(f"But {verdict.reason}.", file=sys.stderr)
    return 0 if verdict.ok else 1


def _kept(said: str) -> str:
    """The head itself, or what stands in the file of that name."""
    path = Path(said)
    try:
        if path.is_file():
            with path.open(encoding="ascii", errors="replace") as file:
                return file.read(_LONGEST).strip()
    except OSError as error:
        raise InvalidInput(f"{said} cannot be read: {error.strerror}.", hint="Name the file that holds it.") from error
    return said.strip()


def _head(arguments: argparse.Namespace) -> int:
    made = services()
    found = made.audit.sealed_head(actor(made))
    show({"head": found}, as_json=arguments.json, line=found)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    made = services()
    start = None if arguments.first is None else datetime.combine(arguments.first, time(), UTC)
    end = None if arguments.last is None else datetime.combine(arguments.last, time(), UTC) + timedelta(days=1)
    wanted = Filter(actor=arguments.actor, action=arguments.action, model=arguments.model, start=start, end=end)
    content = made.audit.export(actor(made), wanted, kind=arguments.format)
    if arguments.output is None:
        sys.stdout.write(content.decode("utf-8-sig"))
        return 0
    write_bytes(arguments.output, content)
    print(f"{arguments.output}: {len(content):,} bytes.")
    return 0


def _pack(arguments: argparse.Namespace) -> int:
    if arguments.output.suffix.lower() != ".zip":
        raise InvalidInput(f"{arguments.output.name} does not end in .zip.", hint="The pack is one zip file.")
    made = services()
    content = made.audit.pack(actor(made), arguments.first, arguments.last, model=arguments.model)
    write_bytes(arguments.output, content)
    print(f"{arguments.output}: {len(content):,} bytes; README.md in it says what was found.")
    return 0
