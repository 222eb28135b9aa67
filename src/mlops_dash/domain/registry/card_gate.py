"""The gate of the model card, beside those of `gates`: there only where the policy asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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


def as_promoted(gates: Sequence[Gate]) -> tuple[Gate, ...]:
    """The gates of a champion that came through them: its card was as asked then, whatever was written since."""
    return tuple(_as_asked(one) if one.name == CARD and not one.opens else one for one in gates)


def _as_asked(gate: Gate) -> Gate:
    said = "It was as asked when this was promoted; the card changed since."
    measures = tuple(
        replace(one, state=GateState.PASSED, value=None, limit=None, method="", reason=said) for one in gate.measures
    )
    return replace(gate, state=GateState.PASSED, measures=measures, reason=said)
