"""A link or token just made: shown once, kept nowhere else."""

from __future__ import annotations

import streamlit as st

from app.shell import session
from app.ui import widgets

_SECRET = "_secret_once"


def keep(label: str, secret: str) -> None:
    """Show this secret from the next run on, until the person says that it is stored."""
    session.put(_SECRET, (label, secret))


def shown_once() -> None:
    """The secret that was just made, if there is one."""
    kept = session.get(_SECRET)
    if kept is None:
        return
    label, secret = kept
    with widgets.card("secret", label, "It is shown this once and kept nowhere. Copy it now."):
        st.code(secret, language=None, wrap_lines=True)
        st.button("I have stored it", key="secret-stored", on_click=session.pop, args=(_SECRET,))
