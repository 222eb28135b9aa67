"""Whether scores come true as often as they say: a card for models that answer with a probability."""

from __future__ import annotations

import streamlit as st

from app.charts.monitoring import reliability
from app.parts.monitoring.classes import over
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain.monitoring.room import MonitoringRoom


def card(frame: Frame, room: MonitoringRoom) -> None:
    """The card; nothing for a model without probabilities, or without ripe labels."""
    data, then = room.reliability, room.reliability_then
    if data is None:
        return
    sub = f"Labelled rows of the last {over(room)}, in ten bands of the score; a grey box is what its scores say."

    def controls() -> None:
        widgets.as_table(reliability.table(data, then), key="reliability")

    with widgets.card("reliability", "Do scores come true?", sub, controls):
        said, drawn = st.columns([4, 8], gap="small")
        with said:
            st.markdown(f"**{plain(reliability.sentence(data))}**")
            widgets.facts(reliability.facts(data, then))
            widgets.note("Intervals of the bands hold for all ten together, 95 %, over days. A band is off only where "
                         "even its highest score is too low, or its lowest too high.")  # fmt: skip
        with drawn:
            widgets.chart(reliability.figure(data, then, frame.tokens), key=f"reliability-{room.model}",
                          alt=reliability.sentence(data), height=340)  # fmt: skip
