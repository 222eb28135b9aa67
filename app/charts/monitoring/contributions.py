"""Why one row got its answer: a bar a column, from the mean of the reference rows to the answer."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from app.ui.text import in_figure
from app.ui.theme import MONO, Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.contributions import SAID, SHARE, Added, RowContributions, shown

SHOWN = 12  # bars; the rest is one more
_LONGEST = 34  # letters of a name


def bars(found: RowContributions) -> tuple[Added, ...]:
    """What is drawn, largest first: the columns that do something, those beyond the largest as one."""
    doing = [one for one in found.added if one.amount]
    if len(doing) <= SHOWN + 1:
        return tuple(doing)
    rest = doing[SHOWN:]
    return (*doing[:SHOWN], Added(f"({len(rest)} other columns)", sum(one.amount for one in rest)))


def table(found: RowContributions) -> pd.DataFrame:
    """One line a column, between the base and the sum."""
    amounts = [found.said(found.base), *(found.said(one.amount, signed=True) for one in found.added)]
    between = [
        fmt.MISSING if one.low is None or one.high is None else fmt.interval(one.low, one.high, 3)
        for one in found.added
    ]
    return pd.DataFrame(
        {
            "Column": ["Mean of the reference rows", *(one.column for one in found.added), "This row"],
            "Value": [fmt.MISSING, *(one.value or fmt.MISSING for one in found.added), fmt.MISSING],
            "Adds": [*amounts, found.said(found.total)],
            "95 %": [fmt.MISSING, *between, fmt.MISSING],
        }
    )


def height(found: RowContributions) -> int:
    """Of the figure, in pixels."""
    return 70 + 28 * max(1, len(bars(found)))


def figure(found: RowContributions, t: Tokens) -> go.Figure:
    """Draw what each column adds to the right of zero, and what it takes to the left, with intervals where drawn."""
    drawn = bars(found)[::-1]
    places = list(range(len(drawn)))  # not the names: two that begin alike are cut alike
    fig = go.Figure()
    fig.add_bar(
        x=[one.amount for one in drawn], y=places, orientation="h", width=0.62,
        marker={"color": [t.series[0] if one.amount > 0 else t.context for one in drawn], "cornerradius": 3},
        error_x=_whiskers(drawn, t),
        text=[in_figure(f"{shown(one)}: {found.said(one.amount, signed=True)}") for one in drawn],
        textposition="none", hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    for place, one in zip(places, drawn, strict=True):
        right = one.amount > 0
        fig.add_annotation(
            x=(one.high if right else one.low) if one.high is not None else one.amount, y=place, showarrow=False,
            xanchor="left" if right else "right", xshift=6 if right else -6, bgcolor=t.card, borderpad=1,
            text=in_figure(found.said(one.amount, signed=True)), font={"size": 11, "color": t.ink},
        )  # fmt: skip
    ends = [end for one in drawn for end in (one.amount, one.low, one.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.4 * (high - low or 1.0)
    fig.add_vline(x=0, line={"color": t.ink, "width": 1})
    fig.update_xaxes(range=[low - room, high + room], nticks=5, showgrid=True, fixedrange=True,
                     title={"text": in_figure(axis(found)), "font": {"size": 11}})  # fmt: skip
    fig.update_yaxes(showgrid=False, fixedrange=True, tickfont={"family": MONO, "size": 11}, automargin=True,
                     tickvals=places, ticktext=[in_figure(_cut(shown(one))) for one in drawn])  # fmt: skip
    fig.update_layout(showlegend=False, margin={"t": 4, "r": 4})
    return fig


def axis(found: RowContributions) -> str:
    """What the bars measure."""
    unit = found.unit if found.unit not in (SHARE, SAID) else ""
    return f"adds to the {found.of}{f' ({unit})' if unit else ''}"


def _whiskers(drawn: Sequence[Added], t: Tokens) -> dict[str, object]:
    return {
        "type": "data", "symmetric": False, "color": t.ink, "thickness": 1.2, "width": 3,
        "array": [0.0 if one.high is None else one.high - one.amount for one in drawn],
        "arrayminus": [0.0 if one.low is None else one.amount - one.low for one in drawn],
        "visible": any(one.high is not None for one in drawn),
    }  # fmt: skip


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
