"""Gates with their intervals, the forest against the champion, versions, timeline: facts in, HTML and a figure out.

Every mark is placed from the same numbers that are printed beside it. All text that comes from people is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import pandas as pd
import plotly.graph_objects as go

from app.ui.text import explained, in_figure
from app.ui.theme import Tokens, icon_mark
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction, Evidence, sample_words
from mlops_dash.domain.experiments.directions import gain
from mlops_dash.domain.registry.check_gate import NUMBER, OF_RECIPES
from mlops_dash.domain.registry.gates import Gate, Measure
from mlops_dash.domain.registry.live import ALIAS
from mlops_dash.domain.registry.records import Operation, VersionLine
from mlops_dash.domain.registry.steps import steps_of
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.words import GateState, look

ROW = 58  # px of a row of the forest


# --- gates ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Bar:
    """Where interval, value and limit lie on a track, in per cent of its width."""

    low: float
    high: float
    value: float
    limit: float


def bar(measure: Measure) -> Bar | None:
    """The positions of one measure, or None when there is no interval to draw. The limit is always on the track."""
    low, high, value, limit = measure.low, measure.high, measure.value, measure.limit
    if low is None or high is None or value is None or limit is None:
        return None
    left, right = min(low, limit), max(high, limit)
    pad = (right - left) * 0.12 or 1.0
    left, right = left - pad, right + pad

    def place(number: float) -> float:
        return round(100 * (number - left) / (right - left), 2)

    return Bar(place(low), place(high), place(value), place(limit))


def measure_text(measure: Measure, label_unit: str = "", zone: str = "UTC") -> str:
    """What is printed beside the track: "−4.84 min [−5.29, −4.39], limit < 0, 27,004 rows on 31 days"."""
    if measure.metric in OF_RECIPES:
        return _check_text(measure, zone)

    def show(value: float) -> str:
        text = (fmt.delta if measure.difference else fmt.metric)(value, measure.decimals)
        return _with(text, METRICS[measure.metric].unit_of(label_unit))

    parts = []
    if measure.value is not None and measure.metric in METRICS:
        text = show(measure.value)
        if measure.low is not None:
            text += f" {fmt.interval(measure.low, measure.high, measure.decimals, signed=measure.difference)}"
        parts.append(text)
    if measure.limit is not None and measure.metric in METRICS:
        limit = "0" if measure.limit == 0 else show(measure.limit)
        parts.append(f"limit {measure.relation} {limit}")
    if measure.n and measure.n_clusters is not None:
        parts.append(sample_words(measure.n, measure.n_clusters, measure.clusters))
    return ", ".join(parts)


def _check_text(measure: Measure, zone: str) -> str:
    """What a recipe's check said: "41.7 ms, limit ≤ 50 ms, n 200, 30 November, 16:00"."""
    parts = []
    if measure.value is not None and measure.metric == NUMBER:
        parts.append(_with(f"{measure.value:g}", measure.unit))
    elif measure.value is not None:
        parts.append("yes" if measure.value else "no")
    if measure.limit is not None:
        parts.append(_with(f"limit {measure.relation} {measure.limit:g}", measure.unit))
    if measure.n:
        parts.append(f"n {measure.n:,}")
    if measure.measured_at:
        parts.append(fmt.instant(datetime.fromisoformat(measure.measured_at), zone))
    return ", ".join(parts)


