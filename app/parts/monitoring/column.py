"""One column: its verdict in a sentence, every score, what happened to it, and its distribution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import streamlit as st

from app.charts.monitoring import columns, drift
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import commands
from mlops_dash.domain import format as fmt
from mlops_dash.domain.monitoring.room import DriftMap, FeatureDetail, MonitoringRoom
from mlops_dash.domain.monitoring.words import column_name

More = Callable[[Frame, MonitoringRoom, FeatureDetail], None]
_MOST = 8  # findings shown; "View as table" of the columns has all numbers


def detail(frame: Frame, room: MonitoringRoom, data: FeatureDetail, more: More) -> None:
    """Draw both cards; `more` draws what opens the rows of the column."""
    names = [one.name for one in room.features]
    address.show("feature", data.reading.name)
    _stand("feature-pick", data.reading.name)
    left, right = st.columns([4, 8], gap="small")
    with left, widgets.card("feature", "One column", height="stretch"):
        st.selectbox("Column", names, key="feature-pick", format_func=column_name, on_change=_remember,
                     args=("feature", "feature-pick"), label_visibility="collapsed")  # fmt: skip
        _when(room)
        st.markdown(f"**{plain(columns.sentence(data))}**")
        for one in room.findings:
            if one.column == data.reading.name and not room.looked_back:
                widgets.note(f"{str(one.signal).capitalize()}: {one.sentence}.")
        widgets.facts(columns.facts(data))
        more(frame, room, data)
        with st.expander("What decides", key="limits"):
            widgets.note(columns.limits(room, data))

    def controls() -> None:
        widgets.as_table(columns.detail_table(data), key="detail")

    title = f"Distribution of {column_name(data.reading.name)}"
    sub = f"Live: {fmt.period(room.features_start, room.features_end, room.zone)}. "
    sub += "Share of rows in each cell; cells were cut from the reference before any live row was seen."
    sub += " Hatched: values beyond the reference; the score counts them in its end cells." if data.beyond.known else ""
    with right, widgets.card("distribution", title, sub, controls, height="stretch"):
        widgets.chart(columns.detail_figure(data, frame.tokens), key="detail", alt=columns.detail_alt(data), height=430)


def findings(room: MonitoringRoom) -> None:
    """What happened to columns and labels, each with its name; nothing while nothing did."""
    if not room.findings:
        return
    with widgets.card("findings", "What happened to columns", "Besides their distance from the reference."):
        shown = room.findings[:_MOST]
        widgets.facts({f"{column_name(one.column)}: {one.signal}" if one.column else str(one.signal): one.sentence
                       for one in shown})  # fmt: skip
        if len(room.findings) > len(shown):
            widgets.note(f"{len(room.findings) - len(shown)} more: {commands.monitor(room.model)}")


def clicked_cell(room: MonitoringRoom, data: DriftMap, chart: str) -> None:
    """Open the column of the cell that was clicked, as it was in that window."""
    point = _clicked(chart)
    cells = drift.cells(data)
    if point is not None and point < len(cells):
        column, end = cells[point]
        newest = room.features_end if not room.looked_back else data.ends[-1]
        session.set_params({"feature": column, "at": "" if end == newest else written(end)})


def clicked_bar(names: Sequence[str], chart: str) -> None:
    """Open the column whose bar was clicked."""
    point = _clicked(chart)
    if point is not None and point < len(names):
        session.set_param("feature", names[point])


def written(end: datetime) -> str:
    """The end of a window as it stands in the address.

    >>> from datetime import UTC, datetime
    >>> written(datetime(2013, 12, 15, 5, tzinfo=UTC))
    '2013-12-15T05:00'
    """
    return f"{end.astimezone(UTC):%Y-%m-%dT%H:%M}"


def instant(text: str) -> datetime | None:
    """What `written` wrote; None for anything else."""
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def end_of(text: str) -> datetime | None:
    """The end (UTC) of a day in the address; None for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return datetime.combine(day + timedelta(days=1), time(), UTC)


def _clicked(chart: str) -> int | None:
    """Which point of a chart was clicked; None when a click took its choice back."""
    state = session.get(chart)
    points = state["selection"]["points"] if state else []
    return int(points[0]["point_index"]) if points else None


def _when(room: MonitoringRoom) -> None:
    """Which window the column is shown in: the same choice as a click on the map, for keyboards and thumbs."""
    if room.drift is None or room.features_end is None:
        return
    judged = {end for _, end in drift.cells(room.drift)}
    spans = zip(room.drift.starts, room.drift.ends, strict=True)
    ends = {written(end): (start, end) for start, end in spans if end in judged}
    choices = ["", *[one for one in reversed(ends) if ends[one][1] != room.drift.ends[-1]]]
    here = written(room.features_end) if room.looked_back else ""
    address.show("at", here)
    _stand("at-pick", here if here in choices else "")

    def name(choice: str) -> str:
        return fmt.period(*ends[choice], room.zone) if choice else "The latest window"

    st.selectbox("Window", choices, key="at-pick", format_func=name, on_change=_remember, args=("at", "at-pick"),
                 label_visibility="collapsed")  # fmt: skip


def _stand(widget: str, value: str) -> None:
    """Let a menu stand where the page is, also when a click or the address brought it there."""
    if session.get(widget) != value:
        session.put(widget, value)


def _remember(parameter: str, widget: str) -> None:
    session.set_param(parameter, str(session.get(widget) or ""))
