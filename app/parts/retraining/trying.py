"""A check of a recipe on the page: asked for by a click, and what it found, in sentences."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.retraining import Recipe


def button(frame: Frame, made: Recipe) -> None:
    """Try the recipe on a small window."""
    why_not = frame.why_not(Permission.JOB_RUN)
    key = f"try-recipe-{made.name}"
    if not widgets.action_button("Check this recipe…", key=key, why_not=why_not):
        return

    def fields() -> None:
        st.number_input("Days of training", min_value=1, max_value=3660, value=7, key=f"{key}-days")

    def act(_reason: str) -> str:
        job_id = frame.services.retraining.try_recipe(frame.actor, made.name, days=int(session.get(f"{key}-days") or 7))
        session.set_param("run", job_id)
        return f"{made.name} is tried as run {fmt.short(job_id)}; its log and what is missing stand under Run."

    dialogs.confirm(
        key=f"{key}-ask", title=f"Check the recipe {made.name}", icon="stethoscope", button="Check it", act=act,
        fields=fields, reason="",
        consequence="Its program runs on the last days of its window, within its limits. Nothing is registered, and "
        "what it logs is deleted from MLflow again.",
    )  # fmt: skip


def found(job: Job) -> None:
    """What a check found, in sentences; nothing for other runs."""
    result = job.result or {}
    for said in result.get("checked") or ():
        (st.success if str(said).startswith("passed") else st.warning)(plain(str(said)))
    tried = result.get("tried")
    if not tried:
        return
    if tried["ok"]:
        st.success("It works: a job would make a version.", icon=widgets.icon("check_circle"))
    for one in tried["missing"]:
        st.error(f"Missing: {plain(str(one))}", icon=widgets.icon("error"))
    for one in tried["advice"]:
        st.info(plain(str(one)), icon=widgets.icon("info"))
    widgets.note(f"Tried on {str(tried['window']['start'])[:10]} to {str(tried['window']['end'])[:10]}: "
                 f"{fmt.duration(float(tried['seconds']))}, {float(tried['peak_mib']):,.0f} MiB at most. "
                 "Nothing is registered.")  # fmt: skip
