"""Deciding on a page: one dialog with the consequence, what changes, a mandatory reason and a button that acts.

The button acts through a callback, so a refused command shows its sentence inside the dialog and loses no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import streamlit as st

from app.shell import session
from app.shell.incidents import explain
from app.ui import live
from app.ui.text import plain
from app.ui.widgets import changes_table, facts

_FLASH = "_flash"


@dataclass(frozen=True)
class Decision:
    """What the dialog shows and does. `act(reason)` runs the command and returns the sentence to flash."""

    key: str
    title: str
    consequence: str
    button: str
    act: Callable[[str], str]
    changes: Sequence[tuple[str, str, str]] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    icon: str = "gavel"
    reason: str = "Reason"  # label of the field; "" when the decision needs none
    placeholder: str = "Why now? This goes into the ledger."
    fields: Callable[[], object] | None = None  # draws more inputs; `act` reads them by their keys from session
    choices: Callable[[], object] | None = None  # inputs above those: a change draws the dialog again


def flash(text: str) -> None:
    """A sentence shown once at the top of the page after the next rerun."""
    session.put(_FLASH, [*session.get(_FLASH, []), text])


def take_flashes() -> list[str]:
    """The sentences waiting to be shown; they are shown once."""
    return list(session.pop(_FLASH, []))


def confirm(
    *,
    key: str,
    title: str,
    consequence: str,
    button: str,
    act: Callable[[str], str],
    changes: Sequence[tuple[str, str, str]] = (),
    facts: Mapping[str, str] | None = None,
    icon: str = "gavel",
    reason: str = "Reason",
    placeholder: str = "Why now? This goes into the ledger.",
    fields: Callable[[], object] | None = None,
    choices: Callable[[], object] | None = None,
) -> None:
    """Open the dialog now, in the run in which its button was clicked.

    Args:
        key: Unique; contains the id of what is decided, so that another row's dialog starts empty.
        title: Verb and object: "Promote v3 to champion".
        consequence: One or two sentences: what will be different.
        button: Verb and object on the button that acts.
        act: Runs the command with the reason and returns the sentence that the page flashes.
        changes: (fact, before, after) rows.
        facts: Fact and value rows, where nothing changes.
        icon: Material icon name.
        reason: Label of the reason field; "" leaves the field out.
        placeholder: What the empty reason field says.
        fields: Draws more inputs above the reason; `act` reads them with `session.get(their key)`.
        choices: Draws inputs above `fields` that these depend on: each change draws the dialog again.
    """
    session.pop(f"{key}-error")
    decision = Decision(
        key, title, consequence, button, act, changes, dict(facts or {}), icon, reason, placeholder, fields,
        choices,
    )  # fmt: skip
    live.dialog(_show, plain(title), width="medium", icon=f":material/{icon}:")(decision)


def _show(decision: Decision) -> None:
    key = decision.key
    if session.pop(f"{key}-done"):
        st.rerun()
    st.markdown(decision.consequence)
    if decision.changes:
        changes_table(decision.changes)
    if decision.facts:
        facts(decision.facts)
    if decision.choices is not None:
        decision.choices()
    with st.form(f"{key}-form", border=False):
        if decision.fields is not None:
            decision.fields()
        if decision.reason:
            st.text_area(
                decision.reason, key=f"{key}-reason", placeholder=decision.placeholder, required=True, max_chars=2_000
            )
        error = session.get(f"{key}-error")
        if error:
            st.error(plain(error), icon=":material/error:")
        with st.container(horizontal=True, horizontal_alignment="right"):
            st.form_submit_button(
                plain(decision.button), key=f"{key}-act", type="primary", on_click=_run, args=(decision,)
            )


def _run(decision: Decision) -> None:
    key = decision.key
    reason = str(session.get(f"{key}-reason") or "").strip()
    if decision.reason and not reason:
        session.put(f"{key}-error", "Say why: the reason goes into the ledger.")
        return
    try:
        said = decision.act(reason)
    except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged with an id
        session.put(f"{key}-error", explain(error).sentence())
        return
    session.pop(f"{key}-error")
    if said:
        flash(said)
    session.put(f"{key}-done", True)
