"""Columns now: the farthest ones with their intervals, and one column in detail."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.ui.text import in_figure
from app.ui.theme import MONO, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.readings import FeatureReading
from mlops_dash.domain.monitoring.room import FeatureDetail, MonitoringRoom
from mlops_dash.domain.monitoring.words import column_name
from mlops_dash.domain.words import look

RANKED = 10


def ranked_table(features: Sequence[FeatureReading]) -> pd.DataFrame:
    """One row a column, the most moved first."""
    return pd.DataFrame(
        {
            "Column": [column_name(one.name) for one in features],
            "Verdict": [look(one.verdict).label for one in features],
            "Excess PSI": [fmt.psi(one.excess) for one in features],
            "PSI interval": [fmt.interval(one.low, one.high, 2, signed=False) for one in features],
            "Usual PSI": [fmt.psi(one.usual) for one in features],
            "Times usual": [fmt.metric(one.ratio, 1) for one in features],
            "q": [fmt.p_value(one.q) for one in features],
            "Missing": [f"{fmt.percent(one.missing_reference)} → {fmt.percent(one.missing)}" for one in features],
            "Unseen": [fmt.percent(one.unseen) for one in features],
            "Why": [one.reason or fmt.MISSING for one in features],
        }
    )


def ranked_alt(features: Sequence[FeatureReading]) -> str:
    """What the bars say, in a sentence."""
    flagged = [column_name(one.name) for one in features if one.flagged]
    if flagged:
        return f"Beyond their usual swing now: {', '.join(flagged)}."
    first = next((one for one in features if one.excess is not None), None)
    lead = "" if first is None else f" {column_name(first.name)} is farthest from the reference, as it usually is."
    return f"No column is beyond its usual swing now.{lead}"


def ranked_figure(features: Sequence[FeatureReading], t: Tokens) -> go.Figure:
    """Draw PSI with its interval for the most moved columns, and each one's usual PSI as a tick."""
    shown = [one for one in features if one.psi is not None][:RANKED][::-1]
    fig = go.Figure()
    names = [in_figure(column_name(one.name)) for one in shown]
    psi = np.array([one.psi or 0.0 for one in shown])
    low = np.array([one.low if one.low is not None else one.psi or 0.0 for one in shown])
    high = np.array([one.high if one.high is not None else one.psi or 0.0 for one in shown])
    fig.add_bar(
        x=psi, y=names, orientation="h", width=0.62,
        marker={"color": [t.moved if one.flagged else t.context for one in shown], "cornerradius": 3},
        error_x={"type": "data", "symmetric": False, "array": np.maximum(high - psi, 0),
                 "arrayminus": np.maximum(psi - low, 0), "color": t.ink, "thickness": 1.2, "width": 3},
        text=[f"{name}: excess {fmt.psi(one.excess)}, {fmt.metric(one.ratio, 1)} times usual, q {fmt.p_value(one.q)}"
              for one, name in zip(shown, names, strict=True)],
        textposition="none", hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    fig.add_scatter(
        x=[one.usual for one in shown], y=names, mode="markers", hovertemplate="usual PSI %{x:.2f}<extra></extra>",
        marker={"symbol": "line-ns", "size": 17, "line": {"width": 2.4, "color": t.ink}},
    )  # fmt: skip
    reach = max([*high.tolist(), *[one.usual or 0.0 for one in shown], 0.1])
    for one, name, end in zip(shown, names, high, strict=True):
        fig.add_annotation(
            x=end, y=name, xanchor="left", xshift=6, showarrow=False, text=fmt.psi(one.psi),
            font={"size": 11, "color": t.ink}, bgcolor=t.card, borderpad=1,
        )  # fmt: skip
    fig.update_xaxes(range=[0, reach * 1.22], nticks=5, showgrid=True)
    fig.update_yaxes(showgrid=False, tickfont={"family": MONO, "size": 11})
    fig.update_layout(showlegend=False, margin={"t": 4, "r": 4})
    return fig


def detail_table(data: FeatureDetail) -> pd.DataFrame:
    """One row a cell."""
    return pd.DataFrame(
        {
            "Cell": data.labels,
            "Reference": [fmt.percent(share) for share in data.reference],
            "Live": [fmt.percent(share) for share in data.live],
        }
    )


def detail_alt(data: FeatureDetail) -> str:
    """What the bars say, in a sentence."""
    gaps = [live - past for live, past in zip(data.live, data.reference, strict=True)]
    widest = max(range(len(gaps)), key=lambda i: abs(gaps[i]))
    return (
        f"{column_name(data.reading.name)}: the largest change is in {data.labels[widest]!r}, from "
        f"{fmt.percent(data.reference[widest])} of rows to {fmt.percent(data.live[widest])}."
    )


def detail_figure(data: FeatureDetail, t: Tokens) -> go.Figure:
    """Draw the share of rows in each cell: reference as grey bars, live as an outline."""
    fig = go.Figure()
    labels = [in_figure(label) for label in data.labels]
    fig.add_bar(x=labels, y=data.reference, name="Reference", marker={"color": t.context}, opacity=0.65,
                hovertemplate="%{y:.1%}")  # fmt: skip
    fig.add_bar(
        x=labels, y=data.live, name="Live, last 7 days", width=0.5, hovertemplate="%{y:.1%}",
        marker={"color": t.band, "line": {"color": t.series[0], "width": 2}},
    )  # fmt: skip
    fig.update_layout(barmode="overlay", bargap=0.12, hovermode="x unified", margin={"t": 26})
    fig.update_yaxes(tickformat=".0%", nticks=5, rangemode="tozero")
    fig.update_xaxes(type="category", tickangle=-40 if len(labels) > 8 else 0, tickfont={"size": 10})
    return fig


def facts(room: MonitoringRoom, data: FeatureDetail) -> dict[str, str]:
    """The numbers beside one column's chart."""
    one = data.reading
    said = {
        "Verdict": look(one.verdict).label,
        "Excess PSI": f"{fmt.psi(one.excess)} (watch from {room.watch_excess:.2f}, drift from {room.drift_excess:.2f})",
        "PSI, 95 %": f"{fmt.psi(one.psi)} {fmt.interval(one.low, one.high, 2, signed=False)}",
        "Usual PSI": f"{fmt.psi(one.usual)}, now {fmt.metric(one.ratio, 1)} times",
        "q-value": fmt.p_value(one.q),
        "Missing, 7 days": f"{fmt.percent(one.missing_reference)} → {fmt.percent(one.missing)}",
        "Out of range": fmt.percent(one.out_of_range),
        "Rows": f"{fmt.whole(data.n_reference)} → {fmt.whole(data.n_live)}",
    }
    if one.kind == "category":
        said["Never seen before"] = fmt.percent(one.unseen)
    if one.reason:
        said["Why"] = one.reason
    return said
