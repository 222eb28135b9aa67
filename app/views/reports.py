"""Reports: what was known, frozen under a hash, to read here, download as a file and compare with the present.

Deep links: ?tab=, ?report=, ?level=
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from urllib.parse import quote

import pandas as pd
import streamlit as st

from app.components import whole
from app.parts.admin import secrets
from app.parts.reports import comparing, making, remarks, scheduling, sharing
from app.shell import address, session
from app.shell.files import report_path
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.reports.files import MIMES, ReportFormat
from mlops_dash.domain.reports.levels import LEVEL_HELP, LEVEL_LABELS, Level
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Report, ReportsRoom

_ROW, _SHOWN = 32, 8
_FRAME_HEIGHT = 900
_COLUMNS = {
    "Model": st.column_config.TextColumn(width=110),
    "About": st.column_config.TextColumn(width=200),
    "Made by": st.column_config.TextColumn(width=110),
    "Made": st.column_config.TextColumn(width=110),
    "Report": st.column_config.TextColumn(width=160),
    "Facts sha256": st.column_config.TextColumn(width=150),
    "Opened by link": st.column_config.TextColumn(width=190),
}
_FORMATS = {
    ReportFormat.HTML: ("HTML", "One file that opens offline, prints on A4 and loads nothing from anywhere."),
    ReportFormat.PDF: ("PDF", "Pages with numbers and contents; the facts are attached to it."),
    ReportFormat.XLSX: ("XLSX", "Every number with all its digits, as tables of a spreadsheet."),
    ReportFormat.PPTX: ("PPTX", "Slides whose text and tables can be edited, with the charts as pictures."),
    ReportFormat.MARKDOWN: ("Markdown", "Sentences and tables as text, for a wiki or a ticket."),
    ReportFormat.JSON: ("JSON", "The facts under their hash, for other programs."),
}
_HOW = "A report freezes what is known of a model or a decision, under a hash, and is one file for any reader."


def page(frame: Frame) -> None:
    """Draw the page."""
    asked = session.param("report")
    room = frame.read(
        lambda: frame.services.reports.room(frame.actor, asked), "reports", asked, shared=True, height=1_300
    )
    kept = fmt.plural(len(room.lines), "report")
    said = f"{kept} kept; a report never changes, and its hash names its facts" if room.lines else ""
    shown = room.selected.line if room.selected is not None else None
    about = "" if shown is None else f"{shown.of}, {shown.about}"
    with widgets.header("Reports", said, about=about):
        if room.lines:
            making.button(frame, room)
    if room.missing:
        widgets.note(f"No report {fmt.short(room.missing, 40)} is kept here; the newest is shown.")
    secrets.shown_once()
    panels: dict[str, Callable[[], None]] = {
        "Kept": lambda: _kept(frame, room),
        "Sent": lambda: scheduling.panel(frame, room),
    }
    address.menu("tab", panels, "Kept")
    tabs = st.tabs(list(panels), key="tab", on_change=address.picked, args=("tab",))
    for tab, draw in zip(tabs, panels.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def _kept(frame: Frame, room: ReportsRoom) -> None:
    if room.selected is None:
        with widgets.empty("article", "No report yet", _HOW, key="reports"):
            making.button(frame, room)
        return
    address.show("report", room.selected.line.id)
    _list(frame, room, room.selected)
    sharing.links(frame, room.selected)
    _preview(frame, room, room.selected)
    remarks.panel(frame, room.selected, title_of(room.selected))


def _list(frame: Frame, room: ReportsRoom, selected: Report) -> None:
    ids = tuple(one.id for one in room.lines)
    key = f"reports-{len(ids)}-{ids[0]}"  # a selection belongs to these very rows, never to a position
    opened, signed = sharing.opened(frame), remarks.signers(frame)
    rows = pd.DataFrame(
        {
            "Model": [one.of for one in room.lines],
            "About": [one.about for one in room.lines],
            "Made by": [who(one.made_by) for one in room.lines],
            "Made": [frame.ago(one.made_at) for one in room.lines],
            "Report": [KIND_LABELS[one.kind] for one in room.lines],
            "Facts sha256": [fmt.short(one.sha256, 16) for one in room.lines],
            "Signed off by": [signed.get(one.id, fmt.MISSING) for one in room.lines],
            "Opened by link": [opened.get(one.id, fmt.MISSING) for one in room.lines],
        }
    )
    how = "Newest first; select one to read it below." if len(ids) > 1 else "It is shown below."
    with widgets.card("reports", "Kept reports", how):
        if len(ids) > 1:
            names = {
                one.id: f"{KIND_LABELS[one.kind]} of {one.of} · {one.about} · {fmt.short(one.sha256)}"
                for one in room.lines
            }
            listed = selected.line.id if selected.line.id in names else None
            st.selectbox(
                "Show", ids, index=None if listed is None else ids.index(listed), key=f"show-{selected.line.id}",
                format_func=lambda one: names[one], width=460, label_visibility="collapsed",
                on_change=lambda: session.set_param("report", str(session.get(f"show-{selected.line.id}") or "")),
            )  # fmt: skip
        with st.container(key="narrow"):
            st.html(_listing(frame, room))
        with st.container(key="wide"):
            st.dataframe(
                rows,
                key=key,
                hide_index=True,
                column_config=_COLUMNS,
                row_height=_ROW,
                height=35 + _ROW * min(len(ids), _SHOWN) + 2,
                selection_mode="single-cell",  # a click anywhere in a row opens it
                on_select=lambda: _open(key, ids),
                alt="Kept reports, newest first; select a row to read the report",
            )


def _listing(frame: Frame, room: ReportsRoom) -> str:
    """The same rows for a narrow screen, each a link to its report."""
    rows = "".join(
        f"<li><a href='/reports?report={quote(one.id)}' target='_self'><b>{escape(one.of)}</b> "
        f"{escape(KIND_LABELS[one.kind])}, {escape(one.about)}</a><span>{escape(who(one.made_by))} · "
        f"{escape(frame.ago(one.made_at))} · "
        f"<span class='mono'>{fmt.short(one.sha256)}</span></span></li>"
        for one in room.lines[:_SHOWN]
    )
    return f"<ul class='rows'>{rows}</ul>"


def _open(key: str, ids: tuple[str, ...]) -> None:
    rows = [row for row, _ in session.get(key).selection.cells]
    session.set_param("report", ids[rows[0]] if rows else "")


def _preview(frame: Frame, room: ReportsRoom, report: Report) -> None:
    line = report.line
    level = Level(address.menu("level", list(Level), Level.TECHNICAL))

    def actions() -> None:
        sharing.button(frame, report, title, level)
        with st.popover("Download", icon=widgets.icon("download"), key=f"download-{line.id}"):
            for kind, (label, why) in _FORMATS.items():
                st.download_button(
                    label,
                    data=partial(_content, frame, line.id, kind, level),
                    file_name=report.file_name(kind, level),
                    mime=MIMES[kind],
                    key=f"download-{kind}-{level}-{line.id}",
                    icon=widgets.icon("download"),
                    on_click="ignore",
                    help=why,
                    width="stretch",
                )

    title = title_of(report)
    by = f"Made by {who(line.made_by)}, {frame.instant(line.made_at)}"
    with widgets.card("preview", title, by, actions):
        st.markdown(f"{widgets.icon('difference' if room.changed else 'check')} {plain(room.since)}")
        comparing.menu(frame, room, report)
        st.segmented_control(
            "For whom", list(Level), required=True, key="level", on_change=address.picked, args=("level",),
            format_func=lambda one: LEVEL_LABELS[Level(one)], label_visibility="collapsed",
        )  # fmt: skip
        widgets.note(f"{LEVEL_HELP[level]}.")
        whole.mount(report_path(line.id, level), height=_FRAME_HEIGHT, alt=title)


def title_of(report: Report) -> str:
    """What a report is, in words."""
    return f"{KIND_LABELS[report.line.kind]} of {report.line.of}, {report.line.about}"


def _content(frame: Frame, report_id: str, kind: ReportFormat, level: Level) -> bytes:
    return frame.services.reports.file(frame.actor, report_id, kind, level).content
