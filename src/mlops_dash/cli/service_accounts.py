"""Accounts of programs: made with a token, given other models, listed, locked and opened again."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import User


def add_commands(commands: Any) -> None:
    """Register service add, models, list, disable and enable."""
    service = commands.add_parser("service", help="accounts of programs that log what their models answer")
    verbs = service.add_subparsers(dest="verb", required=True, metavar="VERB")

    add = verbs.add_parser("add", help="make one and issue its token, which is shown once")
    _of_name(add)
    _models(add)
    add.add_argument("--days", type=int, default=365, help="how long the token lives; 0: it does not end")
    json_flag(add)
    add.set_defaults(run=_add)

    models = verbs.add_parser("models", help="say which models it may write from now on: all of them")
    _of_name(models)
    _models(models)
    models.set_defaults(run=_set_models)

    for verb, what, run in (
        ("disable", "its tokens open nothing any more", _disable),
        ("enable", "its tokens work again", _enable),
    ):
        one = verbs.add_parser(verb, help=what)
        _of_name(one)
        one.set_defaults(run=run)

    listed = verbs.add_parser("list", help="every service account with its models")
    json_flag(listed)
    listed.set_defaults(run=_list)


def _of_name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name")
    command.add_argument("--reason", required=True)


def _models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", action="append", required=True, metavar="MODEL", help="once a model")


def _add(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    account = made.access.create_service(who, arguments.name, arguments.model, reason=arguments.reason)
    issued = made.access.issue_token(
        who, account.name, label=f"service {account.name}", days=arguments.days or None, reason=arguments.reason
    )
    answer = {"name": account.name, "models": account.models, "token": issued.secret, "ends": issued.token.expires_at}
    show(answer, as_json=arguments.json, line=issued.secret)
    return 0


def _set_models(arguments: argparse.Namespace) -> int:
    made = services()
    account = made.access.set_service_models(actor(made), arguments.name, arguments.model, reason=arguments.reason)
    print(f"{account.name} may write {', '.join(account.models)}, and nothing else.")
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    made = services()
    account = made.access.disable_user(actor(made), arguments.name, reason=arguments.reason)
    print(f"The tokens of {account.name} open nothing any more.")
    return 0


def _enable(arguments: argparse.Namespace) -> int:
    made = services()
    account = made.access.enable_user(actor(made), arguments.name, reason=arguments.reason)
    print(f"The tokens of {account.name} work again.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    made = services()
    accounts = made.access.service_accounts(actor(made))
    answer = [{"name": one.name, "models": one.models, "disabled": one.disabled} for one in accounts]
    show(answer, as_json=arguments.json, line="\n".join(map(_line, accounts)) or "No service account yet.")
    return 0


def _line(account: User) -> str:
    return f"{account.name}  {', '.join(account.models)}{'  disabled' if account.disabled else ''}"
