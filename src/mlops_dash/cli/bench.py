"""`bench`: what pages, files and requests cost beside targets and rivals, and how often verdicts on runs err."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlops_dash.bench import SESSION, ab, drift, experiments, gateway, ingest, pages, run_comparison
from mlops_dash.bootstrap import Services, build
from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import NOBODY, Role
from mlops_dash.errors import InvalidInput
from mlops_dash.settings import app_root

_DEMO = "MLOPS_DASH_DEMO"


def add_commands(commands: Any) -> None:
    """Register bench pages and bench experiments."""
    bench = commands.add_parser("bench", help="measure: server time, bytes and seconds of every page")
    kinds = bench.add_subparsers(dest="what", required=True, metavar="WHAT")
    one = kinds.add_parser("pages", help="every page on this home; starts and stops a ui of its own")
    one.add_argument("--url", default="", help="a running ui of this home instead")
    one.add_argument("--users", type=int, default=0, metavar="N", help="let N websocket clients click as well")
    json_flag(one)
    one.set_defaults(run=_pages)
    runs = kinds.add_parser("experiments", help="reading runs: ours beside MLflow's search_runs, on a generated store")
    runs.add_argument("--runs", type=int, default=10_000, metavar="N")
    runs.add_argument("--repeats", type=int, default=3, metavar="R")
    json_flag(runs)
    runs.set_defaults(run=_experiments)
    moved = kinds.add_parser("drift", help="two generated files: ours beside rivals in their own environments")
    moved.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of each file")
    moved.add_argument("--repeats", type=int, default=3, metavar="R")
    moved.add_argument(
        "--rival", action="append", default=[], metavar="NAME=PYTHON",
        help=f"a Python that has it installed; NAME is one of {', '.join(drift.RIVALS)}; may be given several times",
    )  # fmt: skip
    json_flag(moved)
    moved.set_defaults(run=_drift)
    units = kinds.add_parser("ab", help="three metrics of millions of units: ours beside tea-tasting on DuckDB")
    units.add_argument("--rows", type=int, default=10_000_000, metavar="N")
    units.add_argument("--repeats", type=int, default=5, metavar="R")
    units.add_argument(
        "--rival", default="", metavar="PYTHON", help="a Python with tea-tasting, ibis-framework[duckdb]"
    )
    json_flag(units)
    units.set_defaults(run=_ab)
    _add_ingest(kinds)
    serves = kinds.add_parser("gateway", help="one model served by ours, `mlflow models serve` and rivals, in turn")
    serves.add_argument("--connections", type=int, nargs="+", default=[4, 32], metavar="N", help="that ask at once")
    serves.add_argument("--repeats", type=int, default=5, metavar="R")
    serves.add_argument("--processes", type=int, default=1, metavar="N", help="of ours, behind its one port")
    serves.add_argument("--seconds", type=float, default=4.0, metavar="S", help="of one load")
    serves.add_argument(
        "--rival", action="append", default=[], metavar="NAME=PYTHON",
        help=f"a Python that has it installed; NAME is one of {', '.join(gateway.RIVALS)}; may be given several times",
    )  # fmt: skip
    json_flag(serves)
    serves.set_defaults(run=_gateway)
    errs = kinds.add_parser("comparison", help="how often verdicts on runs err: equal recipes under every design")
    errs.add_argument("--data-sets", type=int, default=600, metavar="N")
    errs.add_argument("--seed", type=int, default=1, metavar="S")
    errs.set_defaults(run=_comparison)


def _add_ingest(kinds: Any) -> None:
    filed = kinds.add_parser("ingest", help="predictions with labels from a file, beside SQLite alone, and over HTTP")
    filed.add_argument("--rows", type=int, default=1_000_000, metavar="N")
    filed.add_argument("--repeats", type=int, default=3, metavar="R")
    json_flag(filed)
    filed.set_defaults(run=_filed)


def _comparison(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.data_sets <= 100_000:
        raise InvalidInput("That many data sets cannot be simulated here.", hint="Use 1 to 100,000.")
    found = run_comparison.measure(
        arguments.data_sets, seed=arguments.seed, tell=lambda text: print(text, file=sys.stderr)
    )
    print(run_comparison.lines(found))
    return 0


def _experiments(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.runs <= 200_000 or not 1 <= arguments.repeats <= 20:
        raise InvalidInput("That many cannot be measured here.", hint="Use 1 to 200,000 runs and 1 to 20 repeats.")
    found = experiments.measure(
        arguments.runs, repeats=arguments.repeats, tell=lambda text: print(text, file=sys.stderr)
    )
    show(experiments.as_json(found), as_json=arguments.json, line=experiments.lines(found))
    return 0


def _drift(arguments: argparse.Namespace) -> int:
    if not 1_000 <= arguments.rows <= 100_000_000 or not 1 <= arguments.repeats <= 20:
        raise InvalidInput("That many cannot be measured here.", hint="Use 1,000 rows or more, and 1 to 20 repeats.")
    rivals = _rivals(arguments.rival, next(iter(drift.RIVALS)))
    found = drift.measure(
        arguments.rows, rivals=rivals, repeats=arguments.repeats, tell=lambda text: print(text, file=sys.stderr)
    )
    show(drift.as_json(found), as_json=arguments.json, line=drift.lines(found))
    return 0


def _gateway(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.repeats <= 20 or not 0.1 <= arguments.seconds <= 60:
        raise InvalidInput("That cannot be measured here.", hint="Use 1 to 20 repeats of 0.1 to 60 seconds.")
    if not all(1 <= one <= 500 for one in arguments.connections):
        raise InvalidInput("So many cannot ask at once here.", hint="Use 1 to 500 connections.")
    if not 1 <= arguments.processes <= 64:
        raise InvalidInput("So many processes cannot share a port here.", hint="Use 1 to 64.")
    found = gateway.measure(
        processes=arguments.processes,
        connections=tuple(dict.fromkeys(arguments.connections)),
        rivals=_rivals(arguments.rival, next(iter(gateway.RIVALS))),
        repeats=arguments.repeats,
        seconds=arguments.seconds,
        tell=lambda text: print(text, file=sys.stderr),
    )
    show(gateway.as_json(found), as_json=arguments.json, line=gateway.lines(found))
    return 0


def _rivals(given: list[str], example: str) -> dict[str, Path]:
    """NAME=PYTHON, as often as it was given."""
    rivals = {}
    for one in given:
        name, is_said, python = one.partition("=")
        if not is_said or not python:
            raise InvalidInput(f"{one} does not say where the rival is.", hint=f"{example}=/path/to/its/bin/python")
        rivals[name] = Path(python)
    return rivals


def _ab(arguments: argparse.Namespace) -> int:
    if not 1_000 <= arguments.rows <= 1_000_000_000 or not 1 <= arguments.repeats <= 20:
        raise InvalidInput("That many cannot be measured here.", hint="Use 1,000 rows or more, and 1 to 20 repeats.")
    found = ab.measure(
        arguments.rows, rival=Path(arguments.rival) if arguments.rival else None, repeats=arguments.repeats,
        tell=lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    show(ab.as_json(found), as_json=arguments.json, line=ab.lines(found))
    return 0


def _filed(arguments: argparse.Namespace) -> int:
    if not 1_000 <= arguments.rows <= 100_000_000 or not 1 <= arguments.repeats <= 20:
        raise InvalidInput("That many cannot be measured here.", hint="Use 1,000 rows or more, and 1 to 20 repeats.")
    found = ingest.measure(
        arguments.rows, repeats=arguments.repeats, tell=lambda text: print(text, file=sys.stderr)
    )  # fmt: skip
    show(ingest.as_json(found), as_json=arguments.json, line=ingest.lines(found))
    return 0


def _as_demo(made: Services) -> Services:
    """The services of this home with its demo accounts, which are there when `up --demo` made it; for its owner."""
    actor(made)
    settings = replace(made.context.settings, demo=True)
    made.close()
    return build(settings)


def _pages(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.users <= 200:
        raise InvalidInput(f"{arguments.users} users cannot click here.", hint="Use 0 to 200.")
    made = services()
    given = os.environ.get(SESSION, "")
    unsaid = not given and _DEMO not in os.environ  # a demo's home is one by its accounts, in whatever shell
    if unsaid and not made.access.demo_accounts(NOBODY):
        made = _as_demo(made)
    if not given and not made.access.demo_accounts(NOBODY):
        made.close()
        raise InvalidInput(
            "The pages need somebody who is logged in.",
            hint=f"The demo does that itself; elsewhere set {SESSION} to the value of your session cookie.",
        )
    secret = given or made.access.login_demo(NOBODY, str(Role.LEAD), user_agent="bench")[0]
    try:
        found = pages.measure(
            made.context.settings, app_root(), secret, url=arguments.url.rstrip("/"), people=arguments.users
        )
    finally:
        if not given:
            made.access.logout(NOBODY, secret)
        made.close()
    show(found.as_json(), as_json=arguments.json, line=found.table())
    return 0
