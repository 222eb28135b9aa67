"""Monitoring: is the served model still good, since when not, what moved, and what to do now.

Deep links: ?model=&win=&metric=&feature=&at=&end=
"""

from __future__ import annotations

import math
from functools import partial

import streamlit as st

from app.charts.monitoring import columns, drift, performance
from app.parts.monitoring import (
    alerts,
    aside,
    causes,
    classes,
    column,
    estimated,
    reference,
    reliability,
    replay,
    samples,
    slices,
    together,
    volume,
)
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import explained
from mlops_dash.domain import format as fmt
from mlops_dash.domain.cadence import plural_of
from mlops_dash.domain.monitoring.room import ModelHealth, MonitoringRoom, windows_of
from mlops_dash.domain.tasks import is_charted
from mlops_dash.domain.words import look, plain_first


def page(frame: Frame) -> None:
    """Draw the page."""
    models = frame.services.monitoring.models(frame.actor)
    if not models:
        widgets.header("Monitoring")
        with widgets.empty("monitoring", "No model is watched yet",
                           "Train or connect one; its traffic appears here.", key="models"):  # fmt: skip
            widgets.page_link("", "Four ways to begin", icon_name="home")
        return
    model = address.menu("model", [one.model for one in models], models[0].model, unknown=True)  # first: the worst off
    session.put("monitored-model", model)
    choices, usual = windows_of(next((one.judged_by for one in models if one.model == model), "day"))
    window = address.menu("win", choices, usual)
    metric = session.param("metric") if is_charted(session.param("metric")) else ""
    feature, end = session.param("feature"), column.end_of(session.param("end"))
    at = column.instant(session.param("at"))
    room = frame.read(
        lambda: frame.services.monitoring.room(
            frame.actor, model, window, metric=metric, feature=feature, at=at, end=end
        ),
        "monitoring", model, window, metric, feature, at, end, shared=True, height=1_900,
    )  # fmt: skip
    with widgets.header("Monitoring", _status(room), about=f"{room.model}: {look(room.health).label}"):
        _scope(models, choices)
    if room.empty:
        reference.nothing_yet(frame, room)
        aside.listing(room.aside)
        return
    _verdict(frame, room)
    _performance(frame, room)
    classes.table(room)
    reliability.card(frame, room)
    slices.card(frame, room)
    if room.features:
        left, right = st.columns([7, 5], gap="small")
        with left:
            _drift(frame, room)
        with right:
            _ranked(frame, room)
    else:
        _drift(frame, room)
    causes.card(frame, room)
    if room.detail is not None:
        column.detail(frame, room, room.detail, samples.button)
    column.findings(room)
    together.card(frame, room)
    with widgets.card("alerts", "Alerts", alerts.alarm_words(room)):
        alerts.listing(frame, room)
    aside.listing(room.aside)


def _status(room: MonitoringRoom) -> str:
    if room.reference is None:
        return f"v{room.version} serves" if room.version else "Nothing is served yet"
    period = fmt.period(room.reference.start, room.reference.end, room.zone)
    rows = f"{fmt.whole(room.reference.n_rows)} rows, {fmt.plural(room.reference.n_days, 'day')}"
    said = (f"v{room.version} serves", f"compared with {period} ({rows}, {room.reference.scored})")
    return " · ".join((*said, f"{plural_of(room.judged_by)} in {room.zone}"))


def _scope(models: tuple[ModelHealth, ...], choices: tuple[str, ...]) -> None:
    st.selectbox("Model", [one.model for one in models], key="model", label_visibility="collapsed", width=200,
                 on_change=address.picked, args=("model", "metric", "feature", "at"))  # fmt: skip
    st.segmented_control("Window", list(choices), required=True, key="win", label_visibility="collapsed",
                         on_change=address.picked, args=("win",))  # fmt: skip


def _verdict(frame: Frame, room: MonitoringRoom) -> None:
    with widgets.card("verdict", ""):
        with st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="verdict"
        ):
            with st.container(gap="xsmall", key="verdict-said", width="stretch"):
                widgets.badge(room.health, explain=room.why)
                st.html(f"<p class='verdict'>{explained(room.headline or 'No ripe labels yet.')}</p>")
                said = [f"{room.why[:1].upper()}{room.why[1:]}.", room.stale, room.cause or _labels(room), room.basis]
                widgets.note(" ".join(one for one in said if one))
            alerts.next_step(frame, room)
        replay.line(frame, room)


