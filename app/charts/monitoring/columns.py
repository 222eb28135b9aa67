"""Columns now: the farthest ones with their intervals, and one column in detail."""

from __future__ import annotations

import math
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
from mlops_dash.domain.words import Drift, look

RANKED = 10


def ranked_table(room: MonitoringRoom) -> pd.DataFrame:
    """One row a column with every score, the most moved first."""
    features = room.features
    every = [room.scores.get(one.name) for one in features]
    return pd.DataFrame(
        {
            "Column": [column_name(one.name) for one in features],
            "Verdict": [look(one.verdict).label for one in features],
            "Excess PSI": [fmt.psi(one.excess) for one in features],
            "PSI interval": [fmt.interval(one.low, one.high, 2, signed=False) for one in features],
            "Usual PSI": [fmt.psi(one.usual) for one in features],
            "Times usual": [fmt.metric(one.ratio, 1) for one in features],
            "JS": [fmt.metric(None if one is None else one.js, 3) for one in every],
            "KS": [fmt.metric(None if one is None else one.ks, 3) for one in every],
            "Wasserstein": [fmt.metric(None if one is None else one.wasserstein, 3) for one in every],
            "q": [fmt.p_value(one.q) for one in features],
            "Missing": [f"{fmt.percent(one.missing_reference)} → {fmt.percent(one.missing)}" for one in features],
            "Unseen": [fmt.percent(one.unseen) for one in features],
            "Out of range": [fmt.percent(one.out_of_range) for one in features],
            "Why": [one.reason or fmt.MISSING for one in features],
        }
    )


def ranked_names(features: Sequence[FeatureReading]) -> list[str]:
    """The columns that have a bar, in the order of the bars."""
    return [one.name for one in _ranked(features)]


def _ranked(features: Sequence[FeatureReading]) -> list[FeatureReading]:
    return [one for one in features if one.psi is not None or one.flagged][:RANKED][::-1]


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
    shown = _ranked(features)
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
              if one.psi is not None else f"{name}: {in_figure(one.reason)}"
              for one, name in zip(shown, names, strict=True)],
        textposition="none", hovertemplate="%{text}<extra></extra>", unselected={"marker": {"opacity": 1}},
    )  # fmt: skip
    fig.add_scatter(
        unselected={"marker": {"opacity": 1}},
        x=[one.usual for one in shown], y=names, mode="markers", hovertemplate="usual PSI %{x:.2f}<extra></extra>",
        marker={"symbol": "line-ns", "size": 17, "line": {"width": 2.4, "color": t.ink}},
    )  # fmt: skip
    reach = max([*high.tolist(), *[one.usual or 0.0 for one in shown], 0.1])
    for one, name, end in zip(shown, names, high, strict=True):
        fig.add_annotation(
            x=end, y=name, xanchor="left", xshift=6, showarrow=False,
            text=fmt.psi(one.psi) if one.psi is not None else "moved, without a PSI",
            font={"size": 11, "color": t.ink}, bgcolor=t.card, borderpad=1,
        )  # fmt: skip
    fig.update_xaxes(range=[0, reach * 1.22], nticks=5, showgrid=True, fixedrange=True)
    fig.update_yaxes(showgrid=False, fixedrange=True, tickfont={"family": MONO, "size": 11})
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
    labels, live = [in_figure(label) for label in data.labels], list(data.live)
    if live:  # rows beyond the reference stand in bins of their own
        live[0] = max(0.0, live[0] - sum(share for _, share in data.beyond.below))
        live[-1] = max(0.0, live[-1] - sum(share for _, share in data.beyond.above))
    fig.add_bar(x=labels, y=data.reference, name="Reference", marker={"color": t.context}, opacity=0.65,
                hovertemplate="%{y:.1%}")  # fmt: skip
    fig.add_bar(
        x=labels, y=live, name="Live", width=0.5, hovertemplate="%{y:.1%}",
        marker={"color": t.band, "line": {"color": t.series[0], "width": 2}},
    )  # fmt: skip
    beyond = [*data.beyond.below, *data.beyond.above]
    if beyond:  # the end cells of the score hold them too: here they stand where they lie
        fig.add_bar(
            x=[in_figure(label) for label, _ in beyond], y=[share for _, share in beyond], width=0.5,
            name="Live, beyond the reference", hovertemplate="%{y:.1%}",
            marker={"color": t.card, "line": {"color": t.warn, "width": 2},
                    "pattern": {"shape": "/", "fgcolor": t.warn}},
        )  # fmt: skip
        whole = [*[label for label, _ in data.beyond.below], *data.labels, *[label for label, _ in data.beyond.above]]
        fig.update_xaxes(categoryorder="array", categoryarray=[in_figure(label) for label in whole])
    fig.update_layout(barmode="overlay", bargap=0.12, hovermode="x unified", margin={"t": 26})
    fig.update_yaxes(tickformat=".0%", nticks=5, rangemode="tozero")
    fig.update_xaxes(type="category", tickangle=-40 if len(labels) > 8 else 0, tickfont={"size": 10})
    return fig


