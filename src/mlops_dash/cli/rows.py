"""Predictions and labels from files: what anybody's scoring job writes down comes into the log by one command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mlops_dash.bootstrap import Services
from mlops_dash.cli.problems import tell_problems
from mlops_dash.cli.shared import actor, json_flag, progress_on_terminal, services, show
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import scores_named
from mlops_dash.services.scoring import Columns, Filed
from mlops_dash.services.tables import read_table


def add_commands(commands: Any) -> None:
    """Register ingest and labels."""
    ingest = commands.add_parser("ingest", help="store predictions from a file; the same file twice changes nothing")
    ingest.add_argument("file", type=Path, help="CSV, TSV or parquet: a row a prediction, the other columns its inputs")
    ingest.add_argument("--model", required=True)
    ingest.add_argument("--version", required=True, help="which version answered these rows")
    ingest.add_argument("--time", required=True, metavar="COLUMN", help="when it answered")
    ingest.add_argument("--prediction", default="", metavar="COLUMN", help="its answer; of a classifier the class")
    ingest.add_argument(
        "--score", default="", metavar="COLUMN", help="of a classifier: the positive class's probability"
    )
    ingest.add_argument("--scores", action="append", default=[], metavar="CLASS=COLUMN",
                        help="of several classes each one's probability; the answer is the most probable")  # fmt: skip
    ingest.add_argument("--label", default="", metavar="COLUMN", help="what turned out true; empty where not known yet")
    ingest.add_argument("--label-time", default="", metavar="COLUMN", help="when that was known; else the row's time")
    ingest.add_argument("--id", default="", metavar="COLUMN", help="A,B: together; else rows get one from their values")
    _shared(ingest)
    ingest.set_defaults(run=_ingest)

    labels = commands.add_parser("labels", help="store what turned out true from a file; the same file twice is once")
    labels.add_argument("file", type=Path, help="CSV, TSV or parquet: a row a label")
    labels.add_argument("--model", required=True)
    labels.add_argument(
        "--key", required=True, metavar="COLUMN", help="the ids that the predictions came with; A,B: together"
    )
    labels.add_argument("--label", required=True, metavar="COLUMN")
    labels.add_argument("--time", required=True, metavar="COLUMN", help="when it was known")
    _shared(labels)
    labels.set_defaults(run=_labels)


def _shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("--zone", default="UTC", help="of times without one")
    command.add_argument(
        "--on-error", choices=["stop", "skip"], default="stop",
        help="a row that cannot be taken: store nothing of the file, or store the others",
    )  # fmt: skip
    json_flag(command)


def _ingest(arguments: argparse.Namespace) -> int:
    scores = scores_named(arguments.scores)
    if scores and arguments.score:
        raise InvalidInput("A score and the scores of all classes are named.", hint="Leave --score out.")
    if not scores and not arguments.prediction and not arguments.score:
        raise InvalidInput("No column says what was predicted.", hint="Name it with --prediction, --score or --scores.")
    table, made = read_table(arguments.file), services()
    who, model = actor(made), arguments.model
    columns = Columns(
        time=arguments.time, score=arguments.score or arguments.prediction, scores=scores, label=arguments.label,
        label_time=arguments.label_time, id=arguments.id, zone=arguments.zone,
        ignored=(arguments.prediction,) if arguments.score and arguments.prediction else (),
    )  # fmt: skip
    reason = f"predictions came in {arguments.file.name}"
    version = made.registry.known_version(who, model, arguments.version, reason=reason)
    rows = made.scoring.read_rows(who, model, version.version, table, columns)
    filed = made.scoring.file_rows(
        who, model, version.version, rows, skip=arguments.on_error == "skip", progress=progress_on_terminal
    )
    if not filed.refused:
        _answers_now(made, who, model, version.id, reason=f"the first predictions came in {arguments.file.name}")
    line = f"{filed.predictions:,} new predictions and {filed.labels:,} new labels of {filed.rows:,} rows."
    return _tell(arguments, filed, f"{line}\nVerdict: mlops-dash monitor, or the page Monitoring.")


def _labels(arguments: argparse.Namespace) -> int:
    table, made = read_table(arguments.file), services()
    filed = made.scoring.file_labels(
        actor(made), arguments.model, table, key=arguments.key, label=arguments.label, time=arguments.time,
        zone=arguments.zone, skip=arguments.on_error == "skip", progress=progress_on_terminal,
    )  # fmt: skip
    waiting = f"; {filed.waiting:,} wait for their prediction" if filed.waiting else ""
    return _tell(arguments, filed, f"{filed.labels:,} new labels of {filed.rows:,} rows{waiting}.")


def _answers_now(made: Services, who: Actor, model: str, version_id: str, *, reason: str) -> None:
    """A model that others serve and of which nobody said who answers: the version whose rows came first does."""
    source = next(one.source for one in made.registry.models(who) if one.name == model)
    if source == EXTERNAL and made.registry.serving(who, model) is None and who.may(Permission.MODEL_EDIT):
        made.registry.serve_elsewhere(who, version_id, reason=reason)


def _tell(arguments: argparse.Namespace, filed: Filed, line: str) -> int:
    """Say what was stored and what was not; 2 when nothing was."""
    problems = tell_problems(arguments.file, filed.unfit, all_known=not filed.refused)
    counts = {name: value for name, value in vars(filed).items() if name != "unfit"}
    show({**counts, "problems": problems}, as_json=arguments.json, line="" if filed.refused else line)
    if filed.refused:
        print(
            f"{arguments.file} holds rows that cannot be taken; nothing of it was stored. "
            "Mend them, or say --on-error skip to store the others.",
            file=sys.stderr,
        )
    elif filed.unfit:
        print(f"{len(filed.unfit):,} rows were left out.", file=sys.stderr)
    return 2 if filed.refused else 0
