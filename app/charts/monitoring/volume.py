"""How many rows came, window by window: what is left to show of a model whose outcomes nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import plotly.graph_objects as go

from app.charts.monitoring.pieces import begin, local
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt

Volume = Sequence[tuple[datetime, int]]


def volume_figure(windows: Volume, zone: str, t: Tokens, window: str = "day") -> go.Figure:
    """One bar a window."""
    figure, when = go.Figure(), "%d %b %Y %H:%M" if window == "hour" else "%d %b %Y"
    figure.add_bar(
        x=[local(start, zone) for start, _ in windows], y=[n for _, n in windows], marker={"color": t.series[0]},
        hovertemplate=f"%{{x|{when}}}: %{{y:,.0f}} rows<extra></extra>", name="rows",
    )  # fmt: skip
    return figure.update_layout(showlegend=False, bargap=0.25, margin={"l": 0, "r": 8, "t": 12, "b": 0})


def volume_alt(windows: Volume, zone: str, window: str = "day") -> str:
    """What the bars say, in a sentence."""
    total = sum(n for _, n in windows)
    most, n = max(windows, key=lambda one: one[1])
    return f"{fmt.whole(total)} rows; most on {begin(most, zone, window)}: {fmt.whole(n)}."


def volume_table(windows: Volume, zone: str, window: str = "day") -> pd.DataFrame:
    """The numbers behind the bars, the latest first."""
    return pd.DataFrame([{"From": begin(start, zone, window), "Rows": fmt.whole(n)} for start, n in reversed(windows)])
