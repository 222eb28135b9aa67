"""Everything the Experiments page shows, from one frame of runs: filter, order, groups, tray, curves, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments import room as domain
from mlops_dash.domain.experiments.comparability import Meaning, judge, judged_elsewhere, n_judged_on
from mlops_dash.domain.experiments.differences import DiffBlock, differences
from mlops_dash.domain.experiments.filter import Mistake, parse
from mlops_dash.domain.experiments.frame import Bools, Ints, Reducer, RunFrame, matching, order, varies
from mlops_dash.domain.experiments.groups import Grouping, apart, grouped
from mlops_dash.domain.experiments.pictures import Picture
from mlops_dash.domain.experiments.room import (
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
from mlops_dash.errors import NotFound, Unavailable
from mlops_dash.services.experiments.curves import curves, epoch_metric, metric_of
from mlops_dash.services.experiments.pictures import front, importance
from mlops_dash.services.experiments.reading import KeptRuns, RunReader
from mlops_dash.services.experiments.repeats import against_baseline
from mlops_dash.stats.experiments import repeats

MOST_COMPARED = 5  # side by side while nobody has chosen
_EXTREME = {Reducer.MIN: "low", Reducer.MAX: "high"}


@dataclass(frozen=True, eq=False)
class _Matches:
    """The runs that match, in order, before the page; codes are groups of all runs of the experiment."""

    runs: RunFrame
    codes: Ints


@dataclass(frozen=True, eq=False)
class _Table:
    """What the query makes of all runs: columns, matches, groups."""

    runs: RunFrame  # all, each metric by its reducer
    histories: Mapping[str, tuple[int, int]]  # of metrics that are still being read: how many are, of how many
    columns: tuple[Column, ...]
    hidden: tuple[str, ...]
    mistake: Mistake | None
    statuses: Mapping[str, int]  # of the runs that match but for their status
    grouping: Grouping
    matches: _Matches
    groups: GroupTable | None


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The runs that pictures are of."""

    tray: RunFrame
    gone: tuple[str, ...]  # of the tray, not among the runs any more
    pictured: RunFrame
    compared: RunFrame


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
    table = _table(reader, query, kept)
    runs, columns, grouping, matches = table.runs, table.columns, table.grouping, table.matches
    page, n_pages, part = _page(table, query)
    chosen = _chosen(table, query)
    sort, descending = sort_of(columns, query)
    metric = metric_of(runs, columns, query)
    blocks, why = _differences(reader, chosen.compared, columns, query)
    lines, gaps = curves(reader, kept, runs, grouping, chosen.pictured, metric, query)
    return ExperimentRoom(
        query=query,
        experiments=tuple(experiments),
        experiment=experiment,
        source=_source(reader, kept, source, table.histories),
        runs=runs,
        matching=matches.runs,
        sort=sort,
        descending=descending,
        n_pages=n_pages,
        page=page,
        rows=matches.runs.take(np.arange(len(matches.runs))[part]),
        columns=columns,
        hidden=table.hidden,
        statuses=table.statuses,
        mistake=table.mistake,
        grouping=grouping,
        groups=None if table.groups is None else _tested(table.groups, part, runs, columns, query),
        tray=chosen.tray,
        comparable=judge(chosen.tray, Meaning(query.data_tag)) if len(chosen.tray) > 1 else None,
        judged_elsewhere=judged_elsewhere(matches.runs, runs.take(runs.places([query.baseline]))),
        n_judged_on=n_judged_on(matches.runs),
        gone=chosen.gone,
        baseline=query.baseline if runs.places([query.baseline]) else "",
        base=_base(runs, grouping, columns, query),
        pictured=_pictured(matches.runs, chosen.pictured, chosen.compared, runs, query),
        curves=lines,
        curve_gaps=gaps,
        curve_metric=metric,
        differences=blocks,
        environment_why=why,
        epoch_metric=epoch_metric(runs),
        importance=importance(kept, matches.runs, matches.codes, columns, grouping, metric, query),
        front=front(matches.runs, runs, matches.codes, grouping, columns, query),
    )


def _table(reader: RunReader, query: RunQuery, kept: KeptRuns) -> _Table:
    """Columns, then filter, then order, then groups."""
    grouping = kept.grouping(query.repeat_key)
    clauses, mistake = _clauses(query)
    wanted = _columns(query, kept)
    runs, histories = reduced_runs(reader, kept, wanted)
    fits, statuses = _fits(query, kept.frame, clauses)
    columns, hidden = _differing(runs, fits, wanted, query)
    matches = _sorted(runs, grouping, fits, columns, query)
    return _Table(
        runs=runs,
        histories=histories,
        columns=columns,
        hidden=hidden,
        mistake=mistake,
        statuses=statuses,
        grouping=grouping,
        matches=matches,
        groups=_groups(matches, grouping, columns, query) if query.grouped else None,
    )


def _columns(query: RunQuery, kept: KeptRuns) -> tuple[Column, ...]:
    names = query.columns or kept.default_columns(query.repeat_key)
    if "experiment" in kept.frame.info.columns:  # of several experiments
        names = ("attributes.experiment", *names)
    return _pinned_first([domain.column(name, query) for name in names])


def _fits(query: RunQuery, runs: RunFrame, clauses: tuple[Any, ...]) -> tuple[Bools, dict[str, int]]:
    """Which runs match, and how many of each status would if any status did."""
    fits = matching(runs, clauses)
    for name, values in query.chosen.items():
        fits &= runs.column(f"params.{name}").isin(list(values)).to_numpy()
    statuses = runs.info["status"][fits].value_counts()
    if query.statuses:
        fits &= runs.info["status"].isin(list(query.statuses)).to_numpy()
    return fits, {str(name): int(count) for name, count in statuses.items()}


