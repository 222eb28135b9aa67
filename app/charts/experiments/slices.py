"""Figures of "Is it real?": differences of pairs with their intervals and the margin, and parts by slice.

A row's words stand above its interval, so that they fit on a phone too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import plotly.graph_objects as go

from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.comparison import LOOKS, Outcome, PairVerdict
from mlops_dash.domain.experiments.comparison_words import digits_of, plain, signed
from mlops_dash.domain.experiments.why import WhyRoom

_ROW, _FOOT = 46, 62


@dataclass(frozen=True)
class _Line:
    words: str
    aside: str
    value: float
    low: float
    high: float
    colour: str
    hover: str
    inner: tuple[float, float] | None = None  # the 90 % interval inside the 95 % one


def height(n: int) -> int:
    """Pixels for that many rows."""
    return _FOOT + _ROW * max(n, 1)


def pairs_figure(pairs: Sequence[PairVerdict], t: Tokens) -> go.Figure:
    """Each pair's difference: 95 % interval thin, 90 % thick; the margin as a band around 0."""
    digits = digits_of([one.found.error for one in pairs if one.found is not None])
    lines = []
    for one in pairs:
        found = one.found
        if found is None or not math.isfinite(found.value):
            continue
        low, high = found.interval(0.95)
        inner = found.interval(0.90)
        text = f"{signed(found.value, digits)} {_span(low, high, digits)}"
        lines.append(
            _Line(one.a.label, "", found.value, low, high, _colour(one.outcome, t), f"{in_figure(one.label)}<br>{text}",
                  inner if math.isfinite(inner[0]) else None)
        )  # fmt: skip
    margin = pairs[0].margin
    return _forest(lines, t, _axis(f"difference in {pairs[0].metric}", pairs[0].direction), margin=margin)


def pairs_alt(pairs: Sequence[PairVerdict]) -> str:
    """The verdicts in words."""
    return " ".join(one.sentence for one in pairs)


def pairs_table(pairs: Sequence[PairVerdict]) -> pd.DataFrame:
    """One row a pair."""
    digits = digits_of([one.found.error for one in pairs if one.found is not None])
    rows = []
    for one in pairs:
        found = one.found
        rows.append(
            {
                "Side": one.a.label,
                "Against": one.b.label,
                "Verdict": one.label,
                one.metric: fmt.MISSING if found is None else fmt.metric(found.value_a, digits),
                "of the other": fmt.MISSING if found is None else fmt.metric(found.value_b, digits),
                "Difference": fmt.MISSING if found is None else signed(found.value, digits),
                "95 % interval": fmt.MISSING if found is None else _span(*found.interval(0.95), digits),
                "90 % interval": fmt.MISSING if found is None else _span(*found.interval(0.90), digits),
                "p": fmt.p_value(one.p_adjusted),
                "Test": one.method,
            }
        )
    return pd.DataFrame(rows)


def slices_figure(why: WhyRoom, t: Tokens) -> go.Figure:
    """What each slice adds to the difference; those that Holm leaves standing in colour."""
    lines = []
    for one in why.parts:
        text = f"{signed(one.value, why.digits)} {_span(one.low, one.high, why.digits)}"
        hover = f"{in_figure(one.name)}: {text}<br>{one.n:,} rows, {one.share * 100:.0f} %"
        colour = t.context if not one.clear else _side_colour(one.value, why.direction, t)
        lines.append(_Line(one.name, f"{one.share * 100:.0f} % of rows", one.value, one.low, one.high, colour, hover))
    return _forest(lines, t, _axis("part of the difference", why.direction))


