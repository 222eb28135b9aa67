"""The rows behind a moved column, in a drawer: a few of the cell that grew, beside typical ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.parts.monitoring import column, contributions
from app.shell import session
from app.shell.incidents import explain
from app.ui import live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.room import FeatureDetail, MonitoringRoom
from mlops_dash.domain.monitoring.samples import ColumnRows
from mlops_dash.domain.monitoring.words import column_name


def button(frame: Frame, room: MonitoringRoom, data: FeatureDetail) -> None:
    """Open them: they are read from the log only then."""
    if room.features_end is None or not widgets.action_button("See its rows…", key="see-rows", icon_name="table_rows"):
        return
    at = column.instant(session.param("at")) if room.looked_back else None

    def show() -> None:
        try:
            found = frame.services.monitoring.column_rows(frame.actor, room.model, data.reading.name, at=at)
        except Exception as error:  # noqa: BLE001 - an entry point: the sentence is shown, surprises are logged
            st.error(plain(explain(error).sentence()), icon=":material/error:")
            return
        draw(found, lambda: contributions.panel(frame, room))

    session.put(contributions.PICKED, None)
    live.dialog(show, plain(f"Rows of {column_name(data.reading.name)}"), width="large", icon=":material/table_rows:")()


def draw(found: ColumnRows, of_one: Callable[[], None]) -> None:
    """What moved, what is known of the row that is picked, then both tables."""
    widgets.note(sentence(found))
    if found.hidden:
        widgets.note(f"{found.hidden[0].upper()}{found.hidden[1:]}.")
        return
    of_one()
    _table(f"Rows of the cell that grew: {found.cell}", found.moved, "moved")
    _table(f"Typical: {found.typical_are}", found.typical, "typical")


def sentence(found: ColumnRows) -> str:
    """Which values came more often, and how the median moved."""
    grown = f"Cell {found.cell}: {fmt.percent(found.before)} of the reference, {fmt.percent(found.now)} now."
    if found.median_before is None or found.median_now is None:
        return f"{grown} {found.read:,} rows read."
    unit = f" {found.unit}" if found.unit else ""
    return f"{grown} Median {found.median_before:.4g} → {found.median_now:.4g}{unit}. {found.read:,} rows read."


def _table(title: str, rows: Sequence[Mapping[str, Any]], key: str) -> None:
    st.markdown(f"**{plain(title)}**")
    if not rows:
        widgets.note("None is there.")
        return
    shown = pd.DataFrame([{name: _cell(value) for name, value in one.items()} for one in rows])
    st.dataframe(shown, hide_index=True, key=f"rows-{key}", row_height=32, alt=title, selection_mode="single-row",
                 on_select=lambda: _pick(rows, f"rows-{key}"))  # fmt: skip


def _pick(rows: Sequence[Mapping[str, Any]], key: str) -> None:
    """Remember the row that was picked last, in whichever table."""
    chosen = list((session.get(key) or {}).get("selection", {}).get("rows", []))
    one = rows[chosen[0]] if chosen and chosen[0] < len(rows) else None
    session.put(contributions.PICKED, None if one is None else (one["row"], one["at"]))


def _cell(value: Any) -> str:
    if value is None:
        return fmt.MISSING
    return f"{value:.6g}" if isinstance(value, float) else str(value)
