"""Keep and share the Experiments page: how old the runs are, saved views, export, notes on a comparison."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from html import escape
from urllib.parse import urlencode

import streamlit as st

from app.parts.experiments import url
from app.shell import session
from app.ui import dialogs, live, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Permission
from mlops_dash.domain.audit import who
from mlops_dash.domain.experiments.room import ExperimentRoom
from mlops_dash.domain.experiments.tables import TableFormat, file_name
from mlops_dash.domain.experiments.views import LONGEST_NAME, LONGEST_NOTE, Kept, RunNote, SavedView
from mlops_dash.errors import NotFound

_FORMATS = {
    TableFormat.CSV: ("CSV", "Every digit; for programs"),
    TableFormat.XLSX: ("XLSX", "Numbers as numbers; for spreadsheets"),
    TableFormat.MARKDOWN: ("Markdown", "Rounded as shown; for issues and notes"),
    TableFormat.LATEX: ("LaTeX", "Rounded as shown, with booktabs; for papers"),
}
_TICK_SECONDS = 2
# A quick click can open a dialog while the list is still opening: the list never covers the dialog.
CSS = """
body:has([data-testid="stDialog"]) [data-testid="stPopoverBody"]:has(.st-key-view-save){display:none}
.st-key-views-list{max-height:19rem;overflow-y:auto}
.st-key-views-list .stButton button{justify-content:flex-start;text-align:left}
.notes{margin:0;padding:0;list-style:none}.notes li{margin:0;padding:.45rem 0;border-top:1px solid $line}
.notes li:first-child{border-top:0}.notes p{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
.notes span{color:$muted;font-size:.8rem}
"""


# --- a link to a saved view -------------------------------------------------------------------------------------------


def arrive(frame: Frame) -> None:
    """`?saved=ID` opens a saved view; an id that opens nothing says so."""
    view_id = session.param("saved")
    if not view_id:
        return
    session.set_param("saved", "")
    try:
        url.restore(frame.services.experiments.view(frame.actor, view_id).state)
    except NotFound as error:
        st.warning(plain(error.sentence()), icon=widgets.icon("link_off"))


# --- how old the runs are ---------------------------------------------------------------------------------------------


def age(frame: Frame, room: ExperimentRoom) -> str:
    """One line: as of when the runs are known."""
    source = room.source
    if source is None:
        return ""
    said = f"as of {_ago(frame, source.as_of)}"
    if source.kind == "index" and source.passed_at is not None and not source.stale:
        said += f", tags and deletions {_ago(frame, source.passed_at)}"
    return said


def _ago(frame: Frame, t: datetime) -> str:
    """Runs may be read a moment after the page began to be drawn."""
    return frame.ago(min(t, frame.now))


def source(frame: Frame, room: ExperimentRoom) -> None:
    """What is not as it should be with the reading, in one line; while the index is filled, how far it is."""
    known = room.source
    if known is None or room.experiment is None:
        return
    if known.stale:
        if widgets.stale(f"Runs as of {_ago(frame, known.as_of)}. {known.stale}", key="runs"):
            session.put("runs-again", True)
            st.rerun()
    elif known.filling is not None:
        _filling(frame, room.experiment.id)
    if known.histories and not known.stale:
        _reading(frame, room.experiment.id, dict(known.histories))


@live.ticking(_TICK_SECONDS)
def _filling(frame: Frame, experiment: str) -> None:
    """Counts on while the worker reads; the page is drawn anew when it is done."""
    known = frame.services.experiments.still_reading(frame.actor, experiment)
    if known is None:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filling"):
        st.badge("Reading", icon=widgets.icon("sync"), color="blue")
        widgets.note(
            f"{fmt.plural(known or 0, 'run')} so far, the newest first. MLflow's database is not configured, so all "
            "runs are read once through its API; filters and groups know those read so far."
        )


@live.ticking(_TICK_SECONDS)
def _reading(frame: Frame, experiment: str, histories: dict[str, tuple[int, int]]) -> None:
    """Counts on while the worker reads histories; the page is drawn anew when they are there."""
    unread = frame.services.experiments.unread_histories(frame.actor, experiment, tuple(histories))
    if not unread:
        st.rerun()
    whole = sum(total for _, total in histories.values())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="reading"):
        st.badge("Reading", icon=widgets.icon("sync"), color="blue")
        widgets.note(
            f"{max(0, whole - unread):,} of {fmt.plural(whole, 'history', 'histories')} of {', '.join(histories)} so "
            "far, the newest first. Other values than the last need them; runs without one yet show none."
        )


# --- saved views and export -------------------------------------------------------------------------------------------


def menu(frame: Frame, room: ExperimentRoom) -> Kept:
    """Saved views and export, beside the columns; gives what else was kept."""
    assert room.experiment is not None
    kept = frame.services.experiments.kept(frame.actor, room.tray.ids)
    state = url.state(room.experiment.id)
    current = next((one for one in kept.views if dict(one.state) == state), None)
    label = plain(_short(current.name)) if current else "Views"
    with st.popover(label, icon=widgets.icon("bookmark"), key="views", on_change="rerun"):
        _views(frame, kept, current, state)
    _asked(frame, kept, state)
    with st.popover("Export", icon=widgets.icon("download"), key="export", disabled=not len(room.matching)):
        _export(frame, room)
    return kept


def _ask(verb: str, view_id: str = "") -> None:
    """A click in the popover: it closes, and the dialog of the next run stands alone."""
    session.put("views", False)
    session.put("views-asked", (verb, view_id))


def _asked(frame: Frame, kept: Kept, state: dict[str, str]) -> None:
    verb, view_id = session.pop("views-asked") or ("", "")
    view = next((one for one in kept.views if one.id == view_id), None)
    if verb == "save":
        _save(frame, state)
    elif verb == "change" and view is not None:
        _change(frame, view)
    elif verb == "delete" and view is not None:
        _delete(frame, view)


def _open(view: SavedView) -> None:
    session.put("views", False)
    url.restore(view.state)


def _views(frame: Frame, kept: Kept, current: SavedView | None, state: dict[str, str]) -> None:
    why_not = frame.why_not(Permission.VIEW_SAVE)
    if kept.views:
        with st.container(key="views-list", gap="xsmall"):
            for view in kept.views:
                _line(frame, view, opened=current is not None and view.id == current.id)
    else:
        widgets.note("No view is kept yet. A view is this page under a name: filter, columns, groups, comparison.")
    st.button("Save this view…", key="view-save", disabled=bool(why_not), help=why_not or None, on_click=_ask,
              args=("save",), icon=widgets.icon("bookmark_add"))  # fmt: skip
    widgets.note("Link to this page, for anybody who may log in:")
    st.code(f"{session.origin()}/experiments?{urlencode(state)}", language=None)


def _line(frame: Frame, view: SavedView, *, opened: bool) -> None:
    own = view.owner == frame.actor.id
    said = ("shared" if view.shared else "yours alone") if own else f"by {who(view.owner)}"
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"view-{view.id}"):
        st.button(
            f"{plain(_short(view.name, 40))}  :gray[{plain(said)}, {frame.ago(view.updated_at)}]",
            key=f"view-open-{view.id}", icon=widgets.icon("check" if opened else "bookmark"), type="tertiary",
            on_click=_open, args=(view,), help=f"Open {plain(view.name)}", width="stretch",
        )  # fmt: skip
        if not view.why_not_change(frame.actor) and frame.may(Permission.VIEW_SAVE):
            for verb, said in (("change", "Edit"), ("delete", "Delete")):
                st.button(said, key=f"view-{verb}-{view.id}", type="tertiary", on_click=_ask, args=(verb, view.id))


def _fields(key: str, name: str, *, shared: bool) -> Callable[[], None]:
    def draw() -> None:
        st.text_input("Name", name, key=f"{key}-name", max_chars=LONGEST_NAME, placeholder="What does it show?")
        st.checkbox("Everybody may open it", shared, key=f"{key}-shared")

    return draw


def _save(frame: Frame, state: dict[str, str]) -> None:
    key = "view-new"

    def act(_: str) -> str:
        session.put("views", False)
        made = frame.services.experiments.save_view(
            frame.actor, str(session.get(f"{key}-name") or ""), state, shared=bool(session.get(f"{key}-shared"))
        )
        return f"The view “{made.name}” is kept{' and shared' if made.shared else ''}."

    dialogs.confirm(
        key=key,
        title="Save this view",
        consequence="Filter, columns, groups, comparison and picture are kept under a name. A view of yours with the "
        "same name is written over.",
        button="Save the view",
        act=act,
        icon="bookmark_add",
        reason="",
        fields=_fields(key, "", shared=True),
    )


def _change(frame: Frame, view: SavedView) -> None:
    key = f"view-change-{view.id}"

    def act(_: str) -> str:
        session.put("views", False)
        made = frame.services.experiments.change_view(
            frame.actor, view.id, name=str(session.get(f"{key}-name") or ""), shared=bool(session.get(f"{key}-shared"))
        )
        return f"The view is called “{made.name}” and {'is shared' if made.shared else 'opens for its owner only'}."

    dialogs.confirm(
        key=key,
        title=f"Rename or share “{_short(view.name, 40)}”",
        consequence="What it shows stays. Links to it stay too; they open for others only while it is shared.",
        button="Change the view",
        act=act,
        icon="edit",
        reason="",
        fields=_fields(key, view.name, shared=view.shared),
    )


def _delete(frame: Frame, view: SavedView) -> None:
    def act(_: str) -> str:
        session.put("views", False)
        frame.services.experiments.delete_view(frame.actor, view.id)
        return f"The view “{view.name}” is deleted."

    dialogs.confirm(
        key=f"view-delete-{view.id}",
        title=f"Delete “{_short(view.name, 40)}”",
        consequence="Nobody can open it by its name any more. Links that hold the whole page still open.",
        button="Delete the view",
        act=act,
        icon="delete",
        reason="",
    )


def _export(frame: Frame, room: ExperimentRoom) -> None:
    """One button a format; the file is made when it is clicked."""
    assert room.experiment is not None
    n = len(room.matching) if room.groups is None else len(room.groups.whole)
    what = "run" if room.groups is None else "configuration"
    widgets.note(f"{fmt.plural(n, what)} of all pages, filtered, grouped, ordered and with columns as shown.")
    wall = frame.services.context.clock.wall()
    for kind, (label, why) in _FORMATS.items():
        st.download_button(
            label,
            data=partial(_written, frame, room, kind),
            file_name=file_name(room.experiment.name, wall, kind),
            key=f"export-{kind}",
            icon=widgets.icon("download"),
            on_click="ignore",
            help=why,
            width="stretch",
        )


def _written(frame: Frame, room: ExperimentRoom, kind: TableFormat) -> bytes:
    return frame.services.experiments.written(frame.actor, room.query, kind).content


# --- notes ------------------------------------------------------------------------------------------------------------


def notes(frame: Frame, room: ExperimentRoom, kept: Kept) -> None:
    """What people wrote on just these runs, and a button to write."""
    if len(room.tray) < 2 or (not kept.notes and not frame.may(Permission.VIEW_SAVE)):
        return
    runs = fmt.plural(len(room.tray), "run")

    def actions() -> None:
        if widgets.action_button(
            "Write a note…", key="note-write", why_not=frame.why_not(Permission.VIEW_SAVE), icon_name="edit_note"
        ):
            _write(frame, tuple(room.tray.ids))

    with widgets.card("notes", "Notes on this comparison", f"Seen by everybody who compares these {runs}", actions):
        if kept.notes:
            st.html(f"<ul class='notes'>{''.join(_note(frame, one) for one in kept.notes)}</ul>")


def _note(frame: Frame, one: RunNote) -> str:
    return (
        f"<li><p>{escape(one.text)}</p><span>{escape(who(one.author))}, {escape(frame.instant(one.at))} "
        f"({escape(frame.ago(one.at))})</span></li>"
    )


def _write(frame: Frame, run_ids: tuple[str, ...]) -> None:
    def act(text: str) -> str:
        frame.services.experiments.write_note(frame.actor, run_ids, text)
        return "The note stands on this comparison."

    dialogs.confirm(
        key=f"note-{'-'.join(one[:4] for one in run_ids)}",
        title="Write a note on this comparison",
        consequence=f"Everybody who compares the same {len(run_ids)} runs reads it, with your name and the time. "
        "Notes are not changed later.",
        button="Write the note",
        act=act,
        icon="edit_note",
        reason="Note",
        placeholder=f"What did the comparison show? At most {LONGEST_NOTE:,} characters.",
    )


def _short(text: str, most: int = 22) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
