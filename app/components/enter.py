"""Enter in a date field takes the date that stands there: Streamlit's own waits until the calendar is closed."""

from __future__ import annotations

import streamlit as st

from app.components import lean

_SCRIPT = """
export default function() {
  if (window.__mlopsDashEnter) return;
  window.__mlopsDashEnter = true;
  document.addEventListener('keydown', (event) => {
    const part = event.target;
    if (event.key !== 'Enter' || !part.closest || !part.closest('.stDateInput [role=spinbutton]')) return;
    event.preventDefault();
    for (const name of ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click']) {  // as if beside the calendar
      const Kind = name.startsWith('pointer') ? PointerEvent : MouseEvent;
      document.body.dispatchEvent(new Kind(name, { bubbles: true }));
    }
  }, true);  // the field lets no key out of itself
}
"""


def mount() -> None:
    """Put the listener on the page, without taking space; it works once in a browser tab."""
    listener = st.components.v2.component("mlops_dash_enter", html="<span></span>", js=lean(_SCRIPT))
    with st.container(key="enter", height=1):
        listener(key="enter-takes")
