"""The search dialog in the browser: a button, Ctrl-K, a list for the keyboard. It shows what Python found."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.components import source

_GLASS = (
    '<svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.6" '
    'aria-hidden="true"><circle cx="7" cy="7" r="4.6"/><path d="M10.6 10.6 14 14" stroke-linecap="round"/></svg>'
)
_HTML = f"""
<button class="open" type="button" aria-haspopup="dialog" aria-keyshortcuts="Control+K Meta+K">
{_GLASS}<span>Search</span><kbd>Ctrl K</kbd></button>
<dialog aria-label="Search">
<div class="field">{_GLASS}<input type="text" role="combobox" aria-label="Search" aria-controls="hits"
 aria-expanded="false" aria-autocomplete="list" autocomplete="off" spellcheck="false" maxlength="100"
 placeholder="Search models, versions, runs, tests, people">
<button class="close" type="button" aria-label="Close the search"><kbd>Esc</kbd></button></div>
<div class="list" id="hits" role="listbox" aria-label="Found"></div>
<p class="said" role="status"></p>
</dialog>
"""


def _noticed() -> None:
    """The rerun itself is what is wanted."""


def mount(key: str, data: dict[str, Any]) -> str:
    """Put the search on the page; returns the address that was opened in this run, or "".

    Args:
        key: Of the component; its state holds the text typed as `query`.
        data: {"query": the text these hits are for, "groups": [{"label", "hits": [{"title", "detail", "href"}]}],
            "said": the line below}.
    """
    palette = st.components.v2.component(
        "mlops_dash_palette",
        html=_HTML,
        css=source("palette.css"),
        js=source("palette.js"),
    )
    answer = palette(key=key, data=data, on_query_change=_noticed, on_open_change=_noticed)
    return str(answer.get("open") or "")
