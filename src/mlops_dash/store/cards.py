"""Model cards: one row a model, as it is now; what it said before stands in the ledger."""

from __future__ import annotations

from sqlmodel import Session

from mlops_dash.domain.registry.card import Card
from mlops_dash.store.audit import card_writers
from mlops_dash.store.tables.registry import CardRow


def card(session: Session, model: str) -> Card:
    """The card of a model; an empty one while nobody has written anything. Who wrote it stands in the ledger."""
    row = session.get(CardRow, model)
    return Card(model) if row is None else Card(**row.model_dump(), writers=card_writers(session, model))


def put(session: Session, made: Card) -> None:
    """Keep a card as it is now."""
    kept = {**vars(made), "fields": dict(made.fields or {})}
    session.merge(CardRow(**{name: value for name, value in kept.items() if name != "writers"}))
    session.flush()
