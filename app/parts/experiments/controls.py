"""The controls of the Experiments page: experiment, filter, status and parameter clicks, columns, reducers."""

from __future__ import annotations

import json
from functools import partial
from urllib.parse import quote

import streamlit as st

from app.charts.experiments.table import against_baseline, counted, short
from app.parts.experiments import keep as runs_keep
from app.parts.experiments import url
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.frame import Reducer, standing
from mlops_dash.domain.experiments.hints import example
from mlops_dash.domain.experiments.room import STATUS_LOOKS, Column, ExperimentRoom
from mlops_dash.domain.experiments.views import Kept

_WAYS = {**{key: directions.WORDS[way] for way, key in directions.KEYS.items()}, "none": "no direction"}
_MOST_VALUES, _MOST_PARAMS = 40, 8
_SHOWN = {"both": "Both", "table": "Table", "pictures": "Pictures"}


def scope(frame: Frame, room: ExperimentRoom) -> None:
    """Which experiment, and the way to MLflow's own page."""
    names = {one.id: one.name for one in room.experiments}
    if not names:
        return
    chosen = [] if room.experiment is None else room.experiment.id.split(",")
    session.put("exp-pick", next(iter(chosen), None))
    st.selectbox("Experiment", list(names), key="exp-pick", format_func=lambda one: names.get(one, one),
                 on_change=_experiment, label_visibility="collapsed", width=220, index=None,
                 placeholder="Choose an experiment")  # fmt: skip
    if chosen and len(names) > 1:
        beside = [one for one in chosen[1:] if one in names]
        label = f"+ {len(beside)}" if beside else widgets.icon("library_add")
        with st.popover(label, key="exp-more", help="Further experiments in the same table"):
            session.put("exp-beside", beside)
            st.multiselect("Runs of further experiments in the same table", [one for one in names if one != chosen[0]],
                           key="exp-beside", format_func=lambda one: names.get(one, one), on_change=_beside,
                           args=(chosen[0],))  # fmt: skip
    server = frame.services.context.settings.mlflow_uri
    if server.startswith("http") and chosen:
        where = f"experiments/{chosen[0]}"
        if len(chosen) > 1:
            where = f"compare-experiments/s?experiments={quote(json.dumps(chosen))}"
        st.link_button("Open in MLflow", f"{server.rstrip('/')}/#/{where}", icon=widgets.icon("open_in_new"))


def _experiment() -> None:
    url.restore({"exp": session.get("exp-pick") or ""})


def _beside(first: str) -> None:
    """Filter, columns and comparison stay: the further runs come into the same table."""
    url.set_word("exp", ",".join([first, *(session.get("exp-beside") or [])]))


