"""Pictures that need more than the table: importance of parameters, and the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments import room as domain
from mlops_dash.domain.experiments.frame import Floats, Ints, RunFrame, numbers, ranks, varies
from mlops_dash.domain.experiments.groups import Grouping, label, telling
from mlops_dash.domain.experiments.pictures import Front, Importance, ParameterImportance, Picture
from mlops_dash.domain.experiments.room import Column, RunQuery
from mlops_dash.services.experiments.reading import KeptRuns
from mlops_dash.stats import pareto
from mlops_dash.stats.experiments import repeats
from mlops_dash.stats.importance import permutation_importance

MOST_RUNS: Final = 2_000
MOST_PARAMETERS: Final = 40
_MOST_METRICS: Final = 3


def importance(
    kept: KeptRuns,
    runs: RunFrame,
    codes: Ints,
    columns: Sequence[Column],
    grouping: Grouping,
    metric: str,
    query: RunQuery,
) -> Importance | None:
    """Which parameters matter for a metric among the matching runs; kept, because a forest takes a second."""
    if query.picture is not Picture.IMPORTANCE or not metric:
        return None
    shown = next((one for one in columns if one.name == f"metrics.{metric}"), domain.column(f"metrics.{metric}", query))
    values = hash(np.sort(runs.metrics[metric].to_numpy(dtype=float)).tobytes())  # histories may still be coming in
    key = ("importance", metric, shown.reducer, shown.step, grouping.key, hash(frozenset(runs.ids)), values,
           shown.direction)  # fmt: skip
    return kept.remember(key, lambda: _importance(runs, codes, grouping, metric, shown.direction))


def _importance(
    runs: RunFrame, codes: Ints, grouping: Grouping, metric: str, direction: Direction | None
) -> Importance:
    values = directions.sorted_by(runs.metrics[metric].to_numpy(dtype=float), direction)
    finite = np.flatnonzero(np.isfinite(values))
    used = finite[np.unique(np.linspace(0, len(finite) - 1, min(MOST_RUNS, len(finite))).round().astype(int))]
    told = [name for name in map(str, runs.params.columns)
            if name not in grouping.unique and varies(runs.params[name].iloc[used])]  # fmt: skip
    names = sorted(told, key=lambda one: -int(runs.params[one].count()))[:MOST_PARAMETERS]
    x = np.column_stack([_coded(runs, name)[used] for name in names]) if names else np.empty((len(used), 0))
    _, groups = np.unique(codes[used], return_inverse=True)
    made = permutation_importance(x, values[used], groups.astype(np.int64))
    found = [
        ParameterImportance(name, float(made.value[at]), float(made.low[at]), float(made.high[at]),
                            bool(made.value[at] > max(made.chance, 0.0)))
        for at, name in enumerate(names)
    ] if not made.reason else []  # fmt: skip
    return Importance(
        metric, tuple(sorted(found, key=lambda one: -one.value)), made.chance, made.r2, made.n, made.n_groups,
        n_bad=len(values) - len(finite), n_more=len(finite) - len(used), left_out=len(told) - len(names),
        why_not=made.reason, from_zero=direction is Direction.ZERO,
    )  # fmt: skip


def _coded(runs: RunFrame, name: str) -> Floats:
    """A parameter as finite numbers: words by their place behind the numbers; what is missing lies below all others.

    A word for nothing among numbers ("None") is a value of its own, between the missing and the smallest number.
    """
    column = runs.params[name]
    values = numbers(column)
    if values is None:
        values = ranks(column)
    finite = values[np.isfinite(values)]
    lowest, highest = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    coded = np.where(np.isnan(values), lowest - 1, np.clip(values, lowest - 1, highest + 1))  # inf is one step beyond
    return np.where(column.isna().to_numpy(), lowest - 2, coded)


def front(
    runs: RunFrame, every: RunFrame, codes: Ints, grouping: Grouping, columns: Sequence[Column], query: RunQuery
) -> Front | None:
    """The matching runs (configurations, when grouped) by two or three metrics, and which of them nothing beats."""
    if query.picture is not Picture.PARETO:
        return None
    known = [str(one) for one in runs.metrics.columns]
    asked = [one for one in query.front if one in known][:_MOST_METRICS]
    chosen = [domain.column(f"metrics.{one}", query) for one in asked] or _proposed(columns, known, query)
    names = [one.key for one in chosen]
    values = runs.metrics[names].to_numpy(dtype=float)
    if query.grouped:
        present, local = np.unique(codes, return_inverse=True)
        values = np.column_stack([repeats(values[:, at], local, len(present)).mean for at in range(len(names))])
        members: list[list[str]] = [[] for _ in present]
        for place, run_id in zip(local.tolist(), runs.ids, strict=True):
            members[place].append(run_id)
        apart = telling(every, grouping, present.tolist())
        labels = [label(every, grouping, int(code), apart) for code in present]
    else:
        members = [[one] for one in runs.ids]
        labels = [name or run_id[:8] for name, run_id in zip(runs.info["run_name"], runs.ids, strict=True)]
    whole = np.isfinite(values).all(axis=1) if names else np.zeros(len(values), dtype=bool)
    at, values = np.flatnonzero(whole), values[whole]
    ways = [one.direction for one in chosen]
    on = np.zeros(len(at), dtype=bool)
    told = [way for way in ways if way is not None]
    if len(told) == len(names) > 1:
        on = pareto.front(np.column_stack([directions.merit(values[:, nth], way) for nth, way in enumerate(told)]))
    return Front(
        tuple(names), tuple(one.key for one in chosen if one.direction is None), tuple(ways), values,
        tuple(on.tolist()),
        tuple(labels[one] for one in at), tuple(tuple(members[one]) for one in at), n_bad=int((~whole).sum()),
        grouped=query.grouped,
    )  # fmt: skip


def _proposed(columns: Sequence[Column], known: Sequence[str], query: RunQuery) -> list[Column]:
    """Two metrics with a direction, those of the table first; any two when there are none."""
    shown = [one for one in columns if one.kind == "metrics"]
    more = [domain.column(f"metrics.{one}", query) for one in known if one not in {at.key for at in shown}]
    ordered = sorted([*shown, *more], key=lambda one: one.direction is None)
    return ordered[:2]
