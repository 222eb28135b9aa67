"""Beside the runs table: one picture of the runs, chosen by a segmented control that the URL keeps.

With the page to themselves they are large, and several at once lie two in a row. Only the chosen ones are computed:
the service looks at `RunQuery.picture`, and only its part of this page is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import streamlit as st

from app.charts.experiments import differences
from app.parts.experiments import pieces as parts
from app.parts.experiments import url
from app.parts.experiments.curves import curves
from app.parts.experiments.relations import box, contour, parallel, scatter
from app.parts.experiments.tradeoffs import importance, pareto
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.pictures import Picture
from mlops_dash.domain.experiments.room import ExperimentRoom

_VERDICTS: dict[str, tuple[str, str, Any]] = {
    "yes": ("check_circle", "Comparable", "green"),
    "no": ("cancel", "Not comparable", "red"),
    "cannot_tell": ("help", "Cannot tell", "gray"),
}
_CSS = """
.st-key-tab-pick,.st-key-tab-pick .stButtonGroup{width:100%}
.st-key-tab-pick [role=radiogroup]{display:grid;grid-template-columns:repeat(4,1fr);gap:4px}
.st-key-tab-pick button{border-radius:.4rem;margin:0;padding:.15rem .2rem;min-height:1.9rem;width:100%}
@media(max-width:640px){.st-key-tab-pick button{min-height:40px}}
.st-key-tab-pick button:not([aria-checked=true]){border:1px solid $line!important}
@container (min-width:720px){.st-key-tab-pick [role=radiogroup]{grid-template-columns:repeat(8,1fr)}}
.st-key-card-pictures{container-type:inline-size}
"""


def panel(frame: Frame, room: ExperimentRoom) -> None:
    """The control, and the chosen pictures."""
    chosen, alone = url.pictures(), url.shown() == "pictures"
    address.show("tab", ",".join(chosen))
    with st.container(border=True, key="card-pictures", gap="small"):
        st.html(f"<style>{_CSS.replace('$line', frame.tokens.line)}</style>")
        _choice(chosen, several=alone)
        _comparable(room)
        if not len(room.pictured):
            widgets.empty("query_stats", "Nothing to draw", "No run matches the filter.", key="pictures")
            return
        if len(chosen) == 1:
            _DRAW[room.query.picture](frame, room)
        else:
            _several(frame, room, chosen)
        if room.n_judged_on > 1 and chosen != ("Differences",):
            widgets.note(f"The runs of the table were judged on {room.n_judged_on} different evaluation sets: their "
                         "values differ for that reason too.")  # fmt: skip


def _choice(chosen: tuple[str, ...], *, several: bool) -> None:
    if several:
        session.put("tabs-pick", list(chosen))
        st.pills("Pictures", list(url.PICTURES), selection_mode="multi", key="tabs-pick", on_change=_pictures,
                 label_visibility="collapsed")  # fmt: skip
        return
    session.put("tab-pick", chosen[0])
    st.segmented_control("Picture", list(url.PICTURES), key="tab-pick", required=True, on_change=_picture,
                         label_visibility="collapsed", width="stretch")  # fmt: skip


def _several(frame: Frame, room: ExperimentRoom, chosen: tuple[str, ...]) -> None:
    """Two in a row; each reads the page as if it were the only one."""
    grid = st.grid(2, min_column_width=420, gap="medium")
    for name in chosen:
        picture = url.PICTURES[name]
        own = room if picture is room.query.picture else frame.services.experiments.room(
            frame.actor, replace(url.query(), picture=picture))  # fmt: skip
        with grid.cell(), st.container(key=f"picture-{name.lower()}", gap="small"):
            _DRAW[picture](frame, own)


def _picture() -> None:
    url.set_word("tab", session.get("tab-pick"))


def _pictures() -> None:
    url.set_word("tab", ",".join(session.get("tabs-pick") or []))


def _comparable(room: ExperimentRoom) -> None:
    said = room.comparable
    if said is None:
        return
    icon, word, colour = _VERDICTS[said.state]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="comparable"):
        st.badge(word, icon=widgets.icon(icon), color=colour)
        widgets.note(said.sentence)


def _differences(frame: Frame, room: ExperimentRoom) -> None:
    names = [name or fmt.short(run_id) for run_id, name in
             zip(room.pictured.ids, room.pictured.info["run_name"], strict=True)]  # fmt: skip
    parts.head("differences", differences.sentence(room.differences), parts.which(room, len(names)))
    if len(names) < 2:
        widgets.empty("difference", "One run has nothing to differ from", "Tick a second run.", key="differences")
        return
    base = room.pictured.ids.index(room.baseline) if room.baseline in room.pictured.ids else 0
    session.put("eq-pick", session.param("eq") == "1")
    session.put("env-pick", room.query.environment)
    with st.container(horizontal=True, gap="small", key="difference-controls"):
        st.toggle("Equal facts too", key="eq-pick", on_change=_equal_too)
        st.toggle("Installed packages", key="env-pick", on_change=_environment,
                  help="Reads requirements.txt or conda.yaml beside the model of each run.")  # fmt: skip
    if room.environment_why:
        widgets.note(f"The installed packages cannot be read now: {room.environment_why}")
    elif room.query.environment and not any(one.rows for one in room.differences if one.title == "Environment"):
        widgets.note("None of these runs has a model with its packages beside it.")
    equal_too = session.param("eq") == "1"
    st.html(f"<style>{differences.css(frame.tokens)}</style>")
    st.html(differences.html(room.differences, names, base=base, equal_too=equal_too))
    widgets.as_table(differences.table(room.differences, names), key="differences")


def _equal_too() -> None:
    url.set_word("eq", "1" if session.get("eq-pick") else "")


def _environment() -> None:
    url.set_word("env", "1" if session.get("env-pick") else "")


_DRAW: dict[Picture, Callable[[Frame, ExperimentRoom], None]] = {
    Picture.CURVES: curves, Picture.PARALLEL: parallel, Picture.SCATTER: scatter, Picture.CONTOUR: contour,
    Picture.BOX: box, Picture.IMPORTANCE: importance, Picture.PARETO: pareto, Picture.DIFFERENCES: _differences,
}  # fmt: skip
