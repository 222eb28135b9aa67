"""The compare tray at the bottom of the Experiments page, and the details of one run in a drawer."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.charts.experiments.table import started
from app.components import jump
from app.parts.experiments import real, register, url
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.frame import number_text
from mlops_dash.domain.experiments.room import MOST_TRAY, STATUS_LOOKS, ExperimentRoom, RunDetail


def tray(room: ExperimentRoom) -> None:
    """Run ids that stay through sort, filter, page and Back: they live in the URL. The keyboard's way to compare."""
    names = {run_id: name or fmt.short(run_id) for frame in (room.rows, room.tray)
             for run_id, name in zip(frame.ids, frame.info["run_name"], strict=True)}  # fmt: skip
    twice = {name for name in names.values() if list(names.values()).count(name) > 1}
    labels = {one: f"{name} {fmt.short(one, 4)}" if name in twice else name for one, name in names.items()}
    with st.container(key="tray", horizontal=True, vertical_alignment="center", gap="small"):
        if real.ready(room):
            jump.mount(f"Compare {len(real.compared(room))}: is it real?", "card-real", key="tray-real")
        session.put("tray-pick", room.tray.ids)
        st.multiselect(
            "Compare", list(labels), key="tray-pick", format_func=lambda one: labels.get(one, fmt.short(one)),
            on_change=_picked, placeholder="Tick runs above, or choose them here, to compare them",
            label_visibility="collapsed", max_selections=MOST_TRAY,
        )  # fmt: skip
        base = room.runs.take(room.runs.places([room.baseline]))
        options = [*room.tray.ids, *(one for one in base.ids if one not in room.tray.ids)]
        if options:
            session.put("base-pick", room.baseline or None)
            named = {
                **labels,
                **{one: name or fmt.short(one) for one, name in zip(base.ids, base.info["run_name"], strict=True)},
            }
            st.selectbox("Baseline", options, key="base-pick", index=None, placeholder="No baseline",
                         format_func=lambda one: f"Baseline: {named.get(one, fmt.short(one))}", on_change=_based,
                         label_visibility="collapsed", width=230)  # fmt: skip
        if len(room.tray):
            st.button("Clear", key="tray-clear", on_click=url.set_tray, args=((),), icon=widgets.icon("close"),
                      type="tertiary")  # fmt: skip
    if room.gone:
        shown = ", ".join(fmt.short(one) for one in room.gone)
        many = "run of this link is" if len(room.gone) == 1 else "runs of this link are"
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tray-gone"):
            widgets.note(f"{len(room.gone)} {many} not in this experiment, or deleted meanwhile: {shown}.")
            st.button("Remove", key="gone-clear", type="tertiary", on_click=url.set_tray, args=(tuple(room.tray.ids),))


def _picked() -> None:
    url.set_tray(session.get("tray-pick") or [])


def _based() -> None:
    url.set_word("base", session.get("base-pick") or "")


def drawer(frame: Frame, room: ExperimentRoom) -> None:
    """Details of the run that `?run=` names."""
    run_id = session.param("run")
    if not run_id:
        return
    detail = frame.services.experiments.run(frame.actor, run_id)
    widgets.drawer(detail.name or fmt.short(detail.id), lambda: _detail(frame, room, detail), on_close=_close,
                   icon_name="science")  # fmt: skip


def _close() -> None:
    session.set_param("run", "")


def _detail(frame: Frame, room: ExperimentRoom, run: RunDetail) -> None:
    icon, label, colour = STATUS_LOOKS.get(run.status, ("help", run.status, "gray"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run-actions"):
        st.badge(label, icon=widgets.icon(icon), color=colour)  # type: ignore[arg-type]
        held = run.id in room.tray.ids
        if st.button("Take out of the comparison" if held else "Compare", key="run-compare",
                     icon=widgets.icon("compare_arrows")):  # fmt: skip
            ids = [one for one in room.query.tray if one != run.id]
            url.set_tray(ids if held else [*ids, run.id])
            _close()
            st.rerun()
        register.buttons(frame, run)
        if run.version is not None:
            model, version = run.version
            widgets.page_link("registry", f"Became {model} v{version}", icon_name="deployed_code", model=model,
                              version=version)  # fmt: skip
    begun = float("nan") if run.started_at is None else run.started_at.timestamp() * 1000
    wall = frame.services.context.clock.wall()
    took = None if run.started_at is None or run.ended_at is None else run.ended_at - run.started_at
    said = {
        "Run": widgets.Mono(run.id),
        "Experiment": run.experiment,
        "Started": f"{frame.instant(run.started_at)} ({started(begun, frame.now, wall)})",
        "Took": fmt.duration(took) if took is not None else "still running" if run.status == "RUNNING" else fmt.MISSING,
        "By": run.user or fmt.MISSING,
    }
    if run.parent:
        said["Child of"] = widgets.Mono(run.parent)
    for number, data in enumerate(run.datasets):
        context = f" ({data.context})" if data.context else ""
        said["Data" if not number else f"Data {number + 1}"] = (
            f"{data.name}{context}, digest {fmt.short(data.digest, 16)}"
        )
    widgets.facts(said)
    _block("Metrics", {name: number_text(value) for name, value in run.metrics.items()}, "No metric was logged.")
    _block("Parameters", run.params, "No parameter was logged.")
    own = {name: value for name, value in run.tags.items() if not name.startswith("mlflow.")}
    if own:
        with st.expander(f"Tags ({len(own)})", key="run-tags"):
            widgets.facts({name: widgets.Mono(value) if len(value) > 30 else value for name, value in own.items()})
    _files(run)


def _block(title: str, rows: Mapping[str, str], nothing: str) -> None:
    st.html(f"<div class='ch'><h2>{title}</h2></div>")
    if rows:
        widgets.facts(rows)
    else:
        widgets.note(nothing)


def _files(run: RunDetail) -> None:
    st.html("<div class='ch'><h2>Files</h2></div>")
    if run.artifacts_why:
        widgets.note(f"The files cannot be listed now: {run.artifacts_why}")
    elif not run.artifacts:
        widgets.note("This run has no files.")
    else:
        widgets.facts({one.path: "folder" if one.is_folder else _size(one.size) for one in run.artifacts})


def _size(size: int | None) -> str:
    if size is None:
        return fmt.MISSING
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
