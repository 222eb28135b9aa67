"""The drift map: columns by time, how far each is from the reference beyond chance."""

from __future__ import annotations

import itertools
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.monitoring.pieces import MOVED, begin, local
from app.ui.text import in_figure
from app.ui.theme import MONO, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import BATCH, has_length, is_counted, is_moment
from mlops_dash.domain.monitoring.room import DriftMap
from mlops_dash.domain.monitoring.words import column_name
from mlops_dash.domain.words import look

_WRITTEN = ("%Y-%m-%d", "%Y-%m-%d %H:%M")  # a day, a moment
CAP = 1.0  # excess PSI beyond which the map's colour no longer changes; its legend prints the largest value


def drift_table(data: DriftMap, zone: str) -> pd.DataFrame:
    """One row a column, one number a window (the latest twelve)."""
    shown = range(max(0, len(data.ends) - 12), len(data.ends))
    frame = pd.DataFrame({"Column": [column_name(name) for name in data.columns]})
    for i in shown:
        frame[begin(data.ends[i] - timedelta(hours=1), zone, data.window)] = [fmt.psi(row[i]) for row in data.excess]
    return frame


def drift_alt(data: DriftMap) -> str:
    """What the map says, in a sentence."""
    flagged = {name: sum(v in MOVED for v in row) for name, row in zip(data.columns, data.verdicts, strict=True)}
    named = sorted((name for name, n in flagged.items() if n), key=lambda name: -flagged[name])
    if not named:
        return "No column moved beyond its usual swing."
    said = ", ".join(f"{column_name(n)} in {flagged[n]}" for n in named[:3])
    return f"Beyond their usual swing: {said} of {len(data.ends)} windows."


def cells(data: DriftMap) -> list[tuple[str, datetime]]:
    """Column and end of window of every cell that is drawn, in the order of the points that can be clicked."""
    return [
        (name, end)
        for name, values, verdicts in zip(data.columns, data.excess, data.verdicts, strict=True)
        for end, value, verdict in zip(data.ends, values, verdicts, strict=True)
        if value is not None or verdict in MOVED
    ]


def drift_figure(data: DriftMap, zone: str, t: Tokens, chosen: tuple[str, datetime] | None = None) -> go.Figure:
    """Draw a cell a column and window: blue where it moved beyond its usual swing, grey where it did not.

    Over the cells lie points without colour, one each, in the order of `cells`: a heat map itself cannot be clicked.
    The `chosen` cell has a frame.
    """
    fig = go.Figure()
    at = [_place(start, end, zone, data.window) for start, end in zip(data.starts, data.ends, strict=True)]
    steps = {after - before for before, after in itertools.pairwise(at)}
    x: dict[str, Any] = {"x": [f"{one:{_WRITTEN[is_moment(data.window)]}}" for one in at]}
    if len(steps) == 1:  # said once for all windows, in ms
        x = {"x0": x["x"][0], "dx": steps.pop() / timedelta(milliseconds=1)}
    y = [in_figure(column_name(name)) for name in data.columns]
    z = np.array([[np.nan if v is None else v for v in row] for row in data.excess], dtype=float)
    is_moved = np.array([[v in MOVED for v in row] for row in data.verdicts])
    if z.size == 0:
        return fig
    peak = float(np.nanmax(z)) if np.isfinite(z).any() else 0.0
    title = "excess PSI" + (f", largest {peak:.1f}" if peak > CAP else "")
    greys = [[0.0, t.grid], [1.0, t.context]]
    blues = [[0.0, t.sequential[3]], [1.0, t.sequential[9] if t.mode == "light" else t.sequential[8]]]
    gaps = {"xgap": 1, "ygap": 2, "zmin": 0.0, "zmax": CAP, "hoverinfo": "skip"}
    for moved, scale in ((False, greys), (True, blues)):
        own = (is_moved == moved) & np.isfinite(z)
        fig.add_heatmap(
            **x, y=y, z=np.where(own, z, np.nan).astype("float32"), colorscale=scale, **gaps, showscale=moved,
            colorbar={"orientation": "h", "y": -0.1, "yanchor": "top", "x": 1, "xanchor": "right", "thickness": 7,
                      "len": 0.5, "tickvals": [0.02 * CAP, CAP / 2, 0.98 * CAP], "tickangle": 0,
                      "ticktext": ["0", f"{CAP / 2:g}", f"{CAP:g}+"],
                      "title": {"text": title, "side": "top", "font": {"size": 11, "color": t.muted}}},
        )  # fmt: skip
    unscored = is_moved & ~np.isfinite(z)
    if unscored.any():  # moved without a PSI: the reference has one value or none
        one_blue = [[0.0, t.sequential[6]], [1.0, t.sequential[6]]]
        fig.add_heatmap(
            **x, y=y, z=np.where(unscored, CAP, np.nan).astype("float32"), colorscale=one_blue, **gaps, showscale=False
        )  # fmt: skip
    fig.add_scatter(**_points(data, at, z, is_moved), y=[y[i] for i, _ in np.argwhere(np.isfinite(z) | is_moved)])
    if chosen is not None and chosen in cells(data):
        row, column = data.columns.index(chosen[0]), data.ends.index(chosen[1])
        _frame(fig, at, column, row, t)
    for start, version in data.took_over:  # another reference from here on
        day = f"{local(start, zone):{_WRITTEN[is_moment(data.window)]}}"
        fig.add_vline(x=day, line={"color": t.muted, "width": 1, "dash": "dot"})
        fig.add_annotation(x=day, y=1, yref="paper", yanchor="bottom", showarrow=False, text=f"v{version}",
                           xanchor="left", font={"size": 11, "color": t.muted})  # fmt: skip
    edge = _half(at, len(at) - 1)  # points want room around them, cells do not
    within = [f"{one:{_WRITTEN[1]}}" for one in (at[0] - _half(at, 1), at[-1] + edge)]
    fig.update_yaxes(range=[len(y) - 0.5, -0.5], fixedrange=True, showgrid=False, tickfont={"family": MONO, "size": 11})
    ticks = "%H:%M<br>%-d %b" if data.window == "hour" and at[-1] - at[0] <= timedelta(days=3) else "%-d %b"
    fig.update_xaxes(type="date", range=within, tickformat=ticks, nticks=7, tickangle=0, showline=False,
                     fixedrange=True)  # fmt: skip
    fig.update_layout(margin={"b": 58, "r": 12}, hovermode="closest", showlegend=False)
    return fig


