"""Add models: tick what an MLflow offers, or name one that is served elsewhere; the first one, and any later."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.tasks import TASKS, task_named
from mlops_dash.errors import InvalidInput

SHOWN = 40  # rows of the dialog; the command takes any number
_TASKS = [task.name for task in TASKS]


def button(frame: Frame, *, primary: bool = False) -> None:
    """The button that opens the table; who may not add sees why."""
    if widgets.action_button(
        "Add models…", key="add-models", why_not=frame.why_not(Permission.MODEL_EDIT), primary=primary,
        icon_name="library_add",
    ):  # fmt: skip
        with st.spinner("Reading what is registered in MLflow…"):
            found = frame.services.registry.catalogue(frame.actor)
        _choose(frame, found)


def _choose(frame: Frame, found: Catalogue) -> None:
    shown = found.new[:SHOWN]

    def fields() -> None:
        _state(found)
        for offered in shown:
            _row(offered)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.text_input("A model that is served elsewhere", key="elsewhere-name", placeholder="Its name")
            st.selectbox("It predicts", _TASKS, format_func=_title, key="elsewhere-task")

    def act(reason: str) -> str:
        return _add(frame, shown, reason)

    dialogs.confirm(
        key="add-models-dialog", title="Add models", icon="library_add", button="Add models", act=act, fields=fields,
        consequence=f"You become the owner of what names none. Adding writes nothing to MLflow{_later(frame)}.",
        placeholder="Why are they watched? This goes into the ledger.",
    )  # fmt: skip


def _later(frame: Frame) -> str:
    if not frame.services.context.settings.anchors_in_mlflow:
        return ""
    return "; later the worker keeps the head of our ledger as one tag on one of its models"


def _state(found: Catalogue) -> None:
    if not found.reachable:
        widgets.note(f"{found.reason} Models of MLflow can be added when it answers.")
    elif not found.models:
        widgets.note("Nothing is registered in MLflow yet. Register a version with any client; it appears here.")
    elif not found.new:
        widgets.note(f"{fmt.plural(len(found.models), 'registered model')}: all of them are watched or archived.")
    elif len(found.new) > SHOWN:
        widgets.note(f"The first {SHOWN} of {len(found.new)} by name; for all: mlops-dash connect --all --reason TEXT")


def _row(offered: Offered) -> None:
    left, right = st.columns([5, 4], vertical_alignment="center")
    with left:
        st.checkbox(plain(offered.name), key=f"adopt-{offered.name}")
        widgets.note(_told(offered))
    with right:
        st.selectbox(
            "It predicts", _TASKS, format_func=_title, key=f"adopt-task-{offered.name}",
            index=_TASKS.index(offered.task) if offered.task else None, placeholder="What does it predict?",
            label_visibility="collapsed",
        )  # fmt: skip
        widgets.note(offered.why)


def _told(offered: Offered) -> str:
    marks = [f"{mark} is v{version}" for mark, version in (*offered.aliases.items(), *offered.stages.items())]
    signature = {True: "signature", False: "no signature", None: "MLmodel not readable"}[offered.signature]
    newest = f"v{offered.version}" if offered.version else "no version yet"
    owner = [f"owner {offered.owner}"] if offered.owner else []
    return " · ".join([newest, *marks, *([offered.flavour] if offered.flavour else []), signature, *owner])


def _add(frame: Frame, shown: tuple[Offered, ...], reason: str) -> str:
    """Add what was ticked and named; all of it is checked before the first is added."""
    ticked = [one for one in shown if session.get(f"adopt-{one.name}")]
    tasks = {one.name: str(session.get(f"adopt-task-{one.name}") or "") for one in ticked}
    for name, task in tasks.items():
        if not task:
            raise InvalidInput(f"What {name} predicts is not said.", hint="Choose it beside the name.")
    elsewhere = str(session.get("elsewhere-name") or "").strip()
    if not ticked and not elsewhere:
        raise InvalidInput("No model is ticked or named.", hint="Tick at least one.")
    add = frame.services.registry.add_model
    for one in ticked:
        add(frame.actor, one.name, task=tasks[one.name], owner=one.owner or frame.actor.name, reason=reason)
    if elsewhere:
        task = str(session.get("elsewhere-task") or _TASKS[0])
        add(frame.actor, elsewhere, task=task, source=EXTERNAL, owner=frame.actor.name, reason=reason)
    names = [one.name for one in ticked] + ([elsewhere] if elsewhere else [])
    return f"Watched from now on: {', '.join(names)}."


def _title(name: str) -> str:
    return task_named(name).title
