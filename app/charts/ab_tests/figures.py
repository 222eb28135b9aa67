"""A/B tests: the effect over the days with its band, every metric with its margin, arms and replies; data -> figure.

The marker of the crossing is computed from the very band that is plotted; a guardrail is drawn with its margin.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from app.charts.ab_tests.words import in_sentence, label, unit_name
from app.ui.text import in_figure
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.ab_tests.outcomes import is_of_events, metric_of
from mlops_dash.domain.ab_tests.readings import Look, Measured, Reading
from mlops_dash.domain.ab_tests.rules import ABTest
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.words import GateState, look

ROW = 62  # px of a row of a forest
_SYMBOLS = {GateState.PASSED: "diamond", GateState.FAILED: "triangle-right", None: "circle"}


# --- the effect over the days -----------------------------------------------------------------------------------------


def crossing(looks: Sequence[Look]) -> Look | None:
    """The first day on which the plotted band leaves 0."""
    return next((one for one in looks if one.low is not None and one.high is not None and one.low * one.high > 0), None)


def effect_figure(test: ABTest, looks: Sequence[Look], t: Tokens) -> go.Figure:
    """Difference after each ripe day with its band; 0; the day on which the band left it."""
    days = [one.day for one in looks]
    fig = go.Figure()
    for edge, fill in (([one.low for one in looks], None), ([one.high for one in looks], "tonexty")):
        fig.add_scatter(x=days, y=edge, mode="lines", line={"width": 0}, fill=fill, fillcolor=t.band, hoverinfo="skip")
    units = unit_name(test.design).lower()
    sizes = [fmt.whole(one.n_challenger + one.n_control) for one in looks]
    said = [
        f"{fmt.delta(one.value)} {fmt.interval(one.low, one.high)}, {n} {units}"
        for one, n in zip(looks, sizes, strict=True)
    ]
    fig.add_scatter(
        x=days, y=[one.value for one in looks], mode="lines+markers", text=said, hovertemplate="%{text}<extra></extra>",
        line={"color": t.series[0], "width": 2.2}, marker={"size": 5},
    )  # fmt: skip
    fig.add_hline(y=0, line={"color": t.ink, "width": 1.2})
    lower = metric_of(test.design.outcome).direction is Direction.LOWER
    ends = ("worse", "better") if lower else ("better", "worse")
    for y, text, anchor in ((1, f"{test.challenger} {ends[0]}", "top"), (0, f"{test.challenger} {ends[1]}", "bottom")):
        fig.add_annotation(x=1, y=y, xref="paper", yref="paper", xanchor="right", yanchor=anchor, text=text,
                           showarrow=False, font={"size": 11, "color": t.muted}, bgcolor=t.card)  # fmt: skip
    crossed = crossing(looks)
    if crossed is not None:
        fig.add_vline(
            x=crossed.day, line={"color": t.good if ((crossed.high or 0) < 0) == lower else t.bad, "dash": "dot"}
        )
        fig.add_annotation(x=crossed.day, y=1, yref="paper", yanchor="top", xanchor="left", text=" 0 left the interval",
                           showarrow=False, font={"size": 11, "color": t.ink}, bgcolor=t.card)  # fmt: skip
    if days and test.started_at is not None:
        first = test.started_at.astimezone(ZoneInfo(test.design.zone)).date()
        fig.add_vrect(x0=first, x1=days[0], fillcolor=t.shade, line_width=0, layer="below")
        fig.add_annotation(x=first, y=0.5, yref="paper", xanchor="left", text="no look yet", showarrow=False,
                           font={"size": 11, "color": t.muted}, bgcolor=t.card)  # fmt: skip
        fig.update_xaxes(range=[first.isoformat(), (days[-1] + timedelta(days=1)).isoformat()])
    fig.update_xaxes(type="date", tickformat="%-d %b", nticks=8)
    fig.update_yaxes(nticks=6, tickformat=".3~f")
    return fig.update_layout(showlegend=False, hovermode="x", margin={"t": 8, "r": 12})


def effect_alt(test: ABTest, looks: Sequence[Look]) -> str:
    """What the chart says."""
    if not looks:
        return "No reading yet."
    last, crossed = looks[-1], crossing(looks)
    when = "0 stayed inside the interval on every day" if crossed is None else f"0 left it on {crossed.day:%d %B}"
    now = f"{fmt.delta(last.value)} {fmt.interval(last.low, last.high)}"
    return f"{test.challenger} minus {test.control} on {in_sentence(test.design.outcome)} is {now}; {when}."


def looks_table(looks: Sequence[Look]) -> pd.DataFrame:
    """The numbers behind the line, newest first."""
    return pd.DataFrame(
        {
            "Up to": [f"{one.day.day} {one.day:%b %Y}" for one in reversed(looks)],
            "Rows": [fmt.whole(one.n_challenger + one.n_control) for one in reversed(looks)],
            "Difference": [fmt.delta(one.value) for one in reversed(looks)],
            "Always-valid interval": [fmt.interval(one.low, one.high) for one in reversed(looks)],
            "Smallest p so far": [fmt.p_value(one.p) for one in reversed(looks)],
        }
    )


# --- every metric -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """One row of a forest; `limit` None = read against 0."""

    name: str
    text: str
    value: float
    low: float
    high: float
    limit: float | None
    state: GateState | None  # None = no side is the good one
    scale: float = 1.0  # to the axis: of metrics in different units or directions each has its own


def branches(reading: Reading) -> tuple[Branch, ...]:
    """The outcome, the guardrails, the paired reading; what is hidden or not computable is left out."""
    rows = [(reading.primary, label(reading.primary.metric))]
    rows += [(one, f"{label(one.metric)}, margin {fmt.delta(one.margin)}") for one in reading.guardrails]
    many = f", corrected for {len(reading.others)}" if len(reading.others) > 1 else ""
    rows += [(one, f"{label(one.metric)}{many}") for one in reading.others]
    if reading.paired is not None:
        rows.append((reading.paired, f"{label(reading.paired.metric)}, same rows"))
    found = []
    for one, name in rows:
        if one.value is None or one.low is None or one.high is None:
            continue
        text = f"{fmt.delta(one.value)} {fmt.interval(one.low, one.high)}"
        limit = one.margin if one.margin is None or one.lower_is_better else -one.margin
        found.append(Branch(name, text, one.value, one.low, one.high, limit, one.state))
    return tuple(found) if not _is_mixed(reading) else tuple(_on_own_scale(one, reading) for one in found)


def _is_mixed(reading: Reading) -> bool:
    """Whether the metrics have no common axis: other units, or another way that is better."""
    shown = (reading.primary, *reading.guardrails, *reading.others)
    return any(is_of_events(one.metric) or not one.lower_is_better for one in shown)


def _on_own_scale(one: Branch, reading: Reading) -> Branch:
    """Worse to the right, and its own farthest end at the edge."""
    shown = {f"{label(each.metric)}": each for each in (*reading.others, *reading.guardrails, reading.primary)}
    found = next((each for name, each in shown.items() if one.name.startswith(name)), reading.primary)
    farthest = max(abs(one.low), abs(one.high), abs(one.limit or 0.0)) or 1.0
    return replace(one, scale=(1.0 if found.lower_is_better else -1.0) / farthest)


def forest_figure(rows: Sequence[Branch], t: Tokens, *, left: str, right: str, percent: bool = False) -> go.Figure:
    """Interval and point of each row on one axis; 0; a guardrail's margin as a tick of its own."""
    colours = {GateState.PASSED: t.good, GateState.FAILED: t.bad, None: t.series[0]}
    fig = go.Figure()
    for number, one in enumerate(rows):
        colour, by = colours.get(one.state, t.context), one.scale
        hover = f"{in_figure(one.name)}<br>{one.text}<extra></extra>"
        fig.add_scatter(x=[one.low * by, one.high * by], y=[number, number], mode="lines", hovertemplate=hover,
                        line={"width": 3, "color": colour})  # fmt: skip
        fig.add_scatter(
            x=[one.value * by], y=[number], mode="markers", hovertemplate=hover,
            marker={"size": 12, "color": colour, "symbol": _SYMBOLS.get(one.state, "circle-open"),
                    "line": {"width": 2, "color": colour}},
        )  # fmt: skip
        if one.limit is not None:
            fig.add_scatter(
                x=[one.limit * by, one.limit * by], y=[number - 0.3, number + 0.3], mode="lines",
                line={"width": 2, "color": t.ink, "dash": "dot"},
                hovertemplate=f"Margin {fmt.delta(one.limit)}<extra></extra>",
            )  # fmt: skip
    labels = [f"<b>{_wrapped(one.name)}</b><br><span style='color:{t.muted}'>{one.text}</span>" for one in rows]
    fig.update_yaxes(tickvals=list(range(len(rows))), ticktext=labels, range=[len(rows) - 0.5, -0.5], showgrid=False,
                     tickfont={"size": 12, "color": t.ink})  # fmt: skip
    ends = [0.0, *(x * one.scale for one in rows for x in (one.low, one.high, one.limit or 0.0))]
    own = any(one.scale != 1.0 for one in rows)
    pad = 0.06 * (max(ends) - min(ends))
    fig.update_xaxes(
        tickformat=".0%" if percent else ".3~f", nticks=5, range=[min(ends) - pad, max(ends) + pad],
        showticklabels=not own, title={"text": f"← {left}   ·   {right} →"},
    )  # fmt: skip
    fig.add_vline(x=0, line={"color": t.context, "width": 1.5})
    return fig.update_layout(showlegend=False, hovermode="closest", margin={"l": 0, "r": 8, "t": 4, "b": 30})


