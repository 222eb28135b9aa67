"""Figures of the Monitoring page: performance over time, the drift map, columns now, one column in detail.

Each chart is numbers (a frame), a sentence (its text alternative) and a drawing. Blue is for moved inputs; amber and
red are kept for losses beyond their bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app import format as fmt
from app.theme import MONO, Tokens
from mlops_dash.domain.monitoring_room import WINDOWS, DriftMap, FeatureDetail, MonitoringRoom, Performance
from mlops_dash.domain.readings import SCORE, FeatureReading
from mlops_dash.domain.words import Drift, look

CAP = 1.0  # excess PSI beyond which the map's colour no longer changes; its legend prints the largest value
RANKED = 10
_EVENTS = {"alert": ("triangle-down", "Alert"), "retrain": ("diamond", "Retrain"),
           "promote": ("triangle-up", "Promotion"), "rollback": ("triangle-left", "Rollback")}  # fmt: skip
_MOVED = (Drift.WATCH, Drift.DRIFT)


def column_name(name: str) -> str:
    """A column as people read it: the model's own answer is "model score"."""
    return "model score" if name == SCORE else name


# --- performance over time --------------------------------------------------------------------------------------------


def metric_name(data: Performance) -> str:
    """The metric with the unit of its numbers: `MAE (min)`."""
    return f"{data.label} ({data.unit})" if data.unit else data.label


def _number(value: float | None, data: Performance) -> str:
    return fmt.metric(value, data.decimals) + (f" {data.unit}" if data.unit and value is not None else "")


def performance_table(data: Performance, zone: str) -> pd.DataFrame:
    """One row a day."""
    rows = []
    for point in reversed(data.points):
        mean = point.trailing
        rows.append(
            {
                "Day": fmt.day(point.start, zone),
                "Day alone": _number(point.daily, data),
                f"Last {data.trailing_days} ripe days": _number(mean.value if mean else None, data),
                "95 % interval": (
                    fmt.interval(mean.low, mean.high, data.decimals, signed=False) if mean else fmt.MISSING
                ),
                "Rows": fmt.whole(point.n),
                "Labelled": fmt.whole(point.n_labelled),
                "State": "ripe" if point.ripe else "awaiting labels",
            }
        )
    return pd.DataFrame(rows)


def performance_alt(data: Performance) -> str:
    """What the chart says, in a sentence."""
    last = next((p.trailing for p in reversed(data.points) if p.trailing and p.trailing.value is not None), None)
    if last is None or last.value is None:
        return f"{data.label}: no ripe labels yet."
    change = None if data.baseline is None else fmt.delta(last.value - data.baseline, data.decimals)
    gap = "" if change is None else f", {change} against its reference"
    beyond = data.bound is not None and (last.value < data.bound if data.higher_is_better else last.value > data.bound)
    said = (
        "" if data.bound is None else f" and {'beyond' if beyond else 'within'} its bound {_number(data.bound, data)}"
    )
    return f"{data.label} over the last {last.n_days} ripe days is {_number(last.value, data)}{gap}{said}."


def began(data: Performance, room: MonitoringRoom) -> str:
    """Why the chart shows fewer days than were asked for; "" when it shows them all."""
    first = data.points[0].start
    if (data.points[-1].end - first).days >= WINDOWS[room.window] - 1:
        return ""
    return f" The first judged day is {fmt.day(first, room.zone)}."


