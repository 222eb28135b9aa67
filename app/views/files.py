"""Files: a model's predictions become a watched model, or two files are compared. No account of anything is needed.

Deep link: ?do=
"""

from __future__ import annotations

import streamlit as st

from app.parts.files import comparing, watching
from app.shell import address
from app.ui import widgets
from app.ui.context import Frame

_WATCH, _COMPARE = "Watch a model", "Compare two files"


def page(frame: Frame) -> None:
    """Draw the page."""
    with widgets.header("Files", "A verdict on a model or on two tables, from a file of yours",
                        about=str(address.left("do") or _WATCH)):  # fmt: skip
        chosen = address.menu("do", (_WATCH, _COMPARE), _WATCH)
        st.segmented_control("What to do", [_WATCH, _COMPARE], key="do", required=True, on_change=address.picked,
                             args=("do",), label_visibility="collapsed")  # fmt: skip
    if chosen == _COMPARE:
        comparing.show()
    else:
        watching.show(frame)
