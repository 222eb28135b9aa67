"""Reports that go to people again and again: what, to whom, how often, and what became of the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from app.charts import reports as tables
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.notices import NoticeState
from mlops_dash.domain.reports.deliveries import Delivery
from mlops_dash.domain.reports.files import ReportFormat
from mlops_dash.domain.reports.plans import Plan, addressed
from mlops_dash.domain.reports.snapshot import KIND_LABELS, ReportKind, ReportsRoom
from mlops_dash.domain.retraining import Schedule, ScheduleDraft
from mlops_dash.domain.starting import ScheduleKind

_CADENCES = {
    "0 7 * * 1": "Mondays at 07:00",
    "0 7 * * *": "Every day at 07:00",
    "0 7 1 * *": "The first of the month at 07:00",
    "": "Another cron text",
}
_AS_NOW = "as now"
_AGAIN = {NoticeState.FAILED, NoticeState.UNSURE, NoticeState.HELD}
_OF_NO_MODEL = {ReportKind.FLEET, ReportKind.AB_RESULT}
_TO_HELP = (
    "name@host, channel:NAME (Audit & admin, tab Messages) or folder:NAME; commas or line breaks between. "
    "Who gets one page to decide on: name@host as executive (JSON and XLSX hold all facts for them "
    "too). Who gets everything: name@host as audit."
)


def button(frame: Frame, room: ReportsRoom) -> None:
    """The button that makes a schedule, and its dialog."""
    why_not = frame.why_not(Permission.REPORT_SHARE) or ("" if room.choices else "No model is watched yet.")
    if widgets.action_button("Schedule…", key="schedule-report", why_not=why_not, icon_name="schedule_send"):
        _dialog(frame, [one.model for one in room.choices], None)


def panel(frame: Frame, room: ReportsRoom) -> None:
    """The schedules with their dialogs, and the log of deliveries."""
    made = [one for one in frame.services.retraining.schedules(frame.actor) if one.task is Task.REPORT]
    log = frame.services.reports.deliveries(frame.actor, 100)
    with widgets.card("report-schedules", "Sent by schedule", _sub(frame), lambda: button(frame, room)):
        if not made:
            widgets.empty(
                "schedule_send", "No report is sent by a schedule yet",
                "Choose a report, how often, and to whom: by e-mail, to a channel or into a folder.", key="schedules",
            )  # fmt: skip
        else:
            last = frame.services.reports.latest_of_plans(frame.actor)
            st.dataframe(
                tables.schedules(made, last, zone=frame.zone), key="report-schedules-table", hide_index=True,
                row_height=32, height=35 + 32 * min(len(made), 6) + 2,
                alt="Reports that are sent by a schedule, with the next and what became of the last",
            )  # fmt: skip
            _actions(frame, room, {one.name: one for one in made})
    if log:
        _log(frame, log)


def _sub(frame: Frame) -> str:
    mail = (
        "" if frame.services.context.settings.smtp else "; no mail server is set, so e-mail becomes files in the home"
    )
    return f"Each slot once; what was being sent when our process ended is never sent again by itself{mail}"


def _actions(frame: Frame, room: ReportsRoom, by_name: Mapping[str, Schedule]) -> None:
    none = frame.why_not(Permission.REPORT_SHARE)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="report-schedule-actions"):
        chosen = by_name[st.selectbox("Schedule", list(by_name), key="report-schedule", width=280)]
        if widgets.action_button("Run now…", key="run-report", why_not=none, icon_name="play_arrow"):
            _decide(frame, chosen, "run")
        word, icon = ("Pause…", "pause") if chosen.enabled else ("Resume…", "resume")
        if widgets.action_button(word, key="pause-report", why_not=none, icon_name=icon):
            _decide(frame, chosen, "pause" if chosen.enabled else "resume")
        if widgets.action_button("Edit…", key="edit-report", why_not=none, icon_name="tune"):
            _dialog(frame, [one.model for one in room.choices], chosen)
        if widgets.action_button("Delete…", key="remove-report", why_not=none, icon_name="delete"):
            _decide(frame, chosen, "remove")


def _decide(frame: Frame, made: Schedule, verb: str) -> None:
    retraining, name = frame.services.retraining, made.name
    acts: dict[str, tuple[str, str, str, Callable[[str], object], str]] = {
        "run": (
            "Send it now", "play_arrow", "Makes the report as things are now, and sends it to all recipients.",
            lambda reason: retraining.run_now(frame.actor, None, reason, schedule_id=made.id),
            f"{name} runs as soon as a worker is free.",
        ),
        "pause": ("Pause", "pause", "Sends nothing until somebody resumes it.",
                  lambda reason: retraining.pause(frame.actor, made.id, reason), f"{name} sends nothing for now."),
        "resume": ("Resume", "resume", "Slots that passed meanwhile are not sent.",
                   lambda reason: retraining.resume(frame.actor, made.id, reason), f"{name} sends again."),
        "remove": ("Delete", "delete", "Sends nothing any more. What was sent stays in the log.",
                   lambda reason: retraining.remove_schedule(frame.actor, made.id, reason), f"{name} is gone."),
    }  # fmt: skip
    word, icon, consequence, run, said = acts[verb]

    def act(reason: str) -> str:
        run(reason)
        return said

    plan = Plan.of(made.arguments)
    dialogs.confirm(
        key=f"{verb}-report-{made.id}", title=f"{word}: {name}", button=word, act=act, icon=icon,
        consequence=consequence, facts={"Report": plan.words(), "When": made.when, "To": ", ".join(plan.said_to)},
    )  # fmt: skip


def _dialog(frame: Frame, models: Sequence[str], known: Schedule | None) -> None:
    key = f"report-plan-{known.id if known else 'new'}"
    old = Plan.of(known.arguments) if known else None
    kinds = list(KIND_LABELS)
    offered = dict(_CADENCES)
    if known is not None and known.kind is not ScheduleKind.CRON:
        offered = {_AS_NOW: f"As now: {known.when}", **offered}
    cadences = list(offered)
    custom = known is not None and known.kind is ScheduleKind.CRON and known.expression not in cadences
    now = known.expression if known is not None and known.expression in cadences else cadences[0]
    place = len(cadences) - 1 if custom else cadences.index(now)

    def choices() -> None:
        st.selectbox("Report", kinds, index=kinds.index(old.kind) if old else 0, key=f"{key}-kind",
                     format_func=lambda one: KIND_LABELS[one])  # fmt: skip
        st.selectbox("How often", cadences, index=place, key=f"{key}-cadence", format_func=lambda one: offered[one])

    def fields() -> None:
        st.text_input("Name", known.name if known else "", key=f"{key}-name", max_chars=60, required=True,
                      placeholder="board review")  # fmt: skip
        if session.get(f"{key}-kind") not in _OF_NO_MODEL:
            at = models.index(old.model) if old and old.model in models else 0
            st.selectbox("Model", models, index=at, key=f"{key}-model")
        with st.grid(2, min_column_width=160):
            if not session.get(f"{key}-cadence"):
                st.text_input(
                    "Cron text", known.expression if known else "", key=f"{key}-cron", placeholder="0 7 * * 1"
                )
            st.text_input("Whose clocks", known.zone if known else frame.zone, key=f"{key}-zone")
        st.text_area(
            "To", "\n".join(old.said_to) if old else "", key=f"{key}-to", help=_TO_HELP, required=True, height=80
        )
        st.multiselect("As", list(ReportFormat), default=list(old.formats if old else (ReportFormat.HTML,)),
                       format_func=lambda one: str(one).upper(), key=f"{key}-formats")  # fmt: skip
        st.toggle("Only when something changed", bool(old and old.only_changed), key=f"{key}-changed",
                  help="Health, live version, moved inputs, alerts, gates, proposals; not more rows.")  # fmt: skip

    def act(_reason: str) -> str:
        saved = _save(frame, key, known, old)
        return f"{saved.name} is saved; the worker plans when it goes."

    dialogs.confirm(
        key=f"{key}-dialog", title=f"Edit {known.name}" if known else "Send a report by schedule", icon="schedule_send",
        button="Save the schedule", act=act, choices=choices, fields=fields, reason="",
        consequence="Each time it is made from what is known then, kept under its hash and sent. "
        "People without an account can unsubscribe by a link in the e-mail.",
    )  # fmt: skip


def _save(frame: Frame, key: str, known: Schedule | None, old: Plan | None) -> ScheduleDraft:
    kind = ReportKind(session.get(f"{key}-kind"))
    same = old is not None and old.kind is kind
    people = addressed(str(session.get(f"{key}-to") or ""))
    plan = frame.services.reports.check_plan(
        frame.actor,
        Plan(
            kind=kind, model="" if kind in _OF_NO_MODEL else str(session.get(f"{key}-model") or ""),
            subject=old.subject if old is not None and same else "",
            formats=tuple(session.get(f"{key}-formats") or (ReportFormat.HTML,)),
            to=tuple(people), only_changed=bool(session.get(f"{key}-changed")), id=old.id if old else "", levels=people,
        ),
    )  # fmt: skip
    when, expression = ScheduleKind.CRON, str(session.get(f"{key}-cadence") or session.get(f"{key}-cron") or "")
    if known is not None and expression == _AS_NOW:
        when, expression = known.kind, known.expression
    draft = ScheduleDraft(
        name=str(session.get(f"{key}-name") or ""), kind=when, expression=expression,
        zone=str(session.get(f"{key}-zone") or "UTC"), task=Task.REPORT, arguments=plan.arguments(),
        id=known.id if known else None,
    )  # fmt: skip
    frame.services.retraining.save_schedule(frame.actor, draft)
    return draft


def _log(frame: Frame, log: Sequence[Delivery]) -> None:
    none = frame.why_not(Permission.REPORT_SHARE)
    with widgets.card("deliveries", "Sent reports", "The latest first, a line each recipient, with what became of it"):
        st.dataframe(
            tables.deliveries(log, frame.zone), key="deliveries-table", hide_index=True, row_height=32,
            height=35 + 32 * min(len(log), 6) + 2, alt="Deliveries, newest first, with what became of each",
        )  # fmt: skip
        by_id = {one.id: one for one in log if one.state in _AGAIN and one.recipient and one.report_id}
        if by_id:
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="delivery-actions"):
                chosen = st.selectbox(
                    "Not sent", list(by_id), key="delivery", width=480,
                    format_func=lambda one: f"{by_id[one].about} to {by_id[one].recipient} ({by_id[one].state})",
                )  # fmt: skip
                if widgets.action_button("Send again…", key="deliver-again", why_not=none, icon_name="replay"):
                    _again(frame, by_id[chosen])


def _again(frame: Frame, one: Delivery) -> None:
    def act(reason: str) -> str:
        reports = frame.services.reports
        again = reports.send_report_again(frame.actor, one.id, reason=reason)
        (ended,) = reports.deliver_now(frame.actor, [again.id])
        return f"{str(ended.state).capitalize()}: {ended.note}"

    unsure = " It may have arrived already." if one.state is NoticeState.UNSURE else ""
    dialogs.confirm(
        key=f"deliver-again-{one.id}", title="Send a report again", icon="replay", button="Send again", act=act,
        changes=(("Tried", fmt.plural(one.attempts, "time"), "once more"),),
        consequence=f"**{plain(one.about)}** goes to {plain(one.recipient)}.{unsure}",
    )  # fmt: skip
