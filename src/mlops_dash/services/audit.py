"""Who decided what, when and why: reading the ledger and proving that nobody changed it."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain import audit as domain
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Anchor, Choices, Entry, Filter, Page, Verdict
from mlops_dash.errors import MlopsDashError, NotFound
from mlops_dash.services.command import Context, read, record
from mlops_dash.store import audit as store
from mlops_dash.store import registry
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
        """Walk the whole chain and compare it with its heads outside the database: a file, and a tag in MLflow.

        A head counts when it carries our seal. What is missing or was forged vouches for nothing, and the verdict
        says so; it can neither hide removed entries (the highest sealed head is in the file) nor raise an alarm.
        """
        # The anchors first: entries written between the two reads are newer than they, which is fine.
        key = self.context.settings.ledger_key
        kept = store.read_anchor(self.context.anchor_path, key=key)
        anchors = [] if kept is None else [kept]
        doubts = [] if kept is not None else [f"no head with our seal is in {self.context.anchor_path.name}"]
        try:
            tags = self._tags() if self.context.settings.anchors_in_mlflow else {}
            sealed = _sealed(key, tags)
            anchors += sealed.values()
            if len(sealed) < len(tags):
                doubts.append("its copy of the head in MLflow does not carry our seal and was not counted")
        except MlopsDashError:
            doubts.append("its copy of the head in MLflow could not be read")
        with reading(self.context.databases.app) as session:
            unreadable = store.first_unreadable(session)
            if unreadable is not None:
                return Verdict(False, unreadable - 1, unreadable, "its text cannot be read any more")
            found = domain.verify(key, store.entries(session), anchors)
        if not anchors and found.n_entries:
            doubts.append("nothing outside the database vouches for the last entries")
        return replace(found, reason="; ".join(doubts)) if found.ok and found.n_entries else found

    @record(Permission.SYSTEM)
    def anchor(self, actor: Actor) -> bool:
        """Keep the head of the ledger as a tag in MLflow, on the first registered model that is ours.

        A server that others run gets it only where the settings say so: nothing is written there unasked.

        Returns:
            Whether a newer head was written; False too when there is no entry or no model yet, or it is not asked for.

        Raises:
            Unavailable: MLflow does not answer.
        """
        if not self.context.settings.anchors_in_mlflow:
            return False
        with reading(self.context.databases.app) as session:
            head, names = store.head(session), [model.name for model in registry.models(session, archived=True)]
        if head is None or not names:
            return False
        key = self.context.settings.ledger_key
        tags = self._tags()
        known = _sealed(key, tags)
        if any(anchor.number >= head.number for anchor in known.values()):
            return False
        tag = domain.anchor_tag(key)
        there = set(self.context.registry.models())
        for name in [*tags, *sorted(names)]:  # a forged tag is written over
            if name in there:
                self.context.registry.set_model_tag(name, tag, domain.anchor_text(key, head))
                return True
        return False

    def _tags(self) -> dict[str, str]:
        """What stands in MLflow as our head, by the registered model that carries it; anybody there may write it."""
        return self.context.registry.model_tags(domain.anchor_tag(self.context.settings.ledger_key))

    @read(Permission.AUDIT_READ)
    def head(self, actor: Actor) -> Anchor | None:
        """The last entry's number and seal; None for an empty ledger."""
        with reading(self.context.databases.app) as session:
            return store.head(session)


def _sealed(key: bytes, tags: dict[str, str]) -> dict[str, Anchor]:
    read_back = {name: domain.anchor_of(key, text) for name, text in tags.items()}
    return {name: anchor for name, anchor in read_back.items() if anchor is not None}
