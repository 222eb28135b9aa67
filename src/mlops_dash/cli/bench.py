"""`bench pages`: what every page costs, beside the targets. Measures and judges nothing."""

from __future__ import annotations

import argparse
import os
from typing import Any

from mlops_dash.bench import pages
from mlops_dash.cli.shared import json_flag, services, show
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.errors import InvalidInput
from mlops_dash.settings import app_root


def add_commands(commands: Any) -> None:
    """Register bench pages."""
    bench = commands.add_parser("bench", help="measure: server time, bytes and seconds of every page")
    kinds = bench.add_subparsers(dest="what", required=True, metavar="WHAT")
    one = kinds.add_parser("pages", help="every page on this home; starts and stops a ui of its own")
    one.add_argument("--url", default="", help="a running ui of this home instead")
    one.add_argument("--users", type=int, default=0, metavar="N", help="let N websocket clients click as well")
    json_flag(one)
    one.set_defaults(run=_pages)


def _pages(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.users <= 200:
        raise InvalidInput(f"{arguments.users} users cannot click here.", hint="Use 0 to 200.")
    made = services()
    given = os.environ.get(pages.SESSION, "")
    if not given and not made.access.demo_accounts(NOBODY):
        raise InvalidInput(
            "The pages need somebody who is logged in.",
            hint=f"The demo does that itself; elsewhere set {pages.SESSION} to the value of your session cookie.",
        )
    secret = given or made.access.login_demo(NOBODY, str(Role.LEAD), user_agent="bench")[0]
    try:
        found = pages.measure(
            made.context.settings, app_root(), secret, url=arguments.url.rstrip("/"), people=arguments.users
        )
    finally:
        if not given:
            made.access.logout(NOBODY, secret)
        made.close()
    show(found.as_json(), as_json=arguments.json, line=found.table())
    return 0
