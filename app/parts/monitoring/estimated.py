"""What is estimated without labels: whether to believe it, and by what."""

from __future__ import annotations

import streamlit as st

from app.charts.monitoring import estimated
from app.ui import widgets
from mlops_dash.domain.monitoring.label_free import Trust
from mlops_dash.domain.monitoring.room import MonitoringRoom

_LOOK = {Trust.TRUSTED: ("verified", "green"), Trust.NOT_TRUSTED: ("gpp_bad", "gray"),
         Trust.UNKNOWN: ("help", "gray")}  # fmt: skip


def drawn(room: MonitoringRoom) -> str:
    """How the chart shows the estimate; "" where it shows none."""
    if room.estimated is None or room.performance is None or room.estimated.metric != room.performance.metric:
        return ""
    return " Dotted, in a grey band: estimated without labels."


def line(room: MonitoringRoom) -> None:
    """One line below the chart: the badge, the sentence, and all windows as a table; nothing where nothing is."""
    view = room.estimated
    if view is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="estimated"):
        icon, colour = _LOOK[view.test.trust]
        word = "suspended" if view.suspended and view.test.trust is Trust.TRUSTED else str(view.test.trust)
        shown = "gray" if word == "suspended" else colour
        st.badge(f"Estimate {word}", icon=widgets.icon(icon), color=shown)  # type: ignore[arg-type]
        with st.container(key="estimated-said", width="stretch"):
            widgets.note(view.sentence)
        widgets.as_table(estimated.table(view, room.zone), key="estimated")
