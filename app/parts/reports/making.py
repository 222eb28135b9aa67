"""The one button that makes a report: choose its kind and what it is about, then freeze."""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st

from app.shell import address, session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain.reports.levels import LEVEL_HELP, LEVEL_LABELS, Level
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Draft, ReportKind, ReportsRoom, Subjects

_FOR_WHOM = ". ".join(f"{LEVEL_LABELS[one]}: {said}" for one, said in LEVEL_HELP.items())
_EARLIEST = date(1970, 1, 7)


def button(frame: Frame, room: ReportsRoom) -> None:
    """The button and its dialog."""
    why_not = room.why_not or ("" if room.choices else "No model is watched yet.")
    if not widgets.action_button(
        "Make a report…", key="make", why_not=why_not, primary=not room.lines, icon_name="note_add"
    ):
        return
    subjects = frame.services.reports.subjects(frame.actor)

    def act(_reason: str) -> str:
        made = frame.services.reports.freeze(frame.actor, _draft(frame))
        session.set_param("report", made.line.id)
        address.turn({"level": str(session.get("review-level") or Level.TECHNICAL)})
        line = made.line
        return f"The report on {line.of}, {line.about}, is kept: facts {line.sha256[:12]}."

    dialogs.confirm(
        key="review",
        title="Make a report",
        consequence="Freezes what is known now under a hash. What comes later does not change it; "
        "the ledger says who made it.",
        button="Make the report",
        act=act,
        icon="note_add",
        reason="",
        choices=lambda: _choices(subjects),
        fields=lambda: _fields(frame, room, subjects),
    )


def _choices(subjects: Subjects) -> None:
    """What the other fields depend on."""
    offered = [ReportKind.WEEKLY, ReportKind.FLEET, ReportKind.CARD]
    offered += [ReportKind.PROMOTION] if subjects.versions else []
    offered += [ReportKind.AB_RESULT] if subjects.tests else []
    kind = st.selectbox("Kind", offered, key="review-kind", format_func=lambda one: KIND_LABELS[one])
    if kind is ReportKind.PROMOTION:
        st.selectbox("Model", list(subjects.versions), key="review-of")


def _fields(frame: Frame, room: ReportsRoom, subjects: Subjects) -> None:
    kind = session.get("review-kind")
    if kind is ReportKind.PROMOTION:
        labels = subjects.versions.get(str(session.get("review-of")), ())
        st.selectbox("Version", labels, key="review-version")
    elif kind is ReportKind.AB_RESULT:
        names = dict(subjects.tests)
        st.selectbox("Test", list(names), key="review-test", format_func=lambda one: names[one])
    elif kind is ReportKind.CARD:
        st.selectbox("Model", [one.model for one in room.choices], key="review-card")
    elif kind is not ReportKind.FLEET:
        _week(frame, room)
    st.selectbox(
        "For whom", list(Level), index=list(Level).index(Level.TECHNICAL), key="review-level",
        format_func=lambda one: LEVEL_LABELS[one], help=_FOR_WHOM,
    )  # fmt: skip


def _week(frame: Frame, room: ReportsRoom) -> None:
    last = max((one.last_day for one in room.choices if one.last_day), default=None)
    said = {one.model: f"{one.model} · {one.title}" if one.title not in {"", one.model} else one.model
            for one in room.choices}  # fmt: skip
    st.selectbox("Model", list(said), key="review-model", format_func=lambda name: said[name])
    st.date_input(
        "Last day of the week",
        value=last,
        min_value=_EARLIEST,
        max_value=max(last or _EARLIEST, frame.now.date() + timedelta(days=1)),
        key="review-until",
        help="The seven days that end with this one, in the model's own zone. Empty: the last judged day.",
    )


def _draft(frame: Frame) -> Draft:
    reports, kind = frame.services.reports, session.get("review-kind")
    if kind is ReportKind.FLEET:
        return reports.fleet(frame.actor)
    if kind is ReportKind.CARD:
        return reports.card(frame.actor, str(session.get("review-card")))
    if kind is ReportKind.AB_RESULT:
        return reports.ab_result(frame.actor, str(session.get("review-test")))
    if kind is ReportKind.PROMOTION:
        version = str(session.get("review-version"))
        return reports.promotion(frame.actor, str(session.get("review-of")), version)
    return reports.weekly(frame.actor, str(session.get("review-model")), until=session.get("review-until"))
