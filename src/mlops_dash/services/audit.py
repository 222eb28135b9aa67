"""Who decided what, when and why: reading the ledger and proving that nobody changed it."""

from __future__ import annotations

from mlops_dash.domain import audit as domain
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Anchor, Choices, Entry, Filter, Page, Verdict
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, read
from mlops_dash.store import audit as store
from mlops_dash.store.db import reading

PAGE_SIZE = 50


class AuditService:
    """Reads of the append-only ledger; commands of the other services write it."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.AUDIT_READ)
    def entries(self, actor: Actor, wanted: Filter | None = None, *, page: int = 1, size: int = PAGE_SIZE) -> Page:
        """One page of entries, newest first; a page beyond the last one gives the last."""
        with reading(self.context.databases.app) as session:
            return store.find(session, wanted or Filter(), page=page, size=size)

    @read(Permission.AUDIT_READ)
    def entry(self, actor: Actor, number: int) -> Entry:
        """One entry by its number.

        Raises:
            NotFound: the ledger has no such entry.
        """
        with reading(self.context.databases.app) as session:
            found = store.one(session, number)
        if found is None:
            raise NotFound(f"The ledger has no entry {number}.", hint="Numbers start at 1 and have no gaps.")
        return found

    @read(Permission.AUDIT_READ)
    def choices(self, actor: Actor) -> Choices:
        """The actors, actions and models that occur in the ledger."""
        with reading(self.context.databases.app) as session:
            return store.choices(session)

    @read(Permission.AUDIT_READ)
    def verify(self, actor: Actor) -> Verdict:
        """Walk the whole chain and compare its head with the anchor file outside the database."""
        # The anchor first: entries written between the two reads are newer than it, which is fine.
        anchor = store.read_anchor(self.context.anchor_path)
        with reading(self.context.databases.app) as session:
            unreadable = store.first_unreadable(session)
            if unreadable is not None:
                return Verdict(False, unreadable - 1, unreadable, "its text cannot be read any more")
            return domain.verify(self.context.settings.ledger_key, store.entries(session), anchor)

    @read(Permission.AUDIT_READ)
    def head(self, actor: Actor) -> Anchor | None:
        """The last entry's number and seal, to be kept outside (as an MLflow tag); None for an empty ledger."""
        with reading(self.context.databases.app) as session:
            return store.head(session)
