"""Rerun when the browser switches between light and dark.

Streamlit tells the script the theme but does not rerun it when the theme changes, so charts drawn for light would stay
light on a black page. This component reads the page's background and reports the flip.
"""

from __future__ import annotations

import streamlit as st

from app.components import lean

_SCRIPT = """
export default function({ setStateValue }) {
  const read = () => {
    const app = document.querySelector('.stApp');
    if (!app) return null;
    const parts = getComputedStyle(app).backgroundColor.match(/\\d+/g);
    if (!parts) return null;
    const [r, g, b] = parts.map(Number);
    return (r + g + b) / 3 < 128 ? 'dark' : 'light';
  };
  const memory = window.__mlopsDashTheme || (window.__mlopsDashTheme = { mode: read() });
  const check = () => {
    const mode = read();
    if (mode && mode !== memory.mode) { memory.mode = mode; setStateValue('mode', mode); }
  };
  const timer = setInterval(check, 500);
  return () => clearInterval(timer);
}
"""


def _noticed() -> None:
    """The rerun itself is what is wanted."""


def mount() -> None:
    """Put the watcher on the page, without taking space."""
    watch = st.components.v2.component("mlops_dash_theme_watch", html="<span></span>", js=lean(_SCRIPT))
    with st.container(key="tw", height=1):
        watch(key="theme-watch", on_mode_change=_noticed)
