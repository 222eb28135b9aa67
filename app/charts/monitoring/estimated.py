"""What is estimated without labels, beside what the labels said: a band and a line of its own, and a table."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from app.charts.monitoring.pieces import begin, middle, short
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.label_free import EstimatedView
from mlops_dash.domain.monitoring.room import Performance


def draw_estimated(fig: go.Figure, data: Performance, estimated: EstimatedView, zone: str, t: Tokens) -> None:
    """Draw the estimate of every window shown, dotted and grey: nobody takes it for a measurement."""
    first, last = data.points[0].start, data.points[-1].end
    points = [one for one in estimated.points if first <= one.start < last]
    if not points:
        return
    days = [middle(one.start, zone, data.window) for one in points]
    for edge, fill in (([one.low for one in points], None), ([one.high for one in points], "tonexty")):
        fig.add_scatter(
            x=days, y=short(edge), mode="lines", line={"width": 0}, fill=fill, fillcolor=t.shade, hoverinfo="skip",
            row=2, col=1,
        )  # fmt: skip
    shown = f"%{{y:.{data.decimals}f}} %{{text}}"
    fig.add_scatter(
        x=days, y=short([one.value for one in points]), mode="lines", name="estimated without labels",
        text=[fmt.interval(one.low, one.high, data.decimals, signed=False) for one in points], hovertemplate=shown,
        line={"color": t.muted, "width": 1.4, "dash": "dot"}, row=2, col=1,
    )  # fmt: skip


def table(view: EstimatedView, zone: str) -> pd.DataFrame:
    """One row a window, the latest first: what was estimated, and what came."""
    shown = list(reversed(view.points))
    return pd.DataFrame(
        {
            view.window.capitalize(): [begin(one.start, zone, view.window) for one in shown],
            "Estimated": [fmt.metric(one.value, view.decimals) for one in shown],
            "95 % interval": [fmt.interval(one.low, one.high, view.decimals, signed=False) for one in shown],
            "Came true": [fmt.metric(one.realised, view.decimals) for one in shown],
            "Inside": ["awaiting labels" if one.realised is None else "yes" if one.inside else "no" for one in shown],
        }
    )
