"""Is it real? The card under the runs: verdict of every pair, why better, rows that flipped, files side by side.

Nothing is tested before the margin was said, and only the open part is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from app.charts.experiments import slices as charts
from app.parts.experiments import url, why
from app.shell import session
from app.shell.faces import bounded
from app.ui import live, widgets
from app.ui.context import Frame
from app.ui.text import inside_html
from mlops_dash.domain import format as fmt
from mlops_dash.domain.experiments.comparability import EVALUATION_TAG, Comparability
from mlops_dash.domain.experiments.comparison import LOOKS, PairVerdict, RealQuery, RealRoom
from mlops_dash.domain.experiments.comparison_words import plain
from mlops_dash.domain.experiments.room import ExperimentRoom, RunQuery

_PARTS = ("Verdict", "Why better", "Flipped rows", "Files")
_MARGINS = (0.001, 0.002, 0.005, 0.01, 0.02)
_STATES: dict[str, tuple[str, str, Any]] = {
    "yes": ("check_circle", "Comparable", "green"),
    "no": ("cancel", "Not comparable", "red"),
    "cannot_tell": ("help", "Cannot tell", "gray"),
}
_MARKS = {"yes": "✓", "no": "✕", "cannot_tell": "?", "may_differ": "·"}


def panel(frame: Frame, room: ExperimentRoom) -> None:
    """The card; nothing at all while there are not two runs to compare."""
    if room.experiment is None or not ready(room):
        return
    query = replace(room.query, experiment=room.experiment.id, tray=tuple(room.tray.ids), baseline=room.baseline)
    with st.container(border=True, key="card-real", gap="small"):
        live.fragment(_bounded)(frame, query, bool(room.grouping.key))


def compared(room: ExperimentRoom) -> tuple[str, ...]:
    """The runs of the comparison, the baseline with them."""
    return tuple(dict.fromkeys([*room.tray.ids, *([room.baseline] if room.baseline else [])]))


def ready(room: ExperimentRoom) -> bool:
    """Whether there is something to compare."""
    return room.experiment is not None and len(compared(room)) > 1


def _bounded(frame: Frame, query: RunQuery, groups: bool) -> None:
    """A fragment runs outside the page's boundary when its own controls move; some of them change the page too."""
    if session.pop("real-page"):
        st.rerun()
    bounded(lambda: _card(frame, query, groups=groups))


def asked() -> RealQuery:
    """What the URL asks of the card."""
    return RealQuery(
        metric=session.param("rm"), margin=_number(session.param("mg")), data_tag=session.param("dt"),
        repeats=session.param("who") != "runs",
    )  # fmt: skip


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if 0 <= found < float("inf") else None


def _card(frame: Frame, query: RunQuery, *, groups: bool) -> None:
    ask = asked()
    part = session.param("why") if session.param("why") in _PARTS else _PARTS[0]
    read = replace(ask, margin=ask.margin if part == _PARTS[0] else None)
    room = frame.read(lambda: frame.services.experiments.real(frame.actor, query, read), "real", _key(query), read,
                      height=320)  # fmt: skip
    _head(room, part, groups=groups, repeats=ask.repeats)
    if part == "Files":
        why.files(frame, query, _key(query))
        return
    if len(room.sides) < 2:
        how = "The ticked runs are repeats of one configuration: compare them run by run, or tick a run of another one."
        with widgets.empty("compare_arrows", "One configuration alone", how, key="real"):
            st.button("Compare the runs", key="real-alone", on_click=_put, args=("who", "runs"))
        return
    if not room.metric:
        widgets.empty(
            "straighten", "No metric in common", "These runs logged no metric that all sides have.", key="real"
        )
    elif part == "Verdict":
        _verdict(frame, room)
    else:
        anchor = _pair(room)
        draw = why.slices if part == "Why better" else why.flips
        draw(frame, query, ask, anchor, _key(query))


