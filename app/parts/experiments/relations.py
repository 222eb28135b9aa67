"""How runs relate to their parameters: parallel coordinates, scatter, contour, boxes."""

from __future__ import annotations

import streamlit as st

from app.charts.experiments import box as run_box
from app.charts.experiments import contour as run_contour
from app.charts.experiments import relations as charts
from app.parts.experiments import pieces as parts
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.groups import REPLICATE_KEYS
from mlops_dash.domain.experiments.room import MOST_LINES, Column, ExperimentRoom, column


def parallel(frame: Frame, room: ExperimentRoom) -> None:
    """Every run as a line across parameters and metrics."""
    places = parts.slots(room)
    shown = charts.parallel(room, [one for one in room.columns if one.key.lower() not in REPLICATE_KEYS])
    primary = room.primary
    said = f"{fmt.plural(shown.n_drawn, 'run')} of the table"
    if len(room.tray):
        said += "; those of the comparison in their colours"
    elif primary is not None:
        stronger = "stronger colour is better" if primary.direction is not None else "stronger colour is higher"
        said += f"; {stronger} {parts.short(primary.key)}"
    parts.head("parallel", charts.parallel_finding(room), said)
    if len(shown.axes) < 2 or not shown.n_drawn:
        widgets.empty("stacked_line_chart", "Too little differs", "Parallel coordinates need two columns in which "
                      "these runs differ. Choose others under Columns.", key="parallel")  # fmt: skip
        return
    widgets.chart(charts.parallel_figure(shown, frame.tokens, primary, places), picture=True, key="parallel",
                  height=parts.height() + 40, alt=f"{charts.parallel_finding(room)}; {said}.")  # fmt: skip
    notes = [f"{fmt.plural(shown.lacking, 'run')} lacking a value on an axis not drawn"] if shown.lacking else []
    if len(room.pictured) >= MOST_LINES:
        notes.append(f"the first {MOST_LINES:,} of {fmt.whole(len(room.matching))} in the order of the table")
    parts.notes(notes)
    widgets.as_table(charts.runs_table(room), key="parallel")


def scatter(frame: Frame, room: ExperimentRoom) -> None:
    """One metric over a parameter or another metric."""
    axes, metrics = parts.axis_columns(room), parts.metric_names(room)
    if not metrics or len(axes) < 2:
        widgets.empty("scatter_plot", "Too few columns", "A scatter needs a metric and one more column.", key="scatter")
        return
    y = column(f"metrics.{_metric(metrics)}", room.query)
    others = [one for one in axes if one != y.name]
    x: Column = axes[_asked("at", others)]
    lacking = charts.lacking(room, x, y)
    finding = charts.scatter_finding(room, x, y)
    said = f"{fmt.plural(len(room.matching) - lacking, 'run')} in the table; those of the comparison in colour"
    parts.head("scatter", finding, said)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="scatter-controls"):
        parts.pick("Vertical", "y-pick", metrics, y.key, "m", width=190)
        parts.pick("Horizontal", "at-pick", others, x.name, "at", words=parts.axis_words(axes), width=190)
    figure = charts.scatter(room, frame.tokens, x=x, y=y, slots=parts.slots(room))
    widgets.chart(figure, picture=True, key="scatter", height=parts.height() + 18 * len(room.tray), alt=f"{finding}.")
    notes = [f"{fmt.plural(lacking, 'run')} without a finite value here: no point"] if lacking else []
    if len(room.matching) > charts.MOST_DOTS:
        notes.append(f"at most {charts.MOST_DOTS:,} points are drawn, evenly; the correlation is of all runs")
    parts.notes(notes)
    widgets.as_table(charts.runs_table(room, (x, y)), key="scatter")


def contour(frame: Frame, room: ExperimentRoom) -> None:
    """One metric over two numbers."""
    metrics = parts.metric_names(room)
    axes = run_contour.numeric(room, parts.axis_columns(room))
    z = _metric(metrics) if metrics else ""
    others = [one for one in axes if one != f"metrics.{z}"]
    if not z or len(others) < 2:
        parts.head("contour", "Nothing to draw a contour of", "")
        widgets.empty("landscape", "Too few numbers", "A contour needs a metric and two parameters or metrics that are "
                      "numbers and differ between these runs.", key="contour")  # fmt: skip
        return
    x = _asked("at", others)
    y = _asked("vs", [one for one in others if one != x])
    found = run_contour.cells(room, axes[x], axes[y], column(f"metrics.{z}", room.query))
    finding = run_contour.finding(found)
    said = (
        f"{fmt.plural(found.n, 'run')} in {fmt.plural(found.n_filled, 'cell')}; the colour is the mean of a cell's runs"
    )
    parts.head("contour", finding, said)
    words = parts.axis_words(axes)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="contour-controls"):
        parts.pick("Colour", "z-pick", metrics, z, "m", width=160)
        parts.pick("Horizontal", "cx-pick", others, x, "at", words=words, width=150)
        parts.pick("Vertical", "cy-pick", [one for one in others if one != x], y, "vs", words=words, width=150)
    if not found.n:
        widgets.empty("landscape", "No run has all three", "None of the matching runs has a finite value of the metric "
                      "on both axes.", key="contour")  # fmt: skip
        return
    widgets.chart(run_contour.figure(found, frame.tokens), picture=True, key="contour", height=parts.height() + 20,
                  alt=f"{finding}; {said}.")  # fmt: skip
    notes = [f"{fmt.plural(found.n_bad, 'run')} without a finite value here: in no cell"] if found.n_bad else []
    notes.append("cells without a run are empty; between cells the colour is read off by straight lines")
    parts.notes(notes)
    widgets.as_table(run_contour.table(found), key="contour")


def box(frame: Frame, room: ExperimentRoom) -> None:
    """One metric by the values of a parameter."""
    metrics, params = parts.metric_names(room), parts.parameter_columns(room)
    if not metrics or not params:
        parts.head("box", "Nothing to draw boxes of", "")
        widgets.empty("candlestick_chart", "No parameter differs", "Boxes need a metric and a parameter in which these "
                      "runs differ.", key="box")  # fmt: skip
        return
    y, by = column(f"metrics.{_metric(metrics)}", room.query), params[_asked("by", list(params))]
    found = run_box.boxes(room, by, y)
    finding = run_box.finding(found)
    n = sum(one.n for one in found.groups)
    said = f"{fmt.plural(n, 'run')}; box: quartiles and median, whiskers: to 1.5 × the box, points beyond"
    parts.head("box", finding, said)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="box-controls"):
        parts.pick("Metric", "bm-pick", metrics, y.key, "m", width=190)
        parts.pick("By", "by-pick", list(params), by.name, "by", words=parts.axis_words(params), width=190)
    if not n:
        widgets.empty("candlestick_chart", "No value to draw", f"No matching run has a finite {parts.short(y.key)}.",
                      key="box")  # fmt: skip
        return
    widgets.chart(
        run_box.figure(found, frame.tokens),
        picture=True,
        key="box",
        height=parts.height() + 20,
        alt=f"{finding}; {said}.",
    )
    parts.notes(run_box.notes(found))
    widgets.as_table(run_box.table(found), key="box")


def _metric(metrics: list[str]) -> str:
    return session.param("m") if session.param("m") in metrics else metrics[0]


def _asked(name: str, options: list[str]) -> str:
    return session.param(name) if session.param(name) in options else options[0]
