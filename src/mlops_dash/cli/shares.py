"""`report share`, `report links`, `report revoke`: read-only links to one report."""

from __future__ import annotations

import argparse
import getpass
import sys
from datetime import datetime
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.shares import MOST_DAYS, USUAL_DAYS, Share
from mlops_dash.errors import InvalidInput


def add_commands(kinds: Any) -> None:
    """Register them below `report`."""
    share = kinds.add_parser("share", help="a link that shows one report to people without an account; printed once")
    share.add_argument("report", help="its id, or the first 8 digits or more of its facts' sha256")
    share.add_argument(
        "--days", type=int, default=USUAL_DAYS, help=f"until it is over, 1 to {MOST_DAYS}; default {USUAL_DAYS}"
    )
    share.add_argument("--password", action="store_true", help="it asks for one: typed here, or read from stdin")
    share.add_argument(
        "--level",
        type=Level,
        choices=list(Level),
        default=Level.TECHNICAL,
        help="for whom it is written; executive carries nothing beyond its one page",
    )
    share.add_argument("--reason", required=True, help="for whom, and why")
    json_flag(share)
    share.set_defaults(run=_share)

    links = kinds.add_parser("links", help="links to reports: for whom, until when, how often opened")
    links.add_argument("--report", default="", help="only of this one")
    json_flag(links)
    links.set_defaults(run=_links)

    revoke = kinds.add_parser("revoke", help="let a link open nothing any more")
    revoke.add_argument("link", help="its id, from `report links`")
    revoke.add_argument("--reason", required=True)
    json_flag(revoke)
    revoke.set_defaults(run=_revoke)


def _share(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    report_id = made.reports.named(who, arguments.report).line.id
    password = ""
    if arguments.password:
        password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
        if not password:
            raise InvalidInput("The password is empty.", hint="Type one, or leave out --password.")
    new = made.reports.share(
        who, report_id, days=arguments.days, reason=arguments.reason, password=password, level=arguments.level
    )
    until = f"{new.share.expires_at:%Y-%m-%d %H:%M} UTC"
    said = f"{new.url}\nIt shows the {new.share.about} until {until}, and is printed once."
    answer = {**_as_json(new.share, made.context.clock.wall()), "url": new.url}
    show(answer, as_json=arguments.json, line=said)
    return 0


def _links(arguments: argparse.Namespace) -> int:
    made = services()
    who, wall = actor(made), made.context.clock.wall()
    report_id = made.reports.named(who, arguments.report).line.id if arguments.report else ""
    found = made.reports.shares(who, report_id)
    lines = "\n".join(_line(one, wall) for one in found) or "No link was made yet. See: report share --help"
    show([_as_json(one, wall) for one in found], as_json=arguments.json, line=lines)
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    made = services()
    gone = made.reports.revoke_share(actor(made), arguments.link, reason=arguments.reason)
    answer = _as_json(gone, made.context.clock.wall())
    show(answer, as_json=arguments.json, line=f"The link to the {gone.about} opens nothing any more.")
    return 0


def _line(one: Share, wall: datetime) -> str:
    locked = "  password" if one.has_password else ""
    return (
        f"{one.id}  {one.state(wall)!s:<7}  until {one.expires_at:%Y-%m-%d %H:%M} UTC  opened {one.opens}{locked}  "
        f"{one.about}  ({one.reason})"
    )


def _as_json(one: Share, wall: datetime) -> dict[str, Any]:
    return {
        "id": one.id, "report": one.report_id, "about": one.about, "reason": one.reason, "state": str(one.state(wall)),
        "made_by": one.made_by, "made_at": one.made_at.isoformat(), "expires_at": one.expires_at.isoformat(),
        "revoked_at": one.revoked_at and one.revoked_at.isoformat(), "opens": one.opens,
        "last_opened_at": one.last_opened_at and one.last_opened_at.isoformat(), "password": one.has_password,
        "level": str(one.level),
    }  # fmt: skip