def _labels(room: MonitoringRoom) -> str:
    rate, reference = room.label_rate, room.reference
    if rate is None and room.labels:
        return f"{room.worse} {room.labels} {fmt.percent(room.coverage)} of rows are labelled."
    if rate is None or rate.value is None or reference is None:
        return ""
    return (
        f"Label rate {fmt.percent(rate.value)} over the last {rate.n_days} ripe {plural_of(room.cluster)}, "
        f"{fmt.percent(reference.label_rate)} in the reference; {fmt.percent(room.coverage)} of rows are labelled."
    )


def _performance(frame: Frame, room: MonitoringRoom) -> None:
    data = room.performance
    if data is None:
        volume.card(frame, room)
        return
    windows = plural_of(data.window)
    sub = (
        f"Line: mean of the last {data.trailing_days} ripe {windows}, 95 % interval; dots: single {windows}; "
        f"marks above: alerts, retrains, promotions.{performance.apart(data)}{performance.began(data, room)}"
        f"{estimated.drawn(room)}"
    )

    address.show("metric", data.metric)

    def controls() -> None:
        widgets.as_table(performance.performance_table(data, room.zone), key="performance")
        keys = {one.key: plain_first(one.key, one.label, data.positive) for one in data.choices}
        st.selectbox(
            "Metric", list(keys), index=list(keys).index(data.metric), key="metric-pick", format_func=keys.__getitem__,
            on_change=_remember, args=("metric", "metric-pick"), label_visibility="collapsed", width=300,
        )  # fmt: skip

    with widgets.card("performance", f"{performance.metric_name(data)} against its reference", sub, controls):
        widgets.chart(
            performance.performance_figure(data, room.zone, frame.tokens, room.estimated), key="performance",
            alt=performance.performance_alt(data), height=340, zoom=True, revision=f"{room.model}-{room.window}",
        )  # fmt: skip
        estimated.line(room)


def _drift(frame: Frame, room: MonitoringRoom) -> None:
    data = room.drift
    if data is None:
        return
    sub = (
        f"How far each column is from the reference, beyond chance (excess PSI), {drift.rhythm(data)}. "
        "Blue: beyond its usual swing; grey: within; blank: too few rows. Click a cell to see its column then."
    )

    table = partial(widgets.as_table, drift.drift_table(data, room.zone), key="drift")
    with widgets.card("drift", "Drift by column", sub, table, height="stretch"):
        shown = (room.detail.reading.name, room.features_end) if room.detail and room.features_end else None
        key = f"drift-{room.model}-{room.window}"
        widgets.chart(
            drift.drift_figure(data, room.zone, frame.tokens, shown), key=key, alt=drift.drift_alt(data),
            height=drift.drift_height(data), on_select=lambda: column.clicked_cell(room, data, key),
        )  # fmt: skip


def _ranked(frame: Frame, room: MonitoringRoom) -> None:
    days = fmt.period(room.features_start, room.features_end, room.zone)
    sub = f"Distance from the reference (PSI) in {days}, 95 % interval; tick: its usual PSI"
    limit = room.detail.times_limit if room.detail else math.inf
    sub += f", blue beyond {fmt.metric(limit, 1)} times that." if math.isfinite(limit) else "."
    sub += f" {room.unjudged[0].upper()}{room.unjudged[1:]}." if room.unjudged else ""

    shown = partial(widgets.as_table, columns.ranked_table(room), key="ranked")
    with widgets.card("ranked", "Columns that moved most", sub, shown, height="stretch"):
        key, names = f"ranked-{room.model}-{days}", columns.ranked_names(room.features)
        widgets.chart(
            columns.ranked_figure(room.features, frame.tokens), key=key, alt=columns.ranked_alt(room.features),
            height=drift.drift_height(room.drift), on_select=lambda: column.clicked_bar(names, key),
        )  # fmt: skip


def _remember(parameter: str, widget: str) -> None:
    session.set_param(parameter, str(session.get(widget) or ""))