def toolbar(frame: Frame, room: ExperimentRoom) -> Kept:
    """Filter, clicks, columns, views and export in one row; what is wrong with the filter under it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs-toolbar"):
        session.put("q-text", session.param("q"))
        st.text_input(
            "Filter", key="q-text", on_change=_filter, args=(frame,), icon=widgets.icon("filter_list"),
            label_visibility="collapsed", width="stretch",
            placeholder="   or paste ".join(
                part for part in (example(room.runs, [one.key for one in room.metrics]), "the address of an MLflow run")
                if part
            ),
        )  # fmt: skip
        _statuses(room)
        _parameters(room)
        _columns(room)
        kept = runs_keep.menu(frame, room)
        session.put("show-pick", url.shown())
        st.segmented_control("Show", list(url.SHOWN), key="show-pick", required=True, format_func=_SHOWN.__getitem__,
                             on_change=_show, label_visibility="collapsed")  # fmt: skip
    if room.mistake is not None:
        st.error(f"This filter does not parse. {plain(room.mistake.sentence())} The table stays as it was.",
                 icon=widgets.icon("error"))  # fmt: skip
    wrong = session.pop("runs-address")
    if wrong:
        st.error(wrong, icon=widgets.icon("error"))
    return kept


def _show() -> None:
    url.set_word("show", session.get("show-pick"))


def _filter(frame: Frame) -> None:
    text = (session.get("q-text") or "").strip()
    try:
        found = frame.services.experiments.locate(frame.actor, text)
    except Exception as error:  # noqa: BLE001 - a callback runs outside the page's boundary: say it there
        session.put("runs-address", getattr(error, "sentence", lambda: "MLflow could not be asked.")())
        return
    if found is None:
        url.set_word("q", text)
        return
    if found.experiment != session.param("exp"):
        url.restore({"exp": found.experiment})
    url.set_word("q", "")
    if found.run:
        session.set_param("run", found.run)
        url.set_tray([*url.tray(), found.run])


def _statuses(room: ExperimentRoom) -> None:
    options = [one for one in STATUS_LOOKS if one in room.statuses or one in url.words("st")]
    if len(options) < 2 and not url.words("st"):
        return
    session.put("st-pick", [str(one) for one in url.words("st")])
    st.pills("Status", [str(one) for one in options], selection_mode="multi", key="st-pick", on_change=_status,
             format_func=lambda one: f"{STATUS_LOOKS[one][1]} {room.statuses.get(one, 0):,}",
             label_visibility="collapsed", width="content")  # fmt: skip


def _status() -> None:
    url.set_word("st", ",".join(session.get("st-pick") or []))


def _parameters(room: ExperimentRoom) -> None:
    """Values of the parameters in which the runs differ, to be clicked."""
    named = [*room.grouping.by, *([room.grouping.key] if room.grouping.key else [])]
    few = [one for one in named if 1 < room.runs.params[one].nunique() <= _MOST_VALUES][:_MOST_PARAMS]
    clicked = url.chosen()
    if not few and not clicked:
        return
    label = f"Parameters · {sum(map(len, clicked.values()))}" if clicked else "Parameters"
    with st.popover(label, icon=widgets.icon("tune"), key="runs-params"):
        for name in few:
            values = sorted(sorted({str(one) for one in room.runs.params[name] if one is not None}), key=standing)
            session.put(f"p-{name}", [one for one in clicked.get(name, ()) if one in values])
            st.pills(plain(name), values, selection_mode="multi", key=f"p-{name}", on_change=partial(_parameter, name),
                     format_func=plain)  # fmt: skip
        if clicked and st.button("Clear", key="p-clear", type="tertiary", icon=widgets.icon("close")):
            url.forget("p", "pg")
            st.rerun()


def _parameter(name: str) -> None:
    clicked = {key: list(values) for key, values in url.chosen().items() if key != name}
    now = list(session.get(f"p-{name}") or [])
    url.set_json("p", {**clicked, name: now} if now else clicked)
    url.forget("pg")


def _columns(room: ExperimentRoom) -> None:
    """Which columns, in which order; what each metric's cell says and which way is better; what counts as a repeat."""
    with st.popover("Columns", icon=widgets.icon("view_column"), key="runs-columns"):
        every = [f"metrics.{one}" for one in room.runs.metrics.columns]
        every += [f"params.{one}" for one in room.runs.params.columns]
        every += [f"tags.{one}" for one in room.runs.tags.columns if not str(one).startswith("mlflow.")]
        shown = [one.name for one in room.columns] + list(room.hidden)
        session.put("cols-pick", [one for one in url.columns() or shown if one in every])
        st.multiselect("Columns, in this order", every, key="cols-pick", on_change=_chosen_columns,
                       format_func=lambda one: one.partition(".")[2] + {"params": " (parameter)", "tags": " (tag)"}
                       .get(one.partition(".")[0], ""))  # fmt: skip
        for column in room.metrics:
            _metric(column)
        keys = ["", *(str(one) for one in room.runs.params.columns)]
        session.put("rep-pick", room.grouping.key if room.grouping.key in keys else "")
        st.selectbox("Repeats differ only in", keys, key="rep-pick", on_change=_repeat_key,
                     format_func=lambda one: one or "nothing: no repeats",
                     help="The replicate key: runs that are equal but for it are one configuration.")  # fmt: skip


def _chosen_columns() -> None:
    url.set_json("cols", session.get("cols-pick") or [])


