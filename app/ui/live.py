"""What runs again without the page around it: fragments, their timers and dialogs. Each asks for its session first.

Streamlit keeps the closure of a fragment, with the person it was drawn for, as long as the websocket lives. So whoever
logged out, was disabled or got another role is met here: the whole page is drawn anew, for who they are now.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import streamlit as st

from app.shell import session

P = ParamSpec("P")


def fragment(show: Callable[P, None], *, run_every: float | None = None) -> Callable[P, None]:
    """`st.fragment` of a function that draws; `run_every` is in seconds."""
    drawn: Callable[P, None] = st.fragment(_asking(show), run_every=run_every)
    return drawn


def ticking(seconds: float) -> Callable[[Callable[P, None]], Callable[P, None]]:
    """Decorate a function that draws anew by itself."""
    return functools.partial(fragment, run_every=seconds)


def dialog(show: Callable[P, None], title: str, **options: Any) -> Callable[P, None]:
    """`st.dialog` of a function that draws; `options` are Streamlit's."""
    opened: Callable[P, None] = st.dialog(title, **options)(_asking(show))
    return opened


def _asking(show: Callable[P, None]) -> Callable[P, None]:
    @functools.wraps(show)
    def ask_and_show(*args: P.args, **kwargs: P.kwargs) -> None:
        drawn_for = session.drawn_for()
        if drawn_for is not None and session.actor() != drawn_for:
            st.rerun()
        show(*args, **kwargs)

    return ask_and_show
