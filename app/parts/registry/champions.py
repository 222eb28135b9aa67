"""Who serves and how it came to that: progress of the last change, the timeline, where a version is from."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import streamlit as st

from app.charts import registry as charts
from app.charts import timeline as story
from app.shell import address
from app.ui import live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.room import ModelHealth
from mlops_dash.domain.registry.records import Operation, RegistryRoom
from mlops_dash.domain.words import OperationState

_SHOWN = 7
_LOOK_SECONDS = 2.0  # until the gateways have confirmed
_ENDS = (OperationState.CONFIRMED, OperationState.FAILED)


def status(frame: Frame, room: RegistryRoom) -> str:
    """The line under the title: model, versions, champion."""
    said = [room.model.name, fmt.plural(len(room.lines), "version")]
    if room.champion is None or room.serving is None:
        return " · ".join([*said, "nothing is approved to serve"])
    return " · ".join([*said, f"champion {room.champion.label} since {fmt.day(room.serving.since, frame.zone)}"])


def day_asked(frame: Frame, room: RegistryRoom) -> None:
    """Of which day somebody wants to know the champion: the calendar holds the days that the ledger tells of."""
    if not room.reigns:
        return
    on, zone = address.day("on"), ZoneInfo(frame.zone)
    first, today = (one.astimezone(zone).date() for one in (room.reigns[0].since, frame.now))
    days = [first, today, *([on] if on is not None else [])]  # a link may ask for any day; it gets its answer
    st.date_input("What was champion on", value=None, min_value=min(days), max_value=max(days), key="on", width=190,
                  on_change=address.picked, args=("on",))  # fmt: skip


def answer_for_day(frame: Frame, room: RegistryRoom) -> None:
    """Who was champion on the day that was asked for."""
    on = address.day("on") if room.reigns else None
    if on is not None:
        noon = datetime.combine(on, time(12), ZoneInfo(frame.zone)).astimezone(UTC)
        with st.container(key="champion-on"):
            st.markdown(plain(story.reign_sentence(room, noon, frame.zone)))


def nobody() -> None:
    """The page without a model."""
    widgets.header("Registry")
    how = "Its versions, their gates and who approved them stand here once a model is watched."
    with widgets.empty("deployed_code", "No model is here yet", how, key="models"):
        widgets.page_link("", "Four ways to begin", icon_name="home")


def health(frame: Frame, model: str) -> ModelHealth | None:
    """What Monitoring says of what this model serves."""
    return next((one for one in frame.services.monitoring.models(frame.actor) if one.model == model), None)


def in_production(room: RegistryRoom, found: ModelHealth | None) -> None:
    """How the champion does on live traffic: gates speak of the day it was promoted."""
    if room.champion is None or found is None or found.version != room.champion.version:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="in-production"):
        widgets.badge(found.health)
        st.markdown(f"{room.champion.label} in production: {plain(found.why)}.", width="content")
        widgets.page_link("monitoring", "Monitoring", icon_name="monitoring", model=room.model.name)


def progress(frame: Frame, room: RegistryRoom) -> None:
    """How far the last change of champion got, and who answers now."""
    if room.operation is None:
        return
    target = room.line_of(room.operation.to_version_id)
    label = target.version.label if target else "?"
    how = {
        "promote": "Promotion of",
        "rollback": "Rollback to",
        "adopt": "Adoption of",
        "restore": f"{room.model.mark.kind.capitalize()} back to",
        "elsewhere": "Served elsewhere:",
    }
    by = f"by {room.name_of(room.operation.actor)}: {room.operation.reason}"
    began = fmt.day(room.operation.decided_at, frame.zone)
    with widgets.card("progress", f"{how[room.operation.kind]} {label}, {began}", by):
        ended = room.operation.state in _ENDS
        elsewhere = room.model.elsewhere
        live.fragment(_steps, run_every=None if ended else _LOOK_SECONDS)(
            frame, room.operation, elsewhere, room.model.mark.kind
        )
        if room.operation.error:
            widgets.note(f"{room.operation.error} Tried {fmt.plural(room.operation.attempts, 'time')}.")
        answering = len(room.heartbeats)
        if elsewhere:
            if not ended:
                widgets.note(f"Its first row confirms it; until then who serves it may not have put {label} live.")
        elif answering:
            widgets.note(f"{fmt.plural(answering, 'gateway')} answering now.")
        elif room.operation.state is not OperationState.CONFIRMED:
            widgets.note("No gateway has reported in the last 30 s.")


def _steps(frame: Frame, drawn: Operation, elsewhere: bool, mark: str) -> None:
    """Looks again until the change is confirmed; a step reached draws the whole page anew, as more changed."""
    known = drawn
    if drawn.state not in _ENDS:
        known = frame.services.registry.operation(frame.actor, drawn.id)
        if known.state != drawn.state:
            st.rerun()
    st.html(charts.progress_html(known, frame.zone, elsewhere=elsewhere, mark=mark))


def timeline(frame: Frame, room: RegistryRoom) -> None:
    """The decisions about this model."""
    with widgets.card("timeline", "Timeline", "Who was champion when, put there by whom and why"):
        told = [one for one in room.timeline if story.story(one)]
        st.html(story.timeline_html(told[:_SHOWN], room.names, frame.zone))
        if len(told) > _SHOWN:
            with st.expander(f"{len(told) - _SHOWN} earlier", key="earlier"):
                st.html(story.timeline_html(told[_SHOWN:], room.names, frame.zone))
        widgets.page_link("audit", "All decisions in the ledger", icon_name="history_edu", object=room.model.name)


def lineage(frame: Frame, room: RegistryRoom) -> None:
    """Run, rows, files and window of the selected version."""
    version = room.selected
    if version is None:
        return
    with widgets.card("lineage", f"Where {version.label} is from"):
        again = {} if version.incarnation == 1 else {"Life of its number": f"no. {version.incarnation}"}
        widgets.facts({
            "Trained on": fmt.period(version.training_start, version.training_end, room.zone),
            "Recipe": version.recipe or fmt.MISSING,
            "Run": widgets.Mono(fmt.short(version.run_id, 32)),
            "Data digest": widgets.Mono(fmt.short(version.data_digest, 16)),
            "Artifact digest": widgets.Mono(fmt.short(version.artifact_digest, 16)),
            "Made": f"{frame.instant(version.created_at)} by {room.name_of(version.created_by) or 'MLflow'}",
            **again,
        })  # fmt: skip
