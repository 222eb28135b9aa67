"""What two kept reports of one kind and model say differently."""

from __future__ import annotations

import streamlit as st

from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain.audit import who
from mlops_dash.domain.reports.snapshot import Report, ReportsRoom


def menu(frame: Frame, room: ReportsRoom, report: Report) -> None:
    """The menu of the reports that this one can be compared with, and what differs; nothing where there is none."""
    line = report.line
    others = {
        one.id: f"{one.about}, made {frame.instant(one.made_at)} by {who(one.made_by)}"
        for one in room.lines
        if one.id != line.id and (one.kind, one.model) == (line.kind, line.model)
    }
    if not others:
        return
    chosen = st.selectbox(
        "Compare with", list(others), index=None, key=f"compare-{line.id}", width=460, placeholder="Another one of it",
        format_func=lambda one: others[one],
    )  # fmt: skip
    if chosen is None:
        return
    found = frame.services.reports.compared(frame.actor, chosen, line.id)
    said = [f"From {found.first.about} to {found.second.about}: {found.sentence}", *found.changes]
    icon = widgets.icon("difference" if found.changes else "check")
    st.markdown(f"{icon} {plain(said[0])}\n" + "".join(f"\n- {plain(one)}" for one in said[1:]))