def _page(table: _Table, query: RunQuery) -> tuple[int, int, slice]:
    """The page's number, how many there are, and the rows on it."""
    n_rows = len(table.matches.runs) if table.groups is None else len(table.groups.order)
    n_pages = max(1, -(-n_rows // PAGE_SIZE))
    page = min(max(1, query.page), n_pages)
    return page, n_pages, slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)


def _chosen(table: _Table, query: RunQuery) -> _Chosen:
    """The tray; while it is empty the first runs of the table stand for it."""
    tray = table.runs.take(table.runs.places(query.tray[:MOST_TRAY]))
    there = set(tray.ids)
    matches = table.matches.runs
    pictured = tray if len(tray) else matches.take(np.arange(min(MOST_LINES, len(matches))))
    return _Chosen(
        tray=tray,
        gone=tuple(run_id for run_id in query.tray if run_id not in there),
        pictured=pictured,
        compared=pictured if len(tray) else pictured.take(np.arange(min(MOST_COMPARED, len(pictured)))),
    )


def _source(reader: RunReader, kept: KeptRuns, source: Source, histories: Mapping[str, tuple[int, int]]) -> Source:
    stale = source.stale or (reader.trouble(kept.experiment) if histories else "")
    return replace(source, histories=histories, stale=stale)


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


def reduced_runs(
    reader: RunReader, kept: KeptRuns, columns: Sequence[Column]
) -> tuple[RunFrame, Mapping[str, tuple[int, int]]]:
    """All runs with each shown metric by its reducer; "best" without a direction is the last value.

    The second: of the metrics whose histories are still being read, how many have been and how many there are.
    """
    wanted: dict[str, str] = {}
    steps: dict[str, int] = {}
    for one in columns:
        if one.kind != "metrics" or one.reducer is Reducer.LAST:
            continue
        if one.reducer is Reducer.AT and one.step is not None:
            steps[one.key] = one.step
        elif one.reducer is not Reducer.BEST:
            wanted[one.key] = _EXTREME[one.reducer]
        elif one.direction is not None:
            wanted[one.key] = directions.EXTREMES[one.direction]
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


def _sorted(runs: RunFrame, grouping: Grouping, fits: Bools, columns: Sequence[Column], query: RunQuery) -> _Matches:
    at = np.flatnonzero(fits)
    name, descending = sort_of(columns, query)
    column = runs.column(name)
    if name.startswith("attributes.") and name != "attributes.start_time":
        column = column.replace("", None)
    column = column.iloc[at].reset_index(drop=True)
    at = at[order(_by_direction(column, name, query), descending=descending)]
    return _Matches(runs.take(at), grouping.codes[at])


def sort_of(columns: Sequence[Column], query: RunQuery) -> tuple[str, bool]:
    """The column the table is ordered by and whether it descends: as asked, else the best first, else the newest."""
    if query.sort:
        return query.sort.removeprefix("-"), query.sort.startswith("-")
    first = next((one for one in columns if one.kind == "metrics" and one.direction is not None), None)
    if first is None:
        return "attributes.start_time", True
    return first.name, directions.descends(first.direction)


def _by_direction(column: pd.Series[Any], name: str, query: RunQuery) -> pd.Series[Any]:
    """A column as it is sorted: of a metric that is best at 0, the distances from 0."""
    if not name.startswith("metrics."):
        return column
    direction = domain.column(name, query).direction
    return pd.Series(directions.sorted_by(column.to_numpy(dtype=float), direction))


def _groups(matches: _Matches, grouping: Grouping, columns: Sequence[Column], query: RunQuery) -> GroupTable:
    present, local = np.unique(matches.codes, return_inverse=True)
    tables: dict[str, pd.DataFrame] = {}
    for one in columns:
        if one.kind == "metrics":
            estimates = repeats(matches.runs.metrics[one.key].to_numpy(), local, len(present))
            parts = {name: getattr(estimates, name) for name in ("n", "n_finite", "mean", "sd", "low", "high")}
            tables[one.key] = pd.DataFrame(parts, index=present)
    name, descending = sort_of(columns, query)
    kind, _, key = name.partition(".")
    if kind == "metrics" and key in tables:
        means = _by_direction(tables[key]["mean"].reset_index(drop=True), name, query)
        ranked = order(means, descending=descending)
        codes = present[ranked]
    else:  # the first run of each group stands for it
        _, first = np.unique(local, return_index=True)
        codes = present[np.argsort(first, kind="stable")]
    members: dict[int, list[str]] = {}
    for code, run_id in zip(matches.codes.tolist(), matches.runs.ids, strict=True):
        members.setdefault(code, []).append(run_id)
    return GroupTable(
        grouping, tuple(int(one) for one in codes), {code: tuple(ids) for code, ids in members.items()}, tables
    )


def _tested(groups: GroupTable, part: slice, runs: RunFrame, columns: Sequence[Column], query: RunQuery) -> GroupTable:
    shown = replace(groups, order=groups.order[part], whole=groups.order)
    return replace(shown, tests=against_baseline(runs, groups.grouping, shown, columns, query.baseline))


def _base(runs: RunFrame, grouping: Grouping, columns: Sequence[Column], query: RunQuery) -> dict[str, float]:
    at = runs.places([query.baseline])
    if not at:
        return {}
    metrics = [one.key for one in columns if one.kind == "metrics"]
    if not query.grouped:
        return {key: runs.metric(at[0], key) for key in metrics}
    members = grouping.codes == grouping.codes[at[0]]
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
