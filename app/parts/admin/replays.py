"""A monitoring policy before it holds: what it would have called over the recorded history, beside the one in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.shell import session
from app.shell.incidents import explain
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.policy_replay import PolicyReplay
from mlops_dash.domain.policies import PolicyKind, PolicyVersion

_WAITS = "It runs over the recorded windows; nothing is stored and no alert is touched."


def in_form(frame: Frame, model: str, body: Callable[[], Mapping[str, Any]]) -> None:
    """Below the fields of the next version: a button that replays what stands in them, and what came of it.

    Args:
        frame: The page.
        model: Whose policy.
        body: What stands in the form now.
    """
    key = f"replay-policy-{model}"

    def run() -> None:
        _keep(key, lambda: frame.services.monitoring.replay_policy(frame.actor, model, body()))

    st.button("Replay over the history", key=f"{key}-run", icon=widgets.icon("history"), on_click=run)
    _outcome(frame, key)


def on_card(frame: Frame, model: str, version: PolicyVersion) -> None:
    """On the card of a written version: the same for the second person."""
    if version.kind is not PolicyKind.MONITORING:
        return
    key = f"replay-version-{version.id}"
    if widgets.action_button("Replay over the history", key=f"{key}-run", icon_name="history"):
        _keep(key, lambda: frame.services.monitoring.replay_policy(frame.actor, model, version.body))
    _outcome(frame, key)


def _keep(key: str, ask: Callable[[], PolicyReplay]) -> None:
    session.pop(f"{key}-said")
    session.pop(f"{key}-error")
    try:
        session.put(f"{key}-said", ask())
    except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged with an id
        session.put(f"{key}-error", explain(error).sentence())


def _outcome(frame: Frame, key: str) -> None:
    error, found = session.get(f"{key}-error"), session.get(f"{key}-said")
    if error:
        st.error(plain(error), icon=":material/error:")
    if not isinstance(found, PolicyReplay):
        widgets.note(_WAITS)
        return
    widgets.note(f"{found.sentence} v{found.version}, {fmt.period(found.start, found.end, frame.zone)}.")
    rows = "".join(_row(*row) for row in found.rows())
    head = "<thead><tr><th></th><th scope='col'>In force</th><th scope='col'>Proposed</th></tr></thead>"
    st.html(f"<table class='facts'>{head}<tbody>{rows}</tbody></table>")
    if found.useful or found.noise:
        widgets.note(f"Of the alerts of this version people found {found.useful} useful and {found.noise} noise.")


def _row(name: str, now: str, then: str) -> str:
    return f"<tr><th scope='row'>{name.capitalize()}</th><td>{now}</td><td>{then}</td></tr>"