def _key(query: RunQuery) -> str:
    """Everything of the page's query that the card depends on."""
    return repr((query.experiment, query.tray, query.baseline, query.repeat_key, query.columns,
                 sorted(query.reducers.items()), sorted((k, str(v)) for k, v in query.directions.items())))  # fmt: skip


def _put(name: str, value: str) -> None:
    """Write one parameter of the URL; empty removes it, and what is remembered of it."""
    if value:
        session.set_param(name, value)
    else:
        url.forget(name)
    if name in {"who", "pair", "rm"}:
        url.forget("fs", "fp", "fc", "fv")


# --- controls ---------------------------------------------------------------------------------------------------------


def _head(room: RealRoom, part: str, *, groups: bool, repeats: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", gap="small",
                      key="ch-real"):  # fmt: skip
        n = len(room.sides) - 1
        base = room.sides[room.base] if room.sides else None
        against = "" if base is None or n < 1 else f"{fmt.plural(n, 'side')} against {_named(base.label, base.version)}"
        st.html(f"<div class='ch'><h2>Is it real?</h2><p>{inside_html(against)}</p></div>", width="content")
        session.put("real-part", part)
        st.segmented_control("Part", list(_PARTS), key="real-part", required=True, label_visibility="collapsed",
                             on_change=lambda: _put("why", _unless(session.get("real-part"), _PARTS[0])))  # fmt: skip
    if part == "Files":
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="real-controls"):
        if room.metrics:
            session.put("real-metric", room.metric)
            st.selectbox("Metric", list(room.metrics), key="real-metric", width=230,
                         on_change=lambda: _put("rm", session.get("real-metric") or ""))  # fmt: skip
        if part == "Verdict":
            session.put("real-margin", "" if room.margin is None else plain(room.margin))
            st.text_input("Practically equal within ±", key="real-margin", on_change=_margin, width=170,
                          placeholder="say it first", help="Differences up to this do not matter to you. Asked before "
                          "the result is shown: afterwards it would be no margin.")  # fmt: skip
            _data_tag(room)
        if groups:
            session.put("real-who", "Configurations" if repeats else "Single runs")
            st.segmented_control(
                "Sides are", ["Configurations", "Single runs"], key="real-who", required=True,
                on_change=lambda: _put("who", "runs" if session.get("real-who") == "Single runs" else ""),
                help="A configuration is compared with all its repeats, whichever of them was ticked.",
            )  # fmt: skip
        if room.contest is not None and set(room.contest) != {one for side in room.sides for one in side.ids}:
            st.button("Champion against challenger", key="real-contest", icon=widgets.icon("swords"),
                      on_click=_contest, args=room.contest)  # fmt: skip
    wrong = session.pop("real-wrong")
    if wrong:
        st.error(wrong, icon=widgets.icon("error"))


def _unless(chosen: str | None, first: str) -> str:
    return "" if chosen in {None, first} else str(chosen)


def _named(label: str, version: str) -> str:
    return f"{label}, {version}" if version else label


def _margin() -> None:
    text = (session.get("real-margin") or "").strip().replace(",", ".")
    if text and _number(text) is None:
        session.put("real-wrong", f"“{text}” is no margin. Write a number from 0 on, such as 0.005.")
        return
    _put("mg", text)


def _data_tag(room: RealRoom) -> None:
    """Which tag names the evaluation data: for runs that lack our digest."""
    with st.popover("Data version", icon=widgets.icon("database"), key="real-data"):
        session.put("real-tag", room.data_tag if room.data_tag in room.tags else "")
        st.selectbox(
            "Equal evaluation data means equal", ["", *room.tags], key="real-tag",
            format_func=lambda one: f"tag {one}" if one else f"digest of rows and labels ({EVALUATION_TAG})",
            on_change=_tagged,
            help="For runs that name their data version in a tag of their own. It is kept in the link.",
        )  # fmt: skip


def _tagged() -> None:
    _put("dt", session.get("real-tag") or "")
    session.put("real-page", True)


