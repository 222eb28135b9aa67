"""Models: what is said of each, and the dialogs that edit, archive and restore one."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.charts import models as tables
from app.parts.connect import adopt
from app.shell import address, session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.cadence import BATCH, CADENCES, ROWS
from mlops_dash.domain.clusters import TOGETHER
from mlops_dash.domain.registry.editing import TIERS
from mlops_dash.domain.registry.live import HOW
from mlops_dash.domain.registry.records import Model


def models_panel(frame: Frame) -> None:
    """Every model, archived ones too."""
    models = {model.name: model for model in frame.services.registry.all_models(frame.actor)}
    said = f"{fmt.plural(len(models), 'model')}; an archived one stands on no other page and answers nothing"
    with widgets.card("models", "Models", said, lambda: adopt.button(frame)):
        if not models:
            widgets.empty("visibility", "No model is known yet", "Add the first one.", key="models")
            return
        st.dataframe(
            tables.models(tuple(models.values()), frame.zone), key="models-table", hide_index=True, row_height=32,
            alt="Models by name, with what is said of each",
        )  # fmt: skip
        address.menu("model", models, next(iter(models)))
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="model-actions"):
            name = st.selectbox("Model", list(models), key="model", width=280, on_change=address.picked,
                                args=("model",))  # fmt: skip
            _actions(frame, models[name])


def _actions(frame: Frame, model: Model) -> None:
    archive = frame.why_not(Permission.MODEL_ARCHIVE)
    if model.archived_at is not None:
        if widgets.action_button("Restore…", key="restore-model", why_not=archive, icon_name="unarchive"):
            _restore(frame, model)
        return
    edit = frame.why_not(Permission.MODEL_EDIT)
    if widgets.action_button("Edit…", key="edit-model", why_not=edit, icon_name="edit"):
        _edit(frame, model)
    if widgets.action_button("Archive…", key="archive-model", why_not=archive, icon_name="archive"):
        _archive(frame, model)


def _edit(frame: Frame, model: Model) -> None:
    key = f"model-{model.name}"

    def fields() -> None:
        st.text_input("Title", value=model.title, key=f"{key}-title", max_chars=120)
        st.text_input("Owner", value=model.owner, key=f"{key}-owner", max_chars=120)
        st.selectbox("Tier", TIERS, index=TIERS.index(model.tier), key=f"{key}-tier", help="1 is the most critical")
        kinds, (kind, _, more) = [*CADENCES, ROWS, BATCH], model.cadence.partition(":")
        judged, named = st.columns(2, gap="small")
        with judged:
            st.selectbox(
                "Judged by", kinds, index=kinds.index(kind), key=f"{key}-cadence",
                help="What is judged as one: an hour, day, week or month, so many rows, or a batch; a policy of its "
                "own says it instead",
            )  # fmt: skip
        with named:
            st.text_input("How many rows, or the batch's column", value=more, key=f"{key}-batch", max_chars=200,
                          help="Of a model judged by rows: how many a window has, such as 5000. Of one judged by the "
                          "batch: a column that comes with every row")  # fmt: skip
        st.text_input("Rows belong together by", value=model.cluster, key=f"{key}-cluster", max_chars=120,
                      help=f"A column {TOGETHER}. It holds for references of now and later")  # fmt: skip
        if not model.elsewhere:
            st.text_input("Live in MLflow", value=model.live, key=f"{key}-live", max_chars=200,
                          help=f"Which mark says what is live: {HOW}")  # fmt: skip
        st.text_area("Parts watched by themselves: columns, one a line", value="\n".join(model.slices),
                     key=f"{key}-slices", help="Every value of such a column, or every quarter of a number's range, is "
                     "held against the other rows: Monitoring, card Parts of the rows")  # fmt: skip
        st.text_area("Groups that must fare alike: columns, one a line", value="\n".join(model.groups),
                     key=f"{key}-groups", help="Every value of such a column is a group: Monitoring, card Gaps between "
                     "groups")  # fmt: skip
        st.text_area(
            "Inputs that are never stored, one a line", value="\n".join(model.do_not_log), key=f"{key}-do-not-log"
        )

    def act(reason: str) -> str:
        changes: dict[str, Any] = {
            "title": str(session.get(f"{key}-title") or ""),
            "owner": str(session.get(f"{key}-owner") or ""),
            "tier": session.get(f"{key}-tier"),
            "cadence": _cadence(str(session.get(f"{key}-cadence")), str(session.get(f"{key}-batch") or "")),
            "cluster": str(session.get(f"{key}-cluster") or ""),
            **({} if model.elsewhere else {"live": str(session.get(f"{key}-live") or "")}),
            "groups": str(session.get(f"{key}-groups") or "").splitlines(),
            "slices": str(session.get(f"{key}-slices") or "").splitlines(),
            "do_not_log": str(session.get(f"{key}-do-not-log") or "").splitlines(),
        }
        frame.services.registry.edit_model(frame.actor, model.name, changes, reason=reason)
        return f"{model.name} is edited."

    dialogs.confirm(
        key=f"edit-{key}", title=f"Edit {model.name}", icon="edit", button="Save", act=act, fields=fields,
        consequence="What is never stored holds for rows from now on; those that are stored stay.",
    )  # fmt: skip


def _cadence(kind: str, more: str) -> str:
    return f"{kind}:{more.strip()}" if kind in (BATCH, ROWS) else kind


def _archive(frame: Frame, model: Model) -> None:
    def act(reason: str) -> str:
        frame.services.registry.archive_model(frame.actor, model.name, reason=reason)
        return f"{model.name} is archived."

    dialogs.confirm(
        key=f"archive-model-{model.name}", title=f"Archive {model.name}", icon="archive", button="Archive model",
        act=act, changes=(("Answers and takes rows", "yes", "no"), ("On pages and in chores", "yes", "no")),
        consequence="Its gateway address answers nothing any more. History and approvals stay, and it can be restored.",
    )  # fmt: skip


def _restore(frame: Frame, model: Model) -> None:
    def act(reason: str) -> str:
        frame.services.registry.restore_model(frame.actor, model.name, reason=reason)
        return f"{model.name} is back as it was."

    dialogs.confirm(
        key=f"restore-model-{model.name}", title=f"Restore {model.name}", icon="unarchive", button="Restore model",
        act=act, changes=(("Answers and takes rows", "no", "yes"), ("On pages and in chores", "no", "yes")),
        consequence="What was approved before it was archived serves again, and the same policies hold.",
    )  # fmt: skip
