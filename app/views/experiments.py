"""Experiments: a filter and the runs table with pictures beside it, and a tray that holds what is compared.

Deep links: every parameter of `app.parts.experiments.url`, first of all ?exp=&q=&view=&sort=&runs=&base=&tab=&run=
"""

from __future__ import annotations

import streamlit as st

from app.charts.experiments import table
from app.charts.experiments.relations import ink
from app.components import runs_table
from app.parts.experiments import controls, pictures, pieces, real, register, url
from app.parts.experiments import keep as runs_keep
from app.parts.experiments import tray as runs_tray
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.hints import meant
from mlops_dash.domain.experiments.room import ExperimentRoom
from mlops_dash.errors import NotFound

_KEY = "runs-table"
_CSS = """
[data-testid="stLayoutWrapper"]:has(>.st-key-tray){position:sticky;bottom:0;z-index:20}
.st-key-tray{background:$page;border-top:1px solid $line;padding:.55rem 0}
.against .note{margin:.35rem 0}.against b{color:$ink;font-weight:600}
.st-key-runs-toolbar .stTextInput{min-width:16rem;flex:1 1 16rem}
.st-key-tray .stMultiSelect{min-width:14rem;flex:1 1 14rem}
.st-key-card-real{scroll-margin-top:.75rem}.st-key-card-real:focus{outline:0}
.st-key-card-runs [data-testid="stBidiComponentIsolated"]{border-radius:.4rem;overflow:hidden}
@media(max-width:640px){
.st-key-runs-toolbar .stTextInput{min-width:100%}
.st-key-tray:has(.st-key-tray-real) .stElementContainer:is(:has(.stMultiSelect),:has(.stSelectbox)){display:none}
.st-key-tray>.st-key-tray-real{flex:1 1 0!important}
}
"""


def page(frame: Frame) -> None:
    """Draw the page."""
    runs_keep.arrive(frame)
    url.arrive()
    query = url.query()
    room = frame.services.experiments.room(frame.actor, query, again=bool(session.pop("runs-again")))
    css = (
        (_CSS + runs_keep.CSS)
        .replace("$muted", frame.tokens.muted)
        .replace("$page", frame.tokens.page)
        .replace("$line", frame.tokens.line)
        .replace("$ink", frame.tokens.ink)
    )
    st.html(f"<style>{css}</style>")
    with widgets.header("Experiments", _status(room), about=_tab(room)):
        controls.scope(frame, room)
    if room.experiment is None:
        _no_experiment(room)
        return
    address.show("exp", room.experiment.id)
    runs_keep.source(frame, room)
    if not len(room.runs):
        how = f"mlflow.set_experiment({room.experiment.name!r}), then mlflow.start_run()"
        widgets.empty("science", f"{room.experiment.name} has no runs yet", how, key="runs")
        _drawer(frame, room)
        return
    kept = controls.toolbar(frame, room)
    _shown(frame, room)
    real.panel(frame, room)
    runs_keep.notes(frame, room, kept)
    runs_tray.tray(room)
    register.decide(frame)
    _drawer(frame, room)
    url.keep()


def _tab(room: ExperimentRoom) -> str:
    """Which experiment, and how many runs: what the browser's tab says."""
    return "" if room.experiment is None else f"{room.experiment.name}: {fmt.plural(len(room.matching), 'run')}"


def _status(room: ExperimentRoom) -> str:
    if room.experiment is None:
        return fmt.plural(len(room.experiments), "experiment")
    matching, every = len(room.matching), len(room.runs)
    said = [room.experiment.name]
    said.append(fmt.plural(every, "run") if matching == every else f"{matching:,} of {fmt.plural(every, 'run')}")
    if room.grouping.key and every:
        said.append(f"{fmt.plural(room.grouping.n, 'configuration')}, repeats differ in {room.grouping.key}")
    primary = room.primary
    if room.n_judged_on > 1:
        said.append(f"judged on {room.n_judged_on} different evaluation sets")
    elif primary is not None and primary.direction is not None and matching:
        values = room.matching.metrics[primary.key].to_numpy()
        best = directions.best(values, primary.direction)
        if best is not None:
            said.append(f"best {primary.key} {fmt.metric(float(values[best]), table.decimals(values))}")
    return " · ".join(said)


