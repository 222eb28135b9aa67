"""The gate of the model card, beside those of `gates`: there only where the policy asks for it."""

from __future__ import annotations

from mlops_dash.domain.policies import PromotionPolicy
from mlops_dash.domain.registry.card import FIELDS, Card
from mlops_dash.domain.registry.gates import Gate, Measure
from mlops_dash.domain.words import CardState, GateState

CARD = "model card"


def card_gate(policy: PromotionPolicy, card: Card) -> Gate:
    """Whether the card is what the policy asks for; it is people's work, so what is missing is awaited, not failed."""
    fine = card.state is CardState.APPROVED or (policy.card == "complete" and not card.missing)
    measure = Measure(
        f"Model card, {policy.card}",
        "card",
        GateState.PASSED if fine else GateState.WAITING,
        value=float(card.n_filled),
        limit=float(len(FIELDS)),
        relation="=",
        method=f"fields of revision {card.revision}",
        reason=card.said() + ("" if fine else " Registry, tab Card."),
    )
    return Gate(CARD, measure.state, (measure,), measure.reason)
