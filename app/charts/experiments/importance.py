"""Importance of parameters as bars with their spread and the line of chance. Facts in, figures out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from app.charts.experiments.table import short
from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.pictures import Importance

MOST_BARS = 15


def finding(found: Importance) -> str:
    """Which parameter matters most, or why that cannot be said."""
    metric = short(found.metric, 40)
    if found.from_zero:
        metric = f"how far {metric} is from 0"
    if found.why_not:
        return f"What matters for {metric} cannot be told"
    beyond = [one for one in found.found if one.beyond]
    if not beyond:
        return f"No parameter matters for {metric} beyond chance"
    said = f"{short(beyond[0].name, 30)} matters most for {metric}"
    more = [short(one.name, 30) for one in beyond[1:3]]
    return f"{said}, then {' and '.join(more)}" if more else f"{said}, no other beyond chance"


def basis(found: Importance) -> str:
    """How it was found, on what, and how well the forest itself does."""
    said = f"Permutation importance in a random forest: {fmt.plural(found.n, 'run')}"
    if found.n_configurations != found.n:
        said += f" of {fmt.plural(found.n_configurations, 'configuration')}"
    if np.isfinite(found.r2):
        said += f"; on runs it did not see the forest explains {_share(found.r2)} of the variance (out-of-bag R²)"
    return said


def _share(value: float) -> str:
    return fmt.percent(max(value, 0.0), 0) if value > 0 else "nothing"


def figure(found: Importance, t: Tokens) -> go.Figure:
    """Bars, the largest on top; what does not go beyond chance is grey."""
    shown = found.found[:MOST_BARS][::-1]
    values = np.array([one.value for one in shown]) * 100
    above = np.array([one.high for one in shown]) * 100 - values
    below = values - np.array([one.low for one in shown]) * 100
    fig = go.Figure()
    fig.add_bar(
        x=values, y=list(range(len(shown))), orientation="h", width=0.62,
        marker={"color": [t.primary if one.beyond else t.context for one in shown]},
        error_x={"type": "data", "array": np.maximum(above, 0), "arrayminus": np.maximum(below, 0), "color": t.muted,
                 "thickness": 1.2, "width": 3},
        hovertemplate="%{x:.1f} % of the variance<extra></extra>",
    )  # fmt: skip
    chance = max(found.chance, 0.0) * 100
    fig.add_vline(x=chance, line={"color": t.muted, "width": 1, "dash": "dot"})
    fig.add_annotation(x=chance, y=1, yref="paper", yanchor="bottom", text="chance", showarrow=False,
                       font={"size": 11, "color": t.muted})  # fmt: skip
    names = [in_figure(short(one.name, 22)) for one in shown]
    fig.update_yaxes(tickvals=list(range(len(shown))), ticktext=names, showgrid=False, fixedrange=True)
    fig.update_xaxes(title={"text": "Rise of the squared error when shuffled, % of the variance", "standoff": 14},
                     ticksuffix=" %", rangemode="tozero")  # fmt: skip
    return fig.update_layout(showlegend=False, hovermode="closest", margin={"l": 0, "r": 8, "t": 18, "b": 0})


def notes(found: Importance) -> list[str]:
    """What was left out, and what the numbers do not say."""
    said = []
    if found.n_bad:
        said.append(f"{fmt.plural(found.n_bad, 'run')} without a finite {short(found.metric)} left out")
    if found.n_more:
        said.append(f"an even sample of {found.n:,} of {found.n + found.n_more:,} runs")
    if found.left_out:
        said.append(f"{fmt.plural(found.left_out, 'more parameter')}, logged least often, not looked at")
    if len(found.found) > MOST_BARS:
        said.append(f"the first {MOST_BARS} of {len(found.found)} parameters")
    if found.found:
        said.append("chance: the best of five random columns; whiskers: middle 80 % over parts of the forest")
        said.append("parameters that were changed together share their importance, and none of it is a cause")
    return said


def table(found: Importance) -> pd.DataFrame:
    """All parameters with their numbers."""
    rows = [
        [one.name, fmt.metric(one.value * 100, 1), fmt.interval(one.low * 100, one.high * 100, 1, signed=False),
         "yes" if one.beyond else "no"]
        for one in found.found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["Parameter", "Rise of the error, % of variance", "Middle 80 %", "Beyond chance"])
