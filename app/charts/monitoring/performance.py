"""Performance over time against its reference: line with interval, single days, counts, bands and events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import groupby

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.charts.monitoring.estimated import draw_estimated
from app.charts.monitoring.pieces import begin, local, middle, short, wrap
from app.ui.theme import Tokens
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.monitoring.label_free import EstimatedView
from mlops_dash.domain.monitoring.room import WINDOWS, MonitoringRoom, Performance, Point
from mlops_dash.domain.words import plain_first

_EVENTS = {"alert": ("triangle-down", "Alert"), "retrain": ("diamond", "Retrain"),
           "promote": ("triangle-up", "Promotion"), "rollback": ("triangle-left", "Rollback")}  # fmt: skip


def metric_name(data: Performance) -> str:
    """The metric in plain words, then its term with the unit of its numbers: `Distance from the truth: MAE (min)`."""
    named = f"{data.label} ({data.unit})" if data.unit else data.label
    return plain_first(data.metric, named, data.positive)


def _number(value: float | None, data: Performance) -> str:
    return fmt.metric(value, data.decimals) + (f" {data.unit}" if data.unit and value is not None else "")


def performance_table(data: Performance, zone: str) -> pd.DataFrame:
    """One row a window."""
    rows = []
    several = len(data.limits) > 1
    again = {point.start: point for point in data.replayed}
    replayed = f"v{data.replayed[0].version} replayed, not live" if again else ""
    for point in reversed(data.points):
        mean, other = point.trailing, again.get(point.start)
        rows.append(
            {
                data.window.capitalize(): begin(point.start, zone, data.window),
                **({"Version": f"v{point.version}"} if several else {}),
                f"{data.window.capitalize()} alone": _number(point.daily, data),
                f"Last {data.trailing_days} ripe {plural_of(data.window)}": _number(mean.value if mean else None, data),
                "95 % interval": (
                    fmt.interval(mean.low, mean.high, data.decimals, signed=False) if mean else fmt.MISSING
                ),
                **({replayed: _number(_mean_of(other), data)} if again else {}),
                "Rows": fmt.whole(point.n),
                "Labelled": fmt.whole(point.n_labelled),
                "State": "ripe" if point.ripe else "awaiting labels",
            }
        )
    return pd.DataFrame(rows)


def _mean_of(point: Point | None) -> float | None:
    return None if point is None or point.trailing is None else point.trailing.value


def performance_alt(data: Performance) -> str:
    """What the chart says, in a sentence."""
    point = data.last
    last = None if point is None else point.trailing
    if point is None or last is None or last.value is None:
        return f"{data.label}: no ripe labels yet."
    change = None if data.baseline is None else fmt.delta(last.value - data.baseline, data.decimals)
    gap = "" if change is None else f", {change} against its reference"
    beyond = data.bound is not None and (last.value < data.bound if data.higher_is_better else last.value > data.bound)
    said = (
        "" if data.bound is None else f" and {'beyond' if beyond else 'within'} its bound {_number(data.bound, data)}"
    )
    whose = f" of v{point.version}" if len(data.limits) > 1 else ""
    over = f"over the last {last.n_days} ripe {plural_of(data.window)}"
    return f"{data.label}{whose} {over} is {_number(last.value, data)}{gap}{said}.{_replayed_alt(data)}"


def _replayed_alt(data: Performance) -> str:
    """Where the replayed line ends, in a sentence; "" without one."""
    known = [point for point in data.replayed if _mean_of(point) is not None]
    if not known:
        return ""
    return (
        f" v{known[-1].version}, replayed on the same days and not live, ends at {_number(_mean_of(known[-1]), data)}."
    )


def began(data: Performance, room: MonitoringRoom) -> str:
    """Why the chart shows fewer days than were asked for; "" when it shows them all."""
    first = data.points[0].start
    if (data.points[-1].end - first).days >= WINDOWS[room.window] - 1:
        return ""
    return f" The first judged {data.window} is {begin(first, room.zone, data.window)}."


def apart(data: Performance) -> str:
    """That versions are judged apart, and which line is which; "" while there is one."""
    dashed = " Dashed: the version in service, while another one served." if data.silent else ""
    if data.replayed:
        dashed += f" Amber: v{data.replayed[0].version} replayed on these days afterwards, not live."
    return dashed if len(data.limits) < 2 else f" Each version is compared with its own reference.{dashed}"


def performance_figure(
    data: Performance, zone: str, t: Tokens, estimated: EstimatedView | None = None
) -> go.Figure:  # fmt: skip
    """Draw events and version bands on top, the metric with interval, reference and bound, and rows below."""
    fig = make_subplots(rows=3, cols=1, shared_xaxes=True, row_heights=[0.11, 0.69, 0.2], vertical_spacing=0.03)
    end = local(data.points[-1].end, zone)
    start = local(data.points[0].start, zone)
    _draw_bands(fig, data, zone, t, start, end)
    _draw_events(fig, data, zone, t, start)
    if estimated is not None and estimated.metric == data.metric:
        draw_estimated(fig, data, estimated, zone, t)
    _draw_line(fig, data, zone, t)
    _draw_limits(fig, data, zone, t, end)
    _draw_counts(fig, data, zone, t)
    if data.awaiting_from is not None:
        for row in (2, 3):
            fig.add_vrect(x0=local(data.awaiting_from, zone), x1=end, fillcolor=t.shade, line_width=0, layer="below",
                          row=row, col=1)  # fmt: skip
        fig.add_annotation(
            x=end, y=1, yref="y2 domain", xanchor="right", yanchor="top", text="awaiting labels", showarrow=False,
            font={"size": 11, "color": t.muted}, row=2, col=1, bgcolor=t.card,
        )  # fmt: skip
    ticks = "%H:%M<br>%-d %b" if data.window == "hour" and end - start <= timedelta(days=3) else "%-d %b"
    fig.update_xaxes(type="date", range=[start, end + (end - start) * 0.012], tickformat=ticks, nticks=9, tickangle=0)
    fig.update_xaxes(showline=False, showticklabels=False, row=1, col=1)
    fig.update_xaxes(showline=False, showticklabels=False, row=2, col=1)
    fig.update_yaxes(visible=False, range=[0, 1], row=1, col=1, fixedrange=True)
    fig.update_yaxes(nticks=5, row=2, col=1)
    fig.update_yaxes(nticks=2, row=3, col=1, rangemode="tozero", tickformat="~s")
    fig.update_layout(hovermode="x unified", bargap=0.15, barmode="overlay", showlegend=False, margin={"t": 4, "r": 72})
    return fig


def _draw_line(fig: go.Figure, data: Performance, zone: str, t: Tokens) -> None:
    days = [middle(point.start, zone, data.window) for point in data.points]
    shown = f"%{{y:.{data.decimals}f}}" + (f" {data.unit}" if data.unit else "")
    fig.add_scatter(
        x=days, y=short([point.daily for point in data.points]), mode="markers", name=f"{data.window} alone",
        marker={"size": 3.5, "color": t.context, "opacity": 0.75}, hovertemplate=shown, row=2, col=1,
    )  # fmt: skip
    for _, run in groupby(data.points, key=lambda point: point.version):  # a line never joins two versions
        _draw_mean(fig, data, list(run), zone, t, shown)
    known = [point for point in data.silent if point.trailing is not None]
    if known:
        fig.add_scatter(
            x=[middle(point.start, zone, data.window) for point in known], mode="lines+text", hovertemplate=shown,
            text=[*[""] * (len(known) - 1), f"v{known[-1].version}"], textposition="top left",
            textfont={"size": 11, "color": t.muted},
            y=short([None if point.trailing is None else point.trailing.value for point in known]),
            name=f"v{known[0].version}, silently", line={"color": t.muted, "width": 1.6, "dash": "dash"},
            row=2, col=1,
        )  # fmt: skip
    _draw_replayed(fig, data, zone, t, shown)


def _draw_replayed(fig: go.Figure, data: Performance, zone: str, t: Tokens, shown: str) -> None:
    """Draw what the version in service answers to rows of before, in a line of its own that nobody takes for live."""
    known = [point for point in data.replayed if _mean_of(point) is not None]
    if not known:
        return
    version = known[-1].version
    fig.add_scatter(
        x=[middle(point.start, zone, data.window) for point in known], y=short([_mean_of(point) for point in known]),
        mode="lines+markers+text", text=[*[""] * (len(known) - 1), f"v{version} replayed"], textposition="top left",
        textfont={"size": 11, "color": t.warn_text}, hovertemplate=shown, name=f"v{version} replayed, not live",
        line={"color": t.warn, "width": 1.8, "dash": "dashdot"},
        marker={"symbol": "circle-open", "size": 4, "color": t.warn}, row=2, col=1,
    )  # fmt: skip


def _draw_mean(fig: go.Figure, data: Performance, points: Sequence[Point], zone: str, t: Tokens, shown: str) -> None:
    days, means = [middle(point.start, zone, data.window) for point in points], [point.trailing for point in points]
    value = short([m.value if m else None for m in means])
    low, high = short([m.low if m else None for m in means]), short([m.high if m else None for m in means])
    name = f"last {data.trailing_days} ripe {plural_of(data.window)}" + (
        f", v{points[0].version}" if len(data.limits) > 1 else ""
    )
    for edge, fill in ((low, None), (high, "tonexty")):
        fig.add_scatter(
            x=days, y=edge, mode="lines", line={"width": 0}, fill=fill, fillcolor=t.band, hoverinfo="skip",
            row=2, col=1,
        )  # fmt: skip
    said = [fmt.interval(a, b, data.decimals, signed=False) for a, b in zip(low, high, strict=True)]
    fig.add_scatter(
        x=days, y=value, mode="lines", name=name, line={"color": t.series[0], "width": 2.2}, text=said,
        hovertemplate=f"{shown} %{{text}}", row=2, col=1,
    )  # fmt: skip


def _draw_limits(fig: go.Figure, data: Performance, zone: str, t: Tokens, end: datetime) -> None:
    """Draw the reference and the bound of every version along its own days; the last ones are named at the edge."""
    word, colour = ("harm bound", t.bad_text) if data.bound_is_harm else ("bound", t.warn_text)
    for limits in data.limits:
        is_last = limits is data.limits[-1]
        x0, x1 = local(limits.start, zone), end if is_last else local(limits.end, zone)
        both = ((limits.baseline, "reference", t.muted, "dash"), (limits.bound, word, colour, "dot"))
        lines = [(y, name, shade, dash) for y, name, shade, dash in both if y is not None]
        for y, _, shade, dash in lines:
            fig.add_shape(type="line", x0=x0, x1=x1, y0=y, y1=y, line={"color": shade, "width": 1.3, "dash": dash},
                          row=2, col=1)  # fmt: skip
        if is_last:
            _name_limits(fig, [(y, f"{name}<br>{_number(y, data)}", shade) for y, name, shade, _ in lines])


def _name_limits(fig: go.Figure, lines: Sequence[tuple[float, str, str]]) -> None:
    upper = max((y for y, *_ in lines), default=0.0)
    for y, text, colour in lines:
        fig.add_annotation(
            xref="x2 domain", x=1.0, xanchor="left", xshift=4, y=y, yanchor="bottom" if y == upper else "top",
            text=text, showarrow=False, align="left", font={"size": 11, "color": colour}, row=2, col=1,
        )  # fmt: skip


def _draw_counts(fig: go.Figure, data: Performance, zone: str, t: Tokens) -> None:
    days = [middle(point.start, zone, data.window) for point in data.points]
    for name, counts, colour in (
        ("rows", [point.n for point in data.points], t.grid if t.mode == "light" else t.line),
        ("labelled", [point.n_labelled for point in data.points], t.context),
    ):
        fig.add_bar(x=days, y=counts, name=name, marker={"color": colour}, hovertemplate="%{y:,}", row=3, col=1)


def _draw_bands(fig: go.Figure, data: Performance, zone: str, t: Tokens, start: datetime, end: datetime) -> None:
    for number, band in enumerate(data.bands):
        x0 = max(start, local(band.start, zone))
        x1 = end if band.end is None else min(end, local(band.end, zone))
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
                x=[max(start, local(tick.at, zone)) for tick in ticks], y=[0.75] * len(ticks), mode="markers",
                name=name, marker={"symbol": symbol, "size": 10, "color": colours[kind]},
                text=[wrap(tick.text) for tick in ticks], hovertemplate="%{text}<extra></extra>", cliponaxis=False,
                row=1, col=1,
            )  # fmt: skip
            for tick in ticks:
                fig.add_vline(x=local(tick.at, zone), line={"color": colours[kind], "width": 1, "dash": "dot"},
                              opacity=0.55, row=2, col=1)  # fmt: skip
