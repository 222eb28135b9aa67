"""Overview: what needs attention, four numbers, every model in one table, and what was decided lately.

Deep links: ?health=&find=   (?model= opens that model's Monitoring, as links to `/` always did)
"""

from __future__ import annotations

import streamlit as st

from app.charts.overview import figures as charts
from app.charts.overview import fleet
from app.components import address as address_writer
from app.components import fleet_table
from app.parts.connect import adopt, welcome
from app.parts.demo import next_week
from app.shell import address, session
from app.ui import live, widgets
from app.ui.context import Frame
from mlops_dash.domain.fleet.attention import Attention
from mlops_dash.domain.fleet.room import FleetRoom
from mlops_dash.domain.fleet.rows import FleetRow
from mlops_dash.domain.words import look

SENTENCES = 5
SEARCH_FROM = 11  # models: below, the whole table is on the screen


def page(frame: Frame) -> None:
    """Draw the page."""
    if session.param("model"):
        widgets.go_to("monitoring", **session.params())
        return
    st.html(f"<style>{charts.css(frame.tokens)}</style>")
    room = frame.read(lambda: frame.services.fleet.room(frame.actor), "fleet")
    played = frame.services.held_back.room(frame.actor)
    with widgets.header("Overview", charts.status(room), about=charts.worst(room)):
        next_week.button(frame, played)
        if room.rows:
            adopt.button(frame)
    next_week.line(frame, played)
    if not room.rows:
        welcome.show(frame)
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


def _attention(frame: Frame, room: FleetRoom) -> None:
    found = room.attention
    shown, more = found[:SENTENCES], found[SENTENCES:]
    sub = f"The worst {SENTENCES} of {len(found)}" if more else "The worst first"
    with widgets.card("attention", "Needs attention" if found else "", sub if found else ""):
        if not found:
            widgets.empty("check_circle", "Nothing needs attention", charts.calm(room), key="attention")
        for number, one in enumerate(shown):
            _sentence(frame, one, number)
        if more:
            with st.expander(f"{len(more)} more", key="attention-more"):
                for number, one in enumerate(more):
                    _sentence(frame, one, SENTENCES + number)


def _sentence(frame: Frame, one: Attention, number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False, key=f"attention-{number}"):
        st.html(charts.attention_html(one, frame.ago(one.since), frame.tokens), width="stretch")
        widgets.page_link(one.page, one.action, icon_name="arrow_forward", **dict(one.parameters))


@live.fragment
def _fleet(frame: Frame, room: FleetRoom) -> None:
    """The table with its filter; typing here draws nothing else anew."""
    rows = room.rows if len(room.rows) < SEARCH_FROM else _filtered(room)
    if not rows:
        widgets.empty("search_off", "No model fits", "Clear the search, or choose another health.", key="filtered")
        return
    opened = fleet_table.mount(fleet.table(rows, room.now, frame.zone), key="fleet-table")
    row = next((one for one in rows if opened is not None and one.model == opened.id), None)
    if opened is not None and row is not None:
        widgets.go_to(fleet.leads_to(row, step=opened.step), model=row.model)


def _filtered(room: FleetRoom) -> tuple[FleetRow, ...]:
    labels = {look(word).label: word for word, n in room.health.items() if n}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="fleet-filter"):
        text, label = address.text("find"), address.menu("health", labels, "")
        st.text_input("Find a model", key="find", type="search", live=True, on_change=address.typed, args=("find",),
                      placeholder="Find a model", icon=widgets.icon("search"), label_visibility="collapsed",
                      width=260)  # fmt: skip
        st.pills("Health", list(labels), key="health", on_change=address.picked, args=("health",),
                 label_visibility="collapsed", wrap=True)  # fmt: skip
    address_writer.mount(("overview", ""), {"find": text, "health": label}, key="address-fleet")
    word = labels.get(label)
    wanted = text.strip().casefold()
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
                      alt=charts.volume_alt(room.volume), height=340)  # fmt: skip


def _decisions(frame: Frame, room: FleetRoom) -> None:
    if not room.decisions:
        return
    with widgets.card("decisions", "Recent decisions", "From the ledger: who, what, when and why", height="stretch"):
        for entry in room.decisions:
            with st.container(gap=None, key=f"decision-{entry.number}"):
                widgets.page_link("audit", charts.decision(entry),
                                  icon_name=charts.decision_icon(entry), entry=str(entry.number))  # fmt: skip
                who = str(entry.after.get("decided_by", entry.actor))
                said = (room.name_of(who), frame.ago(entry.at), charts.reason(entry))
                widgets.note(" · ".join(one for one in said if one))
