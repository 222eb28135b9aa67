"""`trust`: what a version's files would run, and letting them."""

from __future__ import annotations

import argparse
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Actor
from mlops_dash.domain.audit import who
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.registry.trusting import Looked


def add_commands(commands: Any) -> None:
    """Register trust."""
    command = commands.add_parser("trust", help="say what a version's files would run, and let these very files run")
    command.add_argument("model")
    command.add_argument("version")
    command.add_argument("--digest", default="", help="trust the files of this digest, as the command prints it")
    command.add_argument(
        "--withdraw", action="store_true", help="trust them no longer; --digest where there are several"
    )
    command.add_argument("--reason", default="", help="goes into the ledger")
    json_flag(command)
    command.set_defaults(run=_trust)


def _trust(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    if arguments.withdraw:
        return _withdraw(made, who, arguments)
    version_id = made.registry.version_id(who, arguments.model, arguments.version.removeprefix("v"))
    looked = made.registry.look_into(who, version_id)
    if arguments.digest:
        made.registry.trust_files(who, looked, digest=arguments.digest, reason=arguments.reason)
        looked = made.registry.look_into(who, version_id)
    found = looked.found
    facts = {"model": looked.version.model, "version": looked.version.version, "trusted": looked.trusted is not None,
             "why_not": looked.why_not, **vars(found)}  # fmt: skip
    show(facts, as_json=arguments.json, line="\n".join(_lines(looked)))
    return 0


def _withdraw(made: Services, who: Actor, arguments: argparse.Namespace) -> int:
    """Take trust back; the files themselves and MLflow may be gone."""
    version = arguments.version.removeprefix("v")
    trusted = [one for one in made.registry.trusted_files(who, arguments.model) if one.version == version]
    digests = [one.digest for one in trusted if arguments.digest in ("", one.digest)]
    if not digests:
        raise NotFound(f"Nobody trusts such files of {arguments.model} version {version}.")
    if len(digests) > 1:
        raise InvalidInput(f"Files of {len(digests)} digests are trusted.", hint=f"Add --digest: {', '.join(digests)}.")
    made.registry.withdraw_trust(who, digests[0], reason=arguments.reason)
    facts = {"model": arguments.model, "version": version, "digest": digests[0], "trusted": False}
    show(
        facts,
        as_json=arguments.json,
        line=f"{arguments.model} v{version}: digest {digests[0]} is not trusted any more.",
    )
    return 0


def _lines(looked: Looked) -> list[str]:
    found = looked.found
    lines = [f"{looked.version.subject}: {found.words()}."]
    lines += [f"  {path}  {size:,} bytes" for path, size in found.files]
    lines += [f"  {path} imports {name}" for path, names in found.imports for name in names]
    lines += [f"  {path} was not looked into: it is no text, no pickle and no archive" for path in found.unread]
    if looked.trusted:
        return [*lines, f"Trusted by {who(looked.trusted.by)}: {looked.trusted.reason}", f"Digest {found.digest}"]
    if looked.why_not:
        return [*lines, looked.why_not]
    return [
        *lines,
        f"Not loaded: {found.refused} All but serving works.",
        "An admin who knows who made these files trusts them by:",
        f"  mlops-dash trust {looked.version.model!r} {looked.version.version} --digest {found.digest} --reason TEXT",
    ]
