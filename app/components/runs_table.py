"""The runs as a real table: rows are ids, never positions, so that no sort, filter or page can mix them up.

Clicks come back as triggers: `tick` (ids, on), `sort` (column), `show` (id), `pin` (id of the baseline or "-"), `order`
(columns from left to right, by dragging a heading or Alt and an arrow on it), `keep` (a column to pin or unpin).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from app.components import source


def mount(
    data: Mapping[str, Any],
    *,
    key: str,
    on_tick: Callable[[], None],
    on_sort: Callable[[], None],
    on_show: Callable[[], None],
    on_pin: Callable[[], None],
    on_order: Callable[[], None],
    on_keep: Callable[[], None],
) -> None:
    """Draw the table; `data` is what `charts.runs_table.data` makes."""
    table = st.components.v2.component(
        "mlops_dash_runs_table",
        html="<div class='wrap' tabindex='-1'></div><div class='edge'></div>",
        css=source("runs_table.css"),
        js=source("runs_table.js"),
    )
    table(
        key=key,
        data=dict(data),
        on_tick_change=on_tick,
        on_sort_change=on_sort,
        on_show_change=on_show,
        on_pin_change=on_pin,
        on_order_change=on_order,
        on_keep_change=on_keep,
    )
