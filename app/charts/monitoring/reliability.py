"""Do things happen as often as their score says? Bands of scores beside what came."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.readings import Estimate
from mlops_dash.domain.tasks.worth import Reliability, ScoreBand


def sentence(data: Reliability) -> str:
    """The finding in a sentence: where scores say too much or too little, surely."""
    wrong = [one for one in data.bands if one.side]
    if wrong:
        worst = max(wrong, key=_gap)
        came = f"Scores of {_span(worst)} came true {fmt.percent(worst.share.value)} of the time"
        more = f" {len(wrong)} of {len(data.bands)} bands are off." if len(wrong) > 1 else ""
        return f"{came}: {'more' if worst.side > 0 else 'less'} often than they say.{more}"
    if all(one.share.low is None for one in data.bands):
        return "Too few labelled days to say whether scores come true as often as they say."
    return "Scores come true as often as they say, as far as these days can tell."


def facts(data: Reliability, then: Reliability | None) -> dict[str, str]:
    """How well the classes are told apart, beside the reference."""
    gini, ks = (None, None) if then is None else (then.gini.value, then.ks.value)
    return {
        "Gini (2 AUC - 1), all days together": _beside(data.gini, gini),
        "Kolmogorov-Smirnov, all days together": _beside(data.ks, ks),
    }


def table(data: Reliability, then: Reliability | None) -> pd.DataFrame:
    """One row a band."""
    past = [fmt.MISSING] * len(data.bands) if then is None else [fmt.percent(one.share.value) for one in then.bands]
    verdicts = {-1: "less often than they say", 0: "as they say", 1: "more often than they say"}
    return pd.DataFrame(
        {
            "Scores": [_span(one) for one in data.bands],
            "Rows": [fmt.whole(one.share.n) for one in data.bands],
            "Came true": [fmt.percent(one.share.value) for one in data.bands],
            "Interval, all bands together": [_interval(one.share) for one in data.bands],
            "In the reference": past,
            "Verdict": [one.share.reason if one.share.low is None else verdicts[one.side] for one in data.bands],
        }
    )


def figure(data: Reliability, then: Reliability | None, t: Tokens) -> go.Figure:
    """Draw a box a band from its lowest to its highest score on both axes, and what came with its interval.

    The level line of a mark reaches over its band: where in it the scores lie is not kept.
    """
    fig = go.Figure()
    for band in data.bands:  # as often as the scores say: inside the box
        fig.add_shape(type="rect", x0=band.low, x1=band.high, y0=band.low, y1=band.high, line={"width": 0},
                      fillcolor=t.grid, layer="below")  # fmt: skip
    if then is not None:
        known = [one for one in then.bands if one.share.n]
        fig.add_scatter(x=[_middle(one) for one in known], y=[one.share.value for one in known], mode="markers",
                        name="reference", marker={"symbol": "circle-open", "size": 8, "color": t.muted},
                        hovertemplate="reference: %{y:.1%}<extra></extra>")  # fmt: skip
    kinds = ((0, "came true, as they say", t.series[0], "circle"), (1, "came true more often", t.warn, "triangle-up"),
             (-1, "came true less often", t.warn, "triangle-down"))  # fmt: skip
    for side, name, colour, symbol in kinds:
        shown = [one for one in data.bands if one.side == side and one.share.n]
        if shown:
            _draw(fig, shown, name, colour, symbol)
    fig.update_xaxes(title={"text": "score"}, range=[0, 1], nticks=6, tickformat=".1f", showgrid=False)
    fig.update_yaxes(title={"text": "came true"}, range=[-0.02, 1.02], tickformat=".0%", nticks=6)
    fig.update_layout(margin={"t": 30, "b": 46}, hovermode="closest")
    return fig


def _draw(fig: go.Figure, shown: Sequence[ScoreBand], name: str, colour: str, symbol: str) -> None:
    fig.add_scatter(
        x=[_middle(one) for one in shown], y=[one.share.value for one in shown], mode="markers", name=name,
        marker={"size": 9, "color": colour, "symbol": symbol},
        error_x={"type": "data", "array": [(one.high - one.low) / 2 for one in shown], "thickness": 1, "width": 0,
                 "color": colour},
        error_y={"type": "data", "symmetric": False, "thickness": 1.4, "width": 3, "color": colour,
                 "array": [_length(one.share.value, one.share.high) for one in shown],
                 "arrayminus": [_length(one.share.low, one.share.value) for one in shown]},
        text=[f"scores of {_span(one)}: {fmt.percent(one.share.value)} {_interval(one.share)}" for one in shown],
        hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip


def _gap(band: ScoreBand) -> float:
    """How far what came lies outside the scores of its band."""
    value = band.share.value or 0.0
    return value - band.high if band.side > 0 else band.low - value


def _middle(band: ScoreBand) -> float:
    return (band.low + band.high) / 2


def _length(low: float | None, high: float | None) -> float | None:
    """Of an error bar; None where there is no interval."""
    return None if low is None or high is None else high - low


def _span(band: ScoreBand) -> str:
    return f"{band.low:.2f} to {band.high:.2f}"


def _interval(share: Estimate) -> str:
    return fmt.MISSING if share.low is None else f"[{fmt.percent(share.low)}, {fmt.percent(share.high)}]"


def _beside(now: Estimate, past: float | None) -> str:
    then = "" if past is None else f"; {fmt.metric(past, 3)} in the reference"
    return f"{fmt.metric(now.value, 3)} {fmt.interval(now.low, now.high, 3, signed=False)}{then}"
