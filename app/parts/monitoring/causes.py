"""Which column is the likely cause: those that moved, ranked, each opening its column; and how they were ranked."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.causes import Cause, Causes
from mlops_dash.domain.monitoring.room import MonitoringRoom
from mlops_dash.domain.monitoring.words import column_name

_MOST = 5  # shown; the table has all of them


def card(frame: Frame, room: MonitoringRoom) -> None:
    """The ranking; nothing while no input moved and nobody measured anything."""
    found = room.causes
    if found is None or not (found.ranked or found.split):
        return

    def controls() -> None:
        widgets.as_table(table(found), key="causes")
        asked = "A worker is measuring it." if found.importance.asked else ""
        barred = found.importance.barred and f"Not possible: {found.importance.barred}."
        why_not = frame.why_not(Permission.JOB_RUN) or barred or asked
        if widgets.action_button("Measure importance…", key="causes-ask", icon_name="balance", why_not=why_not):
            _ask(frame, room)

    title = "Likely causes" if found.worse else "What moved, by importance"
    with widgets.card("causes", title, found.importance.sentence, controls):
        for place, one in enumerate(found.ranked[:_MOST]):
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"cause-{place}"):
                st.button(_shown(one), key=f"cause-open-{place}", type="tertiary", on_click=session.set_params,
                          args=({"feature": one.column, "at": ""},), icon=widgets.icon("troubleshoot"))  # fmt: skip
                widgets.note(said(one))
        if len(found.ranked) > _MOST:
            widgets.note(f"{len(found.ranked) - _MOST} more in the table.")
        if not found.ranked:
            widgets.note("No input moved.")
        if found.split is not None:
            widgets.note(found.split.sentence)


def said(one: Cause) -> str:
    """What one column has to do with it, with its numbers."""
    far = one.how if one.excess is None else f"excess PSI {fmt.psi(one.excess)}"
    share = "" if one.share is None else f", {fmt.percent(one.share)} of what the model rests on"
    return f"{str(one.role).capitalize()}: {far}{share}."


def table(found: Causes) -> pd.DataFrame:
    """One row a column that moved."""
    shares = found.importance.shares
    return pd.DataFrame(
        {
            "Column": [column_name(one.column) for one in found.ranked],
            "Part": [str(one.role) for one in found.ranked],
            "Excess PSI": [fmt.psi(one.excess) for one in found.ranked],
            "Importance": [fmt.percent(one.share) for one in found.ranked],
            "Importance, 95 %": [_interval(*shares[one.column][1:]) if one.column in shares else fmt.MISSING
                                 for one in found.ranked],
            "Rank by": [fmt.metric(one.weight, 3) for one in found.ranked],
        }
    )  # fmt: skip


def _interval(low: float | None, high: float | None) -> str:
    return fmt.MISSING if low is None or high is None else f"{fmt.percent(low)} to {fmt.percent(high)}"


def _shown(one: Cause) -> str:
    return plain(column_name(one.column))


def _ask(frame: Frame, room: MonitoringRoom) -> None:
    def act(reason: str) -> str:
        job_id = frame.services.monitoring.ask_why(frame.actor, room.model, reason)
        return f"Asked as job {fmt.short(job_id)}; the ranking stands here when a worker has measured it."

    dialogs.confirm(
        key=f"why-{room.model}", title=f"Measure what v{room.version} of {room.model} rests on", icon="balance",
        button="Measure", act=act,
        consequence=f"A worker loads v{room.version} and has it answer labelled rows with the values of one column "
        "after another shuffled. Nothing that serves or alerts changes.",
        placeholder="What do you want to find out? This goes into the ledger.",
    )  # fmt: skip