def performance_figure(data: Performance, zone: str, t: Tokens) -> go.Figure:
    """Draw events and version bands on top, the metric with interval, reference and bound, and rows below."""
    fig = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.11, 0.69, 0.2], vertical_spacing=0.03)
    end = _local(data.points[-1].end, zone)
    start = _local(data.points[0].start, zone)
    _draw_bands(fig, data, zone, t, start, end)
    _draw_events(fig, data, zone, t, start)
    _draw_line(fig, data, zone, t)
    _draw_limits(fig, data, t)
    _draw_counts(fig, data, zone, t)
    if data.awaiting_from is not None:
        for row in (2, 3):
            fig.add_vrect(x0=_local(data.awaiting_from, zone), x1=end, fillcolor=t.shade, line_width=0, layer="below",
                          row=row, col=1)  # fmt: skip
        fig.add_annotation(
            x=end, y=1, yref="y2 domain", xanchor="right", yanchor="top", text="awaiting labels", showarrow=False,
            font={"size": 11, "color": t.muted}, row=2, col=1, bgcolor=t.card,
        )  # fmt: skip
    fig.update_xaxes(type="date", range=[start, end + (end - start) * 0.012], tickformat="%-d %b", nticks=9)
    fig.update_xaxes(showline=False, showticklabels=False, row=1, col=1)
    fig.update_xaxes(showline=False, showticklabels=False, row=2, col=1)
    fig.update_yaxes(visible=False, range=[0, 1], row=1, col=1, fixedrange=True)
    fig.update_yaxes(nticks=5, row=2, col=1)
    fig.update_yaxes(nticks=2, row=3, col=1, rangemode="tozero", tickformat="~s")
    fig.update_layout(hovermode="x unified", bargap=0.15, barmode="overlay", showlegend=False, margin={"t": 4, "r": 72})
    return fig


def _draw_line(fig: go.Figure, data: Performance, zone: str, t: Tokens) -> None:
    days = [_noon(point.start, zone) for point in data.points]
    means = [point.trailing for point in data.points]
    value = _short([m.value if m else None for m in means])
    low, high = _short([m.low if m else None for m in means]), _short([m.high if m else None for m in means])
    name = f"last {data.trailing_days} ripe days"
    shown = f"%{{y:.{data.decimals}f}}" + (f" {data.unit}" if data.unit else "")
    for edge, fill in ((low, None), (high, "tonexty")):
        fig.add_scatter(
            x=days, y=edge, mode="lines", line={"width": 0}, fill=fill, fillcolor=t.band, hoverinfo="skip",
            row=2, col=1,
        )  # fmt: skip
    fig.add_scatter(
        x=days, y=_short([point.daily for point in data.points]), mode="markers", name="day alone",
        marker={"size": 3.5, "color": t.context, "opacity": 0.75}, hovertemplate=shown, row=2, col=1,
    )  # fmt: skip
    said = [fmt.interval(a, b, data.decimals, signed=False) for a, b in zip(low, high, strict=True)]
    fig.add_scatter(
        x=days, y=value, mode="lines", name=name, line={"color": t.series[0], "width": 2.2}, text=said,
        hovertemplate=f"{shown} %{{text}}", row=2, col=1,
    )  # fmt: skip


def _draw_limits(fig: go.Figure, data: Performance, t: Tokens) -> None:
    limits = []
    if data.baseline is not None:
        limits.append((data.baseline, f"reference<br>{_number(data.baseline, data)}", t.muted, "dash"))
    if data.bound is not None:
        word = "harm bound<br>" if data.bound_is_harm else "bound<br>"
        colour = t.bad_text if data.bound_is_harm else t.warn_text
        limits.append((data.bound, f"{word}{_number(data.bound, data)}", colour, "dot"))
    upper = max((y for y, *_ in limits), default=0.0)
    for y, text, colour, dash in limits:
        fig.add_hline(y=y, line={"color": colour, "width": 1.3, "dash": dash}, row=2, col=1)
        fig.add_annotation(
            xref="x2 domain", x=1.0, xanchor="left", xshift=4, y=y, yanchor="bottom" if y == upper else "top",
            text=text, showarrow=False, align="left", font={"size": 11, "color": colour}, row=2, col=1,
        )  # fmt: skip


def _draw_counts(fig: go.Figure, data: Performance, zone: str, t: Tokens) -> None:
    days = [_noon(point.start, zone) for point in data.points]
    for name, counts, colour in (
        ("rows", [point.n for point in data.points], t.grid if t.mode == "light" else t.line),
        ("labelled", [point.n_labelled for point in data.points], t.context),
    ):
        fig.add_bar(x=days, y=counts, name=name, marker={"color": colour}, hovertemplate="%{y:,}", row=3, col=1)


