"""What an approver asks beside (`approve --condition --review-by`); `conditions`: what stands, and that it is done."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Actor
from mlops_dash.domain.audit import who as said_by
from mlops_dash.domain.format import day
from mlops_dash.domain.registry.conditions import Condition, review_day
from mlops_dash.domain.registry.records import Proposal
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register conditions."""
    command = commands.add_parser(
        "conditions", help="what approvers asked beside their approvals; say that one is done"
    )
    command.add_argument("model")
    command.add_argument("--done", metavar="ID", default="", help="of the condition or review that is done")
    command.add_argument("--reason", default="", help="what came of it; goes into the ledger")
    json_flag(command)
    command.set_defaults(run=_conditions)


def add_approving(approve: argparse.ArgumentParser) -> None:
    """Options of `approve` alone."""
    approve.add_argument(
        "--condition", action="append", default=[], dest="conditions", metavar="TEXT",
        help="what is asked beside; shown until somebody says that it is done",
    )  # fmt: skip
    approve.add_argument("--review-by", default="", metavar="DAY", help="look at the version again by this day")
    approve.add_argument(
        "--for", default="", dest="in_name_of", metavar="NAME", help="in the name of somebody whose deputy you are now"
    )


def approved(made: Services, who: Actor, proposal: Proposal, arguments: argparse.Namespace) -> Proposal:
    """Approve as typed; where the model's tier asks for the password again, the terminal asks."""
    room = made.registry.room(who, proposal.model, proposal=proposal.id)
    proof = ""
    if room.rules.password and not room.why_not["approve"]:
        if not sys.stdin.isatty():
            raise InvalidInput(
                f"An approval of {proposal.model} takes your password, and no terminal can ask for it.",
                hint="Approve on the Registry page, or at a terminal.",
            )
        proof = made.access.prove_password(who, getpass.getpass("Your password: "), proposal.id)
    return made.registry.approve(
        who, proposal.id, proposal.revision, comment=arguments.reason, conditions=arguments.conditions,
        review_by=review_day(arguments.review_by), proof=proof, in_name_of=arguments.in_name_of,
    )  # fmt: skip


def _conditions(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.done:
        made.registry.finish_condition(who, arguments.done, note=arguments.reason)
    elif arguments.reason:
        raise InvalidInput("A reason for what?", hint="Add --done ID.")
    found = made.registry.conditions(who, arguments.model)
    now = made.context.clock.now()
    zone = made.registry.room(who, arguments.model).zone
    lines = [_line(one, zone, due=one.is_due(now)) for one in found] or ["Nothing was asked."]
    facts = {"model": arguments.model, "conditions": [one.as_json(now) for one in found]}
    show(facts, as_json=arguments.json, line="\n".join(lines))
    return 0


def _line(one: Condition, zone: str, *, due: bool) -> str:
    state = "done" if one.done_at is not None else "due" if due else "open"
    more = f"; done by {said_by(one.done_by)} on {day(one.done_at, zone)}: {one.done_note}" if one.done_at else ""
    return f"{state:<5} {one.id}  v{one.version}: {one.said(zone)} (asked by {said_by(one.by)}){more}"
