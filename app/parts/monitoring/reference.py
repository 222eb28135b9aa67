"""A version without a reference gets one by a click: the first days of its own log whose labels have come."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.room import AS_SERVED, USUAL_DAYS, MonitoringRoom


def nothing_yet(frame: Frame, room: MonitoringRoom) -> None:
    """The face of a model without a verdict, with the button where days with labels exist."""
    with widgets.empty("monitoring", room.empty, room.empty_next, key="room"):
        if room.first_days:
            _offer(frame, room)


def _offer(frame: Frame, room: MonitoringRoom) -> None:
    label = "Use the first labelled days as reference…"
    if widgets.action_button(label, key="first-days", primary=True, icon_name="history",
                             why_not=frame.why_not(Permission.MODEL_EDIT)):  # fmt: skip
        _dialog(frame, room)


def _dialog(frame: Frame, room: MonitoringRoom) -> None:
    days = min(room.first_days, USUAL_DAYS)

    def fields() -> None:
        st.number_input("Labelled days", 1, room.first_days, days, key="first-days-n")

    def act(reason: str) -> str:
        wanted = int(session.get("first-days-n") or days)
        version_id = frame.services.registry.version_id(frame.actor, room.model, room.version)
        rows = frame.services.monitoring.rows_of_first_days(frame.actor, version_id, wanted)
        frame.services.monitoring.keep_inputs(frame.actor, version_id)
        made = frame.services.monitoring.set_reference(
            frame.actor, version_id, rows, method=AS_SERVED, source=f"first {wanted} days", reason=reason
        )
        frame.services.monitoring.mark_past(frame.actor, version_id)
        session.forget_reads()
        return f"v{room.version} is compared with {made.rows:,} rows on {made.days:,} days; its past is judged now."

    dialogs.confirm(
        key=f"first-days-{room.model}-{room.version}", title=f"Compare v{room.version} with its first labelled days",
        icon="history", button="Use as reference", act=act, fields=fields,
        consequence="These days are taken to be as the model should be: every later day is judged beside them. "
        "The scores are those it served. Replacing them later needs a reason.",
        placeholder="Why are these days good ones? This goes into the ledger.",
    )  # fmt: skip
