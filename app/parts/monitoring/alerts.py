"""The acting half of the Monitoring page: answer an alert, restart the alarm, start a retrain. Each with a reason."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from app.charts.retraining import choice
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.monitoring.answers import FEEDBACK
from mlops_dash.domain.monitoring.incidents import Incident
from mlops_dash.domain.monitoring.room import AlertView, MonitoringRoom
from mlops_dash.domain.words import AlertState, Severity, look

_SNOOZES = {"1 day": timedelta(days=1), "7 days": timedelta(days=7), "30 days": timedelta(days=30)}
_STATE = {AlertState.ACKNOWLEDGED: "acknowledged", AlertState.SNOOZED: "snoozed", AlertState.CLOSED: "closed"}


def next_step(frame: Frame, room: MonitoringRoom) -> None:
    """The one button of the verdict: what the state calls for."""
    action = room.action
    if action.kind in ("review", "follow"):
        icon = "fact_check" if action.kind == "review" else "autorenew"
        if widgets.action_button(action.label, key="next", primary=True, icon_name=icon):
            widgets.go_to(action.page, **dict(action.parameters))
    elif action.kind == "retrain":
        why_not = frame.why_not(Permission.JOB_RUN)
        if widgets.action_button("Start retrain…", key="next", primary=True, icon_name="autorenew", why_not=why_not):
            retrain_dialog(frame, room)


def retrain_dialog(frame: Frame, room: MonitoringRoom, alert_id: str | None = None) -> None:
    """Ask for a run of one of the model's recipes, as an answer to the alert; the one that refreshes is proposed."""
    choices = {one.recipe: one for one in frame.services.retraining.choices(frame.actor, room.model)}
    answered = alert_id or room.action.alert_id

    def fields() -> None:
        st.selectbox("Recipe", list(choices), format_func=lambda one: choice(choices[one]), key="retrain-recipe")

    def act(reason: str) -> str:
        recipe = str(session.get("retrain-recipe") or next(iter(choices)))
        job_id = frame.services.retraining.run_now(frame.actor, recipe, reason, alert_id=answered)
        return f"{recipe} is queued as run {fmt.short(job_id)}; follow it on the Retraining page."

    dialogs.confirm(
        key=f"retrain-{room.model}", title=f"Start a retrain of {room.model}", icon="autorenew", button="Start retrain",
        act=act, fields=fields,
        consequence="A new version is trained and compared with the champion on the same later rows. "
        "Nothing that serves changes until somebody proposes and another person approves.",
        placeholder="What do you expect from it? This goes into the ledger.",
    )  # fmt: skip


def alarm_words(room: MonitoringRoom) -> str:
    """What the harm alarm promises, and what its restarts have spent."""
    said = f"A model that did not get worse sets off the harm alarm with a chance of at most {room.alpha:.0%}."
    if not room.restarts:
        return said
    return f"{said} It was restarted {fmt.plural(room.restarts, 'time')}; each restart spends as much again."


def listing(frame: Frame, room: MonitoringRoom) -> None:
    """All alerts: those that call first, closed ones folded away."""
    calling = [one for one in room.alerts if one.state is not AlertState.CLOSED]
    closed = [one for one in room.alerts if one.state is AlertState.CLOSED]
    known = frame.services.monitoring.incidents(frame.actor, room.model, limit=200) if room.alerts else ()
    incidents = {one.alert_id: one for one in known}
    recipes = bool(calling) and bool(frame.services.retraining.choices(frame.actor, room.model))
    no_run = frame.why_not(Permission.JOB_RUN) or (
        "" if recipes else "No recipe makes a version of it: Retraining, New recipe…"
    )
    for one in calling:
        with st.container(border=True, key=f"alert-{one.id}", gap="xsmall"):
            _alert(frame, room, one, incidents.get(one.id), no_run)
    if not calling:
        widgets.note("Nothing calls now.")
    if closed:
        with st.expander(f"{fmt.plural(len(closed), 'closed alert')}", key="closed-alerts"):
            for one in closed:
                _said(frame, one)
                _story(frame, incidents.get(one.id))
                if widgets.action_button("Useful or noise…", key=f"rate-{one.id}-ask", icon_name="thumbs_up_down",
                                         why_not=frame.why_not(Permission.ALERT_ANSWER), tertiary=True):  # fmt: skip
                    _rate(frame, one)


def _alert(frame: Frame, room: MonitoringRoom, one: AlertView, incident: Incident | None, no_run: str) -> None:
    _said(frame, one)
    why_not = frame.why_not(Permission.ALERT_ANSWER)
    with st.container(horizontal=True, gap="xsmall", key=f"answers-{one.id}"):
        if one.state is not AlertState.ACKNOWLEDGED and widgets.action_button(
            "Acknowledge…", key=f"ack-{one.id}", why_not=why_not, icon_name="visibility"
        ):
            _acknowledge(frame, one)
        if widgets.action_button("Snooze…", key=f"snooze-{one.id}", why_not=why_not, icon_name="snooze"):
            _snooze(frame, one)
        if widgets.action_button("Close…", key=f"close-{one.id}", why_not=why_not, icon_name="check_circle"):
            _close(frame, one)
        if widgets.action_button("Useful or noise…", key=f"rate-{one.id}-ask", why_not=why_not,
                                 icon_name="thumbs_up_down"):  # fmt: skip
            _rate(frame, one)
        if one.kind == "harm" and not one.waits and widgets.action_button(
            "Restart alarm…", key=f"restart-{one.id}", why_not=frame.why_not(Permission.MONITOR_EDIT),
            icon_name="restart_alt",
        ):  # fmt: skip
            _restart(frame)
        _act(frame, room, one, no_run)
        _story(frame, incident)


