"""Model cards: people write and approve what facts cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.card import Card, edited, why_not_approve, wrote
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import cards as store
from mlops_dash.store import registry
from mlops_dash.store.db import reading


class Cards:
    """What people say of a model."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def card(self, actor: Actor, model: str) -> Card:
        """The card as it is now.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            registry.model(session, model)
            return store.card(session, model)

    @command(Permission.MODEL_EDIT, Action.CARD_EDITED)
    def edit_card(
        self, unit: Unit, actor: Actor, model: str, changes: Mapping[str, object], *, revision: int, reason: str
    ) -> Card:
        """Write fields; an empty text takes one away, and an approval ends. A scientist or above may; audited.

        Raises:
            NotFound: no such model.
            InvalidInput: a field is unknown or cannot be kept, or the reason is empty.
            Conflict: somebody else wrote since this revision was read, or nothing would change.
        """
        _need(reason)
        registry.model(unit.session, model)
        before = store.card(unit.session, model)
        _unchanged(before, revision)
        after = edited(before, changes, by=actor.id, at=unit.now)
        store.put(unit.session, after)
        names = [name for name in changes if before.text(name) != after.text(name)]
        unit.audit(
            f"the card of {model}",
            model=model,
            before={name: before.text(name) for name in names},
            after={name: after.text(name) for name in names},
            reason=reason.strip(),
        )
        return after

    @command(Permission.PROPOSAL_JUDGE, Action.CARD_APPROVED)
    def approve_card(self, unit: Unit, actor: Actor, model: str, *, revision: int, reason: str) -> Card:
        """Stand behind a complete card of which one wrote nothing since it was last approved. A lead or admin; audited.

        Raises:
            NotFound: no such model.
            InvalidInput: the reason is empty.
            NotAllowed: the actor wrote some of it.
            Conflict: it is not complete, changed since it was read, or is approved already.
        """
        _need(reason)
        registry.model(unit.session, model)
        before = store.card(unit.session, model)
        _unchanged(before, revision)
        why_not = why_not_approve(before, actor.id)
        if why_not and wrote(before, actor.id) and not before.missing:
            raise NotAllowed(why_not)
        if why_not:
            raise Conflict(f"The card of {model} cannot be approved. {why_not}")
        after = replace(
            before, approved_by=actor.id, approved_at=unit.now, approved_revision=before.revision, writers=()
        )
        store.put(unit.session, after)
        unit.audit(f"the card of {model}", model=model, after={"revision": after.revision}, reason=reason.strip())
        return after


def _unchanged(card: Card, revision: int) -> None:
    if card.revision != revision:
        raise Conflict(
            f"The card of {card.model} changed since you read it (now revision {card.revision}).",
            hint="Read it again and write once more.",
        )


def _need(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A change of a card needs a reason.", hint="One sentence; it goes into the ledger.")