def slices_table(why: WhyRoom) -> pd.DataFrame:
    """One row a slice, and their sum."""
    rows = [
        {
            why.column: one.name,
            "Rows": fmt.whole(one.n),
            "Part of the difference": signed(one.value, why.digits),
            "95 % interval": _span(one.low, one.high, why.digits),
            f"{why.metric} of the first": fmt.metric(one.value_a, why.digits),
            f"{why.metric} of the other": fmt.metric(one.value_b, why.digits),
        }
        for one in why.parts
    ]
    whole = {why.column: "all rows", "Rows": fmt.whole(sum(one.n for one in why.parts)),
             "Part of the difference": signed(why.total, why.digits),
             "95 % interval": _span(why.low, why.high, why.digits)}  # fmt: skip
    return pd.DataFrame([*rows, whole]).fillna(fmt.MISSING)


def _span(low: float, high: float, digits: int) -> str:
    return f"[{signed(low, digits)}, {signed(high, digits)}]" if math.isfinite(low) else "no interval"


def _colour(outcome: Outcome, t: Tokens) -> str:
    return t.context if outcome is Outcome.CANNOT_TELL else t.colour(LOOKS[outcome][2])


def _side_colour(value: float, direction: Direction | None, t: Tokens) -> str:
    """Of a slice's part; towards 0 or away from it cannot be told from a part alone."""
    if direction is None or direction is Direction.ZERO:
        return t.violet
    return t.good if directions.gain(value, 0.0, direction) > 0 else t.bad


def _axis(what: str, direction: Direction | None) -> str:
    if direction is Direction.ZERO:
        return f"{what} · the metric is best at 0"  # not the difference, which the axis shows
    return what if direction is None else f"{what} · {directions.WORDS[direction]}"


def _forest(lines: Sequence[_Line], t: Tokens, title: str, *, margin: float = 0.0) -> go.Figure:
    fig = go.Figure()
    if margin > 0:
        fig.add_vrect(x0=-margin, x1=margin, fillcolor=t.shade, line_width=0, layer="below")
    fig.add_vline(x=0, line={"color": t.context, "width": 1.2})
    for number, one in enumerate(lines):
        y = [number, number]
        hover = f"{one.hover}<extra></extra>"
        if math.isfinite(one.low):
            fig.add_scatter(x=[one.low, one.high], y=y, mode="lines", line={"width": 1.8, "color": one.colour},
                            hovertemplate=hover)  # fmt: skip
        if one.inner is not None:
            fig.add_scatter(x=list(one.inner), y=y, mode="lines", line={"width": 5, "color": one.colour},
                            hovertemplate=hover)  # fmt: skip
        fig.add_scatter(x=[one.value], y=[number], mode="markers", hovertemplate=hover,
                        marker={"size": 10, "color": t.card, "line": {"width": 2.5, "color": one.colour}})  # fmt: skip
        for words, colour, at in ((one.words, t.ink, 0.0), (one.aside, t.muted, 1.0)):
            fig.add_annotation(
                xref="paper", x=at, xanchor="left" if at == 0 else "right", y=number, yshift=17, text=_cut(words, at),
                showarrow=False, font={"size": 12, "color": colour}, align="left",
            )  # fmt: skip
    ends = [
        0.0,
        margin,
        -margin,
        *(end for one in lines for end in (one.low, one.high, one.value) if math.isfinite(end)),
    ]
    pad = 0.05 * (max(ends) - min(ends)) or 1.0
    fig.update_yaxes(visible=False, range=[len(lines) - 0.55, -0.75], fixedrange=True)
    fig.update_xaxes(title={"text": title}, nticks=5, range=[min(ends) - pad, max(ends) + pad], tickformat="~g")
    if margin > 0:
        fig.add_annotation(
            x=0, y=0, yref="paper", yanchor="bottom", text=f"±{plain(margin)}", showarrow=False, yshift=2,
            font={"size": 11, "color": t.muted},
        )  # fmt: skip
    return fig.update_layout(showlegend=False, hovermode="closest", margin={"l": 0, "r": 8, "t": 6, "b": 38})


def _cut(words: str, at: float) -> str:
    most = 50 if at == 0 else 24
    text = words if len(words) <= most else words[: most - 1] + "…"
    return in_figure(text)
