"""Curves of the pictured runs: one a run, or the mean of the repeats of a configuration with their band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mlops_dash.domain.experiments.frame import Floats, RunFrame
from mlops_dash.domain.experiments.groups import Grouping, label, telling
from mlops_dash.domain.experiments.pictures import (
    EPOCH_NAMES,
    FEW_CURVES,
    MOST_CURVES,
    Axis,
    Band,
    Curve,
    CurveGaps,
    Picture,
)
from mlops_dash.domain.experiments.room import MOST_TRAY, Column, RunQuery
from mlops_dash.errors import Unavailable
from mlops_dash.services.experiments.reading import KeptRuns, RunReader
from mlops_dash.stats.experiments import band, smoothed

Line = tuple[str, list[str]]  # its label and its runs


def metric_of(runs: RunFrame, columns: Sequence[Column], query: RunQuery) -> str:
    """The metric of the curves: as asked, else the first shown, else any; "" when there is none."""
    names = [str(one) for one in runs.metrics.columns]
    shown = [one.key for one in columns if one.kind == "metrics"]
    return query.curve if query.curve in names else next(iter([*shown, *names]), "")


def epoch_metric(runs: RunFrame) -> str:
    """The metric that logs the epoch of each step (as Lightning does), or ""."""
    by_name = {str(one).lower(): str(one) for one in runs.metrics.columns}
    return next((by_name[one] for one in EPOCH_NAMES if one in by_name), "")


def curves(
    reader: RunReader,
    kept: KeptRuns,
    runs: RunFrame,
    grouping: Grouping,
    pictured: RunFrame,
    metric: str,
    query: RunQuery,
) -> tuple[tuple[Curve, ...], CurveGaps]:
    """The lines of one metric, and what they lack; the table stands without them."""
    if query.picture is not Picture.CURVES or not metric or not len(pictured):
        return (), CurveGaps()
    few = min(query.lines or FEW_CURVES, MOST_CURVES)
    lines = _lines(runs, grouping, pictured, query, most=MOST_TRAY if query.tray else few)
    ids = [run_id for _, of_line in lines for run_id in of_line]
    epoch = epoch_metric(runs) if query.axis is Axis.EPOCH else ""
    try:
        points, found = kept.histories(reader, ids, metric)
        epochs, found_epochs = kept.histories(reader, ids, epoch) if epoch else ({}, found)
    except Unavailable as error:
        return (), CurveGaps(why=error.sentence())
    unread = found.unread | found_epochs.unread
    gaps = CurveGaps(tuple(one for one in ids if one in unread), (metric, epoch) if epoch else (metric,), len(ids),
                     found.why or found_epochs.why)  # fmt: skip
    began = dict(zip(runs.ids, runs.info["start_time"], strict=True))
    made = []
    for name, of_line in lines:
        parts, bad = [], 0
        for run_id in of_line:
            if run_id not in points:
                continue
            x, y = _xy(points[run_id], epochs.get(run_id), began[run_id], query)
            if len(x):
                bad += int((~np.isfinite(y)).sum())
                parts.append((x, smoothed(y, query.smoothing)))
        if len(parts) == 1:
            made.append(Curve(name, tuple(of_line), *parts[0], n_bad=bad))
        elif parts:
            made.append(_together(name, of_line, parts, bad, query))
    return tuple(made), gaps


def _together(
    name: str, of_line: Sequence[str], parts: Sequence[tuple[Floats, Floats]], bad: int, query: RunQuery
) -> Curve:
    alike = all(np.array_equal(x, parts[0][0]) for x, _ in parts)
    whole = band(parts if alike or query.axis is not Axis.TIME else _on_one_grid(parts))
    if query.band is Band.SD:
        low, high = whole.mean - whole.sd, whole.mean + whole.sd
    else:
        low, high = whole.low, whole.high
    return Curve(name, tuple(of_line), whole.x, whole.mean, low, high, bad)


def _on_one_grid(parts: Sequence[tuple[Floats, Floats]], points: int = 200) -> list[tuple[Floats, Floats]]:
    """Seconds hardly ever coincide: curves are read off, by straight lines, at the same moments in their own range."""
    fine = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in parts]
    fine = [one for one in fine if len(one[0])]
    if not fine:
        return list(parts)
    grid = np.linspace(min(x[0] for x, _ in fine), max(x[-1] for x, _ in fine), points)
    made = []
    for x, y in fine:
        inside = grid[(grid >= x[0]) & (grid <= x[-1])]
        made.append((inside, np.interp(inside, x, y)) if len(inside) else (x, y))
    return made


def _xy(points: pd.DataFrame, epochs: pd.DataFrame | None, began: float, query: RunQuery) -> tuple[Floats, Floats]:
    y = points["value"].to_numpy(dtype=float)
    step = points["step"].to_numpy(dtype=float)
    if query.axis is Axis.TIME:
        at = np.argsort(points["timestamp"].to_numpy(), kind="stable")
        return (points["timestamp"].to_numpy(dtype=float)[at] - began) / 1000, y[at]
    if query.axis is Axis.EPOCH:
        if epochs is None:
            return np.empty(0), np.empty(0)
        steps, values = epochs["step"].to_numpy(dtype=float), epochs["value"].to_numpy(dtype=float)
        place = np.searchsorted(steps, step, side="right") - 1  # the epoch as last logged at that step or before
        known = place >= 0
        x, y = values[place[known]], y[known]
        last = np.append(x[1:] != x[:-1], True) if len(x) else np.empty(0, dtype=bool)
        return x[last], y[last]  # of an epoch its last value
    return step, y


def _lines(runs: RunFrame, grouping: Grouping, pictured: RunFrame, query: RunQuery, *, most: int) -> list[Line]:
    """Which runs make which line: each its own, or all repeats of a configuration together."""
    if not query.grouped:
        pairs = zip(pictured.info["run_name"][:most], pictured.ids[:most], strict=True)
        return [(str(name) or run_id[:8], [run_id]) for name, run_id in pairs]
    codes = grouping.codes
    found: dict[int, list[str]] = {}
    for run_id, place in zip(pictured.ids, runs.places(pictured.ids), strict=True):
        code = int(codes[place])
        if code in found or len(found) < most:
            found.setdefault(code, []).append(run_id)
    names = telling(runs, grouping, found)
    return [(label(runs, grouping, code, names), ids) for code, ids in found.items()]
