"""Curves of runs, or of repeats with their band, in few points. Facts in, figures out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from app.charts.experiments.relations import ink
from app.charts.experiments.table import short
from app.ui.text import in_figure
from app.ui.theme import DASHES, MARKERS, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.pictures import Axis, Curve
from mlops_dash.domain.experiments.room import Column

Floats = npt.NDArray[np.float64]
MOST_NAMED = 12  # lines with a colour and a name in the legend
_MOST_POINTS, _LEAST_POINTS, _ALL_POINTS = 800, 100, 10_000  # of one line at most and least; of all lines
_MOST_ROWS = 200  # of the table behind the curves: it travels with every run of the page
_ALONG = {Axis.STEP: "Step", Axis.TIME: "Seconds since the run began", Axis.EPOCH: "Epoch"}


def curves(
    lines: Sequence[Curve], t: Tokens, *, metric: str, axis: Axis, slots: Sequence[int], best: int | None = None
) -> go.Figure:
    """One line a run, or mean and band of its repeats; `slots` gives each its place in the palette.

    More than `MOST_NAMED` lines are thin and grey, without a legend; the one at `best` keeps a colour.
    """
    many = len(lines) > MOST_NAMED
    fig = go.Figure()
    order = sorted(range(len(lines)), key=lambda at: at == best) if many else range(len(lines))
    for at in order:
        one, slot = lines[at], slots[at]
        colour, dash, width = ink(t, slot), DASHES[slot % len(DASHES)], 2.0
        if many:
            colour, dash, width = (t.primary, "solid", 2.4) if at == best else (t.context, "solid", 1.0)
        x, y, low, high = thinned(one, most_points(len(lines)))
        label = in_figure(short(one.label))
        if low is not None and high is not None:
            fig.add_scatter(
                x=compact(np.concatenate([x, x[::-1]])), y=np.concatenate([high, low[::-1]]).astype(np.float32),
                fill="toself", mode="lines", line={"width": 0}, fillcolor=_pale(colour), hoverinfo="skip",
                showlegend=False, legendgroup=label,
            )  # fmt: skip
        fig.add_scatter(
            x=compact(x), y=y.astype(np.float32), name=label, line={"color": colour, "dash": dash, "width": width},
            mode="lines" if len(x) > 1 else "markers", connectgaps=False,
            **({"legendgroup": label} if low is not None else {}),
            **({"marker": {"color": colour, "symbol": MARKERS[slot % len(MARKERS)]}} if len(x) == 1 else {}),
            **({"opacity": 0.55} if many and at != best else {}),
        )  # fmt: skip
    fig.update_traces(hovertemplate="%{y:.5~g}", selector={"hoverinfo": None})
    fig.update_xaxes(title={"text": _ALONG[axis]})
    fig.update_yaxes(title={"text": in_figure(short(metric, 40))})
    return fig.update_layout(
        hovermode="closest" if many else "x unified", margin={"l": 0, "r": 8, "t": 4, "b": 0},
        legend={"y": -0.2, "yanchor": "top", "x": 0}, showlegend=1 < len(lines) <= MOST_NAMED,
    )  # fmt: skip


def most_points(n_lines: int) -> int:
    """Points of one line, so that all lines together stay small enough to travel."""
    return max(_LEAST_POINTS, min(_MOST_POINTS, _ALL_POINTS // max(1, n_lines)))


def compact(x: Floats) -> npt.NDArray[Any]:
    """Whole numbers as the smallest integers that hold them, others as float32: what travels to the browser.

    >>> compact(np.array([0., 999.])).dtype.name, compact(np.array([.5])).dtype.name
    ('int16', 'float32')
    """
    if len(x) and (x == np.round(x)).all() and np.abs(x).max() < 2**31:
        return x.astype(np.int16 if np.abs(x).max() < 2**15 else np.int32)
    return x.astype(np.float32)


def thinned(curve: Curve, most: int) -> tuple[Floats, Floats, Floats | None, Floats | None]:
    """At most about `most` points: the lowest and highest of every stretch (min/max decimation), and every gap's start.

    First and last stay. A band keeps its own extremes of every stretch too.
    """
    n = len(curve.x)
    if n <= most:
        return curve.x, curve.y, curve.low, curve.high
    parts = [one for one in (curve.y, curve.low, curve.high) if one is not None]
    width = -(-n // max(1, most // (2 * len(parts))))
    kept = {0, n - 1}
    for values in parts:
        padded = np.append(values, np.full(-n % width, np.nan)).reshape(-1, width)
        start = np.arange(len(padded)) * width
        finite = np.isfinite(padded)
        for ends in (np.where(finite, padded, np.inf).argmin(axis=1), np.where(finite, padded, -np.inf).argmax(axis=1)):
            kept.update((start + ends).tolist())
        gaps = ~finite.all(axis=1)
        kept.update((start + (~finite).argmax(axis=1))[gaps].tolist())
    at = np.array(sorted(one for one in kept if one < n))
    return (
        curve.x[at], curve.y[at], None if curve.low is None else curve.low[at],
        None if curve.high is None else curve.high[at],
    )  # fmt: skip


def best_of(lines: Sequence[Curve], column: Column) -> int | None:
    """The line that ends best; None when no direction is known."""
    ends = [float(one.y[np.isfinite(one.y)][-1]) if np.isfinite(one.y).any() else math.nan for one in lines]
    return None if column.direction is None else directions.best(np.array(ends), column.direction)


def curves_finding(lines: Sequence[Curve], column: Column | None, metric: str, digits: int) -> str:
    """What the curves say: who ends best, or the range of the ends when no direction is known."""
    ends = [(float(one.y[np.isfinite(one.y)][-1]), one.label) for one in lines if np.isfinite(one.y).any()]
    if not ends:
        return f"{metric} has no point to draw" if metric else "No metric to draw"
    if column is None or column.direction is None or len(ends) == 1:
        low, high = min(ends)[0], max(ends)[0]
        if len(ends) == 1:
            return f"{metric} ends at {fmt.metric(low, digits)}"
        return f"{metric} ends between {fmt.metric(low, digits)} and {fmt.metric(high, digits)}"
    value, label = ends[directions.best(np.array([value for value, _ in ends]), column.direction) or 0]
    return f"{label} ends {directions.BEST[column.direction]}: {fmt.metric(value, digits)}"


def curves_table(lines: Sequence[Curve]) -> pd.DataFrame:
    """Points of every line, at most `_MOST_ROWS` in all; of many lines where each begins, ends, and its extremes."""
    if len(lines) > MOST_NAMED:
        rows = []
        for one in lines:
            fine = one.y[np.isfinite(one.y)]
            said = (fine[0], fine[-1], fine.min(), fine.max()) if len(fine) else (math.nan,) * 4
            rows.append([one.label, len(one.x), *(round(float(value), 6) for value in said)])
        return pd.DataFrame(rows, columns=["Line", "Points", "First", "Last", "Lowest", "Highest"])
    parts = []
    for one in lines:
        x, y, low, high = thinned(one, _MOST_ROWS // len(lines))
        part = pd.DataFrame({"Line": one.label, "x": x, "Value": y})
        if low is not None:
            part = part.assign(Low=low, High=high)
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["Line", "x", "Value"])


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},.15)"
