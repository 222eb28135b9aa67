"""`mlops-dash drift REF CUR`: have the columns of one file moved from those of another? No database and no login."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import json_flag, show
from mlops_dash.domain.monitoring.two_tables import ColumnVerdict, TwoTables
from mlops_dash.domain.policies import MonitoringPolicy, monitoring_policy
from mlops_dash.services.two_tables import compare_files

_LOUD = {"never": (), "drift": ("drift",), "watch": ("drift", "watch")}
_MOST_SIGNS = 28


def add_commands(commands: Any) -> None:
    """Register drift."""
    drift = commands.add_parser("drift", help="compare two files: score, q-value and verdict of every column")
    drift.add_argument("reference", type=Path, metavar="REF", help="CSV, TSV or parquet")
    drift.add_argument("current", type=Path, metavar="CUR", help="CSV, TSV or parquet")
    drift.add_argument("--leave-out", action="append", default=[], metavar="COLUMN", help="may be given several times")
    drift.add_argument("--min-rows", type=int, default=MonitoringPolicy.min_rows, help="of the current file")
    drift.add_argument("--min-reference-rows", type=int, default=MonitoringPolicy.min_reference_rows)
    drift.add_argument("--fail-on", choices=tuple(_LOUD), default="never", help="exit 1 on this verdict (and louder)")
    json_flag(drift)
    drift.set_defaults(run=_drift)


def _drift(arguments: argparse.Namespace) -> int:
    policy = monitoring_policy({"min_rows": arguments.min_rows, "min_reference_rows": arguments.min_reference_rows})
    tell = _tell if sys.stderr.isatty() else None
    verdict = compare_files(
        arguments.reference, arguments.current, policy=policy, leave_out=arguments.leave_out, tell=tell
    )
    if tell is not None:
        print("\r\x1b[K", end="", file=sys.stderr)
    show(verdict.as_json(), as_json=arguments.json, line=_text(verdict))
    return int(verdict.verdict in _LOUD[arguments.fail_on])


def _tell(share: float, column: str) -> None:
    print(f"\r\x1b[K{share:4.0%}  {column[:40]}", end="", file=sys.stderr, flush=True)


def _text(verdict: TwoTables) -> str:
    lines = [f"{verdict.verdict}: {verdict.reason}"]
    loudest = sorted(verdict.features, key=lambda feature: _ORDER.index(str(feature.verdict)))
    width = min(_MOST_SIGNS, max(len(feature.column.name) for feature in loudest))
    lines += [_line(feature, width) for feature in loudest]
    if verdict.new:
        lines.append(f"  only in the current file: {', '.join(verdict.new)}")
    return "\n".join([*lines, *(f"  note: {note}" for note in verdict.notes)])


_ORDER = ("drift", "watch", "not_computable", "stable")


def _line(feature: ColumnVerdict, width: int) -> str:
    name = feature.column.name
    short = name if len(name) <= width else f"{name[: width - 1]}…"
    drift = feature.column.drift
    score = f"PSI {drift.psi:5.3f} [{drift.psi_low:.3f}, {drift.psi_high:.3f}]" if drift and drift.computable else ""
    far = f"JS {drift.js:.3f}" if drift and drift.computable else ""
    if drift and drift.ks is not None:
        far += f" KS {drift.ks:.3f}" + ("" if drift.wasserstein is None else f" W {drift.wasserstein:.3f}")
    q = "" if feature.q is None else f"q {feature.q:.2g}"
    return f"  {feature.verdict!s:<14} {short:<{width}}  {score:<26} {far:<25} {q:<10} {feature.reason}".rstrip()