def _no_experiment(room: ExperimentRoom) -> None:
    asked = room.query.experiment
    if asked and room.experiments:
        with widgets.empty("science", f"Experiment {asked} is not in MLflow", "It was deleted, or the link is wrong. "
                           "Choose another one above.", key="experiment"):  # fmt: skip
            st.button("Show the latest", key="exp-latest", on_click=url.forget, args=("exp",))
        return
    widgets.empty("science", "No experiment yet", "One comes with the first run: mlflow.set_experiment(\"name\"), then "
                  "mlflow.start_run().", key="experiment")  # fmt: skip


def _shown(frame: Frame, room: ExperimentRoom) -> None:
    """The table, the pictures, or both side by side."""
    shown = url.shown()
    address.show("show", shown)
    if shown == "table":
        _runs(frame, room)
    elif shown == "pictures":
        pictures.panel(frame, room)
    else:
        with st.container(key="split-runs"):
            left, right = st.columns([7, 4], gap="small")
        with left:
            _runs(frame, room)
        with right:
            pictures.panel(frame, room)


def _runs(frame: Frame, room: ExperimentRoom) -> None:
    def actions() -> None:
        controls.view(room)
        if st.button("Refresh", key="runs-refresh", type="tertiary", icon=widgets.icon("refresh")):
            session.put("runs-again", True)
            st.rerun()

    n = len(room.matching)
    title = fmt.plural(n, "run")
    if room.groups is not None:
        title = f"{fmt.plural(len(room.groups.members), 'configuration')} of {title}"
    with widgets.card("runs", title, runs_keep.age(frame, room), actions):
        if not n:
            how = meant(session.param("q"), room.runs) or "Loosen the filter or the clicks."
            with widgets.empty("filter_alt_off", "No run matches", how, key="matching"):
                st.button("Clear filters", key="runs-clear", on_click=url.forget, args=("q", "st", "p", "pg"))
            return
        slots = {one: ink(frame.tokens, at) for one, at in pieces.coloured(room).items()}
        data = table.data(
            room, now=frame.now, wall=frame.services.context.clock.wall(), zone=frame.zone,
            sort=(room.sort, room.descending), slots=slots,
            versions=frame.services.experiments.versions(frame.actor),
        )  # fmt: skip
        runs_table.mount(
            data, key=_KEY, on_tick=_tick, on_sort=lambda: _sort(room), on_show=_show, on_pin=_pin,
            on_order=lambda: controls.reordered(_KEY, room), on_keep=lambda: controls.kept(_KEY),
        )  # fmt: skip
        controls.below(room)


def _tick() -> None:
    said = session.get(_KEY).tick
    if not said:
        return
    ids, held = [str(one) for one in said["ids"]], url.tray()
    url.set_tray([*held, *ids] if said["on"] else [one for one in held if one not in ids])


def _sort(room: ExperimentRoom) -> None:
    """Once for the better end first, again for the other way round."""
    name = session.get(_KEY).sort
    if not name:
        return
    descending = room.descending
    if room.sort == name:
        descending = not descending
    else:
        column = next((one for one in room.columns if one.name == name), None)
        descending = (column is not None and directions.descends(column.direction)) or name == "attributes.start_time"
    url.set_word("sort", ("-" if descending else "") + name)


def _show() -> None:
    if session.get(_KEY).show:
        session.set_param("run", session.get(_KEY).show)


def _pin() -> None:
    said = session.get(_KEY).pin
    if said:
        url.set_word("base", "" if said == "-" else said)


def _drawer(frame: Frame, room: ExperimentRoom) -> None:
    try:
        runs_tray.drawer(frame, room)
    except NotFound as error:
        session.set_param("run", "")
        st.warning(plain(error.sentence()), icon=widgets.icon("link_off"))
