"""A file of predictions becomes a watched model: preview, what every column is taken for, a dry run, the verdict."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from app.parts.files import scores as each
from app.parts.files.upload import Upload, upload
from app.shell import session
from app.shell.incidents import explain
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.cadence import BATCH, CADENCES
from mlops_dash.domain.clusters import TOGETHER
from mlops_dash.domain.file_windows import said_of
from mlops_dash.domain.tasks import MULTICLASS, TASKS, task_named
from mlops_dash.errors import InvalidInput, MlopsDashError
from mlops_dash.services.classes import ANSWER
from mlops_dash.services.watching import Proposal, Roles, label_column, propose
from mlops_dash.watch import Ask, roles_of, watch

_ROLES = {
    "time": ("Time of the prediction", "When the model answered"),
    "score": ("Score", "The probability, or the predicted number"),
    "prediction": ("Answered class", "Where the model answers with a class instead"),
    "label": ("Outcome", "What came true"),
    "id": ("Id", "Of a prediction; without one rows get an id from their values"),
}
_PREVIEW, _ROW = 20, 32
_KEPT = "watch-proposal"
_HOW = (
    "A row a prediction: its time, the inputs, the score and the outcome. CSV, TSV or parquet. Nothing is stored "
    "before you have read what every column is taken for."
)


def show(frame: Frame) -> None:
    """Draw the way from a file to a verdict."""
    with widgets.card("watch-file", "The file", "Predictions with their outcomes"):
        given = upload("watch-upload", "File of predictions")
        if given is None:
            widgets.note(_HOW)
            return
        _preview(given)
    left, right = st.columns([5, 7], gap="small")
    with left, widgets.card("watch-roles", "What it holds", "Empty fields are proposed"):
        ask, scores = _ask(given)
    with right, widgets.card("watch-dry", "What will be watched", "Nothing is stored yet"):
        proposal = _dry_run(frame, given, ask, scores)
        if proposal is not None:
            _begin(frame, ask, proposal)


def _preview(given: Upload) -> None:
    table = given.table
    rows, columns = fmt.plural(len(table), "row"), fmt.plural(table.shape[1], "column")
    widgets.note(f"{given.name}: {rows}, {columns}. The first {min(_PREVIEW, len(table))} rows:")
    st.dataframe(
        table.head(_PREVIEW), hide_index=True, row_height=_ROW, height=_ROW * 7, key=f"watch-preview-{given.id}"
    )


def _ask(given: Upload) -> tuple[Ask, each.Scores]:
    """The fields; what stands in them is kept for this file."""
    columns = [str(name) for name in given.table.columns]
    key = given.id
    name, version = st.columns([3, 1], gap="small")
    with name:
        model = st.text_input("Model", value=_name_of(given.name), key=f"watch-model-{key}", max_chars=200)
    with version:
        number = st.text_input("Version", value="1", key=f"watch-version-{key}", max_chars=40)
    chosen: dict[str, str] = {}
    for pair in (("time", "id"), ("score", "prediction"), ("label", "task")):
        for role, place in zip(pair, st.columns(2, gap="small"), strict=True):
            with place:
                chosen[role] = _column(role, columns, key) if role in _ROLES else _task(key)
    scores = each.fields(given.table, label_column(given.table, chosen["label"]), key)
    (positive, until), (zone, judged) = st.columns(2, gap="small"), st.columns(2, gap="small")
    cluster = st.selectbox(
        "Rows belong together by", columns, index=None, placeholder="no column", key=f"watch-cluster-{key}",
        format_func=plain, help=f"A column {TOGETHER}",
    )  # fmt: skip
    with positive:
        value = st.text_input(
            "Positive class", key=f"watch-positive-{key}", placeholder="as proposed",
            help="The outcome whose probability the score is; of two classes",
        )  # fmt: skip
    with until:
        day = st.text_input(
            "Reference until", key=f"watch-until-{key}", placeholder="the first third",
            help="A day such as 2026-03-01: the days before it are what all later days are compared with",
        )  # fmt: skip
    with zone:
        where = st.text_input("Time zone", value="UTC", key=f"watch-zone-{key}", help="Such as Europe/Berlin")
    with judged:
        window = st.selectbox(
            "Judged by", [*CADENCES, *(f"{BATCH}:{name}" for name in columns)], index=None, placeholder="as rows come",
            key=f"watch-window-{key}", format_func=lambda one: plain(said_of(one)), accept_new_options=True,
            help="What is judged as one: an hour, day, week or month, or the batch that a column names. So many rows "
            "each: type rows:5000",
        )  # fmt: skip
    roles = Roles(
        time=chosen["time"], score=chosen["score"], prediction=chosen["prediction"], label=chosen["label"],
        id=chosen["id"], task=chosen["task"], class_names=tuple(name for name, _ in scores),
        positive=(value or "").strip(), zone=(where or "UTC").strip(),
        window=window or "", cluster=cluster or "",
    )  # fmt: skip
    return Ask(given.name, (model or "").strip(), (number or "").strip() or "1", roles, (day or "").strip()), scores


def _column(role: str, columns: Sequence[str], key: str) -> str:
    label, explained = _ROLES[role]
    chosen = st.selectbox(
        label, columns, index=None, placeholder="as proposed", key=f"watch-{role}-{key}", help=explained,
        format_func=plain,
    )  # fmt: skip
    return chosen or ""


def _task(key: str) -> str:
    chosen = st.selectbox(
        "Task", [task.name for task in TASKS], index=None, placeholder="told from the file",
        format_func=lambda name: task_named(name).title, key=f"watch-task-{key}",
    )  # fmt: skip
    return chosen or ""


def _name_of(file: str) -> str:
    stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.")[:100] or "model"


def _proposal(frame: Frame, given: Upload, ask: Ask, scores: each.Scores) -> Proposal:
    """What would be watched; a long file is read anew only where a field has changed."""
    if scores and (ask.roles.score or ask.roles.prediction):
        raise InvalidInput("The probabilities of all classes say the answer.", hint="Empty Score and Answered class.")
    if scores:
        task = ask.roles.task or MULTICLASS.name
        ask = replace(ask, roles=replace(ask.roles, prediction=ANSWER, task=task))
    roles = roles_of(frame.services, frame.actor, ask)
    kept = session.get(_KEPT)
    if kept is None or kept[:3] != (given.id, roles, scores):
        table = each.answered(given.table, scores) if scores else given.table
        kept = (given.id, roles, scores, propose(table, roles, now=frame.now))
        session.put(_KEPT, kept)
    found: Proposal = kept[3]
    return found


def _dry_run(frame: Frame, given: Upload, ask: Ask, scores: each.Scores) -> Proposal | None:
    """What every column would be taken for; a sentence where that cannot be said."""
    if not ask.model:
        st.warning("The model has no name yet.", icon=widgets.icon("edit"))
        return None
    try:
        proposal = _proposal(frame, given, ask, scores)
    except MlopsDashError as error:
        st.warning(plain(error.sentence()), icon=widgets.icon("rule"))
        return None
    rows: Sequence[tuple[str, str, str]] = proposal.how
    if proposal.dropped:
        rows = (*rows, ("left out", f"{proposal.dropped:,} rows", "without a time, score or outcome"))
    st.dataframe(
        pd.DataFrame(rows, columns=["What", "Taken from the file", "Why"]), hide_index=True, row_height=_ROW,
        height=_ROW * (len(rows) + 1) + 2, key=f"watch-how-{given.id}",
    )  # fmt: skip
    return proposal


def _begin(frame: Frame, ask: Ask, proposal: Proposal) -> None:
    why_not = frame.why_not(Permission.MODEL_EDIT)
    if not widgets.action_button(
        "Watch this model", key="watch-begin", why_not=why_not, primary=True, icon_name="visibility"
    ):
        widgets.note(
            "The model is served elsewhere; nothing is written to MLflow. The same file again changes nothing."
        )
        return
    rows = len(proposal.live)
    bar = st.progress(0.0, f"Storing {rows:,} rows and judging every day…")

    def tell(done: int, of: int) -> None:
        bar.progress(min(1.0, done / max(of, 1)), f"{done:,} of {of:,} rows stored; then every day is judged")

    try:
        watched = watch(frame.services, frame.actor, ask, proposal, progress=tell)
    except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged with an id
        bar.empty()
        st.error(plain(explain(error).sentence()), icon=widgets.icon("error"))
        return
    summary: dict[str, Any] = dict(watched.summary)
    session.forget_reads()
    dialogs.flash(f"{ask.model} is watched: {watched.stored:,} new rows. {summary['sentence']}")
    widgets.go_to("monitoring", model=ask.model)
