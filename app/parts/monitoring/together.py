"""All columns together: our domain classifier, what alibi-detect says beside it, and the button that asks."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.detectors import DETECTORS, USUAL
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.monitoring.room import MonitoringRoom
from mlops_dash.domain.monitoring.together import ALIBI, NATIVE, Together
from mlops_dash.domain.monitoring.words import column_name

_TITLE = "All columns together"


def card(frame: Frame, room: MonitoringRoom) -> None:
    """What is known, or that nobody has asked; and the button."""
    found = room.together
    span = ""
    if found is not None:
        one = found.latest[0]
        span = f"Can rows of {fmt.period(one.window_start, one.window_end, room.zone)} be told from the reference? "
        span += f"Compared with {one.details.get('compared_with', '')}."

    def controls() -> None:
        why_not = frame.why_not(Permission.JOB_RUN) or (
            "A second opinion is on its way." if room.asked_together else ""
        )
        if widgets.action_button("Second opinion…", key="together-ask", icon_name="groups", why_not=why_not):
            _ask(frame, room.model)

    with widgets.card("together", _TITLE, span, controls):
        if found is None:
            widgets.note(
                "On its way: a worker reads the rows." if room.asked_together else
                "Nobody has asked yet. Columns may move together although none moves alone; that needs rows, so a "
                "worker does it when it is asked."
            )  # fmt: skip
            return
        widgets.facts({_who(one): _said(one) for one in found.latest})
        for sentence in _beside(found):
            widgets.note(sentence)


def _who(one: Evidence) -> str:
    return "Domain classifier (ours)" if one.metric == NATIVE else f"alibi-detect: {one.metric.removeprefix(ALIBI)}"


def _said(one: Evidence) -> str:
    if one.state != "ok":
        return f"Not computable: {one.reason}"
    columns = [one[0] if isinstance(one, list) else one for one in one.details.get("columns", [])]
    by = f", most by {', '.join(column_name(name) for name in columns[:3])}" if columns and one.details["drift"] else ""
    rows = f"{one.n:,} rows"
    if one.metric == NATIVE:
        word = str(one.details["verdict"]).capitalize()
        return f"{word}: {one.details['why']}{by}. 95 % {fmt.interval(one.low, one.high, 2, signed=False)}, {rows}"
    left = one.details.get("left_out", [])
    without = f"; without {', '.join(column_name(name) for name in left[:3])}" if left else ""
    word = "Drift" if one.details["drift"] else "No drift"
    return f"{word}: smallest p {fmt.p_value(one.details['p_value'])}{by}; {rows}{without}"


def _beside(found: Together) -> list[str]:
    said = [f"alibi-detect's {one.detector} {one.sentence}." for one in found.agreements]
    return [*said, found.licence] if found.licence else said


def _ask(frame: Frame, model: str) -> None:
    key = f"together-{model}"

    def fields() -> None:
        st.multiselect("Detectors of alibi-detect", list(DETECTORS), default=list(USUAL), key=f"{key}-detectors",
                       format_func=lambda one: DETECTORS[one])  # fmt: skip

    def act(reason: str) -> str:
        chosen = session.get(f"{key}-detectors")
        detectors = list(USUAL) if chosen is None else [str(one) for one in chosen]
        job_id = frame.services.monitoring.ask_together(frame.actor, model, reason, detectors=detectors)
        return f"Asked as job {fmt.short(job_id)}; the answer stands here when a worker has given it."

    dialogs.confirm(
        key=key, title=f"Ask for a second opinion on {model}", icon="groups", button="Ask", act=act, fields=fields,
        consequence="A worker judges all columns together over the latest weeks, by our domain classifier and by these "
        "detectors. Nothing that serves or alerts changes.",
        placeholder="What makes you doubt the verdict? This goes into the ledger.",
    )  # fmt: skip
