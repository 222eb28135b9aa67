"""The Pareto front of two or three metrics. Facts in, figures out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.experiments.relations import ink
from app.charts.experiments.table import decimals, short
from app.ui.text import in_figure
from app.ui.theme import MARKERS, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.pictures import Front

_MOST_DOTS = 1_500
_MOST_ROWS = 200
_MOST_NAMED = 8
_ACROSS = {Direction.HIGHER: "→", Direction.LOWER: "←", Direction.ZERO: "→0"}


def finding(found: Front, *, alike: bool = True) -> str:
    """How many points nothing beats; `alike`: all were judged on the same rows, else none is called the best."""
    names = " and ".join(short(one, 30) for one in found.metrics)
    on, what = sum(found.on), "configuration" if found.grouped else "run"
    if found.asked or len(found.metrics) < 2:
        return f"Trade-off between {names}" if names else "Trade-off between metrics"
    if on == 1 and alike:
        best = short(found.labels[found.on.index(True)], 50)
        return f"{best} is best in {names} at once: no trade-off"
    verb = "is" if on == 1 else "are"
    return f"{fmt.plural(on, what)} of {len(found.on):,} {verb} beaten by no other in {names} at once"


def digits(found: Front) -> list[int]:
    """Digits of each metric."""
    return [decimals(found.values[:, at]) for at in range(len(found.metrics))]


def figure(found: Front, t: Tokens, slots: Mapping[str, int]) -> go.Figure:
    """Two metrics on the axes, a third as colour; the front as stairs, because between its points there is nothing."""
    on = np.array(found.on)
    rest = np.flatnonzero(~on)
    rest = rest[:: max(1, -(-len(rest) // _MOST_DOTS))]
    front = np.flatnonzero(on)
    front = front[np.argsort(found.values[front, 0], kind="stable")]
    x, y = found.values[:, 0], found.values[:, 1]
    names = np.array([in_figure(short(one, 60)) for one in found.labels], dtype=object)
    axes = zip(found.metrics, ("x", "y", "customdata"), digits(found), strict=False)
    hover = "<br>".join(["%{text}", *(f"{in_figure(short(name, 30))} %{{{axis}:.{n}f}}" for name, axis, n in axes)])
    fig = go.Figure()

    def draw(points: Any, *, named: bool, **look: Any) -> None:
        third = {"customdata": found.values[points, 2].astype(np.float32)} if len(found.metrics) > 2 else {}
        hovers: dict[str, Any] = {"hoverinfo": "skip"}
        if named:
            hovers = {"text": names[points].tolist(), "hovertemplate": f"{hover}<extra></extra>", **third}
        fig.add_scatter(x=x[points].astype(np.float32), y=y[points].astype(np.float32), **hovers, **look)

    draw(rest, named=len(rest) <= 300, mode="markers", name="Beaten by another",
         marker={"color": t.context, "size": 6, "opacity": 0.55})  # fmt: skip
    marker: dict[str, Any] = {"color": t.primary, "size": 9}
    if len(found.metrics) == 2 and Direction.ZERO not in found.ways:  # around 0 there are no stairs
        shape = "vh" if found.ways[0] is Direction.HIGHER else "hv"
        fig.add_scatter(x=x[front].astype(np.float32), y=y[front].astype(np.float32), mode="lines", hoverinfo="skip",
                        line={"color": t.primary, "width": 1.4, "shape": shape}, showlegend=False)  # fmt: skip
    if len(found.metrics) > 2:
        third, way = found.values[front, 2], found.ways[2] or Direction.HIGHER
        scale: list[list[Any]] = [[at / (len(t.sequential) - 3), colour] for at, colour in enumerate(t.sequential[2:])]
        if not directions.descends(way):
            scale = [[1 - at, colour] for at, colour in reversed(scale)]
        name = in_figure(short(found.metrics[2], 18))
        title = {"text": f"|{name}|" if way is Direction.ZERO else name, "side": "right"}
        marker = {
            "color": directions.sorted_by(third, way).astype(np.float32), "colorscale": scale, "size": 10,
            "line": {"color": t.ink, "width": 0.6}, "colorbar": {"thickness": 10, "outlinewidth": 0, "title": title},
        }  # fmt: skip
    draw(front, named=True, mode="markers", name="On the front", marker=marker)
    for at, ids in enumerate(found.ids):
        slot = next((slots[one] for one in ids if one in slots), None)
        if slot is not None:
            ring = {"color": ink(t, slot), "symbol": MARKERS[slot % len(MARKERS)], "size": 12,
                    "line": {"color": t.ink, "width": 1}}  # fmt: skip
            draw(np.array([at]), named=True, mode="markers", name=names[at], marker=ring)
    for axis, at, most, signs in ((fig.update_xaxes, 0, 40, _ACROSS), (fig.update_yaxes, 1, 36, directions.SIGNS)):
        way = found.ways[at] or Direction.HIGHER
        axis(title={"text": f"{in_figure(short(found.metrics[at], most))} ({signs[way]} better)"})
    return fig.update_layout(hovermode="closest", legend={"y": -0.2, "yanchor": "top", "x": 0},
                             showlegend=True, margin={"l": 0, "r": 8, "t": 4, "b": 0})  # fmt: skip


def table(found: Front, digits: list[int]) -> pd.DataFrame:
    """Points of the front first."""
    order = sorted(range(len(found.on)), key=lambda at: not found.on[at])[:_MOST_ROWS]
    rows = [
        [found.labels[at], "yes" if found.on[at] else "no",
         *(fmt.metric(float(value), n) for value, n in zip(found.values[at], digits, strict=True))]
        for at in order
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["Configuration" if found.grouped else "Run", "On the front", *found.metrics])
