"""Everything the Experiments page shows, from one frame of runs: filter, order, groups, tray, curves, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import experiments as domain
from mlops_dash.domain.comparability import Meaning, judge, judged_elsewhere, n_judged_on
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import (
    MOST_LINES,
    MOST_TRAY,
    PAGE_SIZE,
    Column,
    Experiment,
    ExperimentRoom,
    GroupTable,
    RunQuery,
    Source,
)
from mlops_dash.domain.run_differences import DiffBlock, differences
from mlops_dash.domain.run_filter import Mistake, parse
from mlops_dash.domain.run_groups import Grouping, apart, grouped
from mlops_dash.domain.run_pictures import Picture
from mlops_dash.domain.runs import Bools, Ints, Reducer, RunFrame, matching, order, varies
from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.services.experiments.curves import curves, epoch_metric, metric_of
from mlops_dash.services.experiments.pictures import front, importance
from mlops_dash.services.experiments.reading import KeptRuns, RunReader
from mlops_dash.services.experiments.repeats import against_baseline
from mlops_dash.stats.experiments import repeats


@dataclass(frozen=True, eq=False)
class _Found:
    """The runs that match, before order and page; codes are groups of all runs of the experiment."""

    runs: RunFrame
    codes: Ints


def assemble(
    reader: RunReader,
    query: RunQuery,
    experiments: Sequence[Experiment],
    experiment: Experiment,
    kept: KeptRuns,
    source: Source,
) -> ExperimentRoom:
    """Answer one query on the runs that were read.

    Raises:
        Unavailable: MLflow's database does not answer where more of it is needed (other reducers).
    """
    grouping = kept.grouping(query.repeat_key)
    clauses, mistake = _clauses(query)
    names = query.columns or kept.default_columns(query.repeat_key)
    if "experiment" in kept.frame.info.columns:  # of several experiments
        names = ("attributes.experiment", *names)
    columns = _pinned_first([domain.column(one, query) for one in names])
    runs, histories = _reduced(reader, kept, columns)
    if histories:
        source = replace(source, histories=histories, stale=source.stale or reader.trouble(kept.experiment))
    fits = matching(kept.frame, clauses)
    for name, values in query.chosen.items():
        fits &= kept.frame.column(f"params.{name}").isin(list(values)).to_numpy()
    statuses = kept.frame.info["status"][fits].value_counts()
    if query.statuses:
        fits &= kept.frame.info["status"].isin(list(query.statuses)).to_numpy()
    columns, hidden = _differing(runs, fits, columns, query)
    sort, descending = sort_of(columns, query)
    found = _sorted(runs, grouping, fits, columns, query)
    groups = _groups(found, grouping, columns, query) if query.grouped else None
    n_rows = len(found.runs) if groups is None else len(groups.order)
    n_pages = max(1, -(-n_rows // PAGE_SIZE))
    page = min(max(1, query.page), n_pages)
    part = slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
    tray_at = runs.places(query.tray[:MOST_TRAY])
    tray = runs.take(tray_at)
    known = set(tray.ids)
    pictured = tray if len(tray) else found.runs.take(np.arange(min(MOST_LINES, len(found.runs))))
    metric = metric_of(runs, columns, query)
    compared = pictured if len(tray) else pictured.take(np.arange(min(5, len(pictured))))
    blocks, why = _differences(reader, compared, columns, query)
    lines, gaps = curves(reader, kept, runs, grouping, pictured, metric, query)
    return ExperimentRoom(
        query=query,
        experiments=tuple(experiments),
        experiment=experiment,
        source=replace(
            source, histories=histories, stale=source.stale or (reader.trouble(kept.experiment) if histories else "")
        ),
        runs=runs,
        matching=found.runs,
        sort=sort,
        descending=descending,
        n_pages=n_pages,
        page=page,
        rows=found.runs.take(np.arange(len(found.runs))[part]),
        columns=columns,
        hidden=hidden,
        statuses={str(name): int(count) for name, count in statuses.items()},
        mistake=mistake,
        grouping=grouping,
        groups=None if groups is None else _tested(groups, part, runs, columns, query),
        tray=tray,
        comparable=judge(tray, Meaning(query.data_tag)) if len(tray) > 1 else None,
        judged_elsewhere=judged_elsewhere(found.runs, runs.take(runs.places([query.baseline]))),
        n_judged_on=n_judged_on(found.runs),
        gone=tuple(one for one in query.tray if one not in known),
        baseline=query.baseline if runs.places([query.baseline]) else "",
        base=_base(runs, grouping, columns, query),
        pictured=_pictured(found.runs, pictured, compared, runs, query),
        curves=lines,
        curve_gaps=gaps,
        curve_metric=metric,
        differences=blocks,
        environment_why=why,
        epoch_metric=epoch_metric(runs),
        importance=importance(kept, found.runs, found.codes, columns, grouping, metric, query),
        front=front(found.runs, runs, found.codes, grouping, columns, query),
    )


def _pinned_first(columns: Sequence[Column]) -> tuple[Column, ...]:
    return tuple(sorted(columns, key=lambda one: not one.pinned))


def _differences(
    reader: RunReader, compared: RunFrame, columns: Sequence[Column], query: RunQuery
) -> tuple[tuple[DiffBlock, ...], str]:
    """The blocks, and why the installed packages are not among them though they were asked for."""
    if query.picture is not Picture.DIFFERENCES:
        return (), ""
    installed, why = None, ""
    if query.environment:
        try:
            installed = [reader.packages(one) for one in compared.ids]
        except (Unavailable, NotFound) as error:
            why = error.sentence()
    return differences(compared, [one.key for one in columns if one.kind == "metrics"], installed), why


def _clauses(query: RunQuery) -> tuple[tuple[Any, ...], Mistake | None]:
    read = parse(query.text)
    if not isinstance(read, Mistake):
        return read, None
    before = parse(query.text_before)
    return (() if isinstance(before, Mistake) else before), read


def _reduced(
    reader: RunReader, kept: KeptRuns, columns: Sequence[Column]
) -> tuple[RunFrame, Mapping[str, tuple[int, int]]]:
    """All runs with each shown metric by its reducer; "best" without a direction is the last value.

    The second: of the metrics whose histories are still being read, how many have been and how many there are.
    """
    wanted: dict[str, Reducer] = {}
    steps: dict[str, int] = {}
    for one in columns:
        if one.kind != "metrics" or one.reducer is Reducer.LAST:
            continue
        if one.reducer is Reducer.AT and one.step is not None:
            steps[one.key] = one.step
        elif one.reducer is not Reducer.BEST:
            wanted[one.key] = one.reducer
        elif one.direction is not None:
            wanted[one.key] = Reducer.MAX if one.direction is Direction.HIGHER else Reducer.MIN
    known = [key for key in {**wanted, **steps} if key in kept.frame.metrics.columns]
    waiting = reader.waiting(kept.experiment, known)
    changed, lacks = kept.reduced(wanted, reader, waiting)
    at_step = kept.at_steps(steps, reader, waiting)
    lacking = {**lacks, **{key: ~has for key, (_, has) in at_step.items()}}
    runs = kept.frame.with_metrics({**changed, **{key: values for key, (values, _) in at_step.items()}}, lacking)
    here = set(kept.frame.ids)  # the index may know of newer runs
    unread = {key: len(ids & here) for key, ids in waiting.items()}
    whole = {key: int(kept.frame.logged[:, kept.frame.metrics.columns.get_loc(key)].sum()) for key in known}
    return runs, {key: (max(0, whole[key] - n), whole[key]) for key, n in unread.items() if n}


def _differing(
    runs: RunFrame, fits: Bools, columns: Sequence[Column], query: RunQuery
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    if not query.differences or fits.sum() < 2:
        return tuple(columns), ()
    same = tuple(one.name for one in columns if not varies(runs.column(one.name)[fits]))
    return tuple(one for one in columns if one.name not in same), same


def _sorted(runs: RunFrame, grouping: Grouping, fits: Bools, columns: Sequence[Column], query: RunQuery) -> _Found:
    at = np.flatnonzero(fits)
    name, descending = sort_of(columns, query)
    column = runs.column(name)
    if name.startswith("attributes.") and name != "attributes.start_time":
        column = column.replace("", None)
    at = at[order(column.iloc[at].reset_index(drop=True), descending=descending)]
    return _Found(runs.take(at), grouping.codes[at])


def sort_of(columns: Sequence[Column], query: RunQuery) -> tuple[str, bool]:
    """The column the table is ordered by and whether it descends: as asked, else the best first, else the newest."""
    if query.sort:
        return query.sort.removeprefix("-"), query.sort.startswith("-")
    first = next((one for one in columns if one.kind == "metrics" and one.direction is not None), None)
    if first is None:
        return "attributes.start_time", True
    return first.name, first.direction is Direction.HIGHER


def _groups(found: _Found, grouping: Grouping, columns: Sequence[Column], query: RunQuery) -> GroupTable:
    present, local = np.unique(found.codes, return_inverse=True)
    tables: dict[str, pd.DataFrame] = {}
    for one in columns:
        if one.kind == "metrics":
            made = repeats(found.runs.metrics[one.key].to_numpy(), local, len(present))
            parts = {name: getattr(made, name) for name in ("n", "n_finite", "mean", "sd", "low", "high")}
            tables[one.key] = pd.DataFrame(parts, index=present)
    name, descending = sort_of(columns, query)
    kind, _, key = name.partition(".")
    if kind == "metrics" and key in tables:
        ranked = order(tables[key]["mean"].reset_index(drop=True), descending=descending)
        codes = present[ranked]
    else:  # the first run of each group stands for it
        _, first = np.unique(local, return_index=True)
        codes = present[np.argsort(first, kind="stable")]
    members: dict[int, list[str]] = {}
    for code, run_id in zip(found.codes.tolist(), found.runs.ids, strict=True):
        members.setdefault(code, []).append(run_id)
    return GroupTable(
        grouping, tuple(int(one) for one in codes), {code: tuple(ids) for code, ids in members.items()}, tables
    )


def _tested(groups: GroupTable, part: slice, runs: RunFrame, columns: Sequence[Column], query: RunQuery) -> GroupTable:
    shown = replace(groups, order=groups.order[part], whole=groups.order)
    return replace(shown, tests=against_baseline(runs, groups.grouping, shown, columns, query.baseline))


def _base(runs: RunFrame, grouping: Grouping, columns: Sequence[Column], query: RunQuery) -> dict[str, float]:
    found = runs.places([query.baseline])
    if not found:
        return {}
    metrics = [one.key for one in columns if one.kind == "metrics"]
    if not query.grouped:
        return {key: runs.metric(found[0], key) for key in metrics}
    members = grouping.codes == grouping.codes[found[0]]
    values = {key: runs.metrics[key].to_numpy()[members] for key in metrics}
    finite = {key: one[np.isfinite(one)] for key, one in values.items()}
    return {key: float(one.mean()) if len(one) else float("nan") for key, one in finite.items()}


def _pictured(matches: RunFrame, chosen: RunFrame, compared: RunFrame, runs: RunFrame, query: RunQuery) -> RunFrame:
    """Parallel coordinates show the comparison among all runs of the table; the other pictures show it alone."""
    if query.picture is Picture.DIFFERENCES:
        return compared
    if query.picture is not Picture.PARALLEL or not query.tray:
        return chosen
    return runs.take(runs.places(list(dict.fromkeys([*matches.ids[:MOST_LINES], *chosen.ids]))))


def plain_number(value: float) -> float | str | None:
    """A metric for JSON, which has no word for NaN and infinity.

    >>> plain_number(float("nan")), plain_number(float("-inf")), plain_number(.5)
    ('NaN', '-Infinity', 0.5)
    """
    if np.isfinite(value):
        return value
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def plain_groups(runs: RunFrame, parameter: str) -> list[dict[str, Any]]:
    """Groups as plain data: by one parameter, or of repeats; every metric with n, mean, sd and interval."""
    if parameter:
        codes, values = pd.factorize(runs.params[parameter], use_na_sentinel=False)
        of_group: list[dict[str, Any]] = [{parameter: value} for value in values]
    else:
        grouping = grouped(runs)
        if "experiment" in runs.info.columns:
            grouping = apart(grouping, runs.info["experiment"])
        codes = grouping.codes
        of_group = [{name: runs.params[name].iat[int(at)] for name in grouping.by} for at in grouping.first]
    made: list[dict[str, Any]] = [{"params": params, "run_ids": [], "metrics": {}} for params in of_group]
    for code, run_id in zip(codes.tolist(), runs.ids, strict=True):
        made[code]["run_ids"].append(run_id)
    for name in runs.metrics.columns:
        said = repeats(runs.metrics[name].to_numpy(), codes.astype(np.int64), len(made))
        for code, group in enumerate(made):
            numbers = {part: float(getattr(said, part)[code]) for part in ("mean", "sd", "low", "high")}
            group["metrics"][str(name)] = {
                "n": int(said.n_finite[code]),
                **{part: value if np.isfinite(value) else None for part, value in numbers.items()},
            }
    return [{"n": len(group["run_ids"]), **group} for group in made]
