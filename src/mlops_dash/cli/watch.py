"""Watch a model from a file of its predictions: no account of anything, no MLflow, one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, progress_on_terminal, services, show
from mlops_dash.domain.clusters import TOGETHER
from mlops_dash.domain.tasks import MULTICLASS
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import ANSWER, proposed_scores, scores_named, with_answers
from mlops_dash.services.tables import read_table
from mlops_dash.services.watching import Roles, label_column, propose
from mlops_dash.watch import Ask, roles_of, watch


def add_commands(commands: Any) -> None:
    """Register watch."""
    command = commands.add_parser("watch", help="watch a model from a file of its predictions and outcomes")
    command.add_argument("file", type=Path, help="CSV, TSV or parquet: a row a prediction")
    command.add_argument("--model", required=True)
    command.add_argument("--version", default="1", help="which version answered these rows")
    for role in ("time", "score", "prediction", "label", "id"):
        command.add_argument(f"--{role}", default="", metavar="COLUMN")
    command.add_argument("--scores", action="append", default=[], metavar="CLASS=COLUMN",
                         help="of several classes each one's probability; the answer is the most probable")  # fmt: skip
    command.add_argument("--task", default="", help="binary, multiclass or regression; else told from the labels")
    command.add_argument("--positive", default="", help="the label that the score is the probability of")
    command.add_argument("--zone", default="UTC", help="of times without one, and of the day that ends the reference")
    command.add_argument(
        "--window", default="", metavar="hour|day|week|month|rows:N|batch:COLUMN",
        help="how often it is judged; else as often as its rows come",
    )  # fmt: skip
    command.add_argument("--cluster", default="", metavar="COLUMN", help=f"which rows belong together: {TOGETHER}")
    command.add_argument("--reference-until", default="", help="day; else the first third of the rows is the reference")
    command.add_argument("--yes", action="store_true", help="do not ask")
    json_flag(command)
    command.set_defaults(run=_watch)


def _watch(arguments: argparse.Namespace) -> int:
    table, made = read_table(arguments.file), services()
    who, scores = actor(made), scores_named(arguments.scores)
    if scores and (arguments.score or arguments.prediction):
        raise InvalidInput("The scores of all classes say the answer.", hint="Leave --score and --prediction out.")
    proposed = not (scores or arguments.score or arguments.prediction)
    if proposed:
        scores = proposed_scores(table, label_column(table, arguments.label))
    table = with_answers(table, scores) if scores else table
    ask = Ask(
        file=arguments.file.name, model=arguments.model, version=arguments.version,
        roles=Roles(
            time=arguments.time, score=arguments.score, label=arguments.label, id=arguments.id,
            prediction=ANSWER if scores else arguments.prediction,
            task=arguments.task or (MULTICLASS.name if scores else ""),
            class_names=tuple(name for name, _ in scores), positive=arguments.positive, zone=arguments.zone,
            window=arguments.window, cluster=arguments.cluster,
        ),
        reference_until=arguments.reference_until,
    )  # fmt: skip
    proposal = propose(table, roles_of(made, who, ask), now=made.context.clock.now())
    told = sys.stderr if arguments.json else sys.stdout
    for name, column in scores:
        print(f"  {'probability of':<15} {name:<28} {column}, {'by its name' if proposed else 'as named'}", file=told)
    for what, value, why in proposal.how:
        print(f"  {what:<15} {value:<28} {why}", file=told)
    if proposal.dropped:
        print(f"  {'left out':<15} {proposal.dropped:,} rows without a time, score or label", file=told)
    if not arguments.yes and not _agreed():
        print("Nothing was stored.", file=told)
        return 1
    watched = watch(made, who, ask, proposal, progress=progress_on_terminal)
    summary = {**watched.summary, "stored": watched.stored, "rows": len(proposal.live)}
    sentence = f"{summary['verdict']}: {summary['sentence']}"
    show(
        summary, as_json=arguments.json,
        line=f"{watched.stored:,} new rows.\n{sentence}\nPage: mlops-dash up, then Monitoring.",
    )  # fmt: skip
    return 0


def _agreed() -> bool:
    try:
        return input("Watch it like this? [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        raise InvalidInput("Nobody answered.", hint="Say --yes where nobody can.") from None
