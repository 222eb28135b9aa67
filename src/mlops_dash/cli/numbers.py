"""`semver`: what a version is called by what differs from the champion, and calling it otherwise."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.registry.semver import SemanticNumber
from mlops_dash.errors import InvalidInput


def add_commands(commands: Any) -> None:
    """Register semver."""
    command = commands.add_parser(
        "semver", help="the semantic number of a version, proposed from what differs from the champion"
    )
    command.add_argument("model")
    command.add_argument("version", help="3 or v3")
    command.add_argument("--set", dest="number", metavar="X.Y.Z", help="call it so instead; MLflow stays as it is")
    command.add_argument("--reason", help="why; with --set")
    json_flag(command)
    command.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if (arguments.number is None) != (arguments.reason is None):
        raise InvalidInput("--set and --reason belong together.", hint="Give both, or neither.")
    made = services()
    who = actor(made)
    version_id = made.registry.version_id(who, arguments.model, arguments.version)
    if arguments.number is not None:
        made.registry.set_number(who, version_id, arguments.number, reason=arguments.reason)
    found = made.registry.semantic_number(who, version_id)
    show(_as_json(found, arguments.model), as_json=arguments.json, line=f"{found.label}: {found.said()}")
    return 0


def _as_json(found: SemanticNumber, model: str) -> dict[str, Any]:
    kept = found.kept
    return {
        "model": model, "version": found.label, "number": found.number or None, "proposed": found.proposed or None,
        "change": None if found.change is None else str(found.change), "against": found.against or None,
        "base": found.base or None, "reasons": list(found.reasons), "why_not": found.why_not,
        "kept": kept is not None, "by_hand": kept is not None and kept.by_hand,
        "by": kept.by if kept is not None else "", "reason": kept.reason if kept is not None else "",
        "sentence": found.said(),
    }  # fmt: skip
