"""Which parameters matter, and which runs nothing beats."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.charts.experiments import importance as run_importance
from app.charts.experiments import pareto as run_pareto
from app.parts.experiments import pieces as parts
from app.parts.experiments import url
from app.shell import session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments import directions
from mlops_dash.domain.experiments.room import ExperimentRoom

_WAYS = {key: directions.WORDS[way].removesuffix(" is better") for way, key in directions.KEYS.items()}


def importance(frame: Frame, room: ExperimentRoom) -> None:
    """Permutation importance in a random forest on the matching runs."""
    found, metrics = room.importance, parts.metric_names(room)
    if found is None:
        widgets.empty("query_stats", "No metric", "Importance needs a metric.", key="importance")
        return
    parts.head("importance", run_importance.finding(found), run_importance.basis(found))
    parts.pick("Metric", "im-pick", metrics, found.metric, "m", width=190)
    if found.why_not:
        widgets.empty("query_stats", "Too little to say", f"{found.why_not[:1].upper()}{found.why_not[1:]}.",
                      key="importance")  # fmt: skip
    else:
        shown = min(len(found.found), run_importance.MOST_BARS)
        widgets.chart(run_importance.figure(found, frame.tokens), picture=True, key="importance",
                      height=90 + 26 * shown,
                      alt=f"{run_importance.finding(found)}. {run_importance.basis(found)}")  # fmt: skip
    parts.notes(run_importance.notes(found))
    if found.found:
        widgets.as_table(run_importance.table(found), key="importance")


def pareto(frame: Frame, room: ExperimentRoom) -> None:
    """Runs, or configurations, by two or three metrics, and those that nothing beats."""
    found, metrics = room.front, parts.metric_names(room)
    if found is None or len(metrics) < 2:
        widgets.empty("stacked_line_chart", "Too few metrics", "A Pareto front needs two metrics.", key="pareto")
        return
    finding = run_pareto.finding(found, alike=room.n_judged_on < 2)
    what = "configurations, by the means of their repeats" if found.grouped else "runs"
    parts.head("pareto", finding, f"Of {len(found.values):,} {what}")
    session.put("pf-pick", list(found.metrics))
    st.multiselect("Two or three metrics", metrics, key="pf-pick", on_change=_metrics, max_selections=3,
                   label_visibility="collapsed")  # fmt: skip
    ways = {one: directions.KEYS[way] for one, way in zip(found.metrics, found.ways, strict=True) if way is not None}
    with st.container(horizontal=True, gap="xsmall", key="pareto-ways"):
        for one in found.metrics:
            session.put(f"pw-{one}", ways.get(one))
            st.selectbox(f"{plain(parts.short(one, 20))}: better is", list(_WAYS), key=f"pw-{one}", index=None,
                         format_func=_WAYS.__getitem__, placeholder="choose", on_change=partial(_way, one),
                         width=160)  # fmt: skip
    if len(found.metrics) < 2 or found.asked:
        why = "Choose a second metric." if len(found.metrics) < 2 else (
            f"Say of {', '.join(parts.short(one) for one in found.asked)} which way is better."
        )  # fmt: skip
        widgets.empty("stacked_line_chart", "No front yet", why, key="pareto")
        return
    if not len(found.values):
        widgets.empty("stacked_line_chart", "No run has all of them", "None of the matching runs has a finite value of "
                      "every chosen metric.", key="pareto")  # fmt: skip
        return
    digits = run_pareto.digits(found)
    figure = run_pareto.figure(found, frame.tokens, parts.slots(room))
    widgets.chart(figure, picture=True, key="pareto", height=parts.height() + 40, alt=f"{finding}.")
    notes = [f"{fmt.plural(found.n_bad, 'run')} without a finite value of every metric: no point"]
    said = notes if found.n_bad and not found.grouped else []
    if found.n_bad and found.grouped:
        said = [f"{fmt.plural(found.n_bad, 'configuration')} without a finite value of every metric: no point"]
    said.append("a front says nothing of chance: with other seeds other runs may stand on it")
    parts.notes(said)
    widgets.as_table(run_pareto.table(found, digits), key="pareto")


def _metrics() -> None:
    url.set_json("pf", session.get("pf-pick") or [])


def _way(metric: str) -> None:
    chosen = session.get(f"pw-{metric}")
    url.set_json("dir", {**url.pairs("dir"), metric: chosen or "none"})
