"""Load ahead: what the next page will need is there when it is opened.

Streamlit fetches the script of an element when the first such element arrives, and Plotly's takes the browser half a
second to start. Here the browser gets these scripts, one at a time, whenever it has nothing else to do.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import streamlit as st

from app.components import lean

_WANTED = (
    "PlotlyChart", "Selectbox", "ButtonGroup", "DataFrame", "PageLink", "Table", "Multiselect", "MenuButton",
    "Checkbox", "DownloadButton",
)  # fmt: skip
_FOLDER = Path(st.__file__).parent / "static" / "static" / "js"
_SCRIPT = """
export default function() {
  if (window.__mlopsDashAhead) return;
  window.__mlopsDashAhead = true;
  const wanted = __WANTED__;
  const idle = window.requestIdleCallback || (then => setTimeout(then, 200));
  const busy = () => document.querySelector('.stApp')?.dataset.testScriptState !== 'notRunning';
  const next = () => {
    if (busy()) { setTimeout(next, 500); return; }
    const path = wanted.shift();
    if (!path) return;
    import(new URL(path, window.location.origin).href).catch(() => {}).finally(() => setTimeout(() => idle(next), 100));
  };
  setTimeout(() => idle(next), 1200);
}
"""


@cache
def scripts(folder: Path = _FOLDER) -> tuple[str, ...]:
    """The addresses of the installed Streamlit's scripts of the elements that our pages show."""
    return tuple(f"/static/js/{one.name}" for name in _WANTED for one in sorted(folder.glob(f"{name}.*.js")))


def mount() -> None:
    """Put the loader on the page, without taking space; it works once in a browser tab."""
    js = lean(_SCRIPT).replace("__WANTED__", json.dumps(scripts()))
    loader = st.components.v2.component("mlops_dash_ahead", html="<span></span>", js=js)
    with st.container(key="ahead", height=1):
        loader(key="load-ahead")
