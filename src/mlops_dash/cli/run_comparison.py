"""`runs compare A B`: the verdict of the page's "Is it real?" as JSON, by the same evaluator."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from mlops_dash.cli.shared import actor, services
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments.comparison import PairVerdict, Side
from mlops_dash.errors import InvalidInput

_WAYS = {"higher": Direction.HIGHER, "lower": Direction.LOWER, "zero": Direction.ZERO}


def add_compare(kinds: Any) -> None:
    """Register runs compare."""
    one = kinds.add_parser("compare", help="is the difference between two sides of runs real? Prints JSON")
    one.add_argument("a", metavar="A", help="run id, or several with commas; one stands for its configuration")
    one.add_argument("b", metavar="B", help="the side it is compared with")
    one.add_argument(
        "--margin", type=float, default=0.0, metavar="M", help="differences up to this are practically equal"
    )
    one.add_argument("--metric", default="", metavar="KEY", help="by default the first of the page's table")
    one.add_argument("--better", choices=sorted(_WAYS), help="which way is better; by default by the metric's name")
    one.add_argument(
        "--data-tag", default="", metavar="TAG", help="the tag that names the version of the evaluation data"
    )
    one.add_argument("--alone", action="store_true", help="these runs alone, not all repeats of their configuration")
    one.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.margin < math.inf:
        raise InvalidInput(f"The margin is {arguments.margin}; it must be 0 or more.")
    made = services()
    found = made.experiments.compare(
        actor(made), _ids(arguments.a), _ids(arguments.b), margin=arguments.margin, metric=arguments.metric,
        direction=_WAYS.get(arguments.better), data_tag=arguments.data_tag, repeats=not arguments.alone,
    )  # fmt: skip
    print(json.dumps(as_json(found), indent=2, sort_keys=True, ensure_ascii=False))
    return 0


def _ids(text: str) -> list[str]:
    return [one.strip().removeprefix("runs:/") for one in text.split(",") if one.strip()]


def as_json(one: PairVerdict) -> dict[str, Any]:
    """A verdict as plain data; what could not be computed is null."""
    found = one.found
    low, high = (math.nan, math.nan) if found is None else found.interval(0.95)
    low_90, high_90 = (math.nan, math.nan) if found is None else found.interval(0.90)
    numbers = {
        "difference": math.nan if found is None else found.value,
        "a": math.nan if found is None else found.value_a,
        "b": math.nan if found is None else found.value_b,
        "standard_error": math.nan if found is None else found.error,
        "degrees_of_freedom": math.nan if found is None else found.df,
        "low_95": low, "high_95": high, "low_90": low_90, "high_90": high_90, "p": one.p_adjusted,
        "p_equal": one.equal_p_adjusted,
    }  # fmt: skip
    return {
        "verdict": one.outcome,
        "sentence": one.sentence,
        "need": one.need,
        "metric": one.metric,
        "direction": one.direction,
        "margin": one.margin,
        "design": one.design,
        "why_design": one.why_design,
        "claim": one.claim,
        "test": one.method,
        "rows": 0 if found is None else found.n_rows,
        "clusters": 0 if found is None else found.n_clusters,
        "runs_a_side": 0 if found is None else found.n_runs,
        "comparable": {
            "state": one.comparable.state,
            "sentence": one.comparable.sentence,
            "facts": {fact.name: {"state": fact.state, "said": fact.said} for fact in one.comparable.facts},
        },
        "sides": {"a": _side(one.a), "b": _side(one.b)},
        "notes": list(one.notes),
        **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
    }


def _side(side: Side) -> dict[str, Any]:
    return {"label": side.label, "version": side.version, "run_ids": list(side.ids), "repeats": list(side.keys)}