def sentence(data: FeatureDetail) -> str:
    """One column's verdict in a sentence: how unusual the move is, and from where it counts."""
    one = data.reading
    word = look(one.verdict).label
    if one.verdict is Drift.NOT_COMPUTABLE:
        return f"{word}: {one.reason}."
    if one.psi is None or one.ratio is None or not math.isfinite(data.times_limit):
        return f"{word}: {one.reason}." if one.reason else f"{word}."
    return f"{word}: {fmt.metric(one.ratio, 1)} times its usual swing; limit {fmt.metric(data.times_limit, 1)}."


def facts(data: FeatureDetail) -> dict[str, str]:
    """Every score of one column, beside its chart."""
    one, score = data.reading, data.score
    said = {
        "PSI, 95 %": f"{fmt.psi(one.psi)} {fmt.interval(one.low, one.high, 2, signed=False)}",
        "Beyond chance (excess)": fmt.psi(one.excess),
        "Usual PSI": fmt.psi(one.usual),
        "q-value": fmt.p_value(one.q),
    }
    if score is not None:
        said["Jensen-Shannon distance"] = fmt.metric(score.js, 3)
        if one.kind == "numeric":
            said["Kolmogorov-Smirnov distance"] = fmt.metric(score.ks, 3)
            said["Wasserstein / (p95 - p5)"] = fmt.metric(score.wasserstein, 3)
    said["Missing"] = f"{fmt.percent(one.missing_reference)} → {fmt.percent(one.missing)}"
    if one.kind == "category":
        said["Never seen before"] = _beside(one.unseen, None if score is None else score.unseen_expected)
    else:
        expected = 2.0 / score.n_reference if score is not None and score.n_reference else None
        said["Out of range"] = _beside(one.out_of_range, expected)
    said["Rows"] = f"{fmt.whole(data.n_reference)} → {fmt.whole(data.n_live)}"
    if one.reason and one.reason not in sentence(data):
        said["Why"] = one.reason
    return said


def _beside(share: float | None, expected: float | None) -> str:
    """A share beside the one that is expected without any change."""
    return f"{fmt.percent(share)}, {fmt.percent(expected)} expected" if expected is not None else fmt.percent(share)


def limits(room: MonitoringRoom, data: FeatureDetail) -> str:
    """What has to hold before a column counts as moved; folded away on the page."""
    times = fmt.metric(data.times_limit, 1) if math.isfinite(data.times_limit) else "unknown"
    return (
        f"Watch: q below {room.alpha:g}, excess PSI of {room.watch_excess:.2f} or more, and more than {times} times "
        f"the usual PSI. Drift: the same from {room.drift_excess:.2f}. A large excess within the usual swing is stable."
    )