def _contest(challenger: str, champion: str) -> None:
    url.set_tray([challenger, champion])
    url.set_word("base", champion)
    _put("who", "runs")
    session.put("real-page", True)


def _pair(room: RealRoom) -> str:
    """Which side is looked into: its anchor; asked only when there are several."""
    others = [one for at, one in enumerate(room.sides) if at != room.base]
    labels = {one.anchor: _named(one.label, one.version) for one in others}
    chosen = session.param("pair") if session.param("pair") in labels else others[0].anchor
    if len(others) > 1:
        session.put("real-pair", chosen)
        st.selectbox("Pair", list(labels), key="real-pair", format_func=labels.__getitem__,
                     on_change=lambda: _put("pair", session.get("real-pair") or ""))  # fmt: skip
    return chosen


# --- verdict ----------------------------------------------------------------------------------------------------------


def _verdict(frame: Frame, room: RealRoom) -> None:
    if room.margin is None:
        with widgets.empty("straighten", "How large must a difference be to matter?",
                           f"Say it before you look: differences of {room.metric} up to the margin count as "
                           "practically equal. 0 if every difference matters.", key="real-ask"):  # fmt: skip
            for margin in _MARGINS:
                st.button(f"±{plain(margin)}", key=f"real-m-{margin}", on_click=_put, args=("mg", plain(margin)))
            st.button("0", key="real-m-0", on_click=_put, args=("mg", "0"))
        return
    left, right = st.columns([7, 6], gap="medium")
    with left:
        for number, one in enumerate(room.pairs):
            _said(one, number)
        drawn = [one for one in room.pairs if one.found is not None and one.found.value == one.found.value]
        if drawn:
            widgets.chart(charts.pairs_figure(drawn, frame.tokens), picture=True, key="real-pairs",
                          height=charts.height(len(drawn)), alt=charts.pairs_alt(drawn))  # fmt: skip
            how = "Thin line: 95 % interval; thick: 90 %"
            widgets.note(f"{how}; shaded: practically equal." if room.margin else f"{how}.")
        widgets.as_table(charts.pairs_table(room.pairs), key="real-pairs")
    with right:
        anchor = _pair(room)
        one = next((pair for pair in room.pairs if pair.a.anchor == anchor), room.pairs[0])
        _may(one.comparable)
        _tested(one)


def _said(one: PairVerdict, number: int) -> None:
    icon, _, colour = LOOKS[one.outcome]
    with st.container(key=f"real-said-{number}", gap="xxsmall"):
        st.badge(one.label, icon=widgets.icon(icon), color=colour)  # type: ignore[arg-type]
        st.html(f"<p style='margin:0'>{inside_html(one.sentence)}</p>")
        if one.need:
            widgets.note(one.need)


def _may(said: Comparability) -> None:
    icon, word, colour = _STATES[said.state]
    st.html("<div class='ch'><h2>May they be compared?</h2></div>")
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="real-may"):
        st.badge(word, icon=widgets.icon(icon), color=colour)
        widgets.note(said.sentence)
    widgets.facts({f"{_MARKS[one.state]} {one.name}": one.said for one in said.facts})


def _tested(one: PairVerdict) -> None:
    st.html("<div class='ch'><h2>How it was tested</h2></div>")
    sides = {_named(side.label, side.version): fmt.plural(len(side.ids), "run") for side in (one.a, one.b)}
    facts = {"Design": f"{one.why_design[0].upper()}{one.why_design[1:]}."}
    if one.found is not None and one.found.computable:
        facts |= {
            "The claim is about": f"{one.claim[0].upper()}{one.claim[1:]}.",
            "Test": f"{one.method[0].upper()}{one.method[1:]}.",
            "p": f"{fmt.p_value(one.p_adjusted)} of no difference" + (" after Holm" if one.n_pairs_tested > 1 else ""),
        }
    facts["Sides"] = "; ".join(f"{label}: {n}" for label, n in sides.items())
    if one.notes:
        facts["Notes"] = "; ".join(one.notes) + "."
    widgets.facts(facts)
