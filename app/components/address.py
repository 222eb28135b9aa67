"""Write what the page shows into the browser's address, without a rerun and without an entry in its history.

Streamlit's own way to write a parameter makes an entry: Back would first lead to the same page with a shorter address.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import streamlit as st

from app.components import lean

_SCRIPT = """
export default function({ data }) {
  const done = window.__mlopsDashAddress || (window.__mlopsDashAddress = {});
  if (!data || done[data.key] === data.run) return;
  done[data.key] = data.run;
  const at = new URL(window.location.href);
  if (!data.paths.includes(at.pathname.split('/').pop())) return;  // somebody has gone on to another page
  let changed = false;
  for (const [key, value] of Object.entries(data.shown)) {
    if ((at.searchParams.get(key) || '') === value) continue;
    if (value) at.searchParams.set(key, value); else at.searchParams.delete(key);
    changed = true;
  }
  if (changed) window.history.replaceState(window.history.state, '', at.toString());
}
"""


def mount(paths: Sequence[str], shown: Mapping[str, str], *, key: str = "address") -> None:
    """Put the writer on the page, without taking space.

    Args:
        paths: Last parts of the addresses that are this page's; the start page has two.
        shown: What the page shows, by parameter; "" takes the parameter out of the address.
        key: Of this writer: a part of the page that draws itself anew has its own.
    """
    writer = st.components.v2.component("mlops_dash_address", html="<span></span>", js=lean(_SCRIPT))
    run = str(time.monotonic_ns())
    with st.container(key=key, height=1):
        writer(key=f"{key}-writer", data={"key": key, "paths": list(paths), "shown": dict(shown), "run": run})
