"""The fleet as a real HTML table: names are links in the tab order, rows open by their model's id, never by number.

Takes words that are already formatted (`app.charts.overview.fleet.table`); draws them, and says which row was opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.components import source


@dataclass(frozen=True)
class Opened:
    """The row that was just opened, by its id: the model itself, or its next step."""

    id: str
    step: bool = False


def _noticed() -> None:
    """The rerun itself is what is wanted."""


def mount(data: Mapping[str, Any], *, key: str) -> Opened | None:
    """Draw the table; returns what was just opened, else None."""
    table = st.components.v2.component(
        "mlops_dash_fleet_table",
        html="<div class='wrap'></div>",
        css=source("fleet_table.css"),
        js=source("fleet_table.js"),
    )
    result = table(key=key, data=dict(data), on_open_change=_noticed, on_step_change=_noticed)
    if result.step:
        return Opened(str(result.step), step=True)
    return Opened(str(result.open)) if result.open else None
