"""Reports: weeks of models frozen under a hash, to read here, download as a file and compare with the present.

Deep link: ?report=
"""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from html import escape
from urllib.parse import quote

import pandas as pd
import streamlit as st

from app.shell import address, session
from app.shell.files import report_path
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.audit import who
from mlops_dash.domain.reports.files import MIMES, ReportFormat
from mlops_dash.domain.reports.snapshot import KIND_LABELS, Report, ReportsRoom

_ROW, _SHOWN = 32, 8
_FRAME_HEIGHT = 900
_COLUMNS = {
    "Model": st.column_config.TextColumn(width=110),
    "Week": st.column_config.TextColumn(width=170),
    "Made by": st.column_config.TextColumn(width=110),
    "Made": st.column_config.TextColumn(width=110),
    "Report": st.column_config.TextColumn(width=160),
    "Facts sha256": st.column_config.TextColumn(width=150),
}
_FORMATS = {
    ReportFormat.HTML: ("HTML", "One file that opens offline, prints on A4 and loads nothing from anywhere."),
    ReportFormat.PDF: ("PDF", "Pages with numbers and contents; the facts are attached to it."),
    ReportFormat.XLSX: ("XLSX", "Every number with all its digits, as tables of a spreadsheet."),
    ReportFormat.MARKDOWN: ("Markdown", "Sentences and tables as text, for a wiki or a ticket."),
    ReportFormat.JSON: ("JSON", "The facts under their hash, for other programs."),
}
_HOW = "A review freezes what is known about one week of a model, under a hash, and is one file for any reader."


def page(frame: Frame) -> None:
    """Draw the page."""
    asked = session.param("report")
    room = frame.read(
        lambda: frame.services.reports.room(frame.actor, asked), "reports", asked, shared=True, height=1_300
    )
    kept = fmt.plural(len(room.lines), "report")
    said = f"{kept} kept; a report never changes, and its hash names its facts" if room.lines else ""
    with widgets.header("Reports", said):
        if room.lines:
            _make(frame, room)
    if room.missing:
        widgets.note(f"No report {fmt.short(room.missing, 40)} is kept here; the newest is shown.")
    if room.selected is None:
        with widgets.empty("article", "No report yet", _HOW, key="reports"):
            _make(frame, room)
        return
    address.show("report", room.selected.line.id)
    _list(frame, room, room.selected)
    _preview(frame, room, room.selected)


def _make(frame: Frame, room: ReportsRoom) -> None:
    """The one button: choose model and week, then freeze."""
    why_not = room.why_not or ("" if room.choices else "No model is watched yet.")
    if not widgets.action_button(
        "Make the review…", key="make", why_not=why_not, primary=not room.lines, icon_name="note_add"
    ):
        return
    last = max((one.last_day for one in room.choices if one.last_day), default=None)
    titles = {one.model: one.title or one.model for one in room.choices}

    def fields() -> None:
        st.selectbox("Model", list(titles), key="review-model", format_func=lambda name: f"{name} · {titles[name]}")
        st.date_input(
            "Last day of the week",
            value=last,
            min_value=date(1970, 1, 7),
            max_value=max(last or date(1970, 1, 7), frame.now.date() + timedelta(days=1)),
            key="review-until",
            help="The seven days that end with this one, in the model's own zone. Empty: the last judged day.",
        )

    def act(_reason: str) -> str:
        reports = frame.services.reports
        draft = reports.weekly(frame.actor, str(session.get("review-model")), until=session.get("review-until"))
        made = reports.freeze(frame.actor, draft)
        session.set_param("report", made.line.id)
        return f"The review of {made.line.model}, {made.line.week.said()}, is kept: facts {made.line.sha256[:12]}."

    dialogs.confirm(
        key="review",
        title="Make the weekly model review",
        consequence="Freezes the facts of seven days under a hash. Labels that come later do not change it; "
        "the ledger says who made it.",
        button="Make the review",
        act=act,
        icon="note_add",
        reason="",
        fields=fields,
    )


def _list(frame: Frame, room: ReportsRoom, selected: Report) -> None:
    ids = tuple(one.id for one in room.lines)
    key = f"reports-{len(ids)}-{ids[0]}"  # a selection belongs to these very rows, never to a position
    rows = pd.DataFrame(
        {
            "Model": [one.model for one in room.lines],
            "Week": [one.week.said() for one in room.lines],
            "Made by": [who(one.made_by) for one in room.lines],
            "Made": [frame.ago(one.made_at) for one in room.lines],
            "Report": [KIND_LABELS[one.kind] for one in room.lines],
            "Facts sha256": [fmt.short(one.sha256, 16) for one in room.lines],
        }
    )
    how = "Newest first; select one to read it below." if len(ids) > 1 else "It is shown below."
    with widgets.card("reports", "Kept reports", how):
        if len(ids) > 1:
            names = {one.id: f"{one.model} · {one.week.said()} · {fmt.short(one.sha256)}" for one in room.lines}
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
                selection_mode="single-row",
                on_select=lambda: _open(key, ids),
                alt="Kept reports, newest first; select a row to read the report",
            )


def _listing(frame: Frame, room: ReportsRoom) -> str:
    """The same rows for a narrow screen, each a link to its report."""
    rows = "".join(
        f"<li><a href='/reports?report={quote(one.id)}' target='_self'><b>{escape(one.model)}</b> "
        f"{escape(one.week.said())}</a><span>{escape(who(one.made_by))} · {escape(frame.ago(one.made_at))} · "
        f"<span class='mono'>{fmt.short(one.sha256)}</span></span></li>"
        for one in room.lines[:_SHOWN]
    )
    return f"<ul class='rows'>{rows}</ul>"


def _open(key: str, ids: tuple[str, ...]) -> None:
    rows = session.get(key).selection.rows
    session.set_param("report", ids[rows[0]] if rows else "")


def _preview(frame: Frame, room: ReportsRoom, report: Report) -> None:
    line = report.line

    def actions() -> None:
        with st.popover("Download", icon=widgets.icon("download"), key=f"download-{line.id}"):
            for kind, (label, why) in _FORMATS.items():
                st.download_button(
                    label,
                    data=partial(_content, frame, line.id, kind),
                    file_name=report.file_name(kind),
                    mime=MIMES[kind],
                    key=f"download-{kind}-{line.id}",
                    icon=widgets.icon("download"),
                    on_click="ignore",
                    help=why,
                    width="stretch",
                )

    title = f"{KIND_LABELS[line.kind]} of {line.model}, {line.week.said()}"
    by = f"Made by {who(line.made_by)}, {frame.instant(line.made_at)}"
    with widgets.card("preview", title, by, actions):
        st.markdown(f"{widgets.icon('difference' if room.changed else 'check')} {plain(room.since)}")
        st.iframe(report_path(line.id), height=_FRAME_HEIGHT, alt=title)


def _content(frame: Frame, report_id: str, kind: ReportFormat) -> bytes:
    return frame.services.reports.file(frame.actor, report_id, kind).content
