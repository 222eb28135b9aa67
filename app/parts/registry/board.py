"""The board: of every model which version is where, and moving one to another place."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain import format as fmt
from mlops_dash.domain.registry.board import PLACES
from mlops_dash.domain.registry.moves import (
    NO_SHADOW,
    PLACES_TO,
    PRODUCTION,
    SHADOW,
    why_not_mark,
    why_not_silent,
)
from mlops_dash.domain.registry.proposals import why_not_propose
from mlops_dash.domain.registry.records import RegistryRoom, Version


def panel(frame: Frame, room: RegistryRoom) -> None:
    """The tab; every model, whichever is looked at, and the buttons that move a version of the one that is."""
    rows = frame.read(lambda: frame.services.registry.board(frame.actor), "board", height=400)
    said = "Live is what our ledger says; marks are aliases and stages of MLflow as they were seen last"
    with widgets.card("board", "Which version is where", said):
        shown = pd.DataFrame(
            [
                {
                    "Model": one.model,
                    "Tier": one.tier,
                    **{label: one.said(place) or fmt.MISSING for place, label in PLACES.items()},
                    "Marks in MLflow": one.marks_said or fmt.MISSING,
                    "Live since": fmt.day(one.live_since, frame.zone),
                    "Owner": one.owner or fmt.MISSING,
                }
                for one in rows
            ]
        )
        st.dataframe(shown, key="board-grid", hide_index=True, row_height=34,
                     alt="Every model and which of its versions is where")  # fmt: skip
        away = [one.model for one in rows if not one.reachable]
        if away:
            widgets.note(
                f"MLflow did not answer at the last look; marks of {fmt.plural(len(away), 'model')} may be old."
            )
        _move(frame, room)
        widgets.note("Production is reached by a proposal alone; marks moved outside stand on the model's own page.")


def _move(frame: Frame, room: RegistryRoom) -> None:
    """Which version goes where; the dialog then asks why."""
    labels = [one.version.label for one in room.lines]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="board-move"):
        chosen = st.selectbox(f"Version of {room.model.name}", labels, key=f"move-version-{room.model.name}", width=200,
                              index=labels.index(room.selected.label) if room.selected else 0)  # fmt: skip
        place = st.selectbox("Goes to", PLACES_TO, key="move-to", width=180, accept_new_options=True,
                             help="Or type the name of any other environment: it is an alias in MLflow.")  # fmt: skip
        version = next((one.version for one in room.lines if one.version.label == chosen), None)
        if version is None or not place:
            return
        why_not = _why_not(frame, room, version, place)
        if widgets.action_button("Move…", key="move-ask", why_not=why_not, icon_name="move_item"):
            _ask(frame, version, place)


def _why_not(frame: Frame, room: RegistryRoom, version: Version, place: str) -> str:
    if place == PRODUCTION:
        others = tuple(one for one in (room.proposal, *room.other_proposals) if one is not None)
        return why_not_propose(frame.actor, version, room.champion, others)
    if place in (SHADOW, NO_SHADOW):
        return why_not_silent(frame.actor, room.model, version, room.serving, on=place == SHADOW, in_flight=False)
    return why_not_mark(frame.actor, room.model, place.strip())


def _ask(frame: Frame, version: Version, place: str) -> None:
    registry = frame.services.registry

    def act(reason: str) -> str:
        if place == PRODUCTION:
            registry.propose(frame.actor, version.id, comment=reason)
            return f"{version.subject} is proposed. Somebody else must approve it."
        if place in (SHADOW, NO_SHADOW):
            silent = registry.score_silently(frame.actor, version.id, on=place == SHADOW, reason=reason)
            return f"Scores silently within seconds: {', '.join(silent) or 'none'}."
        entry = registry.mark_version(frame.actor, version.id, place, reason=reason)
        return f"{place} is {registry.finish_mark(frame.actor, entry)} in MLflow; the board sees it at its next look."

    said = {
        PRODUCTION: "It is **proposed** with its gates as they stand: somebody else approves it, then it is promoted.",
        SHADOW: "It scores every row silently beside the champion; nobody is answered with it.",
        NO_SHADOW: "It does not score rows silently any more; what it scored stays.",
    }
    dialogs.confirm(
        key=f"move-{version.id}-{place}",
        title=f"Propose {version.label} for production" if place == PRODUCTION else f"Move {version.label} to {place}",
        consequence=f"**{plain(version.subject)}**: "
        + said.get(place, f"the alias **{plain(place)}** in MLflow points at it, and at no other. Nothing goes live."),
        button=f"Propose {version.label}" if place == PRODUCTION else f"Move {version.label}",
        act=act,
        icon="move_item",
    )
