"""Add models: tick what an MLflow offers, or name one that is served elsewhere; the first one, and any later."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.registry.adoption import MOST_BYTES, Adoption, adoption_csv, checked_classes, read_adoptions
from mlops_dash.domain.registry.catalogue import Catalogue, Offered
from mlops_dash.domain.registry.live import ALIAS, HOW, NONE, STAGE, STAGES, live_mark
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.tasks import MULTICLASS, TASKS, task_named
from mlops_dash.errors import InvalidInput

SHOWN = 40  # rows of the dialog; the command takes any number
_TASKS = [task.name for task in TASKS]
_LINE = "<hr style='margin:0;opacity:.3'>"


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

    def choices() -> None:  # outside the form: a task in words asks for its classes
        _state(found)
        if found.new:
            _file(found)
        for offered in shown:
            st.html(_LINE)
            _row(offered)
        if shown:
            st.html(_LINE)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.text_input("A model that is served elsewhere", key="elsewhere-name", placeholder="Its name")
            st.selectbox("It predicts", _TASKS, format_func=_title, key="elsewhere-task")
        if session.get("elsewhere-task") == MULTICLASS.name:
            _classes("elsewhere", ())

    def act(reason: str) -> str:
        return _add(frame, found, shown, reason)

    dialogs.confirm(
        key="add-models-dialog", title="Add models", icon="library_add", button="Add models", act=act,
        choices=choices,
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
    left, right = st.columns([5, 4])
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
        if (session.get(f"adopt-task-{offered.name}") or offered.task) == MULTICLASS.name:
            _classes(offered.name, offered.classes)
        marks = [offered.live, *(f"{ALIAS}:{name}" for name in offered.aliases)]
        marks += [f"{STAGE}:{name}" for name in offered.stages if name in STAGES]
        st.selectbox(
            "Live is", list(dict.fromkeys([*marks, NONE])), key=f"adopt-live-{offered.name}", format_func=_mark,
            accept_new_options=True, label_visibility="collapsed", help=f"Which mark says what is live: {HOW}",
        )  # fmt: skip


def _classes(name: str, known: tuple[str, ...]) -> None:
    """Which classes there are; a file or a request then names them by these words."""
    st.text_input(
        "Classes, with semicolons between", value="; ".join(known), key=f"adopt-classes-{name}",
        placeholder="red; green; blue", help="In the order in which they are shown. The order stays.",
    )  # fmt: skip


def _said_classes(name: str, task: str) -> tuple[str, ...]:
    text = str(session.get(f"adopt-classes-{name}") or "") if task == MULTICLASS.name else ""
    return checked_classes(task, text, "Write the names of the classes with semicolons between: red; green; blue")


def _mark(text: str) -> str:
    return "live: only what is promoted here" if text == NONE else f"live: {text}"


def _file(found: Catalogue) -> None:
    st.download_button(
        "All of them as CSV",
        adoption_csv(found),
        "models.csv",
        "text/csv",
        key="adopt-csv",
        icon=widgets.icon("download"),
    )
    st.file_uploader(
        "Many models: fill in the CSV file and bring it here", type=["csv"], key="adopt-file",
        max_upload_size=MOST_BYTES // 2**20,
        help="A line a model: watch (yes or no), task, classes (a;b;c), owner, tier, live, window, cluster",
    )  # fmt: skip


def _told(offered: Offered) -> str:
    marks = [f"{mark} is v{version}" for mark, version in (*offered.aliases.items(), *offered.stages.items())]
    signature = {True: "signature", False: "no signature", None: "MLmodel not readable"}[offered.signature]
    newest = f"v{offered.version}" if offered.version else "no version yet"
    owner = [f"owner {offered.owner}"] if offered.owner else []
    return " · ".join([newest, *marks, *([offered.flavour] if offered.flavour else []), signature, *owner])


def _add(frame: Frame, found: Catalogue, shown: tuple[Offered, ...], reason: str) -> str:
    """Add what was ticked, named or said in a file; all of it is checked before the first is added."""
    ticked = [_ticked(one) for one in shown if session.get(f"adopt-{one.name}")]
    file = session.get("adopt-file")
    if file is not None:
        said = read_adoptions(file.getvalue(), found)
        names = {one.name for one in said}
        ticked = [*said, *(one for one in ticked if one.name not in names)]
    elsewhere = str(session.get("elsewhere-name") or "").strip()
    if not ticked and not elsewhere:
        raise InvalidInput("No model is ticked or named.", hint="Tick at least one.")
    task = str(session.get("elsewhere-task") or _TASKS[0])
    classes = _said_classes("elsewhere", task) if elsewhere else ()
    add = frame.services.registry.add_model
    for one in ticked:
        add(
            frame.actor, one.name, task=one.task, class_names=one.class_names, owner=one.owner or frame.actor.name,
            tier=one.tier, live=one.live, cadence=one.window, cluster=one.cluster, reason=reason,
        )  # fmt: skip
    if elsewhere:
        add(
            frame.actor, elsewhere, task=task, class_names=classes, source=EXTERNAL, owner=frame.actor.name,
            reason=reason,
        )  # fmt: skip
    added = [one.name for one in ticked] + ([elsewhere] if elsewhere else [])
    return f"Watched from now on: {', '.join(added)}."


def _ticked(offered: Offered) -> Adoption:
    task = str(session.get(f"adopt-task-{offered.name}") or "")
    if not task:
        raise InvalidInput(f"What {offered.name} predicts is not said.", hint="Choose it beside the name.")
    live = str(live_mark(str(session.get(f"adopt-live-{offered.name}") or offered.live)))
    try:
        classes = _said_classes(offered.name, task)
    except InvalidInput as error:
        raise InvalidInput(f"{offered.name}: {error.message}", hint=error.hint) from None
    return Adoption(offered.name, task, classes, offered.owner, live=live)


def _title(name: str) -> str:
    return task_named(name).title
