"""The model card: how complete it is, what people wrote, and the two decisions about it."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app.shell import session
from app.ui import dialogs, widgets
from app.ui.context import Frame
from app.ui.text import plain
from mlops_dash.domain.access import Permission
from mlops_dash.domain.registry.card import FIELDS, MOST_SIGNS, Card, why_not_approve


def panel(frame: Frame, model: str) -> None:
    """The tab."""
    card = frame.read(lambda: frame.services.registry.card(frame.actor, model), "card", model, height=400)
    by = (
        f"Revision {card.revision}, written {frame.ago(card.edited_at)}"
        if card.revision
        else "Nobody has written it yet"
    )
    with widgets.card("model-card", "Model card", by, partial(_actions, frame, card)):
        widgets.badge(card.state)
        st.progress(card.n_filled / len(FIELDS), text=plain(card.said()))
        for name, (label, hint) in FIELDS.items():
            with st.container(gap=None, key=f"card-field-{name}"):
                st.markdown(f"**{label}**")
                if card.text(name):
                    st.text(card.text(name))
                else:
                    widgets.note(f"Not written yet: {hint}.")


def _actions(frame: Frame, card: Card) -> None:
    why_not = frame.actor.why_not(Permission.MODEL_EDIT)
    if widgets.action_button("Write…", key="card-edit", why_not=why_not, primary=bool(card.missing), icon_name="edit"):
        _edit(frame, card)
    why_not = frame.actor.why_not(Permission.PROPOSAL_JUDGE) or why_not_approve(card, frame.actor.id)
    if widgets.action_button("Approve…", key="card-approve", why_not=why_not, icon_name="how_to_reg"):
        _approve(frame, card)


def _edit(frame: Frame, card: Card) -> None:
    def fields() -> None:
        for name, (label, hint) in FIELDS.items():
            st.text_area(
                label, value=card.text(name), key=f"card-{card.revision}-{name}", placeholder=hint,
                max_chars=MOST_SIGNS, height=90,
            )  # fmt: skip

    def act(reason: str) -> str:
        changes = {name: str(session.get(f"card-{card.revision}-{name}") or "") for name in FIELDS}
        made = frame.services.registry.edit_card(
            frame.actor, card.model, changes, revision=card.revision, reason=reason
        )
        return f"Revision {made.revision} of the card is kept. {made.said()}"

    dialogs.confirm(
        key=f"card-edit-{card.revision}",
        title="Write the model card",
        consequence="What readers must know and no fact can say. A change ends an approval; the ledger keeps what was.",
        button="Keep the card",
        act=act,
        icon="edit",
        fields=fields,
    )


def _approve(frame: Frame, card: Card) -> None:
    def act(reason: str) -> str:
        made = frame.services.registry.approve_card(frame.actor, card.model, revision=card.revision, reason=reason)
        return f"Revision {made.revision} of the card is approved."

    dialogs.confirm(
        key=f"card-approve-{card.revision}",
        title=f"Approve the card of {card.model}",
        consequence="You stand behind what it says, as it is written now.",
        button="Approve the card",
        act=act,
        icon="how_to_reg",
    )