def _act(frame: Frame, room: MonitoringRoom, one: AlertView, no_run: str) -> None:
    """What can be done about the model: a retrain that answers this alert, a rollback, a test."""
    with st.popover("Act…", icon=widgets.icon("bolt"), key=f"act-{one.id}"):
        if widgets.action_button("Start retrain…", key=f"act-retrain-{one.id}", icon_name="autorenew",
                                 why_not=no_run):  # fmt: skip
            retrain_dialog(frame, room, one.id)
        if widgets.action_button("Roll back on Registry", key=f"act-rollback-{one.id}", icon_name="undo"):
            widgets.go_to("registry", model=room.model)
        if widgets.action_button("Plan an A/B test", key=f"act-test-{one.id}", icon_name="science"):
            widgets.go_to("ab", model=room.model)


def _story(frame: Frame, incident: Incident | None) -> None:
    """What was done about an alert, by whom, and whether it helped."""
    if incident is None or not incident.deeds:
        return
    with st.popover(f"What was done ({len(incident.deeds)})", icon=widgets.icon("history"),
                    key=f"story-{incident.alert_id}"):  # fmt: skip
        if incident.sentence:
            st.markdown(f"**{incident.sentence}**")
        for deed in incident.deeds:
            who = f"{plain(deed.who)} " if deed.who else ""
            widgets.note(f"{frame.instant(deed.at)} · {who}{plain(deed.what)}")


def _rate(frame: Frame, one: AlertView) -> None:
    def fields() -> None:
        st.segmented_control("It was", list(FEEDBACK), default=one.feedback or FEEDBACK[0], required=True,
                             key=f"rate-as-{one.id}")  # fmt: skip

    def act(reason: str) -> str:
        chosen = str(session.get(f"rate-as-{one.id}") or FEEDBACK[0])
        frame.services.monitoring.rate(frame.actor, one.id, chosen, reason)
        return f"The alert counts as {chosen}."

    dialogs.confirm(
        key=f"rate-{one.id}", title="Was the alert of use?", icon="thumbs_up_down", button="Say so", act=act,
        fields=fields, consequence=f"{plain(one.title)}. A replay of a policy counts it; the alert itself stays.",
        placeholder="What made it useful, or noise? This goes into the ledger.",
    )  # fmt: skip


def _said(frame: Frame, one: AlertView) -> None:
    known = look(Severity(one.severity))
    closed = one.state is AlertState.CLOSED
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"said-{one.id}"):
        shown: str = "gray" if closed else known.colour
        st.badge(known.label, icon=widgets.icon(known.icon), color=shown)  # type: ignore[arg-type]
        st.markdown(f"**{plain(one.title)}**", width="content")
    ended = f", closed {frame.ago(one.closed_at)}" if closed else ""
    state = _STATE.get(one.state, "open")
    if one.state is AlertState.SNOOZED:
        state = f"snoozed until {frame.instant(one.snoozed_until)}"
    answer = f" · {one.last_answer}" if one.last_answer else ""
    answer += f" · {one.feedback}" if one.feedback else ""
    widgets.note(one.cause)
    if one.waits:
        widgets.note(one.waits)
    widgets.note(f"v{one.version.removeprefix('v')} · opened {frame.instant(one.opened_at)}{ended} · {state}{answer}")


def _acknowledge(frame: Frame, one: AlertView) -> None:
    def act(reason: str) -> str:
        frame.services.monitoring.acknowledge(frame.actor, one.id, reason)
        return "The alert is yours."

    dialogs.confirm(
        key=f"ack-{one.id}", title="Acknowledge the alert", icon="visibility", button="Acknowledge", act=act,
        consequence=f"{plain(one.title)}. You become its owner; it stays open until its windows are good again.",
        placeholder="What do you look into? This goes into the ledger.",
    )  # fmt: skip


def _snooze(frame: Frame, one: AlertView) -> None:
    def fields() -> None:
        st.segmented_control("For", list(_SNOOZES), default="7 days", required=True, key=f"snooze-for-{one.id}")

    def act(reason: str) -> str:
        chosen = str(session.get(f"snooze-for-{one.id}") or "7 days")
        frame.services.monitoring.snooze(frame.actor, one.id, frame.now + _SNOOZES[chosen], reason)
        return f"The alert is quiet for {chosen}."

    dialogs.confirm(
        key=f"snooze-{one.id}", title="Snooze the alert", icon="snooze", button="Snooze", act=act, fields=fields,
        consequence=f"{plain(one.title)}. It opens again by itself if it still holds then.",
        placeholder="Why can it wait? This goes into the ledger.",
    )  # fmt: skip


def _close(frame: Frame, one: AlertView) -> None:
    def act(reason: str) -> str:
        frame.services.monitoring.close(frame.actor, one.id, reason)
        return "The alert is closed."

    dialogs.confirm(
        key=f"close-{one.id}", title="Close the alert", icon="check_circle", button="Close alert", act=act,
        consequence=f"{plain(one.title)}. This stretch does not open it again; the next one does.",
        placeholder="Why is it over? This goes into the ledger.",
    )  # fmt: skip


def _restart(frame: Frame) -> None:
    model = session.get("monitored-model")

    def act(reason: str) -> str:
        frame.services.monitoring.restart_alarm(frame.actor, str(model), reason)
        return "The harm alarm begins anew; the next evaluation shows it."

    dialogs.confirm(
        key=f"restart-{model}", title=f"Restart the harm alarm of {model}", icon="restart_alt", button="Restart alarm",
        act=act,
        consequence="Evidence gathered so far is set aside and the alert is closed. Each restart spends the alarm's "
        "share of false alarms once more; the page shows how often.",
        placeholder="What has changed, so that old days no longer count? This goes into the ledger.",
    )  # fmt: skip
