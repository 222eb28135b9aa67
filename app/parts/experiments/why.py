"""Parts of "Is it real?" that look into one pair: slices, rows that flipped, and files side by side."""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from app.charts.experiments import slices as charts
from app.parts.experiments import url
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import inside_html, plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.comparison import RealQuery
from mlops_dash.domain.experiments.room import RunQuery
from mlops_dash.domain.experiments.why import FilesRoom, Flip, FlipRoom, RunFile

_HOW_TO_KEEP = (
    "Log eval/predictions.parquet with row_id, label, score and the columns to slice by (docs/experiments.md); "
    "MLflow's eval_results_table.json is read too."
)


def _put(name: str, value: str) -> None:
    if value:
        session.set_param(name, value)
    else:
        url.forget(name)
    if name in {"fs", "ff", "fc", "fv", "thr"}:
        url.forget("fp")


# --- slices -----------------------------------------------------------------------------------------------------------


def slices(frame: Frame, query: RunQuery, ask: RealQuery, anchor: str, key: str) -> None:
    """What each slice of the evaluation rows adds to the difference."""
    column = session.param("cut")
    why = frame.read(lambda: frame.services.experiments.why(frame.actor, query, ask, anchor, column), "real-why", key,
                     ask, anchor, column, height=420)  # fmt: skip
    if why.why_not:
        widgets.empty("segment", "No rows to look into", f"{_sentence(why.why_not)} {_HOW_TO_KEEP}", key="real-why")
        return
    if len(why.columns) > 1:
        session.put("cut-pick", why.column)
        st.segmented_control("Slice by", list(why.columns), key="cut-pick", required=True,
                             on_change=lambda: _put("cut", session.get("cut-pick") or ""))  # fmt: skip
    pair = inside_html(f"{why.a} against {why.b}")
    st.html(f"<div class='ch'><h2>{inside_html(why.finding)}</h2><p>{pair}</p></div>")
    widgets.chart(charts.slices_figure(why, frame.tokens), picture=True, key="real-slices",
                  height=charts.height(len(why.parts)), alt=f"{why.finding}. {why.how}.")  # fmt: skip
    widgets.note(f"{why.how}. Grey: cannot be told from 0.")
    widgets.as_table(charts.slices_table(why), key="real-slices")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


# --- flipped rows -----------------------------------------------------------------------------------------------------


def flips(frame: Frame, query: RunQuery, ask: RealQuery, anchor: str, key: str) -> None:
    """Rows that one model gets right and the other wrong."""
    said = {
        "seed": session.param("fs"),
        "which": Flip.ONLY_B if session.param("ff") == "b" else Flip.ONLY_A,
        "threshold": _threshold(),
        "column": session.param("fc"),
        "value": session.param("fv"),
        "page": int(session.param("fp")) if session.param("fp").isdecimal() else 1,
    }
    found = frame.read(lambda: frame.services.experiments.flips(frame.actor, query, ask, anchor, **said),  # type: ignore[arg-type]
                       "real-flips", key, ask, anchor, tuple(said.items()), height=420)  # fmt: skip
    if found.why_not:
        widgets.empty("rule", "No rows to look into", f"{_sentence(found.why_not)} {_HOW_TO_KEEP}", key="real-flips")
        return
    st.html(f"<div class='ch'><h2>{inside_html(found.sentence)}</h2><p>{inside_html(found.how)}</p></div>")
    widgets.note(f"First: {found.a}. Other: {found.b}.")
    _counts(found)
    _flip_controls(found)
    if found.rows is None or not found.n:
        widgets.note("No such row.")
        return
    st.dataframe(_readable(found), hide_index=True, key="real-flip-rows", row_height=32, width="stretch")
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", key="flip-pages"
    ):
        widgets.note(f"{fmt.plural(found.n, 'row')}, the largest change first; page {found.page} of {found.n_pages:,}")
        if found.n_pages > 1:
            session.put("flip-page", found.page)
            st.pagination(found.n_pages, key="flip-page", on_change=lambda: _put("fp", str(session.get("flip-page"))))


def _threshold() -> float:
    try:
        found = float(session.param("thr") or 0.5)
    except ValueError:
        return 0.5
    return found if 0 < found < 1 else 0.5


def _counts(found: FlipRoom) -> None:
    if not found.kind.decides:
        return
    rows = [("Other right", found.both_right, found.only_b), ("Other wrong", found.only_a, found.both_wrong)]
    body = "".join(
        f"<tr><th scope='row'>{name}</th><td class='num'>{one:,}</td><td class='num'>{other:,}</td></tr>"
        for name, one, other in rows
    )
    head = "<thead><tr><th></th><th scope='col'>First right</th><th scope='col'>First wrong</th></tr></thead>"
    st.html(f"<table class='facts'>{head}<tbody>{body}</tbody></table>")


