"""`mlops-dash second-opinion MODEL`: have all columns together moved? Our classifier, and alibi-detect beside it."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from mlops_dash.cli.shared import actor, json_flag, services, show
from mlops_dash.domain.access import Permission, system
from mlops_dash.domain.detectors import DETECTORS, USUAL
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.together import NATIVE, Together


def add_commands(commands: Any) -> None:
    """Register second-opinion."""
    asked = commands.add_parser("second-opinion", help="all columns together: a domain classifier, and alibi-detect")
    asked.add_argument("model")
    asked.add_argument(
        "--detector", action="append", choices=list(DETECTORS), dest="detectors",
        help="of alibi-detect; may be given several times (default: tabular)",
    )  # fmt: skip
    json_flag(asked)
    asked.set_defaults(run=_second_opinion)


def _second_opinion(arguments: argparse.Namespace) -> int:
    made = services()
    actor(made).require(Permission.JOB_RUN)
    tell = _tell if sys.stderr.isatty() else None
    found = made.monitoring.judge_together(
        system("cli"), arguments.model, arguments.detectors or list(USUAL), tell=tell
    )  # fmt: skip
    show(as_json(arguments.model, found), as_json=arguments.json, line="\n".join(_lines(found)))
    return 0


def _tell(share: float, text: str) -> None:
    print(f"\r\x1b[K{share:4.0%}  {text[:60]}", end="" if share < 1 else "\n", file=sys.stderr, flush=True)


def as_json(model: str, found: Together) -> dict[str, Any]:
    """What the command prints with --json."""
    return {
        "model": model,
        "opinions": [_opinion(one) for one in found.latest],
        "agreement": [
            {"detector": one.detector, "same": one.same, "windows": one.windows,
             "since": None if one.since is None else one.since.isoformat()}
            for one in found.agreements
        ],
        "licence": found.licence,
    }  # fmt: skip


def _opinion(one: Evidence) -> dict[str, Any]:
    return {
        "by": "mlops-dash" if one.metric == NATIVE else one.metric,
        "state": one.state,
        "reason": one.reason or one.details.get("why", ""),
        "drift": one.details["drift"] if one.state == "ok" else None,
        "auc": one.value if one.metric == NATIVE else None,
        "low": one.low,
        "high": one.high,
        "p_value": one.details.get("p_value"),
        "columns": one.details.get("columns", []),
        "left_out": one.details.get("left_out", []),
        "start": None if one.window_start is None else one.window_start.isoformat(),
        "end": None if one.window_end is None else one.window_end.isoformat(),
        "compared_with": one.details.get("compared_with", ""),
    }


def _lines(found: Together) -> list[str]:
    said = []
    for one in found.latest:
        who = "ours" if one.metric == NATIVE else one.metric
        word = "not computable" if one.state != "ok" else "drift" if one.details["drift"] else "no drift"
        why = one.reason or one.details.get("why") or f"smallest p {one.details['p_value']:.2g}"
        said.append(f"{who}: {word}: {why}")
    said += [f"alibi:{one.detector} {one.sentence}" for one in found.agreements]
    return [*said, found.licence] if found.licence else said
