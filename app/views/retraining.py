"""Retraining: what ran, what runs and what comes next; the run's log; schedules and recipes.

Deep links: ?run=&lvl=&model=&span=
"""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from app.charts import retraining as charts
from app.parts.retraining import hindsight, recipes, schedules, trying
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.live import fragment
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.jobs import FAILED, Job
from mlops_dash.domain.retraining import Room
from mlops_dash.domain.words import JobState

_SPANS = {  # looked back, looked ahead
    "2 days": (timedelta(days=2), timedelta(days=1)),
    "7 days": (timedelta(days=7), timedelta(days=4)),
    "30 days": (timedelta(days=30), timedelta(days=15)),
}
_LEVELS = {"All": "", "Warnings": "WARN", "Errors": "ERROR"}
_LIST_AHEAD = timedelta(days=31)  # the list of next runs looks further than the chart
_LIVE_LINES, _LIVE_SECONDS = 14, 2.0


def page(frame: Frame) -> None:
    """Draw the page."""
    back, ahead = _SPANS[address.menu("span", _SPANS, "2 days")]
    room = frame.services.retraining.room(
        frame.actor, model=schedules.asked(frame), back=back, ahead=_LIST_AHEAD, job_id=session.param("run") or None
    )
    with widgets.header("Retraining", _status(room), about=charts.tab(room, address.left("model"))):
        _actions(frame, room)
    _worker(room)
    _answer(frame, room)
    schedules.unanswered(room)
    if not room.jobs and not room.recipes:
        recipes.nothing(frame)
        return
    _clock(frame, room, ahead)
    left, right = st.columns([5, 7], gap="small")
    with left:
        schedules.next_runs(frame, room)
        schedules.card(frame, room)
    with right:
        _run(frame, room)
    recipes.card(frame, room)
    hindsight.card(frame, room, schedules.asked(frame))


def _status(room: Room) -> str:
    said = [fmt.plural(len(room.schedules), "schedule"), f"{len(room.running)} running"]
    waiting = sum(job.state is JobState.QUEUED for job in room.jobs)
    if waiting:
        said.append(f"{waiting} waiting")
    return " · ".join([*said, f"{room.failed_24h} failed in the last 24 h"])


def _actions(frame: Frame, room: Room) -> None:
    known = [name for name in dict.fromkeys([*room.models, address.left("model")]) if name]
    if address.menu("model", known, "") or len(known) > 1:
        st.selectbox("Model", known, index=None, placeholder="All models", key="model", on_change=address.picked,
                     args=("model",), label_visibility="collapsed", width=190)  # fmt: skip
    schedules.new_button(frame, room)
    why_not = frame.why_not(Permission.JOB_RUN) or ("" if room.recipes else "There is no recipe to run yet.")
    if widgets.action_button(
        "Run now…", key="run-now", why_not=why_not, icon_name="play_arrow", primary=room.candidate is None
    ):
        schedules.run_dialog(frame, room)


def _worker(room: Room) -> None:
    if room.worker_answers:
        return
    away = fmt.duration(room.worker_away_seconds)
    said = "No worker has started yet" if room.worker_seen_at is None else f"No worker has answered for {away}"
    if widgets.stale(f"{said}: nothing starts until one does. Start it with: mlops-dash up", key="worker"):
        st.rerun()


def _answer(frame: Frame, room: Room) -> None:
    """The state in a sentence, with the one thing to do next."""
    waiting, failed = room.candidate, next((job for job in room.jobs if job.state in FAILED), None)
    with st.container(
        key="answer", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"
    ):
        if waiting is not None:
            said = "is proposed and waits for approval" if waiting.proposed else "waits for review"
            st.markdown(f"**v{waiting.version} of {plain(waiting.model)}** is trained and {said}.", width="content")
            if st.button(f"Review v{waiting.version}", key="review", type="primary", icon=widgets.icon("fact_check")):
                widgets.go_to("registry", model=waiting.model, version=waiting.version)
        elif job := next(iter(room.running), None):
            st.markdown(f"**{plain(job.title)}** of {plain(job.model)} runs: "
                        f"{plain(job.progress_text or 'starting')}.", width="content")  # fmt: skip
        elif room.failed_24h and failed is not None:
            st.markdown(f"**{plain(failed.title)}** failed {frame.ago(failed.finished_at)}: "
                        f"{plain(failed.error)}", width="content")  # fmt: skip
            st.button("See the run", key="see-failed", on_click=session.set_param, args=("run", failed.id))


