"""What can be asked of these very runs: an example that finds some of them, and which key was meant."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence

from mlops_dash.domain.experiments.filter import METRIC, PARAM, TAG, Mistake, parse, quoted
from mlops_dash.domain.experiments.frame import RunFrame, matching

_MOST_NAMED = 3


def example(runs: RunFrame, metrics: Sequence[str]) -> str:
    """A filter of columns that these runs have, which finds at least one of them; "" when they have none.

    Args:
        runs: All that could be found.
        metrics: Metrics by name, the one that matters most first.
    """
    metric = next((one for one in metrics if one in runs.metrics and _finite(runs, one)), "")
    if not metric:
        return ""
    values = sorted(_finite(runs, metric))
    said = f"metrics.{quoted(metric)} >= {values[len(values) // 2]:.3g}"
    if _finds(said, runs):
        return said
    return f"metrics.{quoted(metric)} >= {values[0]!r}"


def meant(text: str, runs: RunFrame) -> str:
    """A sentence about the first key of a filter that no run has, with what may be meant; "" when all are known."""
    clauses = parse(text)
    if isinstance(clauses, Mistake):
        return ""
    for one in clauses:
        known = _keys(runs).get(one.kind)
        if known is None or one.key in known:
            continue
        name = f"{one.kind}.{quoted(one.key)}"
        near = difflib.get_close_matches(one.key, known, n=_MOST_NAMED, cutoff=0.4) or known[:_MOST_NAMED]
        inside = [key for key in known if one.key and one.key in key][:_MOST_NAMED]
        named = ", ".join(f"{one.kind}.{quoted(key)}" for key in inside or near)
        elsewhere = [kind for kind, keys in _keys(runs).items() if kind != one.kind and one.key in keys]
        if elsewhere:
            named = f"{elsewhere[0]}.{quoted(one.key)}"
        return f"No run has {name}." + (f" Try {named}." if named else "")
    return ""


def _keys(runs: RunFrame) -> dict[str, list[str]]:
    def names(columns: Iterable[object]) -> list[str]:
        return [str(one) for one in columns]

    return {METRIC: names(runs.metrics), PARAM: names(runs.params), TAG: names(runs.tags)}


def _finite(runs: RunFrame, metric: str) -> list[float]:
    return [value for value in runs.metrics[metric].tolist() if math.isfinite(value)]


def _finds(text: str, runs: RunFrame) -> bool:
    clauses = parse(text)
    return not isinstance(clauses, Mistake) and bool(matching(runs, clauses).any())
