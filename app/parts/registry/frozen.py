"""A live version was changed in MLflow behind our back: what changed, and the two ways out."""

from __future__ import annotations

import streamlit as st

from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.freezing import changes_said
from mlops_dash.domain.registry.records import OutsideAlarm, RegistryRoom
from mlops_dash.errors import BrokenModel, Unavailable

_LONGEST = 60


def banners(frame: Frame, room: RegistryRoom) -> None:
    """One box for each live version that was changed."""
    for one in room.outside:
        with st.container(border=True, key=f"card-frozen-{one.version.version}", gap="small"):
            st.markdown(
                f":red-badge[{widgets.icon('lock_open')} Changed outside] **{plain(one.version.subject)}** is live, "
                f"and in MLflow {plain(changes_said(one.changes))}. The gateway goes on with what was approved."
            )
            with st.container(horizontal=True, gap="xsmall"):
                if _button("Restore…", "restore-version", one, one.why_not_restore, "restore"):
                    _restore(frame, one)
                if _button("Adopt the change…", "adopt-change", one, one.why_not_adopt, "sell"):
                    _adopt(frame, one)


def _button(label: str, verb: str, alarm: OutsideAlarm, why_not: str, icon: str) -> bool:
    return widgets.action_button(label, key=f"{verb}-{alarm.version.version}", why_not=why_not, icon_name=icon)


def _restore(frame: Frame, alarm: OutsideAlarm) -> None:
    version = alarm.version

    def act(reason: str) -> str:
        frame.services.registry.restore_version(frame.actor, version.id, reason=reason)
        try:
            left = frame.services.registry.put_back(frame.actor, version.id)
        except (Unavailable, BrokenModel) as error:
            return f"It is decided; MLflow did not take it yet: {error.message} Restore it again once MLflow answers."
        more = f" {fmt.plural(len(left), 'file')} beyond it cannot be taken away by us." if left else ""
        return f"{version.subject} is being put back; the alarm closes when MLflow shows it.{more}"

    dialogs.confirm(
        key=f"restore-version-{version.id}",
        title=f"Restore {version.label} as it was approved",
        consequence=f"What was changed of **{plain(version.subject)}** in MLflow is written back.",
        button=f"Restore {version.label}",
        act=act,
        changes=_changes(alarm, back=True),
        icon="restore",
    )


def _adopt(frame: Frame, alarm: OutsideAlarm) -> None:
    version = alarm.version

    def act(reason: str) -> str:
        frame.services.registry.adopt_change(frame.actor, version.id, reason=reason)
        return f"{version.subject} counts as it is in MLflow now."

    dialogs.confirm(
        key=f"adopt-change-{version.id}",
        title=f"Adopt the change of {version.label}",
        consequence=f"**{plain(version.subject)}** counts as it is in MLflow now, although it passed no gate so. "
        "Altered files are answered with from then on; the ledger says so.",
        button="Adopt the change",
        act=act,
        changes=_changes(alarm, back=False),
        icon="sell",
    )


def _changes(alarm: OutsideAlarm, *, back: bool) -> list[tuple[str, str, str]]:
    found = []
    for one in alarm.changes:
        before, after = _side(one.before), _side(one.after)
        name = f"{one.what} {one.name}".strip().capitalize()
        found.append((name, after, before) if back else (name, before, after))
    return found


def _side(text: str) -> str:
    return fmt.short(text, _LONGEST) if text else "not there"
