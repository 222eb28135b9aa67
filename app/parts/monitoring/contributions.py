"""Why one of the sample rows got its answer: asked of a worker by a click, and drawn as a bar a column."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from app.charts.monitoring import contributions as chart
from app.shell import session
from app.shell.incidents import explain
from app.ui import live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from app.ui.theme import Tokens
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.contributions import RowAsked, RowContributions
from mlops_dash.domain.monitoring.room import MonitoringRoom

PICKED = "row-picked"
_LOOKS = 2.0  # seconds between two looks at whether the worker has answered


def panel(frame: Frame, room: MonitoringRoom) -> None:
    """Below the rows: the one that is picked, and why it got its answer; how to pick one while none is."""
    row, at = session.get(PICKED) or ("", "")
    if not row:
        widgets.note("Pick a row to ask why it got its answer.")
        return

    at_once = _looked(frame, room.model, str(row))
    if at_once is None or at_once.found is not None:
        _show(frame, room.model, str(row), str(at), at_once)
        return
    there: list[RowAsked] = []  # the answer, once a worker gave it: a fragment of a dialog cannot end its own timer

    @live.ticking(_LOOKS)
    def show() -> None:
        known = there[0] if there else _looked(frame, room.model, str(row))
        if known is not None and known.found is not None and not there:
            there.append(known)
        _show(frame, room.model, str(row), str(at), known)

    show()


def _looked(frame: Frame, model: str, row: str) -> RowAsked | None:
    """What is known of the row; None where that cannot be read, which is said."""
    try:
        return frame.services.monitoring.row_contributions(frame.actor, model, row)
    except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged
        st.error(plain(explain(error).sentence()), icon=":material/error:")
        return None


def _show(frame: Frame, model: str, row: str, at: str, known: RowAsked | None) -> None:
    if known is None:
        return
    try:
        _answer(frame, model, row, datetime.fromisoformat(at), known)
    except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged
        st.error(plain(explain(error).sentence()), icon=":material/error:")


def _answer(frame: Frame, model: str, row: str, at: datetime, known: RowAsked) -> None:
    monitoring = frame.services.monitoring
    if known.found is not None:
        draw(known.found, frame.tokens)
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="row-why"):
        why_not = frame.why_not(Permission.JOB_RUN) or (known.sentence if known.waits else "")
        if widgets.action_button("Why this answer?", key="row-ask", icon_name="help", why_not=why_not):
            monitoring.ask_row(frame.actor, model, row, at=at)
            known = monitoring.row_contributions(frame.actor, model, row)
        widgets.note(known.sentence)


def draw(found: RowContributions, tokens: Tokens) -> None:
    """The sentence, the bars, how they came about."""
    st.markdown(f"**{plain(found.sentence)}**")
    if chart.bars(found):
        widgets.chart(chart.figure(found, tokens), key=f"row-{found.row}", alt=found.sentence,
                      height=chart.height(found))  # fmt: skip
    widgets.note(
        f"{found.said(found.base)} (mean of the reference rows) and all bars add up to {found.said(found.total)}. "
        f"{found.method[0].upper()}{found.method[1:]}."
    )
    widgets.as_table(chart.table(found), key="row-why")