def _draw_bands(fig: go.Figure, data: Performance, zone: str, t: Tokens, start: datetime, end: datetime) -> None:
    for number, band in enumerate(data.bands):
        x0 = max(start, _local(band.start, zone))
        x1 = end if band.end is None else min(end, _local(band.end, zone))
        fig.add_shape(
            type="rect", x0=x0, x1=x1, y0=0.0, y1=0.42, fillcolor=t.band if number % 2 == 0 else t.shade, line_width=0,
            row=1, col=1,
        )  # fmt: skip
        if (x1 - x0) >= (end - start) / 25:
            fig.add_annotation(
                x=x0, y=0.2, xanchor="left", xshift=4, text=f"v{band.version}", showarrow=False,
                font={"size": 11, "color": t.ink}, row=1, col=1,
            )  # fmt: skip


def _draw_events(fig: go.Figure, data: Performance, zone: str, t: Tokens, start: datetime) -> None:
    colours = {"alert": t.bad, "retrain": t.primary, "promote": t.good, "rollback": t.warn}
    for kind, (symbol, name) in _EVENTS.items():
        ticks = [tick for tick in data.ticks if tick.kind == kind]
        if ticks:
            fig.add_scatter(
                x=[max(start, _local(tick.at, zone)) for tick in ticks], y=[0.75] * len(ticks), mode="markers",
                name=name, marker={"symbol": symbol, "size": 10, "color": colours[kind]},
                text=[_wrap(tick.text) for tick in ticks], hovertemplate="%{text}<extra></extra>", cliponaxis=False,
                row=1, col=1,
            )  # fmt: skip
            for tick in ticks:
                fig.add_vline(x=_local(tick.at, zone), line={"color": colours[kind], "width": 1, "dash": "dot"},
                              opacity=0.55, row=2, col=1)  # fmt: skip


# --- drift ------------------------------------------------------------------------------------------------------------


def drift_table(data: DriftMap, zone: str) -> pd.DataFrame:
    """One row a column, one number a window (the latest twelve)."""
    shown = range(max(0, len(data.ends) - 12), len(data.ends))
    frame = pd.DataFrame({"Column": [column_name(name) for name in data.columns]})
    for i in shown:
        frame[fmt.day(data.ends[i] - timedelta(hours=1), zone)] = [fmt.psi(row[i]) for row in data.excess]
    return frame


def drift_alt(data: DriftMap) -> str:
    """What the map says, in a sentence."""
    flagged = {name: sum(v in _MOVED for v in row) for name, row in zip(data.columns, data.verdicts, strict=True)}
    named = sorted((name for name, n in flagged.items() if n), key=lambda name: -flagged[name])
    if not named:
        return "No column moved beyond its usual swing."
    said = ", ".join(f"{column_name(n)} in {flagged[n]}" for n in named[:3])
    return f"Beyond their usual swing: {said} of {len(data.ends)} windows."