def _metric(column: Column) -> None:
    at = column.reducer is Reducer.AT
    left, right, *beside = st.columns([3, 4, 2] if at else 2, gap="small")
    session.put(f"red-{column.key}", str(column.reducer))
    left.selectbox(
        f"{short(column.key, 24)} shows its", [str(one) for one in Reducer], key=f"red-{column.key}",
        format_func=lambda one: "value at step" if one == "at" else f"{one} value",
        on_change=partial(_reducer, column.key),
    )  # fmt: skip
    if at:
        session.put(f"step-{column.key}", column.step)
        beside[0].number_input(
            "Step", min_value=0, step=1, key=f"step-{column.key}", on_change=partial(_step, column.key)
        )
    session.put(f"dir-{column.key}", _word(column.direction) if column.direction or not column.proposed else None)
    right.selectbox(f"For {short(column.key, 24)}", list(_WAYS), key=f"dir-{column.key}", format_func=_WAYS.__getitem__,
                    index=None, placeholder="Which way is better?",
                    on_change=partial(_direction, column.key))  # fmt: skip


def _word(direction: Direction | None) -> str:
    return "none" if direction is None else directions.KEYS[direction]


def _reducer(key: str) -> None:
    word = session.get(f"red-{key}")
    url.set_json("red", {**url.pairs("red"), key: "at 0" if word == "at" else word})


def _step(key: str) -> None:
    url.set_json("red", {**url.pairs("red"), key: f"at {session.get(f'step-{key}') or 0}"})


def _direction(key: str) -> None:
    url.set_json("dir", {**url.pairs("dir"), key: session.get(f"dir-{key}") or "none"})


def reordered(table: str, room: ExperimentRoom) -> None:
    """A heading was dragged: the columns in their new order, those that are hidden now behind them."""
    names = session.get(table).order
    if names:
        url.set_json("cols", [*(str(one) for one in names), *room.hidden])


def kept(table: str) -> None:
    """A column was pinned to the left, or let go."""
    name = session.get(table).keep
    if name:
        held = list(url.pinned())
        url.set_json("pin", [one for one in held if one != name] if name in held else [*held, str(name)])


def _repeat_key() -> None:
    url.set_word("rep", session.get("rep-pick") or "-")


def view(room: ExperimentRoom) -> None:
    """Runs or groups, and only what differs."""
    session.put("view-pick", "Groups" if room.query.grouped else "Runs")
    st.segmented_control("View", ["Runs", "Groups"], key="view-pick", required=True, on_change=_view,
                         label_visibility="collapsed")  # fmt: skip
    session.put("diff-pick", room.query.differences)
    st.toggle("Only differences", key="diff-pick", on_change=_only_differences)


def _view() -> None:
    url.set_word("view", "groups" if session.get("view-pick") == "Groups" else "")


def _only_differences() -> None:
    url.set_word("diff", "1" if session.get("diff-pick") else "")


def below(room: ExperimentRoom) -> None:
    """Pages, and what is not in the table."""
    said = []
    if room.hidden:
        said.append(f"equal in all of them, hidden: {', '.join(one.partition('.')[2] for one in room.hidden)}")
    if room.query.grouped and room.grouping.why:
        said.append(room.grouping.why)
    aside = [one for one in room.grouping.unique if f"params.{one}" not in room.query.columns]
    if aside:
        more = f" and {len(aside) - 5} more" if len(aside) > 5 else ""
        said.append(f"set aside because it differs in every run: {', '.join(map(short, aside[:5]))}{more}")
    for one in room.metrics:
        numbers = counted(room.matching, one.key)
        if "(" in numbers:
            said.append(f"{short(one.key, 30)}: {numbers}")
    against = against_baseline(room)
    if against:
        st.html(against)
    if room.n_pages > 1:
        session.put("pg-pick", room.page)
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            widgets.note(f"Page {room.page} of {fmt.whole(room.n_pages)}")
            st.pagination(room.n_pages, key="pg-pick", on_change=_page)
    if said:
        widgets.note(
            "; ".join(one[:1].upper() + one[1:] if not at else one for at, one in enumerate(said)).rstrip(".") + "."
        )


def _page() -> None:
    url.set_word("pg", str(session.get("pg-pick")))
