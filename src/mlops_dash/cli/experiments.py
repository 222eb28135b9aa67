"""Runs with their groups of repeats, as text, JSON, CSV, XLSX, Markdown or LaTeX. The same service as the page."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlops_dash.cli.run_comparison import add_compare
from mlops_dash.cli.shared import actor, json_flag, services
from mlops_dash.domain.experiments.filter import Mistake, parse
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.domain.experiments.tables import TableFormat
from mlops_dash.errors import InvalidInput
from mlops_dash.rendering.tables import harmless

_MOST_LINES = 20
_KINDS = ("metrics.", "params.", "tags.")


def add_commands(commands: Any) -> None:
    """Register runs."""
    runs = commands.add_parser("runs", help="runs of an experiment and their groups of repeats; compare two sides")
    add_compare(runs.add_subparsers(dest="what", metavar="compare"))
    runs.add_argument(
        "--experiment", action="append", default=[], metavar="E", help="name or id; again for several in one table"
    )
    runs.add_argument("--group-by", default="", metavar="P", help="a parameter; by default groups of repeats")
    runs.add_argument("--filter", default="", metavar="F", help="MLflow's search syntax: metrics.auc > 0.8")
    json_flag(runs)
    runs.add_argument("--csv", action="store_true", help="print one line a run as CSV, with all columns")
    table = runs.add_argument_group("the table of the page")
    table.add_argument("--format", choices=[str(one) for one in TableFormat], help="print the table as this")
    table.add_argument("--output", type=Path, metavar="FILE", help="write it here instead; a folder gets a named file")
    table.add_argument(
        "--column", action="append", default=[], metavar="C", help="metrics.auc, params.depth or tags.team; in order"
    )
    table.add_argument("--sort", default="", metavar="C", help="a column; -C or --sort=-C for descending")
    table.add_argument("--groups", action="store_true", help="one row a configuration: mean, interval and n of repeats")
    table.add_argument("--repeat-key", metavar="P", help="what repeats differ in; by default as proposed from the data")
    runs.set_defaults(run=_runs)


def _runs(arguments: argparse.Namespace) -> int:
    if not arguments.experiment:
        raise InvalidInput("No experiment was named.", hint="Add --experiment NAME.")
    if arguments.format or arguments.output:
        return _table(arguments)
    made = services()
    said = made.experiments.export(
        actor(made), arguments.experiment, group_by=arguments.group_by, text=arguments.filter
    )
    if arguments.json:
        print(json.dumps(said, indent=2, sort_keys=True))
    elif arguments.csv:
        _write_csv(said["runs"])
    else:
        print("\n".join(_lines(said)))
    return 0


def _table(arguments: argparse.Namespace) -> int:
    """What the page exports, for the same query."""
    read = parse(arguments.filter)
    if isinstance(read, Mistake):
        raise InvalidInput(f"The filter does not parse. {read.sentence()}", hint="Example: metrics.auc > 0.8")
    wrong = next((one for one in arguments.column if not one.startswith(_KINDS)), None)
    if wrong is not None:
        raise InvalidInput(f"There is no column {wrong!r}.", hint="Write metrics.NAME, params.NAME or tags.NAME.")
    kind = _kind(arguments)
    made = services()
    who = actor(made)
    query = RunQuery(
        experiment=made.experiments.named_ids(who, arguments.experiment), text=arguments.filter, sort=arguments.sort,
        columns=tuple(arguments.column), grouped=arguments.groups, repeat_key=arguments.repeat_key,
    )  # fmt: skip
    found = made.experiments.written(who, query, kind, whole=True)
    if arguments.output is None:
        sys.stdout.buffer.write(found.content)
        sys.stdout.flush()
        return 0
    path = arguments.output / found.file_name if arguments.output.is_dir() else arguments.output
    try:
        path.write_bytes(found.content)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.", hint="Name another file.") from error
    print(f"{path}: {found.n_rows:,} rows")
    return 0


def _kind(arguments: argparse.Namespace) -> TableFormat:
    """As asked, else by the ending of the file."""
    endings = {
        ".csv": TableFormat.CSV,
        ".xlsx": TableFormat.XLSX,
        ".md": TableFormat.MARKDOWN,
        ".tex": TableFormat.LATEX,
    }
    kind = TableFormat(arguments.format) if arguments.format else endings.get(arguments.output.suffix.lower())
    if kind is None:
        raise InvalidInput(f"{arguments.output} does not say its format.", hint="Add --format, or end it in .csv.")
    if kind is TableFormat.XLSX and arguments.output is None and sys.stdout.isatty():
        raise InvalidInput("A workbook cannot be shown on a terminal.", hint="Add --output FILE.")
    return kind


def _write_csv(runs: Sequence[Mapping[str, Any]]) -> None:
    names = {part: sorted({name for one in runs for name in one[part]}) for part in ("params", "metrics", "tags")}
    out = csv.writer(sys.stdout, lineterminator="\n")
    fixed = [
        *(["experiment"] if any("experiment" in one for one in runs) else []),
        "run_id",
        "name",
        "status",
        "started_at",
        "ended_at",
    ]
    out.writerow(fixed + [f"{part}.{name}" for part, every in names.items() for name in every])
    for one in runs:
        cells = [one[part].get(name, "") for part, every in names.items() for name in every]
        row = [*(one[name] for name in fixed), *cells]
        out.writerow([harmless(cell) if isinstance(cell, str) else cell for cell in row])


def _lines(said: Mapping[str, Any]) -> list[str]:
    lines = [f"{said['experiment']}: {said['n_runs']:,} runs in {len(said['groups']):,} groups"]
    for group in said["groups"][:_MOST_LINES]:
        what = ", ".join(f"{name} {value}" for name, value in group["params"].items()) or "one configuration"
        lines.append(f"  {group['n']:>4}  {what}")
        for name, one in list(group["metrics"].items())[:6]:
            if one["mean"] is not None:
                span = f" [{one['low']:.6g}, {one['high']:.6g}]" if one["low"] is not None else ""
                lines.append(f"        {name} {one['mean']:.6g}{span}, n {one['n']}")
    if len(said["groups"]) > _MOST_LINES:
        lines.append(f"  {len(said['groups']) - _MOST_LINES:,} more groups; --json prints all")
    return lines
