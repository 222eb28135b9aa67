"""The version that took over, replayed on the rows before that: what is known of it, and the button that asks."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, live, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.replay import ReplayState, ReplayView
from mlops_dash.domain.monitoring.room import MonitoringRoom

_LOOK_SECONDS = 4.0


def line(frame: Frame, room: MonitoringRoom) -> None:
    """One line below the verdict: the sentence, and the button; nothing once the version's own days speak."""
    view = room.replay
    if view is None:
        return
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small", key="replay"
    ):
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", key="replay-said", width="stretch"
        ):
            st.badge("Replayed" if view.found else "Not replayed", icon=widgets.icon("history"), color="gray")
            widgets.note(view.sentence)
        why_not = frame.why_not(Permission.JOB_RUN) or view.why_not
        if widgets.action_button(f"{view.label}…", key="replay-ask", icon_name="history", why_not=why_not):
            _ask(frame, room.model, view)
    if view.state is ReplayState.WAITING:
        live.fragment(_until_done, run_every=_LOOK_SECONDS)(frame, room.model)


def _until_done(frame: Frame, model: str) -> None:
    """Nothing to see; draws the page again once the worker is done."""
    view = frame.services.monitoring.replayed(frame.actor, model)
    if view is None or view.state is not ReplayState.WAITING:
        session.forget_reads()
        st.rerun()


def _ask(frame: Frame, model: str, view: ReplayView) -> None:
    def act(reason: str) -> str:
        job_id = frame.services.monitoring.ask_replay(frame.actor, model, reason)
        return f"Asked as job {fmt.short(job_id)}; the line stands in the chart when a worker has drawn it."

    dialogs.confirm(
        key=f"replay-{model}", title=f"Replay v{view.version} of {model}", icon="history", button="Replay", act=act,
        consequence=f"A worker loads v{view.version} and has it answer the rows of the days before it took "
        "over. It is drawn as replayed, and counts in no verdict, gate or alarm.",
        placeholder="What do you want to see before its own days are judged? This goes into the ledger.",
    )  # fmt: skip
