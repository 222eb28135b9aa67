"""A file of ours in a frame takes the height that it has: the page scrolls, and not a window within the page."""

from __future__ import annotations

import streamlit as st

from app.components import lean

_SCRIPT = """
export default function() {
  const fit = (frame) => {
    const shown = frame.contentDocument?.querySelector('main');
    if (!shown) return;
    const set = () => {
      const height = Math.ceil(shown.getBoundingClientRect().height);
      // the border of the element that holds the frame counts too
      if (height > 0) [frame, frame.parentElement].forEach((one) => { one.style.height = `${height + 2}px`; });
    };
    set();
    if (!frame.__whole) (frame.__whole = new ResizeObserver(set)).observe(shown);
  };
  const look = () => document.querySelectorAll('.st-key-whole iframe').forEach((frame) => {
    if (!frame.__waits) {
      frame.__waits = true;
      frame.addEventListener('load', () => { frame.__whole?.disconnect(); frame.__whole = null; fit(frame); });
    }
    fit(frame);
  });
  look();
  const again = setInterval(look, 300);  // Streamlit may put the frame there after this script
  const end = setTimeout(() => clearInterval(again), 10000);
  return () => { clearInterval(again); clearTimeout(end); };
}
"""


def mount(path: str, *, height: int, alt: str) -> None:
    """Show a file of ours; `height` in px is that of the frame until it is measured."""
    fitter = st.components.v2.component("mlops_dash_whole", html="<span></span>", js=lean(_SCRIPT))
    with st.container(key="whole"):
        st.iframe(path, height=height, alt=alt)
    with st.container(key="whole-fit", height=1):
        fitter(key=f"fit-{path}")
