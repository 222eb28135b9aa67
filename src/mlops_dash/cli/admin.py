"""Commands for the house itself: databases, people, tokens."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from mlops_dash import settings
from mlops_dash.cli.shared import actor, services
from mlops_dash.domain.access import PERSON_ROLES, Role
from mlops_dash.store import db, migrate


def add_commands(commands: Any) -> None:
    """Register db, user."""
    database = commands.add_parser("db", help="bring the databases to the current schema, or check them")
    database.add_argument("what", choices=["upgrade", "check"])
    database.set_defaults(run=_db)

    user = commands.add_parser("user", help="people and tokens")
    what = user.add_subparsers(dest="what", required=True)
    add = what.add_parser("add", help="create a person; asks for the password")
    add.add_argument("name")
    add.add_argument("--role", choices=[str(role) for role in PERSON_ROLES], default=str(Role.VIEWER))
    add.add_argument("--display-name", default="")
    add.set_defaults(run=_user_add)
    role = what.add_parser("role", help="set a role")
    role.add_argument("name")
    role.add_argument("role", choices=[str(role) for role in PERSON_ROLES])
    role.add_argument("--reason", required=True)
    role.set_defaults(run=_user_role)
    token = what.add_parser("token", help="issue an API token; it is shown once")
    token.add_argument("name", help="whose token")
    token.add_argument("--label", default="command line")
    token.set_defaults(run=_user_token)


def _db(arguments: argparse.Namespace) -> int:
    databases = db.connect(settings.from_environment())
    if arguments.what == "upgrade":
        migrate.upgrade(databases)
        print("The databases have the current schema.")
        return 0
    behind = False
    for state in migrate.check(databases):
        bad = state.revision != state.head or bool(state.differences)
        behind = behind or bad
        said = "; ".join(state.differences) or f"revision {state.revision}, current is {state.head}"
        print(f"{state.name}: {said if bad else 'ok'}", file=sys.stderr if bad else sys.stdout)
    if behind:
        print("Run: mlops-dash db upgrade.", file=sys.stderr)
    return 1 if behind else 0


def _user_add(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    first_link = made.access.first_admin_link_is_open(who)
    secret = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    made.access.create_user(
        who, arguments.name, role=Role(arguments.role), password=secret, display_name=arguments.display_name
    )
    print(f"{arguments.name} may log in as {arguments.role}.")
    if first_link:
        print("The first administrator's link that `mlops-dash up` printed is void now, since somebody is known.")
        if Role(arguments.role) is not Role.ADMIN:
            print("Nobody is an administrator yet. Run: mlops-dash user add NAME --role admin")
    return 0


def _user_role(arguments: argparse.Namespace) -> int:
    made = services()
    made.access.set_role(actor(made), arguments.name, Role(arguments.role), reason=arguments.reason)
    print(f"{arguments.name} is now {arguments.role}.")
    return 0


def _user_token(arguments: argparse.Namespace) -> int:
    made = services()
    issued = made.access.issue_token(actor(made), arguments.name, label=arguments.label)
    print(issued.secret)
    return 0
