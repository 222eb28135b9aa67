"""`mlops-dash ab FILE`: an experiment that is over, read from a file; no database and no login."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from mlops_dash.cli.shared import json_flag, show
from mlops_dash.domain.ab_tests.analysis import KINDS, Analysis, EffectLine, Question, planned_shares, several
from mlops_dash.services.ab_file import analyse_file

_MOST_DIGITS = 4
_SEVERAL = "Each metric is judged for itself: decide by the one that was named before the start."


def add_commands(commands: Any) -> None:
    """Register ab."""
    ab = commands.add_parser("ab", help="read an experiment from a file: effects, intervals, sample ratio")
    ab.add_argument("file", help="CSV or parquet, one row a unit")
    ab.add_argument("--variant", required=True, metavar="C", help="column of the arms")
    ab.add_argument(
        "--metric",
        required=True,
        action="append",
        metavar="C|NUM/DEN",
        help="column of the outcome, or two of a ratio; may be repeated, all are read in one pass",
    )
    ab.add_argument("--kind", choices=KINDS, default="", help="default: ratio, proportion or mean, as the column is")
    ab.add_argument("--q", type=float, metavar="Q", help="of a quantile, for example 0.95")
    ab.add_argument("--control", default="", metavar="V", help="default: control, 0, a, false, baseline, or the first")
    ab.add_argument(
        "--covariate",
        default=[],
        action="append",
        metavar="C|METRIC=C",
        help="measured before assignment (CUPED), for all but the ratios or for one metric; may be repeated",
    )
    ab.add_argument("--cluster", default="", metavar="C", help="rows of one cluster are alike")
    ab.add_argument("--unit", default="", metavar="C", help="what was randomised, where it has several rows")
    ab.add_argument("--shares", default="", metavar="A=S,B=S", help="planned shares of the arms; default: equal")
    ab.add_argument("--alpha", type=float, default=0.05, metavar="A")
    ab.add_argument("--planned", type=int, metavar="N", help="planned units; default: those of the file")
    ab.add_argument("--lower-is-better", action="store_true")
    json_flag(ab)
    ab.set_defaults(run=_ab)


def _ab(arguments: argparse.Namespace) -> int:
    asked = Question(
        variant=arguments.variant,
        metric=arguments.metric[0],
        kind=arguments.kind,
        q=arguments.q,
        control=arguments.control,
        cluster=arguments.cluster,
        unit=arguments.unit,
        shares=planned_shares(arguments.shares) if arguments.shares else {},
        alpha=arguments.alpha,
        planned=arguments.planned,
        lower_is_better=arguments.lower_is_better,
    )
    found = analyse_file(Path(arguments.file), several(asked, arguments.metric, arguments.covariate))
    if len(found) == 1:
        show(found[0].as_json(), as_json=arguments.json, line=_text(found[0]))
        return 0
    body = {"metrics": [one.as_json() for one in found]}
    lines = [f"{one.question.metric} ({one.kind})\n{_text(one)}" for one in found]
    show(body, as_json=arguments.json, line="\n\n".join([*lines, _SEVERAL]))
    return 0


def _text(found: Analysis) -> str:
    lines = [f"{found.verdict}: {found.reason}"]
    for arm in found.arms:
        role = "  control" if arm.name == found.control else ""
        missing = f", {arm.n_missing:,} missing" if arm.n_missing else ""
        lines.append(f"  {arm.name:<16} {_number(arm.mean)}  n = {arm.n:,}{missing}{role}")
    lines += [line for effect in found.effects for line in _effect(effect, found.question.alpha)]
    lines.append(f"  sample ratio     p = {_number(found.srm_p)}")
    if found.variance_reduction is not None:
        lines.append(f"  covariate        variance of the effect {-found.variance_reduction:+.1%}")
    return "\n".join([*lines, *(f"  note: {one}" for one in found.warnings)])


def _effect(one: EffectLine, alpha: float) -> list[str]:
    if not math.isfinite(one.absolute.low):
        known = "" if math.isnan(one.p_value) else f" p = {_number(one.p_value)}."
        return [f"  {one.arm}: no interval.{known} {one.reason}"]
    relative = "" if math.isnan(one.relative.low) else (
        f", relative {one.relative.value:+.1%} [{one.relative.low:+.1%}, {one.relative.high:+.1%}]"
    )  # fmt: skip
    low, high = one.always_valid
    always = "" if math.isnan(low) else f"; always valid [{_number(low)}, {_number(high)}]"
    span = f"[{_number(one.absolute.low)}, {_number(one.absolute.high)}] at {1 - alpha:.0%}"
    first = f"  {one.arm} - control: {_number(one.absolute.value)} {span}{relative}, p = {_number(one.p_value)}"
    return [f"{first}, adjusted {_number(one.adjusted_p)}{always}", f"    {one.method}"]


def _number(value: float) -> str:
    return "not computable" if math.isnan(value) else f"{value:.{_MOST_DIGITS}g}"
