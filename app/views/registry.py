"""Registry: versions beside their gates, the proposal with its approvals, who serves, and how it came to that.

Deep links: ?model=&version=&proposal=&on=&part=&metric=
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.charts import registry as charts
from app.charts.registry_style import css
from app.parts.registry import (
    approving,
    board,
    card,
    champions,
    dossier,
    evidence,
    frozen,
    promotions,
    rollouts,
    threads,
    told,
)
from app.shell import address, session
from app.ui import widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.gates import outcome
from mlops_dash.domain.registry.live import ALIAS, STAGE, TAG
from mlops_dash.domain.registry.records import RegistryRoom, Step, VersionLine

_COLUMNS = {
    "Version": st.column_config.TextColumn(width=84),
    "Marks": st.column_config.MultiselectColumn(
        width=160,
        options=["champion", "proposed", "shadow", "rolled back", *(f"{kind} moved" for kind in (ALIAS, STAGE, TAG))],
        color=["green", "violet", "gray", "red", "red", "red", "red"],
    ),
    "Gates": st.column_config.TextColumn(width=64),
    "Trained on": st.column_config.TextColumn(),
}


def page(frame: Frame) -> None:
    """Draw the page."""
    models = frame.services.registry.models(frame.actor)
    names = [one.name for one in models]
    if not names:
        champions.nobody()
        return
    name = address.menu("model", names, _first(frame, names), unknown=True)
    version, proposal = session.param("version") or None, session.param("proposal") or None
    room, health = frame.read(
        lambda: (frame.services.registry.room(frame.actor, name, version, proposal), champions.health(frame, name)),
        "registry", name, version, proposal, height=1_400,
    )  # fmt: skip
    if room.selected is not None:
        address.show("version", room.selected.version)
    st.html(f"<style>{css(frame.tokens)}</style>")
    with widgets.header("Registry", champions.status(frame, room), about=_tab(room)):
        if len(names) > 1:
            st.selectbox("Model", names, key="model", label_visibility="collapsed", width=200,
                         on_change=address.picked, args=("model", "version", "proposal"))  # fmt: skip
        champions.day_asked(frame, room)
        promotions.rollback_button(frame, room)
    champions.answer_for_day(frame, room)
    _stale(frame, room)
    champions.in_production(room, health)
    promotions.alias_banner(frame, room)
    frozen.banners(frame, room)
    rollouts.panel(frame, room)
    if not room.lines:
        how = "Send its rows on the page Files." if room.model.elsewhere else "Train one on the Retraining page."
        widgets.empty("inventory_2", "No version is recorded yet", how, key="versions")
        return
    panels: dict[str, Callable[[], None]] = {
        "Decide": lambda: _decide(frame, room),
        "Version": lambda: dossier.panel(frame, room),
        "Card": lambda: card.panel(frame, room.model.name),
        "Board": lambda: board.panel(frame, room),
    }
    address.menu("part", panels, "Decide")
    for tab, draw in zip(st.tabs(list(panels), key="part", on_change=address.picked, args=("part",)),
                         panels.values(), strict=True):  # fmt: skip
        if tab.open:
            with tab:
                draw()


def _decide(frame: Frame, room: RegistryRoom) -> None:
    with st.container(key="review"):  # where they lie one below the other the gates come first
        left, right = st.columns([6, 5], gap="small")
    with left:
        _versions(room)
        evidence.forest(frame, room)
        champions.lineage(frame, room)
    with right:
        _gates(frame, room)
        approving.conditions(frame, room)
        threads.panel(frame, room)
        champions.progress(frame, room)
    champions.timeline(frame, room)


def _first(frame: Frame, names: list[str]) -> str:
    """The model to begin with: the one that waits for this person. It stays for this visit, decided or not."""
    waiting = [dict(one.parameters).get("model", "") for one in frame.waiting if one.page == "registry"]
    kept = (session.get("registry-first", ""), *waiting, *names)
    found: str = next(name for name in kept if name in names)
    session.put("registry-first", found)
    return found


def _tab(room: RegistryRoom) -> str:
    """Of which model, and which version serves or waits: what the browser's tab says."""
    waits = room.proposal is not None and room.proposal.is_open(room.now) and room.selected is not None
    said = f"{room.selected.label} waits" if waits and room.selected is not None else (
        "nothing serves" if room.champion is None else f"{room.champion.label} serves"
    )  # fmt: skip
    return f"{room.model.name}: {said}"


def _stale(frame: Frame, room: RegistryRoom) -> None:
    if room.mirror.reachable:
        return
    last = f"Aliases as seen {frame.ago(room.mirror.as_of)}" if room.mirror.as_of else "Aliases were never seen"
    if widgets.stale(f"{last}. {room.mirror.reason} Serving goes on.", key="mlflow"):
        st.rerun()


def _versions(room: RegistryRoom) -> None:
    with widgets.card("versions", "Versions", room.control):
        ids = [one.version.id for one in room.lines]
        chosen = ids.index(room.selected.id) if room.selected is not None else 0
        key = f"versions-{fmt.short(ids[0])}-{len(ids)}-{chosen}"  # a selection belongs to these very rows
        st.dataframe(
            charts.versions(room.lines, room.zone), key=key, hide_index=True, column_config=_COLUMNS, row_height=34,
            selection_mode="single-row-required", selection_default={"selection": {"rows": [chosen]}},
            on_select=lambda: _choose(key, room.lines),
            alt="Versions, newest first; select one to see its gates",
        )  # fmt: skip


def _choose(key: str, lines: tuple[VersionLine, ...]) -> None:
    rows = session.get(key).selection.rows
    if rows:
        session.set_params({"proposal": "", "version": lines[rows[0]].version.version})


def _gates(frame: Frame, room: RegistryRoom) -> None:
    if room.selected is None:
        return
    rival = evidence.rival(room)
    against = f"Against {rival}" if rival else "No champion before it"
    policy = "the default policy" if room.policy.is_default else f"promotion policy {room.policy.number}"
    with widgets.card("gates", f"Gates of {room.selected.label}", f"{against}, by {policy}", lambda: _word(room)):
        promotions.rejection_banner(frame, room)
        st.markdown(plain(room.next_action.sentence))
        for gate in room.gates:
            with st.container(gap=None, key=f"gate-{gate.name.replace(' ', '-')}"):
                st.html(charts.gate_html(gate, frame.tokens, room.label_unit, room.zone))
                promotions.override_button(frame, room, gate)
        if room.proposal is not None:
            told.proposal_facts(frame, room, room.proposal, dossier.called(frame, room))
        promotions.decide_buttons(frame, room)
        evidence.buttons(frame, room)
        blocked = {Step.APPROVE: "approve", Step.PROMOTE: "promote", Step.PROPOSE: "propose"}.get(room.next_action.step)
        if blocked and room.why_not[blocked]:
            widgets.note(room.why_not[blocked])


def _word(room: RegistryRoom) -> None:
    if room.proposal is not None:
        widgets.badge(room.proposal.state)
        return
    said = outcome(room.gates)
    colour = {"pass": "green", "fail": "red"}.get(said, "gray")
    icon = {"pass": "check_circle", "fail": "cancel"}.get(said, "help")
    line = room.line_of(room.selected.id if room.selected else None)
    if line is not None:
        counted = line.through
        label = counted.said() if counted.overridden else f"{counted.said()} {'passed' if said == 'pass' else 'open'}"
        st.badge(label, icon=widgets.icon(icon), color=colour)  # type: ignore[arg-type]
