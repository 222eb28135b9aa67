"""A button that brings a part of the page into view and gives it the keyboard, without a rerun."""

from __future__ import annotations

import streamlit as st

from app.components import lean

_CSS = """
button{font:550 .93rem/1.2 var(--st-font);color:#fff;background:var(--st-primary-color);border:0;border-radius:.5rem;
padding:.45rem .9rem;min-height:2.25rem;white-space:nowrap;cursor:pointer}
button:hover{filter:brightness(1.08)}
button:focus-visible{outline:2px solid var(--st-link-color);outline-offset:2px}
@media(max-width:640px){button{min-height:44px;width:100%}}
"""
_SCRIPT = """
export default function({ data, parentElement }) {
  const button = parentElement.querySelector('button');
  button.textContent = data.label;
  button.onclick = () => {
    const there = document.querySelector(data.to);
    if (!there) return;
    there.scrollIntoView({ block: 'start' });
    there.tabIndex = -1;
    there.focus({ preventScroll: true });
  };
}
"""


def mount(label: str, to: str, *, key: str) -> None:
    """Draw the button; `to` is the key of the container that it leads to."""
    jump = st.components.v2.component(
        "mlops_dash_jump", html="<button type='button'></button>", css=_CSS, js=lean(_SCRIPT)
    )
    jump(key=key, data={"label": label, "to": f".st-key-{to}"}, width="content")