def _flip_controls(found: FlipRoom) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="flip-controls"):
        word = "Right" if found.kind.decides else "Closer"
        session.put("flip-side", found.which)
        st.segmented_control(
            "Rows", list(Flip), key="flip-side", required=True,
            format_func=lambda one: f"{word} in the {'first' if one is Flip.ONLY_A else 'other'} alone",
            on_change=lambda: _put("ff", "b" if session.get("flip-side") is Flip.ONLY_B else ""),
        )  # fmt: skip
        if len(found.seeds) > 1:
            session.put("flip-seed", found.seed)
            st.selectbox("Models of repeat", list(found.seeds), key="flip-seed", width=130,
                         on_change=lambda: _put("fs", session.get("flip-seed") or ""))  # fmt: skip
        if found.kind.has_threshold:
            session.put("flip-cut", found.threshold)
            st.number_input("Decide 1 from", min_value=0.01, max_value=0.99, step=0.05, key="flip-cut", width=130,
                            on_change=lambda: _put("thr", _unless_half(float(session.get("flip-cut")))))  # fmt: skip
        values = found.values or {}
        if values:
            column = session.param("fc") if session.param("fc") in values else ""
            session.put("flip-column", column)
            st.selectbox("Only where", ["", *values], key="flip-column", width=150,
                         format_func=lambda one: one or "all rows",
                         on_change=lambda: _put("fc", session.get("flip-column") or ""))  # fmt: skip
            if column:
                options = list(values[column])
                session.put("flip-value", session.param("fv") if session.param("fv") in options else None)
                st.selectbox("is", options, key="flip-value", width=150, index=None, placeholder="choose",
                             on_change=lambda: _put("fv", session.get("flip-value") or ""))  # fmt: skip


def _unless_half(value: float) -> str:
    return "" if math.isclose(value, 0.5) else f"{value:.4g}"


def _readable(found: FlipRoom) -> pd.DataFrame:
    """The page of rows as people read it."""
    rows = pd.DataFrame() if found.rows is None else found.rows
    names = {"A": "first", "B": "other"}
    made = rows.rename(columns={"row_id": "row", **names})
    return made.round(dict.fromkeys(names.values(), 4))


# --- files ------------------------------------------------------------------------------------------------------------


def files(frame: Frame, query: RunQuery, key: str) -> None:
    """The same file of the runs of the comparison, side by side."""
    path = session.param("file")
    room = frame.read(lambda: frame.services.experiments.files(frame.actor, query, path), "real-files", key, path,
                      height=420)  # fmt: skip
    for run_id, why in (room.why or {}).items():
        said = f"The files of run {fmt.short(run_id)} could not be listed: {why}"
        st.warning(plain(said), icon=widgets.icon("warning"))
    if not room.files:
        widgets.empty("folder_off", "No files", "None of these runs logged a file.", key="real-files")
        return
    n = len(room.shown)
    having = {one.path: one.n_runs for one in room.files}
    session.put("file-pick", room.path)
    st.selectbox("File", list(having), key="file-pick", on_change=lambda: _put("file", session.get("file-pick") or ""),
                 format_func=lambda one: one if having[one] == n else f"{one} ({having[one]} of {n} runs)")  # fmt: skip
    said = "Equal in all of them" if room.equal else ""
    if room.hidden:
        said += f"{'; ' if said else ''}the first {n} of {n + room.hidden} runs"
    if said:
        widgets.note(f"{said}.")
    if room.differences:
        names = [one.label for one in room.shown]
        unique = [name if names.count(name) == 1 else f"{name} ({at + 1})" for at, name in enumerate(names)]
        st.html("<div class='ch'><h2>Values that differ</h2></div>")
        st.dataframe(pd.DataFrame(room.differences, columns=["Path", *unique]), hide_index=True, key="file-facts",
                     row_height=32)  # fmt: skip
    _beside(room)


def _beside(room: FilesRoom) -> None:
    for first in range(0, len(room.shown), 3):
        part = room.shown[first : first + 3]
        for box, one in zip(st.columns(len(part) if len(room.shown) <= 3 else 3, gap="small"), part, strict=False):
            with box:
                _one_file(room, one)


def _one_file(room: FilesRoom, one: RunFile) -> None:
    size = f"{one.size / 1000:,.1f} kB" if one.size else fmt.MISSING
    st.html(f"<div class='ch'><h2>{inside_html(one.label)}</h2><p>{size}</p></div>")
    if one.why:
        st.warning(one.why, icon=widgets.icon("warning"))
    elif one.image is not None:
        st.image(one.image, caption=None, width="stretch")
    elif one.frame is not None:
        st.dataframe(one.frame, hide_index=True, key=f"file-{one.run_id}", row_height=32, height=360)
        if one.n_rows > len(one.frame):
            widgets.note(f"The first {len(one.frame):,} of {fmt.plural(one.n_rows, 'row')}.")
    elif room.diff is not None and one.run_id in room.diff:
        if room.diff[one.run_id]:
            widgets.note("What differs from the first:")
            st.code(room.diff[one.run_id], language="diff", wrap_lines=True, height=360)
        else:
            widgets.note("Equal to the first.")
    else:
        st.code(one.text or "", language=None, wrap_lines=True, height=360)
