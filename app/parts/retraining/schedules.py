"""The acting half of the Retraining page: run now, cancel, and the schedules' editors."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time
from zoneinfo import ZoneInfo

import streamlit as st

from app.charts import retraining as charts
from app.parts.retraining import editing, recipes
from app.parts.retraining.editing import moment
from app.shell import address, session
from app.ui import dialogs, live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.retraining import Recipe, Room, Schedule
from mlops_dash.domain.starting import TRIGGERS, ScheduleKind
from mlops_dash.errors import NotFound

_KINDS = {
    "By the clock…": ScheduleKind.CRON,
    "Every so often…": ScheduleKind.INTERVAL,
    "Once…": ScheduleKind.ONCE,
    "When an alert opens…": ScheduleKind.ALERT,
    "When new labels have come…": ScheduleKind.LABELS,
    "When a file changes…": ScheduleKind.FILE,
    "After another recipe…": ScheduleKind.RECIPE,
    "When a program calls…": ScheduleKind.CALL,
}
_WAITS = {ScheduleKind.ALERT: "Waits for an alert", ScheduleKind.LABELS: "Waits for labels",
          ScheduleKind.FILE: "Waits for a change", ScheduleKind.RECIPE: "Waits for the other run",
          ScheduleKind.CALL: "Waits for a call"}  # fmt: skip
_UNANSWERED = 3
_NEXT = 6


def asked(frame: Frame) -> str:
    """The model of the URL or the menu; "" = all.

    Raises:
        NotFound: the URL names one that is not here: an empty page would say that nothing runs for it.
    """
    name = address.left("model")
    known = {one.name for one in frame.services.registry.models(frame.actor)} if name else set()
    if name and name not in known and not frame.services.retraining.choices(frame.actor, name):
        raise NotFound(f"No model {name}.", hint="Choose one from the list.")
    return name


# --- one run ----------------------------------------------------------------------------------------------------------


def run_dialog(frame: Frame, room: Room) -> None:
    """Ask for a run of a recipe."""
    busy = {job.model for job in room.jobs if not job.finished}
    by_name = {recipe.name: recipe for recipe in room.recipes}
    offered = [one for one in frame.services.retraining.choices(frame.actor) if one.recipe in by_name]
    said = {one.recipe: charts.choice(one) for one in sorted(offered, key=lambda one: one.model in busy)}
    known = {name: by_name[name] for name in said}

    def chosen() -> Recipe:
        return known.get(str(session.get("run-now-recipe")), next(iter(known.values())))

    def choices() -> None:
        st.selectbox("Recipe", list(known), format_func=said.__getitem__, key="run-now-recipe")

    def fields() -> None:
        recipes.parameter_fields(chosen(), "run-now")

    def act(reason: str) -> str:
        recipe = chosen()
        job_id = frame.services.retraining.run_now(
            frame.actor, recipe.name, reason, parameters=recipes.asked(recipe, "run-now")
        )
        return f"{recipe.name} is queued as run {fmt.short(job_id)}; it starts within a second when a worker is free."

    dialogs.confirm(
        key="run-now", title="Run a recipe now", icon="play_arrow", button="Run it", act=act, fields=fields,
        choices=choices,
        consequence="A new version is trained, compared with the champion on the same later rows, and waits for "
        "review. Nothing that serves changes. Parameters hold for this run only.",
        placeholder="What do you want to find out? This goes into the ledger.",
    )  # fmt: skip


def cancel_button(frame: Frame, job: Job) -> None:
    """Stop a run that waits or runs."""
    if job.finished:
        return
    why_not = frame.why_not(Permission.JOB_CANCEL) or ("It is being stopped." if job.cancel_requested else "")
    if not widgets.action_button("Cancel run…", key="cancel-run", why_not=why_not, icon_name="stop_circle"):
        return

    def act(reason: str) -> str:
        state = frame.services.jobs.cancel(frame.actor, job.id, reason)
        return f"{job.title} is cancelled." if str(state) == "cancelled" else f"{job.title} is being stopped."

    dialogs.confirm(
        key=f"cancel-{job.id}", title=f"Cancel {job.title}", icon="stop_circle", button="Cancel the run", act=act,
        consequence="Its processes are ended within seconds. What it logged so far is kept; no version is made.",
        facts={"Run": fmt.short(job.id), "Cause": job.cause,
               "Done": f"{fmt.percent(job.progress, 0)} {job.progress_text}"},
    )  # fmt: skip


# --- what comes next --------------------------------------------------------------------------------------------------


def unanswered(room: Room) -> None:
    """Harmed models for which nobody has started a run yet."""
    for number, one in enumerate(room.unanswered[:_UNANSWERED]):
        with st.container(
            key=f"unanswered-{number}", horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ):
            st.markdown(f"**{plain(one.model)}**: {plain(one.title)}. No run answers this yet.", width="content")
            widgets.page_link("monitoring", "Investigate", icon_name="arrow_forward", model=one.model)


def next_runs(frame: Frame, room: Room) -> None:
    """The next runs, soonest first."""
    with widgets.card("next", "Next runs", f"Times in {frame.zone.replace('_', ' ')}"):
        if not room.slots:
            widgets.empty("event_upcoming", "Nothing is planned", _why_nothing(room), key="next")
            return
        said: set[str] = set()  # a schedule tells once when it runs
        for number, slot in enumerate(room.slots[:_NEXT]):
            with st.container(key=f"slot-{number}"):
                named = f"**{plain(slot.title)}** {plain(slot.model)}" if slot.model else f"**{plain(slot.title)}**"
                why = "" if slot.schedule_id in said else f"  \n:gray[{slot.why}]"
                st.markdown(f"{charts.when(frame.now, slot.at, frame.zone)} · {named}{why}")
                said.add(slot.schedule_id)


def _why_nothing(room: Room) -> str:
    paused = [made for made in room.schedules if not made.enabled]
    if paused:
        return f"{fmt.plural(len(paused), 'schedule is', 'schedules are')} paused; resume below."
    if any(made.enabled and made.upcoming is None for made in room.schedules):
        return "The worker has not planned the schedules yet."
    return "Make a schedule, or run a recipe now."


# --- schedules --------------------------------------------------------------------------------------------------------


def new_button(frame: Frame, room: Room) -> None:
    """Start a new schedule: first what starts it, then the rest."""
    why_not = frame.why_not(Permission.SCHEDULE_EDIT) or ("" if room.recipes else "There is no recipe to run yet.")
    chosen = st.menu_button("New schedule", list(_KINDS), key="new-schedule", icon=widgets.icon("add"),
                            disabled=bool(why_not), help=why_not or None)  # fmt: skip
    if chosen:
        editing.edit(frame, room, _KINDS[str(chosen)], None)


def card(frame: Frame, room: Room) -> None:
    """Schedules with what each can do."""
    with widgets.card("schedules", "Schedules", "What starts by itself, and why something does not", height="stretch"):
        if not room.schedules:
            widgets.empty("event_repeat", "No schedule yet", "Runs start only when somebody asks.", key="schedules")
        for made in room.schedules:
            _row(frame, room, made)
    if room.worker_answers and any(made.enabled and made.upcoming is None for made in _timed(room)):
        live.fragment(_until_planned, run_every=1.0)(frame)


def _until_planned(frame: Frame) -> None:
    made = frame.services.retraining.schedules(frame.actor)
    if not any(one.enabled and one.upcoming is None and one.kind not in TRIGGERS for one in made):
        st.rerun()


def _timed(room: Room) -> list[Schedule]:
    return [made for made in room.schedules if made.kind not in TRIGGERS]


def _row(frame: Frame, room: Room, made: Schedule) -> None:
    with st.container(key=f"schedule-{made.id}", gap="small"):
        on = ":gray-badge[:material/pause: Paused]" if not made.enabled else ""
        what = plain(f"{made.recipe or made.task} · {made.when}")
        st.markdown(f"**{plain(made.name)}** {on}  \n:gray[{what}]")
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", gap="small"):
            widgets.note(plain(room.held.get(made.id) or _next_said(frame, made)))
            _menu(frame, room, made)


def _next_said(frame: Frame, made: Schedule) -> str:
    if not made.enabled:
        until = f" until {charts.when(frame.now, made.paused_until, frame.zone)}" if made.paused_until else ""
        return f"Paused{until}: {made.pause_reason}"
    if made.kind in TRIGGERS:
        return _WAITS[made.kind]
    if made.upcoming is None:
        return "Being planned by the worker"
    if not made.ahead:
        return "Nothing ahead"
    others = ", ".join(_short_time(at, frame.zone) for at in made.ahead[1:3])
    return f"Next {charts.when(frame.now, made.ahead[0], frame.zone)}" + (f"; then {others}" if others else "")


def _short_time(at: datetime, zone: str) -> str:
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b} {local:%H:%M}"


def _menu(frame: Frame, room: Room, made: Schedule) -> None:
    why_not = frame.why_not(Permission.SCHEDULE_EDIT)
    pause = "Pause…" if made.enabled else "Resume…"
    chosen = st.menu_button("Change", ["Run now…", "Edit…", pause], key=f"change-{made.id}",
                            disabled=bool(why_not), help=why_not or None)  # fmt: skip
    verbs: dict[str, Callable[[], None]] = {
        "Run now…": lambda: _run_schedule(frame, made),
        "Edit…": lambda: editing.edit(frame, room, made.kind, made),
        "Pause…": lambda: _pause(frame, made),
        "Resume…": lambda: _resume(frame, made),
    }
    if chosen:
        verbs[str(chosen)]()


def _run_schedule(frame: Frame, made: Schedule) -> None:
    def act(reason: str) -> str:
        job_id = frame.services.retraining.run_now(frame.actor, None, reason, schedule_id=made.id)
        return f"{made.name} is queued as run {fmt.short(job_id)}; its next slot stays."

    dialogs.confirm(
        key=f"run-{made.id}", title=f"Run {made.name} now", icon="play_arrow", button="Run it", act=act,
        consequence=f"Runs {plain(made.recipe or str(made.task))} once, beside its schedule ({made.when}).",
    )  # fmt: skip


def _pause(frame: Frame, made: Schedule) -> None:
    key = f"pause-{made.id}"
    local = frame.now.astimezone(ZoneInfo(frame.zone))

    def fields() -> None:
        st.date_input("Resume by itself on (optional)", value=None, min_value=local.date(), key=f"{key}-on")
        st.time_input("at", value=time(6), key=f"{key}-at", step=900)

    def act(reason: str) -> str:
        day = session.get(f"{key}-on")
        until = moment(day, session.get(f"{key}-at"), frame.zone) if day else None
        frame.services.retraining.pause(frame.actor, made.id, reason, until=until)
        return f"{made.name} is paused" + (f" until {frame.instant(until)}." if until else ".")

    dialogs.confirm(
        key=key, title=f"Pause {made.name}", icon="pause", button="Pause it", act=act, fields=fields,
        consequence="It starts nothing until it is resumed. Runs that are under way go on.",
        placeholder="Why? The next person wants to know why nothing runs.",
    )  # fmt: skip


def _resume(frame: Frame, made: Schedule) -> None:
    def act(reason: str) -> str:
        frame.services.retraining.resume(frame.actor, made.id, reason)
        return f"{made.name} is on again; the worker plans its next runs."

    dialogs.confirm(
        key=f"resume-{made.id}", title=f"Resume {made.name}", icon="play_arrow", button="Resume it", act=act,
        consequence=f"It runs again {made.when}. What passed during the pause is not made up for.",
        facts={"Paused because": made.pause_reason},
    )  # fmt: skip