def _points(data: DriftMap, at: list[datetime], z: Any, is_moved: Any) -> dict[str, Any]:
    """The points over the cells, without their rows: where they are, and what is said when one is pointed at."""
    drawn = np.argwhere(np.isfinite(z) | is_moved)
    moments = is_moment(data.window)
    said = [
        look(data.verdicts[i][j]).label if np.isfinite(z[i, j]) else "moved; judged by a share, it has no PSI"
        for i, j in drawn
    ]
    kinds = set(said)  # a page of ninety days has a thousand cells: one word for all is said once
    words = {"text": said} if len(kinds) > 1 else {}
    clear = {"marker": {"opacity": 0}}
    return {
        "x": [f"{at[j]:{_WRITTEN[moments]}}" for _, j in drawn],
        "customdata": np.array([z[i, j] for i, j in drawn], dtype="float32"),
        "mode": "markers",
        "marker": {"symbol": "square", "size": 12, "opacity": 0},
        "selected": clear,
        "unselected": clear,
        "hovertemplate": f"%{{x|{'%-d %b %H:%M' if moments else '%-d %b'}}}<br><b>%{{y}}</b> excess PSI "
        f"%{{customdata:.2f}}<br>{'%{text}' if words else ''.join(kinds)}<extra></extra>",
        **words,
    }


def _half(at: list[datetime], column: int) -> timedelta:
    """Half the width of a cell: of one without a neighbour half a day."""
    if len(at) < 2:
        return timedelta(hours=12)
    return (at[column] - at[column - 1] if column else at[1] - at[0]) / 2


def _frame(fig: go.Figure, at: list[datetime], column: int, row: int, t: Tokens) -> None:
    """A frame around one cell."""
    left, right = at[column] - _half(at, column), at[column] + _half(at, column)
    fig.add_shape(
        type="rect", x0=f"{left:{_WRITTEN[1]}}", x1=f"{right:{_WRITTEN[1]}}", y0=row - 0.5, y1=row + 0.5,
        line={"color": t.ink, "width": 2}, fillcolor="rgba(0,0,0,0)", layer="above",
    )  # fmt: skip


def drift_height(data: DriftMap | None) -> int:
    """How high the map, and what stands beside it, must be for its columns, in px."""
    return 320 if data is None else 106 + 22 * len(data.columns)


def rhythm(data: DriftMap) -> str:
    """How often the map has a column of cells.

    A day shows the week that ends there, as a single day is part of a season.
    """
    if data.window == BATCH:
        return "batch by batch, each where it begins"
    if is_counted(data.window):
        return f"one {data.window} after the other, each where it begins"
    if data.window == "hour":
        return "day by day" if data.step_days == 1 else "every hour, the day that ends with it"
    return {1: "every day, the week that ends there", 7: "week by week"}.get(round(data.step_days), "month by month")


def _place(start: datetime, end: datetime, zone: str, window: str) -> datetime:
    """Where a window is drawn: on its last day, or its last hour; a batch, and so many rows, where they begin."""
    if not has_length(window):
        return local(start, zone).replace(second=0, microsecond=0)
    if window == "hour":
        return local(end, zone) - timedelta(hours=1)
    return datetime.combine(local(end, zone).date() - timedelta(days=1), time())
