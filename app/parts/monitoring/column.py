"""One column: its verdict in a sentence, every score, what happened to it, and its distribution."""

from __future__ import annotations

import streamlit as st

from app.charts.monitoring import columns
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import commands
from mlops_dash.domain.monitoring.room import FeatureDetail, MonitoringRoom
from mlops_dash.domain.monitoring.words import column_name

_MOST = 8  # findings shown; "View as table" of the columns has all numbers


def detail(frame: Frame, room: MonitoringRoom, data: FeatureDetail) -> None:
    """Draw both cards."""
    names = [one.name for one in room.features]
    address.show("feature", data.reading.name)
    left, right = st.columns([4, 8], gap="small")
    with left, widgets.card("feature", "One column", height="stretch"):
        st.selectbox(
            "Column", names, index=names.index(data.reading.name), key="feature-pick", format_func=column_name,
            on_change=_remember, args=("feature", "feature-pick"), label_visibility="collapsed",
        )  # fmt: skip
        st.markdown(f"**{plain(columns.sentence(data))}**")
        for one in room.findings:
            if one.column == data.reading.name:
                widgets.note(f"{str(one.signal).capitalize()}: {one.sentence}.")
        widgets.facts(columns.facts(data))
        with st.expander("What decides", key="limits"):
            widgets.note(columns.limits(room, data))

    def controls() -> None:
        widgets.as_table(columns.detail_table(data), key="detail")

    title = f"Distribution of {column_name(data.reading.name)}"
    sub = "Share of rows in each cell; cells were cut from the reference before any live row was seen."
    with right, widgets.card("distribution", title, sub, controls, height="stretch"):
        widgets.chart(columns.detail_figure(data, frame.tokens), key="detail", alt=columns.detail_alt(data), height=430)


def findings(room: MonitoringRoom) -> None:
    """What happened to columns and labels, each with its name; nothing while nothing did."""
    if not room.findings:
        return
    with widgets.card("findings", "What happened to columns", "Besides their distance from the reference."):
        shown = room.findings[:_MOST]
        widgets.facts({f"{column_name(one.column)}: {one.signal}" if one.column else str(one.signal): one.sentence
                       for one in shown})  # fmt: skip
        if len(room.findings) > len(shown):
            widgets.note(f"{len(room.findings) - len(shown)} more: {commands.monitor(room.model)}")


def _remember(parameter: str, widget: str) -> None:
    session.set_param(parameter, str(session.get(widget) or ""))
