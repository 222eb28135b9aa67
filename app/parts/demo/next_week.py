"""The demo's next week: the button that plays it, how far it is, and what came of the last one."""

from __future__ import annotations

import streamlit as st

from app.ui import live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.held_back import HeldBackRoom, stretch_of
from mlops_dash.domain.jobs import FAILED, Job
from mlops_dash.domain.words import JobState

_SECONDS = 1.5


def button(frame: Frame, room: HeldBackRoom | None) -> None:
    """The button, or its disabled face with the reason; nothing where this home is no demo."""
    if room is None:
        return
    running = "" if room.job is None else "It is being played."
    why_not = frame.why_not(Permission.JOB_RUN) or running or room.over
    if widgets.action_button("Play the next week", key="play-week", why_not=why_not, icon_name="fast_forward"):
        frame.services.held_back.play_week(frame.actor)
        st.rerun()


def line(frame: Frame, room: HeldBackRoom | None) -> None:
    """What is played now, else what came of the last week and what comes next."""
    if room is None:
        return
    if room.job is not None:
        _running(frame)
        return
    widgets.note(" ".join(part for part in (_last(room), _next(room)) if part))


@live.ticking(_SECONDS)
def _running(frame: Frame) -> None:
    room = frame.services.held_back.room(frame.actor)
    if room is None or room.job is None:
        st.rerun()
    st.progress(room.job.progress, text=f"Playing {_words(room, room.job)}: {plain(_doing(room.job))}")


def _doing(job: Job) -> str:
    if job.state is JobState.QUEUED:
        return job.error or "waits for a worker"
    return job.progress_text or "starting"


def _last(room: HeldBackRoom) -> str:
    last = room.last
    if last is None:
        return ""
    if last.state is JobState.SUCCEEDED:
        sent = dict(last.result or {})
        known = f"the outcome of {sent['outcomes']:,} is known"
        return f"{_words(room, last)} is played: {sent['flights']:,} flights, {known}."
    why = last.error if last.state in FAILED else "it was cancelled."
    return f"{_words(room, last)} was not played to its end: {why}"


def _next(room: HeldBackRoom) -> str:
    if room.coming is None:
        return room.over
    words = fmt.period(room.coming.start, room.coming.end, room.held.zone)
    return f"The next week sends the flights of {words} through the gateway, with their outcomes."


def _words(room: HeldBackRoom, job: Job) -> str:
    week = stretch_of(job.arguments)
    return fmt.period(week.start, week.end, room.held.zone)
