"""What the pictures beside the runs table share: their heads, picks, notes, and which run wears which colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app.charts.experiments.curves import MOST_NAMED
from app.charts.experiments.table import short
from app.parts.experiments import url
from app.shell import session
from app.ui import widgets
from app.ui.text import inside_html
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.pictures import Curve, Picture
from mlops_dash.domain.experiments.room import Column, ExperimentRoom, column

__all__ = [
    "axis_columns",
    "axis_words",
    "coloured",
    "head",
    "height",
    "metric_names",
    "notes",
    "parameter_columns",
    "pick",
    "short",
    "slots",
    "told_apart",
    "which",
]

_BESIDE, _AMONG, _ALONE = 340, 380, 560  # px of a picture: beside the table, one of several, alone
_MOST_OPTIONS = 200
_KINDS = {"params": "parameter", "metrics": "metric"}


def slots(room: ExperimentRoom) -> dict[str, int]:
    """The place of each run of the tray in the palette, the same in table and charts; repeats share one in groups."""
    if not room.query.grouped:
        return {run_id: at for at, run_id in enumerate(room.tray.ids)}
    places = room.runs.places(room.tray.ids)
    codes = list(dict.fromkeys(int(room.grouping.codes[at]) for at in places))
    return {run_id: codes.index(int(room.grouping.codes[at])) for run_id, at in zip(room.tray.ids, places, strict=True)}


def height() -> int:
    """How high a picture is, in px: one that has the page to itself is the largest."""
    if url.shown() != "pictures":
        return _BESIDE
    return _ALONE if len(url.pictures()) == 1 else _AMONG


def coloured(room: ExperimentRoom) -> dict[str, int]:
    """The place in the palette of each run that wears a colour on the page: the comparison's, else the curves'."""
    if len(room.tray):
        return slots(room)
    if room.query.picture is not Picture.CURVES or len(room.curves) > MOST_NAMED:
        return {}
    return {run_id: at for at, line in enumerate(room.curves) for run_id in line.run_ids}


def which(room: ExperimentRoom, shown: int, what: str = "run") -> str:
    """Which runs a picture shows."""
    if len(room.tray):
        return f"The {fmt.plural(shown, what)} of the comparison" if shown != 1 else f"The one {what} of the comparison"
    if shown < len(room.matching):
        return f"The first {shown:,} of {fmt.plural(len(room.matching), what)}; tick runs to choose"
    return f"All {fmt.plural(shown, what)} in the table"


def head(key: str, title: str, sub: str) -> None:
    """The finding, and what it is of."""
    with st.container(key=f"ch-{key}"):
        st.html(f"<div class='ch'><h2>{inside_html(title)}</h2><p>{inside_html(sub)}</p></div>")


def notes(said: Sequence[str]) -> None:
    """What is not in the picture, in one line."""
    text = "; ".join(said)
    if text:
        widgets.note(f"{text[0].upper()}{text[1:]}.")


def pick(
    label: str,
    key: str,
    options: Sequence[str],
    current: str,
    name: str,
    *,
    words: Mapping[str, str] | None = None,
    width: int = 170,
) -> None:
    """A selectbox whose value is a URL parameter; the first option leaves the URL clean."""
    said = words or {}
    session.put(key, current)

    def changed() -> None:
        chosen = session.get(key)
        url.set_word(name, "" if chosen == options[0] else chosen)

    st.selectbox(label, options, key=key, on_change=changed, label_visibility="collapsed", width=width,
                 format_func=lambda one: said.get(one, one))  # fmt: skip


def metric_names(room: ExperimentRoom) -> list[str]:
    """All metrics, those of the table first."""
    every = [str(one) for one in room.runs.metrics.columns]
    return list(dict.fromkeys([*(one.key for one in room.metrics), *every]))


def parameter_columns(room: ExperimentRoom) -> dict[str, Column]:
    """Parameters in which the runs differ, by column name: those of the table first, the replicate key last."""
    shown = [one.name for one in room.columns if one.kind == "params"]
    varying = [f"params.{one}" for one in room.grouping.by]
    key = f"params.{room.grouping.key}" if room.grouping.key else ""
    names = [one for one in dict.fromkeys([*shown, *varying]) if one != key] + ([key] if key else [])
    return {one: column(one, room.query) for one in names[:_MOST_OPTIONS]}


def axis_columns(room: ExperimentRoom) -> dict[str, Column]:
    """What may stand on an axis, by column name: parameters, then metrics."""
    metrics = [f"metrics.{one}" for one in metric_names(room)[:_MOST_OPTIONS]]
    return {**parameter_columns(room), **{one: column(one, room.query) for one in metrics}}


def axis_words(columns: Mapping[str, Column]) -> dict[str, str]:
    """The columns' names as options; the kind is said where two have one name."""
    keys = [one.key for one in columns.values()]
    return {
        name: one.key if keys.count(one.key) == 1 else f"{one.key} ({_KINDS.get(one.kind, one.kind)})"
        for name, one in columns.items()
    }


def told_apart(lines: Sequence[Curve], versions: Mapping[str, tuple[str, str]]) -> list[Curve]:
    """Lines whose names say which version a run became, and, where two have one name, which run each is.

    Args:
        lines: Each of one run or more.
        versions: Model and version of the runs that became one.
    """
    named = []
    for one in lines:
        became = versions.get(one.run_ids[0]) if len(one.run_ids) == 1 else None
        named.append(replace(one, label=f"{one.label} · v{became[1]}") if became else one)
    seen = Counter(one.label for one in named)
    return [
        replace(one, label=f"{one.label} · {fmt.short(one.run_ids[0], 6)}") if seen[one.label] > 1 else one
        for one in named
    ]
