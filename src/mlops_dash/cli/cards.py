"""`card`: what people say of a model: show it, write fields, take a whole file, approve."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.policies.text import policy_of_yaml
from mlops_dash.domain.registry.card import FIELDS, Card
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register card show, set and approve."""
    card = commands.add_parser("card", help="the model card: show, set or approve what people say of a model")
    verbs = card.add_subparsers(dest="verb", required=True, metavar="VERB")

    shown = verbs.add_parser("show", help="what is written, and what is missing")
    shown.add_argument("model")
    shown.add_argument("--yaml", action="store_true", help="as a file that `card set --file` takes")
    json_flag(shown)
    shown.set_defaults(run=_show)

    edit = verbs.add_parser("set", help=f"write fields: {', '.join(FIELDS)}")
    edit.add_argument("model")
    edit.add_argument("--set", action="append", default=[], metavar="FIELD=TEXT", dest="values")
    edit.add_argument("--file", type=Path, help="a YAML file with a line a field; what is not in it stays")
    edit.add_argument("--reason", required=True)
    edit.set_defaults(run=_set)

    approve = verbs.add_parser("approve", help="stand behind a complete card that somebody else wrote")
    approve.add_argument("model")
    approve.add_argument("--reason", required=True)
    approve.set_defaults(run=_approve)


def _show(arguments: argparse.Namespace) -> int:
    made = services()
    card = made.registry.card(actor(made), arguments.model)
    if arguments.yaml:
        print(_yaml(card), end="")
        return 0
    answer = {
        **vars(card),
        "fields": dict(card.fields or {}),
        "state": str(card.state),
        "filled": card.n_filled,
        "of": len(FIELDS),
        "missing": list(card.missing),
    }
    lines = [card.said(), *(f"{label}: {card.text(name)}" for name, (label, _) in FIELDS.items() if card.text(name))]
    show(answer, as_json=arguments.json, line="\n".join(lines))
    return 0


def _yaml(card: Card) -> str:
    """Every field under what it means, also those that are empty."""
    lines = [f"# card of {' '.join(card.model.split())}, revision {card.revision}"]
    for name, (label, hint) in FIELDS.items():
        said = yaml.safe_dump({name: card.text(name)}, allow_unicode=True, width=100).strip()
        lines += ["", f"# {label}: {hint}", said]
    return "\n".join(lines) + "\n"


def _set(arguments: argparse.Namespace) -> int:
    changes: dict[str, Any] = {}
    if arguments.file is not None:
        try:
            text = arguments.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{arguments.file} cannot be read.", hint="`card show --yaml` prints one.") from error
        changes = policy_of_yaml(text, what="card", example="limits: no night flights")
    for one in arguments.values:
        name, sign, value = one.partition("=")
        if not sign:
            raise InvalidInput(f"--set {one[:60]} names no text.", hint='Write --set FIELD="some words".')
        changes[name] = value
    if not changes:
        raise InvalidInput("Nothing says what to write.", hint="Give --file F.yaml, or --set FIELD=TEXT.")
    made = services()
    who = actor(made)
    revision = made.registry.card(who, arguments.model).revision
    card = made.registry.edit_card(who, arguments.model, changes, revision=revision, reason=arguments.reason)
    print(f"Revision {card.revision} of the card of {card.model} is kept. {card.said()}")
    return 0


def _approve(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    revision = made.registry.card(who, arguments.model).revision
    card = made.registry.approve_card(who, arguments.model, revision=revision, reason=arguments.reason)
    print(f"Revision {card.revision} of the card of {card.model} is approved.")
    return 0
