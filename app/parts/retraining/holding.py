"""What holds a schedule back: fields of its form, read back as guards."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from mlops_dash.domain.blackout import InBlackout
from mlops_dash.domain.retraining import Schedule
from mlops_dash.domain.starting import TRIGGERS, ScheduleKind
from mlops_dash.domain.triggers import Guards, Overlap

_OVERLAP = {
    Overlap.QUEUE: "wait for its turn",
    Overlap.QUEUE_ONE: "wait, unless one waits already",
    Overlap.SKIP: "skip the slot",
}
_DARK = {InBlackout.SKIP: "is skipped", InBlackout.WAIT: "waits for the end"}


def bounds(made: Schedule | None, key: str) -> None:
    """How often it may run."""
    known = made.guards if made else Guards()
    left, right = st.columns(2, gap="small")
    hours, runs = known.cooldown_seconds / 3600 or None, known.runs_a_month or None
    left.number_input("Hours between two runs, at least", min_value=0.0, value=hours, step=1.0, format="%g",
                      key=f"{key}-cooldown", placeholder="no bound")  # fmt: skip
    right.number_input("Runs a month, at most", min_value=1, value=runs, step=1, key=f"{key}-budget",
                       placeholder="no bound", help="Beyond it nothing starts until the next month")  # fmt: skip
    money = known.money_a_month or None
    st.number_input("Cost a month, at most", min_value=0.01, value=money, step=1.0, format="%g", key=f"{key}-money",
                    placeholder="no bound", help="Wall time times the recipe's price; a hard stop")  # fmt: skip


def blackout(kind: ScheduleKind, made: Schedule | None, key: str) -> None:
    """Hours and days in which nothing starts."""
    known = made.guards if made else Guards()
    left, right = st.columns(2, gap="small")
    left.text_input("Nothing starts between", value=known.not_between, key=f"{key}-between", placeholder="22:00-06:00",
                    help="By the clock of the schedule's zone; several with commas")  # fmt: skip
    right.text_input("Nothing starts on", value=known.not_on, key=f"{key}-on-days", placeholder="sat, sun",
                     help="Weekdays, dates, or holidays=2026-12-24..2027-01-02")  # fmt: skip
    if kind not in TRIGGERS and (session.get(f"{key}-between") or session.get(f"{key}-on-days")):
        options = list(_DARK)
        st.selectbox("A slot in that time", options, index=options.index(InBlackout(known.in_blackout)),
                     format_func=_DARK.__getitem__, key=f"{key}-dark")  # fmt: skip


def overlap(made: Schedule | None, key: str) -> None:
    """What a slot does beside another run."""
    options = list(_OVERLAP)
    known = made.guards if made else Guards()
    st.selectbox("While another run of the model waits or runs", options, key=f"{key}-overlap",
                 index=options.index(Overlap(known.overlap)), format_func=_OVERLAP.__getitem__)  # fmt: skip


def guards(kind: ScheduleKind, key: str) -> Guards:
    """What was filled in."""
    hours, runs = session.get(f"{key}-cooldown") or 0, session.get(f"{key}-budget") or 0
    waits = kind in TRIGGERS
    return Guards(
        round(float(hours) * 3600), int(runs),
        overlap=str(Overlap.QUEUE if waits else session.get(f"{key}-overlap") or Overlap.QUEUE),
        not_between=str(session.get(f"{key}-between") or "").strip(),
        not_on=str(session.get(f"{key}-on-days") or "").strip(),
        in_blackout=str(session.get(f"{key}-dark") or InBlackout.SKIP),
        money_a_month=float(session.get(f"{key}-money") or 0),
    )  # fmt: skip