def _wrapped(name: str) -> str:
    """A name in lines that leave room for the intervals on a small screen."""
    return "<br>".join(in_figure(line) for line in textwrap.wrap(name, 32, break_long_words=True))


def forest_sub(test: ABTest, rows: Sequence[Branch]) -> str:
    """What the forest shows, below its title."""
    own = "; each on its own scale, worse to the right" if any(one.scale != 1.0 for one in rows) else ""
    return f"{test.challenger} minus {test.control}; dotted: the margin{own}"


def forest_height(rows: Sequence[Branch]) -> int:
    """Pixels for that many rows."""
    return 64 + ROW * max(len(rows), 1)


def forest_alt(rows: Sequence[Branch]) -> str:
    """What the forest says."""
    said = {GateState.PASSED: "better or within its margin", GateState.FAILED: "worse or beyond its margin"}
    return "; ".join(
        f"{one.name} {'cannot be told' if one.state is None else said.get(one.state, 'cannot be told')}: {one.text}"
        for one in rows
    )


def forest_table(rows: Sequence[Branch]) -> pd.DataFrame:
    """The numbers behind the forest."""
    return pd.DataFrame(
        {
            "Metric": [one.name for one in rows],
            "Difference": [fmt.delta(one.value) for one in rows],
            "Interval": [fmt.interval(one.low, one.high) for one in rows],
            "Margin": [fmt.MISSING if one.limit is None else fmt.delta(one.limit) for one in rows],
            "Says": [fmt.MISSING if one.state is None else look(one.state).label for one in rows],
        }
    )


def arms_table(test: ABTest, reading: Reading) -> pd.DataFrame:
    """Both arms: rows assigned, ripe, labelled, and every metric of the design."""
    measured: list[Measured] = [reading.primary, *reading.guardrails, *reading.others]
    counts = (reading.control, reading.challenger)
    frame = {
        "Arm": [f"{test.control}, control", f"{test.challenger}, challenger"],
        "Answered": [fmt.whole(one.assigned) for one in counts],
        ("Ripe" if test.design.by_units else "Of ripe days"): [fmt.whole(one.ripe) for one in counts],
        **({} if test.design.by_units else {"With a label": [fmt.whole(one.outcomes) for one in counts]}),
    }
    for one in measured:
        frame[label(one.metric)] = [fmt.metric(one.control), fmt.metric(one.challenger)]
    return pd.DataFrame(frame)
