"""`report sign`, `unsign`, `comment`, `remarks`: what people say of a frozen report."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.reports.remarks import REMARK_LABELS, Remark


def add_commands(kinds: Any) -> None:
    """Register them below `report`."""
    for verb, run, what in (
        ("sign", _sign, "stand behind a kept report under your own name, once; the ledger keeps its hash"),
        ("unsign", _unsign, "withdraw your own sign-off, with a reason; both stay to be read"),
        ("comment", _comment, "say something of a kept report; its facts stay as they are"),
    ):
        command = kinds.add_parser(verb, help=what)
        command.add_argument("report", help="its id, or the first 8 digits or more of its facts' sha256")
        command.add_argument("--text", required=True)
        json_flag(command)
        command.set_defaults(run=run)
    listed = kinds.add_parser("remarks", help="sign-offs and comments of a kept report, oldest first")
    listed.add_argument("report")
    json_flag(listed)
    listed.set_defaults(run=_list)


def _sign(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    done = made.reports.sign_report(who, made.reports.named(who, arguments.report).line.id, arguments.text)
    show(_as_json(done), as_json=arguments.json, line=f"{done.name} signed it.")
    return 0


def _unsign(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    done = made.reports.withdraw_sign_off(who, made.reports.named(who, arguments.report).line.id, arguments.text)
    show(_as_json(done), as_json=arguments.json, line=f"{done.name} withdrew the sign-off.")
    return 0


def _comment(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    done = made.reports.comment_report(who, made.reports.named(who, arguments.report).line.id, arguments.text)
    show(_as_json(done), as_json=arguments.json, line="The comment is kept.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    found = made.reports.remarks(who, made.reports.named(who, arguments.report).line.id)
    lines = [f"{one.at:%Y-%m-%d %H:%M} UTC  {REMARK_LABELS[one.kind]}  {one.name}: {one.text}" for one in found]
    answer = [_as_json(one) for one in found]
    show(answer, as_json=arguments.json, line="\n".join(lines) or "Nobody has signed it or said anything of it.")
    return 0


def _as_json(one: Remark) -> dict[str, Any]:
    return {"id": one.id, "report": one.report_id, "kind": str(one.kind), "by": one.by, "name": one.name,
            "text": one.text, "at": one.at.isoformat()}  # fmt: skip
