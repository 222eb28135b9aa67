"""Overview: what needs attention, four numbers, every model in one table, and what was decided lately.

Deep links: ?health=&find=   (?model= opens that model's Monitoring, as links to `/` always did)
"""

from __future__ import annotations

import streamlit as st

from app import format as fmt
from app import session, widgets
from app.charts import overview as charts
from app.components import fleet_table
from app.frame import Frame
from mlops_dash.domain.fleet import Attention, FleetRoom, FleetRow
from mlops_dash.domain.words import Health, look

SENTENCES = 5
SEARCH_FROM = 11  # models: below, the whole table is on the screen


def page(frame: Frame) -> None:
    """Draw the page."""
    if session.param("model"):
        widgets.go_to("monitoring", **session.params())
        return
    st.html(f"<style>{charts.css(frame.tokens)}</style>")
    room = frame.services.fleet.room(frame.actor)
    widgets.header("Overview", _status(room))
    if not room.rows:
        widgets.empty("deployed_code", "No model is known yet",
                      "Register one in MLflow or train one with a recipe; it appears here with its first version.",
                      key="fleet")  # fmt: skip
        _decisions(frame, room)
        return
    _attention(frame, room)
    st.html(charts.kpis_html(room, frame.tokens))
    with widgets.card("fleet", "Models", "The worst first. Performance: mean of the last 28 ripe days, 95 % interval."):
        _fleet(frame, room)
    if not room.volume:
        _decisions(frame, room)
        return
    left, right = st.columns([7, 5], gap="small")
    with left:
        _volume(frame, room)
    with right:
        _decisions(frame, room)


def _status(room: FleetRoom) -> str:
    if not room.rows:
        return "Nothing is watched yet"
    serving = sum(bool(one.version) for one in room.rows)
    said = f"{fmt.plural(len(room.rows), 'model')}, {serving} of them serving"
    latest = max(
        (one for one in room.rows if one.as_of is not None), key=lambda one: one.as_of or room.now, default=None
    )
    return said if latest is None else f"{said} · judged up to {fmt.period(latest.as_of, latest.as_of, latest.zone)}"


def _attention(frame: Frame, room: FleetRoom) -> None:
    found = room.attention
    shown, more = found[:SENTENCES], len(found) - SENTENCES
    sub = "The worst first" + (f"; {more} more in the table and behind the pages' links" if more > 0 else "")
    with widgets.card("attention", "Needs attention" if found else "", sub if found else ""):
        if not found:
            snoozed = f" {fmt.plural(room.snoozed, 'alert is', 'alerts are')} snoozed." if room.snoozed else ""
            widgets.empty("check_circle", "Nothing needs attention",
                          f"No model is harmed or at risk, no alert is open, no decision waits.{snoozed}",
                          key="attention")  # fmt: skip
        for number, one in enumerate(shown):
            _sentence(frame, one, number)


def _sentence(frame: Frame, one: Attention, number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"attention-{number}"):
        st.html(charts.attention_html(one, frame.ago(one.since), frame.tokens), width="stretch")
        widgets.page_link(one.page, charts.plain(one.action), icon_name="arrow_forward", **dict(one.parameters))


@st.fragment
def _fleet(frame: Frame, room: FleetRoom) -> None:
    """The table with its filter; typing here draws nothing else anew."""
    rows = room.rows if len(room.rows) < SEARCH_FROM else _filtered(room)
    if not rows:
        widgets.empty("search_off", "No model fits", "Clear the search, or choose another health.", key="filtered")
        return
    opened = fleet_table.mount(charts.fleet(rows, room.now, frame.zone), key="fleet-table")
    if opened in {one.model for one in rows}:
        widgets.go_to("monitoring", model=str(opened))


def _filtered(room: FleetRoom) -> tuple[FleetRow, ...]:
    counts = {str(word): n for word, n in room.health.items() if n}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="fleet-filter"):
        text = st.text_input("Find a model", key="find", bind="query-params", type="search", live=True,
                             placeholder="Find a model", icon=widgets.icon("search"), label_visibility="collapsed",
                             width=260)  # fmt: skip
        word = st.pills("Health", list(counts), key="health", bind="query-params", label_visibility="collapsed",
                        format_func=lambda one: f"{look(Health(one)).label} {counts[one]}")  # fmt: skip
    wanted = (text or "").strip().casefold()
    return tuple(
        one
        for one in room.rows
        if wanted in f"{one.model} {one.title}".casefold() and (word is None or one.health == word)
    )


def _volume(frame: Frame, room: FleetRoom) -> None:
    def controls() -> None:
        widgets.as_table(charts.volume_table(room.volume), key="volume")

    with widgets.card("volume", "Predictions by day", "Complete days, all models", controls, height="stretch"):
        widgets.chart(charts.volume_figure(room.volume, frame.tokens), key="volume",
                      alt=charts.volume_alt(room.volume), height=300)  # fmt: skip


def _decisions(frame: Frame, room: FleetRoom) -> None:
    if not room.decisions:
        return
    with widgets.card("decisions", "Recent decisions", "From the ledger: who, what, when and why", height="stretch"):
        for entry in room.decisions:
            with st.container(gap=None, key=f"decision-{entry.number}"):
                widgets.page_link("audit", charts.plain(charts.decision(entry)),
                                  icon_name=charts.decision_icon(entry), entry=str(entry.number))  # fmt: skip
                who = str(entry.after.get("decided_by", entry.actor))
                reason = f" · {entry.reason}" if entry.reason else ""
                widgets.note(f"{room.name_of(who)} · {frame.ago(entry.at)}{reason}")
