"""Beside the runs table: curves, parallel coordinates, scatter, differences. Only the open tab is drawn."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app import format as fmt
from app import runs_url as url
from app import session, widgets
from app.charts import experiments as charts
from app.charts import run_differences as differences
from app.charts.runs_table import decimals
from app.frame import Frame
from mlops_dash.domain.experiments import MOST_LINES, Column, ExperimentRoom, Picture, column
from mlops_dash.domain.run_groups import REPLICATE_KEYS

_HEIGHT = 340
_VERDICTS: dict[str, tuple[str, str, Any]] = {
    "yes": ("check_circle", "Comparable", "green"),
    "no": ("cancel", "Not comparable", "red"),
    "cannot_tell": ("help", "Cannot tell", "gray"),
}


def panel(frame: Frame, room: ExperimentRoom) -> None:
    """The tabs with the open one drawn."""
    with st.container(border=True, key="card-pictures", gap="small"):
        tabs = st.tabs(list(url.PICTURES), key="tab", bind="query-params", on_change="rerun")
        draw = {
            Picture.CURVES: _curves, Picture.PARALLEL: _parallel, Picture.SCATTER: _scatter,
            Picture.DIFFERENCES: _differences,
        }  # fmt: skip
        with tabs[list(url.PICTURES.values()).index(room.query.picture)]:
            _comparable(room)
            if not len(room.pictured):
                widgets.empty("query_stats", "Nothing to draw", "No run matches the filter.", key="pictures")
                return
            draw[room.query.picture](frame, room)


def _comparable(room: ExperimentRoom) -> None:
    said = room.comparable
    if said is None:
        return
    icon, word, colour = _VERDICTS[said.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="comparable"):
        st.badge(word, icon=widgets.icon(icon), color=colour)
        widgets.note(said.sentence)


def slots(room: ExperimentRoom) -> dict[str, int]:
    """The place of each run of the tray in the palette, the same in table and charts; repeats share one in groups."""
    if not room.query.grouped:
        return {run_id: at for at, run_id in enumerate(room.tray.ids)}
    places = room.runs.places(room.tray.ids)
    codes = list(dict.fromkeys(int(room.grouping.codes[at]) for at in places))
    return {run_id: codes.index(int(room.grouping.codes[at])) for run_id, at in zip(room.tray.ids, places, strict=True)}


def _which(room: ExperimentRoom, shown: int, what: str = "run") -> str:
    if len(room.tray):
        return f"The {fmt.plural(shown, what)} of the comparison" if shown != 1 else f"The one {what} of the comparison"
    if shown < len(room.matching):
        return f"The first {shown:,} of {fmt.plural(len(room.matching), what)}; tick runs to choose"
    return f"All {fmt.plural(shown, what)} in the table"


def _head(key: str, title: str, sub: str) -> None:
    with st.container(key=f"ch-{key}"):
        st.html(f"<div class='ch'><h2>{_safe(title)}</h2><p>{_safe(sub)}</p></div>")


def _notes(said: list[str]) -> None:
    text = "; ".join(said)
    if text:
        widgets.note(f"{text[0].upper()}{text[1:]}.")


def _safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _pick(label: str, key: str, options: list[str], current: str, name: str, *, width: int = 170) -> None:
    """A selectbox whose value is a URL parameter; the first option leaves the URL clean."""
    session.put(key, current)

    def changed() -> None:
        chosen = session.get(key)
        url.set_word(name, "" if chosen == options[0] else chosen)

    st.selectbox(label, options, key=key, on_change=changed, label_visibility="collapsed", width=width)


def _curves(frame: Frame, room: ExperimentRoom) -> None:
    metrics = list(
        dict.fromkeys([*(one.key for one in room.metrics), *(str(one) for one in room.runs.metrics.columns)])
    )
    lines = room.curves
    known = column(f"metrics.{room.curve_metric}", room.query)
    smoothing = session.param("smooth") if session.param("smooth") in url.SMOOTHING else "Off"
    n = sum(len(one.run_ids) for one in lines)
    said = _which(room, n)
    if room.query.grouped:
        said += "; a band is the range of the repeats"
    if room.query.smoothing:
        said += f"; {smoothing.lower()} smoothing"
    digits = decimals(room.matching.metrics[room.curve_metric].to_numpy()) if room.curve_metric else 3
    finding = charts.curves_finding(lines, known, room.curve_metric, digits)
    _head("curves", finding, said if lines else "")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="curve-controls"):
        if metrics:
            _pick("Metric", "m-pick", metrics, room.curve_metric or metrics[0], "m", width=190)
        _pick("Along", "x-pick", ["step", "time"], str(room.query.axis), "x", width=90)
        _pick("Smoothing", "smooth-pick", list(url.SMOOTHING), smoothing, "smooth", width=100)
    if not lines:
        widgets.empty(
            "show_chart", "No curve", f"None of these runs logged {room.curve_metric or 'a metric'}.", key="curves"
        )
        return
    places = slots(room)
    own = [next((places[one] for one in line.run_ids if one in places), at) for at, line in enumerate(lines)]
    figure = charts.curves(lines, frame.tokens, metric=room.curve_metric, axis=room.query.axis, slots=own)
    widgets.chart(figure, key="curves", height=_HEIGHT + 18 * len(lines),
                  alt=f"{finding}; {said}.")  # fmt: skip
    bad = sum(one.n_bad for one in lines)
    single = sum(len(one.x) == 1 for one in lines)
    notes = [f"{fmt.plural(bad, 'point')} NaN or infinite, shown as gaps"] if bad else []
    if single:
        notes.append(f"{fmt.plural(single, 'run')} logged {room.curve_metric} once: a point, no curve")
    lost = len(room.tray) - n
    if len(room.tray) and lost:
        notes.append(f"{fmt.plural(lost, 'run')} of the comparison without {room.curve_metric}")
    _notes(notes)
    widgets.as_table(charts.curves_table(lines), key="curves")


def _parallel(frame: Frame, room: ExperimentRoom) -> None:
    places = slots(room)
    shown = charts.parallel(room, [one for one in room.columns if one.key.lower() not in REPLICATE_KEYS])
    primary = room.primary
    said = f"{fmt.plural(shown.n_drawn, 'run')} of the table"
    if len(room.tray):
        said += "; those of the comparison in their colours"
    elif primary is not None:
        stronger = "stronger colour is better" if primary.direction is not None else "stronger colour is higher"
        said += f"; {stronger} {primary.key}"
    _head("parallel", charts.parallel_finding(room), said)
    if len(shown.axes) < 2 or not shown.n_drawn:
        widgets.empty("stacked_line_chart", "Too little differs", "Parallel coordinates need two columns in which "
                      "these runs differ. Choose others under Columns.", key="parallel")  # fmt: skip
        return
    widgets.chart(charts.parallel_figure(shown, frame.tokens, primary, places), key="parallel", height=_HEIGHT + 40,
                  alt=f"{charts.parallel_finding(room)}; {said}.")  # fmt: skip
    notes = [f"{fmt.plural(shown.lacking, 'run')} lacking a value on an axis not drawn"] if shown.lacking else []
    if len(room.pictured) >= MOST_LINES:
        notes.append(f"the first {MOST_LINES:,} of {fmt.whole(len(room.matching))} in the order of the table")
    _notes(notes)
    widgets.as_table(charts.runs_table(room), key="parallel")


def _scatter(frame: Frame, room: ExperimentRoom) -> None:
    axes = {one.key: one for one in room.columns if one.kind != "tags"}
    metrics = {one.key: one for one in room.metrics}
    if not metrics or len(axes) < 2:
        widgets.empty("scatter_plot", "Too few columns", "A scatter needs a metric and one more column.", key="scatter")
        return
    y = metrics.get(session.param("m"), next(iter(metrics.values())))
    others = [one for one in axes if one != y.key]
    told = [one for one in others if axes[one].kind == "params"] + [one for one in others if axes[one].kind != "params"]
    x: Column = axes[session.param("at") if session.param("at") in others else told[0]]
    lacking = charts.lacking(room, x, y)
    said = f"{fmt.plural(len(room.matching) - lacking, 'run')} in the table; those of the comparison in colour"
    _head("scatter", charts.scatter_finding(room, x, y), said)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="scatter-controls"):
        _pick("Vertical", "y-pick", list(metrics), y.key, "m", width=190)
        _pick("Horizontal", "at-pick", told, x.key, "at", width=190)
    figure = charts.scatter(room, frame.tokens, x=x, y=y, slots=slots(room))
    widgets.chart(
        figure, key="scatter", height=_HEIGHT + 18 * len(room.tray), alt=charts.scatter_finding(room, x, y) + "."
    )
    notes = [f"{fmt.plural(lacking, 'run')} without a finite value here: no point"] if lacking else []
    if len(room.matching) > charts.MOST_DOTS:
        notes.append(f"at most {charts.MOST_DOTS:,} points are drawn, evenly; the correlation is of all runs")
    _notes(notes)
    widgets.as_table(charts.runs_table(room), key="scatter")


def _differences(frame: Frame, room: ExperimentRoom) -> None:
    names = [name or fmt.short(run_id) for run_id, name in
             zip(room.pictured.ids, room.pictured.info["run_name"], strict=True)]  # fmt: skip
    _head("differences", differences.sentence(room.differences), _which(room, len(names)))
    if len(names) < 2:
        widgets.empty("difference", "One run has nothing to differ from", "Tick a second run.", key="differences")
        return
    base = room.pictured.ids.index(room.baseline) if room.baseline in room.pictured.ids else 0
    session.put("eq-pick", session.param("eq") == "1")
    st.toggle("Equal facts too", key="eq-pick", on_change=_equal_too)
    equal_too = session.param("eq") == "1"
    st.html(f"<style>{differences.css(frame.tokens)}</style>")
    st.html(differences.html(room.differences, names, base=base, equal_too=equal_too))
    widgets.as_table(differences.table(room.differences, names), key="differences")


def _equal_too() -> None:
    url.set_word("eq", "1" if session.get("eq-pick") else "")