def drift_figure(data: DriftMap, zone: str, t: Tokens) -> go.Figure:
    """Draw a cell a column and window: blue where it moved beyond its usual swing, grey where it did not."""
    fig = go.Figure()
    days = [_local(end, zone).date() - timedelta(days=1) for end in data.ends]
    steps = {after - before for before, after in itertools.pairwise(days)}
    x: dict[str, Any] = {"x": [f"{one:%Y-%m-%d}" for one in days]}
    if len(steps) == 1:  # said once for all windows, in ms
        x = {"x0": x["x"][0], "dx": steps.pop() / timedelta(milliseconds=1)}
    y = [column_name(name) for name in data.columns]
    z = np.array([[np.nan if v is None else v for v in row] for row in data.excess], dtype=float)
    is_moved = np.array([[v in _MOVED for v in row] for row in data.verdicts])
    if z.size == 0:
        return fig
    peak = float(np.nanmax(z)) if np.isfinite(z).any() else 0.0
    title = "excess PSI" + (f", largest {peak:.1f}" if peak > CAP else "")
    words = np.array([[look(verdict).label for verdict in row] for row in data.verdicts])
    greys = [[0.0, t.grid], [1.0, t.context]]
    blues = [[0.0, t.sequential[3]], [1.0, t.sequential[9] if t.mode == "light" else t.sequential[8]]]
    for moved, scale in ((False, greys), (True, blues)):
        own = (is_moved == moved) & np.isfinite(z)
        kinds = np.unique(words[own])  # a page of ninety days has a thousand cells: one word for all is said once
        text = {"text": np.where(own, words, "")} if len(kinds) > 1 else {}
        said = "%{text}" if text else "".join(kinds)
        fig.add_heatmap(
            **x, y=y, z=np.where(own, z, np.nan).astype("float32"), zmin=0.0, zmax=CAP, colorscale=scale, **text,
            xgap=1, ygap=2, hoverongaps=False, showscale=moved,
            hovertemplate=f"%{{x|%-d %b}}<br><b>%{{y}}</b> excess PSI %{{z:.2f}}<br>{said}<extra></extra>",
            colorbar={"orientation": "h", "y": -0.1, "yanchor": "top", "x": 1, "xanchor": "right", "thickness": 7,
                      "len": 0.5, "tickvals": [0.02 * CAP, CAP / 2, 0.98 * CAP], "tickangle": 0,
                      "ticktext": ["0", f"{CAP / 2:g}", f"{CAP:g}+"],
                      "title": {"text": title, "side": "top", "font": {"size": 11, "color": t.muted}}},
        )  # fmt: skip
    fig.update_yaxes(autorange="reversed", showgrid=False, tickfont={"family": MONO, "size": 11})
    fig.update_xaxes(type="date", tickformat="%-d %b", nticks=7, showline=False)
    fig.update_layout(margin={"b": 58, "r": 12})
    return fig


def drift_height(data: DriftMap) -> int:
    """How high the map must be for its columns, in px."""
    return 106 + 22 * len(data.columns)


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
    names = [column_name(one.name) for one in shown]
    psi = np.array([one.psi or 0.0 for one in shown])
    low = np.array([one.low if one.low is not None else one.psi or 0.0 for one in shown])
    high = np.array([one.high if one.high is not None else one.psi or 0.0 for one in shown])
    fig.add_bar(
        x=psi, y=names, orientation="h", width=0.62,
        marker={"color": [t.moved if one.flagged else t.context for one in shown], "cornerradius": 3},
        error_x={"type": "data", "symmetric": False, "array": np.maximum(high - psi, 0),
                 "arrayminus": np.maximum(psi - low, 0), "color": t.ink, "thickness": 1.2, "width": 3},
        text=[f"{column_name(one.name)}: excess {fmt.psi(one.excess)}, {fmt.metric(one.ratio, 1)} times usual, "
              f"q {fmt.p_value(one.q)}" for one in shown],
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


# --- one column -------------------------------------------------------------------------------------------------------


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
    labels = list(data.labels)
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
        "Missing": f"{fmt.percent(one.missing_reference)} → {fmt.percent(one.missing)}",
        "Out of range": fmt.percent(one.out_of_range),
        "Rows": f"{fmt.whole(data.n_reference)} → {fmt.whole(data.n_live)}",
    }
    if one.kind == "category":
        said["Never seen before"] = fmt.percent(one.unseen)
    if one.reason:
        said["Why"] = one.reason
    return said


def _local(t: datetime, zone: str) -> datetime:
    return t.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _noon(t: datetime, zone: str) -> str:
    return f"{_local(t, zone) + timedelta(hours=12):%Y-%m-%d %H}"  # half the bytes of a whole instant


def _short(values: Sequence[float | None]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """As 32-bit floats (missing = NaN): a chart needs seven digits, and the browser gets a quarter of the bytes."""
    return np.array(values, dtype=np.float32)


def _wrap(text: str, width: int = 60) -> str:
    words, lines = text.replace("<", "‹").split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}"
    return "<br>".join(line.strip() for line in lines)