def _clock(frame: Frame, room: Room, ahead: timedelta) -> None:
    data = charts.gantt(room, ahead=ahead, zone=frame.zone)

    def span() -> None:
        widgets.as_table(charts.table(data, room.jobs, frame.services.context.settings.currency), key="runs")
        st.segmented_control("Span", list(_SPANS), required=True, key="span", label_visibility="collapsed",
                             on_change=address.picked, args=("span",))  # fmt: skip

    with widgets.card("runs", "Runs", "Grey is finished, hollow is to come; select a bar to read its log.", span):
        if not data.lanes:
            widgets.empty("schedule", "Nothing has run yet", "Run a recipe now, or put it on a schedule.", key="runs")
            return
        widgets.chart(
            charts.figure(data, frame.tokens), key="gantt", alt=charts.alt(data), height=charts.height(data),
            on_select=_chosen,
        )  # fmt: skip


def _chosen() -> None:
    points = session.get("gantt").selection.points
    found = next((point["customdata"][0] for point in points if point.get("customdata")), "")
    if found:
        session.set_param("run", found)


def _picked() -> None:
    session.set_param("run", session.get("run-pick"))


def _run(frame: Frame, room: Room) -> None:
    if not room.jobs:
        with widgets.card("run", "Run", height="stretch"):
            widgets.empty("terminal", "No run to show", "Its progress and log will be here.", key="run")
        return
    ids = [job.id for job in sorted(room.jobs, key=lambda job: not job.running)]
    by_id = {job.id: job for job in room.jobs}
    # Not bound to the URL: Streamlit would write the label there, and the label changes with the clock.
    session.put("run-pick", session.param("run") if session.param("run") in by_id else ids[0])
    with widgets.card("run", "Run", height="stretch"):
        chosen = st.selectbox(
            "Run", ids, key="run-pick", on_change=_picked, label_visibility="collapsed",
            format_func=lambda one: charts.name(by_id[one], frame.now, frame.zone) if one in by_id else one,
        )  # fmt: skip
        job = by_id[chosen]
        live = not job.finished
        fragment(_detail, run_every=_LIVE_SECONDS if live else None)(frame, job.id, live)
        schedules.cancel_button(frame, job)


def _detail(frame: Frame, job_id: str, live: bool) -> None:
    job = frame.services.jobs.job(frame.actor, job_id)
    now = frame.services.context.clock.now()
    if live and job.finished:
        st.rerun()  # the whole page: the chart and the next action changed too
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run-state"):
        widgets.badge(job.state)
        paid = charts.paid(job, now, frame.services.context.settings.currency)
        widgets.note(_sentence(job, charts.took(job, now), charts.when(now, job.starts_at, frame.zone)) + paid)
    if job.running:
        st.progress(job.progress, text=f"{job.progress_text or 'Starting'} · {fmt.percent(job.progress, 0)}")
    if job.error and job.state is not JobState.SUCCEEDED:
        st.error(plain(job.error), icon=widgets.icon("error"))
    version = str((job.result or {}).get("version", ""))
    if version:
        widgets.page_link("registry", f"Made v{version}: its evidence", icon_name="fact_check", model=job.model,
                          version=version)  # fmt: skip
    trying.found(job)
    _log(frame, job)


def _sentence(job: Job, took: str, when: str) -> str:
    tries = f" · attempt {job.attempt} of {job.max_attempts}" if job.attempt > 1 else ""
    timed = f"took {took}" if job.finished and job.started_at else f"for {took}" if job.running else when
    return f"{timed} · {job.cause}{tries}"


def _log(frame: Frame, job: Job) -> None:
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="log-head"):
        level = address.menu("lvl", _LEVELS, "All")
        st.segmented_control("Level", list(_LEVELS), required=True, key="lvl", on_change=address.picked,
                             args=("lvl",), label_visibility="collapsed")  # fmt: skip
        st.download_button(
            "Log", lambda: frame.services.jobs.log(frame.actor, job.id, limit=20_000_000).text, f"{job.id}.log",
            key="log-file", icon=widgets.icon("download"), type="tertiary", on_click="ignore",
        )  # fmt: skip
    chunk = frame.services.jobs.log(frame.actor, job.id)
    if not (lines := charts.log_lines(chunk.text, least=_LEVELS[level], zone=frame.zone)):
        widgets.note("No line of that level." if chunk.text else "It has written nothing yet.")
        return
    shown = lines[-_LIVE_LINES:] if job.running else lines
    widgets.lines(shown, label="Log of the run")