def _with(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit and text != fmt.MISSING else text


def gate_html(gate: Gate, t: Tokens, label_unit: str = "", zone: str = "UTC") -> str:
    """One gate: icon, name and word; each of its measures with track and numbers; the reason when it is not open."""
    shown = look(gate.state)
    ink = _text_colour(shown.colour, t)
    rows = "".join(_measure_html(one, t, label_unit, zone) for one in gate.measures)
    said = gate.reason if gate.state is not GateState.PASSED or not _has_numbers(gate) else ""
    reason = f"<p class='gr'>{escape(said)}</p>" if said else ""
    return (
        f"<div class='gate'><div class='gh'><span style='color:{ink}'>{icon_mark(shown.icon)}</span>"
        f"<b>{escape(gate.name[:1].upper() + gate.name[1:])}</b>"
        f"<span class='gs' style='color:{ink}'>{escape(shown.label)}</span></div>{rows}{reason}</div>"
    )


def _has_numbers(gate: Gate) -> bool:
    return any(one.low is not None for one in gate.measures)


def _measure_html(measure: Measure, t: Tokens, label_unit: str, zone: str) -> str:
    if measure.metric not in METRICS and measure.metric not in OF_RECIPES:
        return ""
    shown = look(measure.state)
    colour = t.colour(shown.colour)
    text = measure_text(measure, label_unit, zone)
    name = explained(measure.label)
    if measure.metric in OF_RECIPES:  # several stand in one gate: each says its own state
        sign = f"<span style='color:{_text_colour(shown.colour, t)}'>{icon_mark(shown.icon)}</span>"
        name, text = f"{sign} {escape(measure.label)}", f"{shown.label}: {text}" if text else shown.label
        text += "" if measure.state is GateState.PASSED or not measure.reason else f". {measure.reason}"
    hint = escape(f"{measure.method}; {measure.bound}".strip("; "), quote=True)
    placed = bar(measure)
    track = ""
    if placed is not None:
        track = (
            f"<div class='gt' role='img' aria-label='{escape(measure.label)}: {escape(text)}'>"
            f"<i class='gb' style='left:{placed.low}%;width:{placed.high - placed.low}%;background:{colour}'></i>"
            f"<i class='gv' style='left:{placed.value}%;background:{colour}'></i>"
            f"<i class='gl' style='left:{placed.limit}%'></i></div>"
        )
    return (
        f"<div class='gm' title='{hint}'><span class='gn'>{name}</span>{track}"
        f"<span class='gx num'>{escape(text)}</span></div>"
    )


def _text_colour(name: str, t: Tokens) -> str:
    return {"green": t.good_text, "orange": t.warn_text, "red": t.bad_text, "blue": t.moved_text}.get(
        name, t.violet_text if name == "violet" else t.neutral_text
    )


# --- versions ---------------------------------------------------------------------------------------------------------


def versions(lines: Sequence[VersionLine], zone: str) -> pd.DataFrame:
    """The versions table, one row a version."""
    return pd.DataFrame(
        {
            "Version": [one.version.label for one in lines],
            "Marks": [chips(one) for one in lines],
            "Gates": [one.through.said() for one in lines],
            "Trained on": [_span(one.version.training_start, one.version.training_end, zone) for one in lines],
        }
    )


def chips(line: VersionLine) -> list[str]:
    """What a version is, in chips: its marks in MLflow, and what we know beyond."""
    found = [one for one in line.aliases if one != line.mark or line.is_champion]
    if line.is_champion and "champion" not in found:
        found.insert(0, "champion")
    if line.mark and line.mark in line.aliases and not line.is_champion:
        found.append(f"{line.mark_kind} moved")
    if line.is_shadow:
        found.append("shadow")
    if line.was_rolled_back and not line.is_champion:
        found.append("rolled back")
    if line.proposal is not None:
        found.append("proposed")
    return found


def _span(start: datetime | None, end: datetime | None, zone: str) -> str:
    return fmt.MISSING if start is None or end is None else fmt.period(start, end, zone)


# --- forest -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Branch:
    """One metric of the forest: improvement on a scale of its own, zero in the middle; `text` has the raw numbers."""

    metric: str
    label: str
    text: str
    value: float
    low: float
    high: float
    verdict: str  # better | worse | unclear
    end: str  # how much better or worse the ends of its scale are: "5.29 min"


def branches(comparisons: Sequence[Evidence], label_unit: str = "") -> tuple[Branch, ...]:
    """Improvements, each divided by its own largest end, so that small and large metrics can both be read."""
    found = []
    for one in comparisons:
        if one.value is None or one.low is None or one.high is None:
            continue
        metric = METRICS[one.metric]
        if metric.direction is Direction.ZERO:
            continue  # a difference of biases has no better side: the forest shows improvements
        sign = gain(1.0, 0.0, metric.direction)
        scale = max(abs(one.low), abs(one.high)) or 1.0
        low, high = sorted((sign * one.low / scale, sign * one.high / scale))
        verdict = "better" if low > 0 else "worse" if high < 0 else "unclear"
        unit, places = metric.unit_of(label_unit), metric.decimals
        numbers = f"{_with(fmt.delta(one.value, places), unit)} {fmt.interval(one.low, one.high, places)}"
        end = _with(fmt.metric(scale, places), unit)
        found.append(Branch(one.metric, metric.label, numbers, sign * one.value / scale, low, high, verdict, end))
    return tuple(found)


def forest(rows: Sequence[Branch], t: Tokens, *, candidate: str, champion: str) -> go.Figure:
    """Interval and point of each metric; right of the line the candidate is better."""
    look_of = {"better": (t.good, "diamond"), "worse": (t.bad, "triangle-left"), "unclear": (t.context, "circle-open")}
    fig = go.Figure()
    for number, one in enumerate(rows):
        colour, symbol = look_of[one.verdict]
        label, said = in_figure(one.label), in_figure(one.text)
        hover = f"{label}<br>{candidate} − {champion}: {said}<extra></extra>"
        fig.add_shape(type="line", x0=-1, x1=1, y0=number, y1=number, line_color=t.line, line_width=1, layer="below")
        for side, anchor in ((-1, "left"), (1, "right")):  # each metric has a scale of its own: its ends are said
            fig.add_annotation(
                x=side, y=number, yshift=-17, text=in_figure(one.end), xanchor=anchor, showarrow=False,
                font={"size": 10, "color": t.muted},
            )  # fmt: skip
        fig.add_scatter(
            x=[one.low, one.high], y=[number, number], mode="lines", line={"width": 3, "color": colour},
            hovertemplate=hover, showlegend=False,
        )  # fmt: skip
        fig.add_scatter(
            x=[one.value], y=[number], mode="markers", hovertemplate=hover, showlegend=False,
            marker={"size": 12, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
        )  # fmt: skip
    labels = [
        f"<b>{in_figure(one.label)}</b><br><span style='color:{t.muted}'>{in_figure(one.text)}</span>" for one in rows
    ]
    fig.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=labels, range=[len(rows) - 0.5, -0.5], showgrid=False,
        tickfont={"size": 12, "color": t.ink},
    )  # fmt: skip
    fig.update_xaxes(range=[-1.15, 1.15], showticklabels=False, showline=False, showgrid=False, fixedrange=True)
    fig.update_xaxes(title={"text": f"← {champion} better   ·   {candidate} better →"})
    fig.add_vline(x=0, line={"color": t.context, "width": 1.5})
    return fig.update_layout(margin={"l": 0, "r": 8, "t": 4, "b": 30}, hovermode="closest")


def forest_height(rows: Sequence[Branch]) -> int:
    """Pixels for that many metrics."""
    return 46 + ROW * max(len(rows), 1)


def forest_alt(rows: Sequence[Branch], *, candidate: str, champion: str) -> str:
    """What the forest says."""
    said = [f"{one.label} {one.verdict} ({one.text})" for one in rows]
    return f"{candidate} against {champion}: " + "; ".join(said)


def forest_table(found: Sequence[Evidence], *, candidate: str, champion: str, label_unit: str = "") -> pd.DataFrame:
    """The numbers behind the forest."""
    known = [(one, METRICS[one.metric]) for one in found]
    return pd.DataFrame(
        {
            "Metric": [metric.named(label_unit) for _, metric in known],
            candidate: [fmt.metric(one.details.get("candidate"), metric.decimals) for one, metric in known],
            champion: [fmt.metric(one.details.get("champion"), metric.decimals) for one, metric in known],
            "Difference": [fmt.delta(one.value, metric.decimals) for one, metric in known],
            "Interval": [fmt.interval(one.low, one.high, metric.decimals) for one, metric in known],
            "Sample": [sample_words(one.n, one.n_clusters, one.clusters) for one in found],
            "Note": [one.reason for one in found],
        }
    )


# --- progress ---------------------------------------------------------------------------------------------------------


def progress_html(operation: Operation, zone: str, *, elsewhere: bool = False, mark: str = ALIAS) -> str:
    """Decided, mark moved, delivered, confirmed: which are reached, and when; `elsewhere` delivers nothing.

    `mark` is alias, stage or tag; with none nothing is moved in MLflow.
    """
    cells = []
    for label, moment in steps_of(operation, mark=mark, elsewhere=elsewhere):
        reached = moment is not None
        icon = "check_circle" if reached else "radio_button_unchecked"
        when = fmt.instant(moment, zone) if reached else "not yet"
        sign = f"<span class='pi'>{icon_mark(icon)}</span>"
        cells.append(f"<li class='{'on' if reached else ''}'>{sign}<b>{label}</b><span>{escape(when)}</span></li>")
    return f"<ol class='steps'>{''.join(cells)}</ol>"
