"""What stands in place of a page that cannot be shown: forbidden, missing, something away, broken; and the boundary."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import streamlit as st

from app.shell import address, session
from app.shell.incidents import Said, explain
from app.ui import widgets
from app.ui.text import plain

_ICONS = {"refused": "lock", "missing": "search_off", "away": "cloud_off"}


def bounded(draw: Callable[..., Any], *args: Any, grants: Callable[[], str] | None = None, title: str = "") -> bool:
    """Run `draw`; an error becomes a sentence with the next step, never a traceback. Returns whether it went well.

    `grants` says who may give the role that a refused person lacks; it is asked only then. `title` heads the face of
    a page that failed before it said its own.
    """
    widgets.headless()
    try:
        draw(*args)
    except Exception as error:  # noqa: BLE001 - the boundary: Streamlit's own stop and rerun are not Exceptions
        said = explain(error)
        grant = grants() if grants is not None and said.kind == "refused" else ""
        show(said, grants=grant, title=title)
        return False
    return True


def show(said: Said, *, grants: str = "", title: str = "") -> None:
    """The face of an error inside the frame.

    Args:
        said: The error in words.
        grants: Who may give the missing role, for a refusal.
        title: Of the page, for its H1 when it failed before it said one.
    """
    if title and not widgets.headed():
        widgets.header(title)
    if said.kind == "broken":
        _broken(said)
        return
    steps = " ".join(one for one in (said.next_step, grants if said.kind == "refused" else "") if one)
    with widgets.empty(_ICONS[said.kind], said.title, steps, key=said.kind):
        if said.kind == "away":
            st.button("Try again", key="face-retry", icon=widgets.icon("refresh"))
        elif said.kind == "missing" and session.params():
            st.button("Open the page without it", key="face-clear", icon=widgets.icon("link_off"),
                      on_click=address.forget)  # fmt: skip
        widgets.page_link("", "Start page", icon_name="home")


def _broken(said: Said) -> None:
    with st.container(border=True, key="card-error", gap="small"):
        st.error(
            f"**{plain(said.title)}**" + (f"\n\n{plain(said.next_step)}" if said.next_step else ""),
            icon=":material/error:",
        )
        if said.incident:
            st.html(f"<p class='note'>Incident <span class='mono'>{html.escape(said.incident)}</span></p>")
        st.button("Try again", key="boundary-retry", icon=":material/refresh:")
