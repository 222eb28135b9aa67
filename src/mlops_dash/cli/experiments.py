"""Runs of an experiment with their groups of repeats, as text, JSON or CSV. The same service as the page."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from mlops_dash.cli.run_comparison import add_compare
from mlops_dash.cli.shared import actor, json_flag, services
from mlops_dash.errors import InvalidInput

_MOST_LINES = 20


def add_commands(commands: Any) -> None:
    """Register runs."""
    runs = commands.add_parser("runs", help="runs of an experiment and their groups of repeats; compare two sides")
    add_compare(runs.add_subparsers(dest="what", metavar="compare"))
    runs.add_argument("--experiment", default="", help="name or id")
    runs.add_argument("--group-by", default="", metavar="P", help="a parameter; by default groups of repeats")
    runs.add_argument("--filter", default="", metavar="F", help="MLflow's search syntax: metrics.auc > 0.8")
    json_flag(runs)
    runs.add_argument("--csv", action="store_true", help="print one line a run as CSV")
    runs.set_defaults(run=_runs)


def _runs(arguments: argparse.Namespace) -> int:
    if not arguments.experiment:
        raise InvalidInput("No experiment was named.", hint="Add --experiment NAME.")
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


def _write_csv(runs: Sequence[Mapping[str, Any]]) -> None:
    names = {part: sorted({name for one in runs for name in one[part]}) for part in ("params", "metrics", "tags")}
    out = csv.writer(sys.stdout, lineterminator="\n")
    fixed = ["run_id", "name", "status", "started_at", "ended_at"]
    out.writerow(fixed + [f"{part}.{name}" for part, every in names.items() for name in every])
    for one in runs:
        cells = [one[part].get(name, "") for part, every in names.items() for name in every]
        out.writerow([one[name] for name in fixed] + cells)


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
