"""Curves of metrics beside the runs table: over steps, wall time or epochs, smoothed, with the band of repeats."""

from __future__ import annotations

import streamlit as st

from app.charts.experiments import curves as charts
from app.charts.experiments.table import decimals
from app.parts.experiments import pieces as parts
from app.parts.experiments import url
from app.shell import session
from app.ui import live, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.pictures import FEW_CURVES, MOST_CURVES, Axis, Band, CurveGaps
from mlops_dash.domain.experiments.room import ExperimentRoom, column

_AXES = {"step": "Step", "time": "Wall time", "epoch": "Epoch"}
_SMOOTH = {"Off": "Not smoothed", "Light": "Smoothed", "Strong": "Smoothed more"}
_BANDS = {"range": "Range", "sd": "Mean ± sd"}
_TICK_SECONDS = 2
_MANY = ("", "12", "25", "50", "100")


def curves(frame: Frame, room: ExperimentRoom) -> None:
    """Draw them."""
    lines = parts.told_apart(room.curves, frame.services.experiments.versions(frame.actor))
    metric = room.curve_metric
    smoothing = session.param("smooth") if session.param("smooth") in url.SMOOTHING else "Off"
    n = sum(len(one.run_ids) for one in lines)
    said = parts.which(room, n)
    if room.query.grouped and not len(room.tray):
        every = len(room.groups.members) if room.groups is not None else len(lines)
        said = f"The first {len(lines)} of {fmt.plural(every, 'configuration')}" if len(lines) < every else (
            f"All {fmt.plural(every, 'configuration')}")  # fmt: skip
    if room.query.grouped:
        said += "; mean and range of the repeats" if room.query.band is Band.RANGE else "; mean ± sd of the repeats"
    if room.query.smoothing:
        said += f"; {smoothing.lower()} smoothing"
    digits = decimals(room.matching.metrics[metric].to_numpy()) if metric else 3
    apart = room.n_judged_on > 1 if room.comparable is None else room.comparable.state == "no"
    judged = None if apart else column(f"metrics.{metric}", room.query)  # on other rows nobody ends best
    finding = charts.curves_finding(lines, judged, parts.short(metric, 40), digits)
    if room.curve_gaps.why and not lines:
        finding = f"The curves of {parts.short(metric, 40)} cannot be read now"
    parts.head("curves", finding, said if lines else "")
    _controls(room, smoothing)
    if not lines:
        why = f"None of these runs logged {metric or 'a metric'}"
        if room.query.axis is Axis.EPOCH:
            why += f" together with {room.epoch_metric}" if room.epoch_metric else "; no metric says the epoch"
        if room.curve_gaps.unread and not room.curve_gaps.why:
            _reading(frame, room.curve_gaps)
            return
        widgets.empty("show_chart", "No curve", room.curve_gaps.why or f"{why}.", key="curves")
        return
    places = parts.slots(room)
    own = [next((places[one] for one in line.run_ids if one in places), at) for at, line in enumerate(lines)]
    figure = charts.curves(lines, frame.tokens, metric=metric, axis=room.query.axis, slots=own,
                           best=None if judged is None else charts.best_of(lines, judged))  # fmt: skip
    named = len(lines) if len(lines) <= charts.MOST_NAMED else 0
    widgets.chart(figure, picture=True, key="curves", height=parts.height() + 18 * named, alt=f"{finding}; {said}.")
    _notes(room, n)
    if room.curve_gaps.unread and not room.curve_gaps.why:
        _reading(frame, room.curve_gaps)
    widgets.as_table(charts.curves_table(lines), key="curves")


def _controls(room: ExperimentRoom, smoothing: str) -> None:
    metrics = parts.metric_names(room)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="curve-controls"):
        if metrics:
            parts.pick("Metric", "m-pick", metrics, room.curve_metric or metrics[0], "m", width=180)
        axes = ["step", "time"] + (["epoch"] if room.epoch_metric or room.query.axis is Axis.EPOCH else [])
        parts.pick("Along", "x-pick", axes, str(room.query.axis), "x", words=_AXES, width=110)
        parts.pick("Smoothing", "smooth-pick", list(url.SMOOTHING), smoothing, "smooth", words=_SMOOTH, width=135)
        if room.query.grouped:
            parts.pick("Band", "band-pick", list(_BANDS), str(room.query.band), "band", words=_BANDS, width=110)
        if not len(room.tray) and len(room.matching) > FEW_CURVES:
            few = {"": f"First {FEW_CURVES}", **{one: f"First {one}" for one in _MANY[1:]}}
            now = session.param("n") if session.param("n") in _MANY else ""
            parts.pick("How many", "n-pick", list(_MANY), now, "n", words=few, width=105)


@live.ticking(_TICK_SECONDS)
def _reading(frame: Frame, gaps: CurveGaps) -> None:
    """Reads on, a few at a time; the curves are drawn anew when all are there, or cannot be."""
    left = frame.services.experiments.unread_curves(frame.actor, gaps.unread, gaps.metrics)
    if not left:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="reading-curves"):
        st.badge("Reading", icon=widgets.icon("sync"), color="blue")
        widgets.note(f"The curves of {gaps.of - left} of {fmt.plural(gaps.of, 'run')} are there.")


def _notes(room: ExperimentRoom, n: int) -> None:
    lines, metric = room.curves, room.curve_metric
    bad = sum(one.n_bad for one in lines)
    single = sum(len(one.x) == 1 for one in lines)
    said = [f"{fmt.plural(bad, 'point')} NaN or infinite, shown as gaps"] if bad else []
    if single:
        said.append(f"{fmt.plural(single, 'run')} logged {parts.short(metric)} once: a point, no curve")
    gaps = room.curve_gaps
    if gaps.why:
        said.append(f"{fmt.plural(len(gaps.unread), 'run')} of {gaps.of} could not be read: {gaps.why}")
    lost = len(room.tray) - n - len(gaps.unread)
    if len(room.tray) and lost > 0:
        said.append(f"{fmt.plural(lost, 'run')} of the comparison without {parts.short(metric)}")
    most = charts.most_points(len(lines))
    if any(len(one.x) > most for one in lines):
        said.append(f"of each line at most {most:,} points are drawn: the lowest and highest of every stretch")
    if len(lines) > charts.MOST_NAMED:
        said.append("the line that ends best is coloured; point at the others for their names")
    if len(lines) == MOST_CURVES:
        said.append(f"at most {MOST_CURVES} lines")
    parts.notes(said)
