"""What a schedule runs, what starts it and what holds it back: the form, with its effect before anything is saved."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from app.charts import retraining as charts
from app.parts.retraining import holding
from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.due import of_draft
from mlops_dash.domain.jobs import Task
from mlops_dash.domain.retraining import Afterwards, Misfire, Room, Schedule, ScheduleDraft
from mlops_dash.domain.starting import ALERT_KINDS, CALLED, TRIGGERS, ScheduleKind, instant
from mlops_dash.errors import InvalidInput

_THEN = {
    Afterwards.REVIEW: "The version waits for review",
    Afterwards.PROPOSE: "It is proposed when it passes all gates",
}
_MISFIRE = {Misfire.RUN_ONCE: "run once when a worker is back", Misfire.SKIP: "skip what was missed"}


def edit(frame: Frame, room: Room, kind: ScheduleKind, made: Schedule | None) -> None:
    """Make a schedule of a kind, or change one in place."""
    key = f"schedule-{made.id}" if made else f"schedule-new-{kind}"
    names = [recipe.name for recipe in room.recipes]

    def fields() -> None:
        st.text_input("Name", value=made.name if made else "", key=f"{key}-name", placeholder="weekly", max_chars=60)
        follow = list(_THEN)
        st.selectbox("Afterwards", follow, key=f"{key}-then", index=follow.index(made.afterwards) if made else 0,
                     format_func=_THEN.__getitem__,
                     help="What is proposed by itself is proposed in your name: somebody else approves it")  # fmt: skip
        if kind in {ScheduleKind.CRON, ScheduleKind.INTERVAL}:
            options = list(_MISFIRE)
            index = options.index(made.misfire) if made else 0
            st.selectbox("When no worker was there in time", options, key=f"{key}-misfire", index=index,
                         format_func=_MISFIRE.__getitem__)  # fmt: skip
        if kind not in TRIGGERS:
            holding.overlap(made, key)

    def choices() -> None:
        if made is None or made.recipe:
            at = names.index(made.recipe) if made and made.recipe in names else 0
            st.selectbox("Recipe", names, index=at, key=f"{key}-recipe")
        _expression_field(frame, kind, made, key, names)
        holding.bounds(made, key)
        holding.blackout(kind, made, key)
        _preview(frame, draft())

    def draft() -> ScheduleDraft:
        return ScheduleDraft(
            id=made.id if made else None, name=str(session.get(f"{key}-name") or ""), kind=kind,
            expression=_expression(frame, kind, key), zone=str(session.get(f"{key}-zone") or frame.zone),
            recipe=session.get(f"{key}-recipe") if made is None or made.recipe else None,
            misfire=session.get(f"{key}-misfire") or Misfire.RUN_ONCE,
            task=made.task if made else Task.RETRAIN,
            arguments=holding.guards(kind, key).beside({
                **(made.arguments if made else {}), "then": str(session.get(f"{key}-then") or Afterwards.REVIEW),
            }),
        )  # fmt: skip

    def act(_reason: str) -> str:
        written = draft()
        frame.services.retraining.save_schedule(frame.actor, written)
        return f"{written.name} is saved; the worker plans its next runs."

    dialogs.confirm(
        key=key, title=f"Edit {made.name}" if made else "New schedule", icon="event_repeat", button="Save the schedule",
        act=act, fields=fields, choices=choices, reason="",
        consequence="Changed in place; its history stays." if made else "It starts runs by itself. You can pause it.",
    )  # fmt: skip


def _preview(frame: Frame, draft: ScheduleDraft) -> None:
    """When it would run, before anything is saved."""
    if not draft.expression.strip():
        return
    try:
        if draft.kind in TRIGGERS:
            _past(frame, draft)
            return
        fires = of_draft(draft, frame.services.context.clock.now())
    except InvalidInput as error:
        widgets.note(error.sentence())
        return
    said = "; ".join(charts.when(frame.now, at, frame.zone) for at in fires)
    widgets.note(f"Next runs: {said}" if said else "It would never run: that time has passed.")


def _past(frame: Frame, draft: ScheduleDraft) -> None:
    """How often a trigger would have run in the last 90 days."""
    since = frame.now - timedelta(days=90)
    found = frame.services.retraining.past_runs(frame.actor, replace(draft, name=draft.name or "new"), since)
    if found is not None:
        last = ": " + "; ".join(charts.when(frame.now, at, frame.zone) for at in found[-3:]) if found else ""
        widgets.note(f"In the last 90 days it would have run {fmt.plural(len(found), 'time', 'times')}{last}")


def _expression_field(frame: Frame, kind: ScheduleKind, made: Schedule | None, key: str, recipes: list[str]) -> None:
    before = made.expression if made else ""
    if kind is ScheduleKind.CRON:
        says = "0 6 * * 1 is Mondays at 06:00; */15 * * * * every 15 minutes"
        st.text_input("Cron: minute, hour, day, month, weekday", value=before, key=f"{key}-cron", help=says,
                      placeholder="0 6 * * 1")  # fmt: skip
        st.text_input("Time zone", value=made.zone if made else frame.zone, key=f"{key}-zone")
    elif kind is ScheduleKind.INTERVAL:
        hours = int(before) / 3600 if before else 24.0
        st.number_input("Every how many hours", min_value=0.05, value=hours, step=1.0, key=f"{key}-hours")
    elif kind is ScheduleKind.ONCE:
        local = (instant(before) if before else frame.now + timedelta(days=1)).astimezone(ZoneInfo(frame.zone))
        st.date_input("On", value=local.date(), key=f"{key}-on")
        at = local.time() if before else time(6)
        st.time_input(f"At ({frame.zone.replace('_', ' ')})", value=at, key=f"{key}-at", step=900)
    elif kind is ScheduleKind.LABELS:
        count = int(before) if before else 1_000
        st.number_input("How many new labels", min_value=1, value=count, step=100, key=f"{key}-labels")
    elif kind is ScheduleKind.RECIPE:
        at_recipe = recipes.index(before) if before in recipes else None
        st.selectbox("After which recipe", recipes, index=at_recipe, key=f"{key}-recipe-before",
                     placeholder="a run of it that made a version")  # fmt: skip
    elif kind is ScheduleKind.CALL:
        name = made.name if made else "NAME"
        widgets.note(f"Started by POST /v1/triggers/{name} on the gateway, with the token of a scientist; "
                     "the same key starts one run only")  # fmt: skip
    elif kind is ScheduleKind.FILE:
        st.text_input("File or folder of the worker's machine", value=before, key=f"{key}-file",
                      placeholder="/data/labels.parquet")  # fmt: skip
    else:
        index = ALERT_KINDS.index(before) if before in ALERT_KINDS else 0
        st.selectbox("Alert", ALERT_KINDS, index=index, key=f"{key}-alert", help="One run for each alert of that kind")


def _expression(frame: Frame, kind: ScheduleKind, key: str) -> str:
    if kind is ScheduleKind.CRON:
        return str(session.get(f"{key}-cron") or "")
    if kind is ScheduleKind.INTERVAL:
        return str(round(float(session.get(f"{key}-hours") or 0) * 3600))
    if kind is ScheduleKind.ONCE:
        return moment(session.get(f"{key}-on"), session.get(f"{key}-at"), frame.zone).isoformat()
    if kind is ScheduleKind.CALL:
        return CALLED
    if kind is ScheduleKind.RECIPE:
        return str(session.get(f"{key}-recipe-before") or "")
    if kind is ScheduleKind.LABELS:
        return str(session.get(f"{key}-labels") or "")
    return str(session.get(f"{key}-{kind}") or "")


def moment(day: Any, at: Any, zone: str) -> datetime:
    """A day and a time on a zone's clock (06:00 where none is chosen), as UTC."""
    return datetime.combine(day, at or time(6), ZoneInfo(zone)).astimezone(UTC)
