"""Evidence from anybody's pipeline: rows with ids, labels and scores become what gates read; and checks of files."""

from __future__ import annotations

import argparse
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.problems import tell_problems
from mlops_dash.cli.shared import actor, counted, json_flag, services, show
from mlops_dash.domain.access import Actor
from mlops_dash.domain.error_overlap import overlap_sentence
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.recipe_checks import in_words
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.services.classes import scores_named
from mlops_dash.services.evidence import EvidenceColumns
from mlops_dash.services.tables import read_table


def add_commands(commands: Any) -> None:
    """Register evidence push, check and compare."""
    evidence = commands.add_parser("evidence", help="push rows of a version, check its files, compare two versions")
    what = evidence.add_subparsers(dest="what", required=True, metavar="WHAT")
    push = what.add_parser("push", help="measure a version on rows that its own pipeline scored")
    push.add_argument("--model", required=True)
    push.add_argument("--version", required=True)
    push.add_argument("--rows", type=Path, required=True, metavar="FILE", help="CSV, TSV or parquet: a row a case")
    push.add_argument("--id", required=True, metavar="COLUMN", help="names a case, the same for every version")
    push.add_argument("--label", required=True, metavar="COLUMN", help="what turned out true")
    push.add_argument(
        "--score", default="", metavar="COLUMN", help="the probability, a regression's number, or the class"
    )
    push.add_argument("--scores", action="append", default=[], metavar="CLASS=COLUMN",
                      help="of several classes the probability of each; repeat")  # fmt: skip
    push.add_argument("--time", default="", metavar="COLUMN", help="then days are resampled: rows of a day are alike")
    push.add_argument("--cluster", default="", metavar="COLUMN", help="resample these groups: customers, batches")
    push.add_argument("--slice", action="append", default=[], metavar="COLUMN", help="measure its values apart; repeat")
    push.add_argument("--zone", default="UTC", help="of times without one")
    json_flag(push)
    push.set_defaults(run=_push)

    check = what.add_parser("check", help="signature, input example and the recipe's own checks of a version")
    check.add_argument("--model", required=True)
    check.add_argument("--version", required=True)
    json_flag(check)
    check.set_defaults(run=_check)

    compare = what.add_parser("compare", help="two versions on the ids that both pushed")
    compare.add_argument("--model", required=True)
    compare.add_argument("--version", required=True)
    compare.add_argument(
        "--with", dest="other", default="", metavar="VERSION", help="else the version that answers now"
    )
    json_flag(compare)
    compare.set_defaults(run=_compare)


def _push(arguments: argparse.Namespace) -> int:
    table, made = read_table(arguments.rows), services()
    who, name = actor(made), arguments.rows.name
    version = made.registry.known_version(who, arguments.model, arguments.version, reason=f"evidence came in {name}")
    columns = EvidenceColumns(
        id=arguments.id, label=arguments.label, score=arguments.score, time=arguments.time,
        cluster=arguments.cluster, slices=tuple(arguments.slice), zone=arguments.zone,
        scores=scores_named(arguments.scores),
    )  # fmt: skip
    rows, unfit = made.evidence.read_file(who, version.id, table, columns)
    if unfit:
        tell_problems(arguments.rows, unfit, all_known=True)
        raise InvalidInput(f"{len(unfit):,} rows of {name} cannot be taken; nothing was stored.", hint="Mend them.")
    pushed = made.evidence.push(who, version.id, rows, source=name)
    said = "" if pushed.changed else "These rows count already; nothing changed.\n"
    lines = [f"{said}{pushed.version}: {pushed.rows:,} rows", *(_line(one) for one in pushed.evidence)]
    answer = {
        "version": pushed.version, "rows": pushed.rows, "digest": pushed.digest, "changed": pushed.changed,
        "evidence": [one.as_json() for one in pushed.evidence],
    }  # fmt: skip
    show(answer, as_json=arguments.json, line="\n".join(lines))
    return 0


def _check(arguments: argparse.Namespace) -> int:
    """1 when something is not as it should be, or could not be checked."""
    made = services()
    who = actor(made)
    version_id = made.registry.version_id(who, arguments.model, arguments.version)
    checked = made.evidence.check_version(who, version_id)
    words = {1.0: "fine", 0.0: "NOT fine", None: "not checked"}
    lines = [f"  {one.metric:<14} {words[one.value]}: {one.reason or one.method}" for one in checked]
    log = made.context.settings.logs / "checks" / f"{version_id}.log"
    here = made.retraining.check_by_recipe(who, version_id, here=True)
    with nullcontext() if here is None else counted(made, who, here):
        own = made.evidence.run_checks(who, version_id, log=log)
    lines += [f"  {one.metric:<14} {in_words(one)}" for one in own]
    lines += [f"  what they printed: {log}"] if own else []
    answer = {"version": checked[0].subject, "evidence": [one.as_json() for one in (*checked, *own)]}
    show(answer, as_json=arguments.json, line="\n".join([checked[0].subject, *lines]))
    return int(any(one.value != 1.0 for one in checked) or any(not one.details["passed"] for one in own))


def _compare(arguments: argparse.Namespace) -> int:
    made = services()
    who = actor(made)
    candidate = made.registry.version_id(who, arguments.model, arguments.version)
    compared = made.evidence.compare_pushed(who, candidate, _other(made, who, arguments))
    first = compared[0]
    lines = [f"{first.subject} − {first.comparator}: {first.bound}", *(_line(one) for one in compared)]
    lines += [f"  {said}" for said in map(overlap_sentence, compared) if said]
    answer = {
        "candidate": first.subject, "comparator": first.comparator, "evidence": [one.as_json() for one in compared],
    }  # fmt: skip
    show(answer, as_json=arguments.json, line="\n".join(lines))
    return 0


def _other(made: Services, who: Actor, arguments: argparse.Namespace) -> str:
    if arguments.other:
        return made.registry.version_id(who, arguments.model, arguments.other)
    serving = made.registry.serving(who, arguments.model)
    if serving is None:
        raise NotFound(f"No version of {arguments.model} answers now.", hint="Name the other one: --with VERSION.")
    return serving.version_id


def _line(one: Evidence) -> str:
    if one.value is None or one.low is None or one.high is None:
        return f"  {one.metric:<20} not computable: {one.reason}"
    return f"  {one.metric:<20} {one.value:.4f} [{one.low:.4f} {one.high:.4f}]  {one.n:,} rows, {one.method}"
