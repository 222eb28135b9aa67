"""What a version's live traffic is compared with: from a file, from a window of the log, or from its first days."""

from __future__ import annotations

import argparse
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from mlops_dash.bootstrap import Services
from mlops_dash.cli.problems import tell_problems
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Actor, system
from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.monitoring.room import AS_SERVED, OUT_OF_FOLD
from mlops_dash.domain.registry.records import Version
from mlops_dash.errors import InvalidInput
from mlops_dash.services.classes import scores_named
from mlops_dash.services.scoring import Columns
from mlops_dash.services.tables import read_table


def add_commands(commands: Any) -> None:
    """Register reference push."""
    reference = commands.add_parser("reference", help="say what a version's live traffic is compared with")
    what = reference.add_subparsers(dest="what", required=True, metavar="WHAT")
    push = what.add_parser("push", help="from a file, a window of the log, or the first labelled days")
    push.add_argument("file", type=Path, nargs="?", help="CSV, TSV or parquet: labelled rows that the version scored")
    push.add_argument("--window", default="", metavar="A..B", help="days of the log, 2026-03-01..2026-04-01; B is out")
    push.add_argument("--first-days", type=int, metavar="N", help="the first N days of the log whose labels have come")
    push.add_argument("--model", required=True)
    push.add_argument("--version", required=True)
    for role in ("time", "score", "label"):
        push.add_argument(f"--{role}", default="", metavar="COLUMN", help="of a file")
    push.add_argument("--scores", action="append", default=[], metavar="CLASS=COLUMN",
                      help="of a file, of several classes each one's probability; --score says another answer than "
                      "the most probable class")  # fmt: skip
    push.add_argument("--id", default="", metavar="COLUMN", help="of a file: no input of the model")
    push.add_argument("--out-of-fold", action="store_true", help="the version was trained on other rows than these")
    push.add_argument("--zone", default="UTC", help="of days and of times without one")
    push.add_argument("--replace", action="store_true", help="where the version has a reference already")
    push.add_argument("--reason", default="", help="why; needed to replace one")
    json_flag(push)
    push.set_defaults(run=_push)


def _push(arguments: argparse.Namespace) -> int:
    sources = [arguments.file is not None, bool(arguments.window), arguments.first_days is not None]
    if sum(sources) != 1:
        raise InvalidInput(
            "A reference has one source.", hint="Name a FILE, or --window A..B, or --first-days N; only one of them."
        )
    made = services()
    who = actor(made)
    source = arguments.file.name if arguments.file else arguments.window or f"first {arguments.first_days} days"
    version = made.registry.known_version(who, arguments.model, arguments.version, reason=f"its reference is {source}")
    rows = _rows(made, who, version, arguments)
    method = OUT_OF_FOLD if arguments.out_of_fold and arguments.file else AS_SERVED
    made.monitoring.keep_inputs(who, version.id)
    answer = made.monitoring.set_reference(
        who, version.id, rows, method=method, source=source, replace=arguments.replace, reason=arguments.reason
    )
    made.monitoring.mark_past(who, version.id)
    while made.monitoring.profile_dirty_hours(system("cli"), model=arguments.model).left:
        pass
    made.monitoring.evaluate(system("cli"), arguments.model)
    summary = made.monitoring.summary(who, arguments.model)
    said = (
        f"{answer.version} is compared with {answer.rows:,} rows on {answer.days:,} days, until {answer.end:%Y-%m-%d}"
    )
    kept = "." if answer.changed else "; that was so already."
    line = f"{said}{kept}\n{summary['verdict']}: {summary['sentence']}"
    show({**vars(answer), "verdict": summary["verdict"], "sentence": summary["sentence"]},
         as_json=arguments.json, line=line)  # fmt: skip
    return 0


def _rows(made: Services, who: Actor, version: Version, arguments: argparse.Namespace) -> pd.DataFrame:
    if arguments.file is not None:
        return _rows_of_file(made, who, version, arguments)
    if arguments.window:
        first, _, last = arguments.window.partition("..")
        start, end = (_day(text, arguments.zone) for text in (first, last))
        return made.monitoring.rows_of_window(who, version.id, start, end)
    return made.monitoring.rows_of_first_days(who, version.id, arguments.first_days)


def _rows_of_file(made: Services, who: Actor, version: Version, arguments: argparse.Namespace) -> pd.DataFrame:
    scores = scores_named(arguments.scores)
    needed = ("time", "label") if scores else ("time", "score", "label")
    absent = [f"--{role}" for role in needed if not getattr(arguments, role)]
    if absent:
        raise InvalidInput(f"Of a file {', '.join(absent)} must be named.", hint="Name the columns, as for ingest.")
    columns = Columns(
        time=arguments.time, score=arguments.score, label=arguments.label, id=arguments.id, zone=arguments.zone,
        scores=scores,
    )  # fmt: skip
    read = made.scoring.read_rows(who, version.model, version.version, read_table(arguments.file), columns)
    if read.unfit:
        tell_problems(arguments.file, read.unfit, all_known=True)
        raise InvalidInput(f"{len(read.unfit):,} rows cannot be taken; nothing was stored.", hint="Mend them.")
    return read.reference()


def _day(text: str, zone: str) -> datetime:
    try:
        day = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no day.", hint="Write --window 2026-03-01..2026-04-01.") from error
    return day if day.tzinfo else day.replace(tzinfo=zone_of(zone))
