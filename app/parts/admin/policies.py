"""Policies: what is in force for a model, what waits for a second person, every version, and the form for the next."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.charts import policies as tables
from app.parts.admin import replays
from app.shell import address, session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission, person_of
from mlops_dash.domain.audit import who
from mlops_dash.domain.policies import PolicyKind, PolicyVersion, policy_value
from mlops_dash.domain.policies.room import PolicyField, PolicyRoom, policy_changes, second_person

_COLUMNS = {
    "Field": st.column_config.TextColumn(width=170),
    "Value": st.column_config.TextColumn(width=130),
    "Default": st.column_config.TextColumn(width=130),
}
_KINDS = [str(kind) for kind in PolicyKind]


def policies_panel(frame: Frame) -> None:
    """One model's policy of one kind."""
    names = [model.name for model in frame.services.registry.models(frame.actor)]
    if not names:
        widgets.empty(
            "policy", "No model is known yet", "Add one on Overview; its policies stand here then.", key="policies"
        )
        return
    address.menu("model", names, names[0])
    address.menu("kind", _KINDS, _KINDS[0])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="policy-choice"):
        name = st.selectbox("Model", names, key="model", width=280, on_change=address.picked, args=("model",))
        kind = PolicyKind(st.selectbox("Kind", _KINDS, key="kind", width=180, on_change=address.picked,
                                       args=("kind",)))  # fmt: skip
    room = frame.services.policies.room(frame.actor, name, kind)
    _waiting(frame, name, room)
    _in_force(frame, name, room)
    _history(frame, room)


def _in_force(frame: Frame, name: str, room: PolicyRoom) -> None:
    def propose() -> None:
        if widgets.action_button(
            "Propose the next version…", key="propose-policy", why_not=frame.why_not(Permission.POLICY_EDIT),
            primary=not room.waiting, icon_name="edit_document",
        ):  # fmt: skip
            _propose(frame, name, room)

    with widgets.card("policy", "In force", _since(frame, room.active), propose):
        st.dataframe(
            tables.fields(room.fields), key="policy-fields", hide_index=True, row_height=32,
            height=35 + 32 * len(room.fields) + 2, column_config=_COLUMNS,
            alt="Every field of the policy, its default and what it means",
        )  # fmt: skip


def _since(frame: Frame, policy: PolicyVersion) -> str:
    if policy.is_default:
        return "The default of the model's task: nobody has written a policy"
    people = f"by {who(policy.author)}, activated by {who(policy.approver or '')}"
    return f"Version {policy.number} since {frame.instant(policy.active_from)}, {people}"


def _waiting(frame: Frame, name: str, room: PolicyRoom) -> None:
    for version in room.waiting:
        changes = _texts(policy_changes(room.active.body, version.body))
        said = f"Written by {who(version.author)}, {frame.ago(version.active_from)}"
        with widgets.card(f"waiting-{version.id}", f"Version {version.number} waits for a second person", said):
            widgets.changes_table(changes)
            replays.on_card(frame, name, version)
            why_not = frame.why_not(Permission.POLICY_EDIT)
            if not why_not and person_of(version.author) == frame.actor.person:
                why_not = f"You wrote it. {second_person(room.who_may, version.author)}"
            if widgets.action_button(
                "Activate…", key=f"activate-{version.id}", why_not=why_not, primary=True, icon_name="task_alt"
            ):
                _activate(frame, name, version, changes)


def _history(frame: Frame, room: PolicyRoom) -> None:
    if not room.history:
        return
    with widgets.card("policy-history", "Versions", f"{fmt.plural(len(room.history), 'version')}, newest first"):
        st.dataframe(
            tables.history(room, frame.zone), key="policy-versions", hide_index=True, row_height=32,
            alt="Versions of the policy, newest first",
        )  # fmt: skip


def _propose(frame: Frame, name: str, room: PolicyRoom) -> None:
    policy = room.active

    def key(field: PolicyField) -> str:
        return f"policy-{policy.kind}-{policy.number}-{field.name}"

    def fields() -> None:
        for field in room.fields:
            _input(field, key(field))
        if policy.kind is PolicyKind.MONITORING:
            replays.in_form(frame, name, body)

    def body() -> dict[str, Any]:
        return {
            field.name: policy_value(policy.kind, field.name, str(session.get(key(field)) or "").strip())
            for field in room.fields
        }

    def act(reason: str) -> str:
        written = frame.services.policies.propose(frame.actor, name, policy.kind, body(), reason=reason)
        asked = second_person(room.who_may, written.author)
        return f"Version {written.number} is written. It holds once somebody else has activated it. {asked}"

    monitoring = policy.kind is PolicyKind.MONITORING  # a replay reads the fields: each change counts at once
    dialogs.confirm(
        key=f"propose-policy-{policy.kind}-{name}", title=f"Next {policy.kind} policy of {name}", icon="edit_document",
        button="Propose version", act=act, fields=None if monitoring else fields,
        choices=fields if monitoring else None,
        consequence="It begins with what is in force. Nothing changes until a second person activates it.",
    )  # fmt: skip


def _input(field: PolicyField, key: str) -> None:
    label = field.name.replace("_", " ").capitalize()
    left, right = st.columns([4, 5], vertical_alignment="bottom")
    with left:
        if field.choices:
            choices = (*field.choices, *({str(field.value)} - {*field.choices}))  # batch:COLUMN is none of the usual
            st.selectbox(label, choices, index=choices.index(str(field.value)), key=key,
                         format_func=lambda choice: choice or "none", accept_new_options=field.is_open)  # fmt: skip
        else:
            st.text_input(label, value=str(field.value), key=key, max_chars=80)
    with right:
        default = "" if field.value == field.default else f" (default {tables.shown(field.default)})"
        widgets.note(f"{field.meaning}{default}")


def _activate(frame: Frame, name: str, version: PolicyVersion, changes: list[tuple[str, str, str]]) -> None:
    def act(reason: str) -> str:
        policy = frame.services.policies.activate(frame.actor, version.id, reason=reason)
        return f"The {policy.kind} policy {policy.number} of {policy.model} is in force."

    dialogs.confirm(
        key=f"activate-policy-{version.id}", title=f"Activate {version.kind} policy {version.number} of {name}",
        icon="task_alt", button="Activate policy", act=act, changes=changes,
        consequence="It holds from now on; approvals of open proposals that rested on the old one are void.",
    )  # fmt: skip


def _texts(changes: tuple[tuple[str, Any, Any], ...]) -> list[tuple[str, str, str]]:
    return [(name.replace("_", " "), tables.shown(now), tables.shown(then)) for name, now, then in changes]
