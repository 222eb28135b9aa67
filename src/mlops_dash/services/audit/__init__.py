"""Who decided what, when and why: reading the ledger and proving that nobody changed it."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain import audit as domain
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action, Anchor, Choices, Entry, Filter, LeftInMlflow, Page, Verdict
from mlops_dash.domain.registry.live import NONE
from mlops_dash.errors import Conflict, InvalidInput, MlopsDashError, NotFound
from mlops_dash.services.audit.packing import Packing
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import audit as store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading
from mlops_dash.tracking.registry import MlflowRegistry

PAGE_SIZE = 50


class AuditService:
    """Reads of the append-only ledger; commands of the other services write it."""

    def __init__(self, context: Context) -> None:
        self.context = context
        packing = Packing(context, self.verify)
        self.export, self.pack = packing.export, packing.pack

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
    def verify(self, actor: Actor, *, anchor: str = "") -> Verdict:
        """Walk the whole chain and compare it with its heads outside the database: a file, and a tag in MLflow.

        A head counts when it carries our seal. What is missing or was forged vouches for nothing, and the verdict
        says so; it can neither hide removed entries (the highest sealed head is in the file) nor raise an alarm.

        Args:
            actor: Who asks.
            anchor: A head that somebody kept elsewhere, as `sealed_head` gave it; "" = none.

        Raises:
            InvalidInput: that anchor is none of this ledger.
        """
        # The anchors first: entries written between the two reads are newer than they, which is fine.
        key = self.context.settings.ledger_key
        kept = store.read_anchor(self.context.anchor_path, key=key)
        anchors = [] if kept is None else [kept]
        if anchor:
            own = domain.anchor_of(key, anchor)
            if own is None:
                raise InvalidInput(
                    "The given head does not carry the seal of this ledger.",
                    hint="Give the whole line that `audit head` printed, on an installation with the same key.",
                )
            anchors.append(own)
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
            head, names = store.head(session), [model.name for model in registry_store.models(session, archived=True)]
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
    def left_in_mlflow(self, actor: Actor, uri: str = "") -> LeftInMlflow:
        """What of ours stands in our MLflow, or in another server. Only reads there.

        Raises:
            InvalidInput: the address is none of a server.
            Unavailable: it does not answer.
        """
        registry = self._registry(uri)
        tag = domain.anchor_tag(self.context.settings.ledger_key)
        found = tuple(sorted(registry.model_tags(tag)))
        if registry.uri != self.context.registry.uri:
            return LeftInMlflow(registry.uri, tag, found)
        with reading(self.context.databases.app) as session:
            marks = {one.name: one.mark for one in registry_store.models(session, archived=True)}
            served = registry_store.servings(session)
            promoted = tuple(
                (one.model, marks[one.model].phrase, registry_store.version(session, one.version_id).label)
                for one in served
                if one.model in marks and marks[one.model].kind != NONE
                and registry_store.operation(session, one.operation_id).kind != "adopt"
            )  # fmt: skip
        return LeftInMlflow(registry.uri, tag, found, promoted)

    @command(Permission.USERS_EDIT, Action.MLFLOW_LEFT)
    def leave_mlflow(self, unit: Unit, actor: Actor, left: LeftInMlflow, *, reason: str) -> LeftInMlflow:
        """Decide to take our tags off a server; `take_tags` then does it. An admin may. Audited with what stood there.

        Raises:
            InvalidInput: the reason is empty.
            Conflict: nothing of ours stands there, or the settings say to keep it.
        """
        if not reason.strip():
            raise InvalidInput("Taking our tags away needs a reason.", hint="Say --reason TEXT.")
        if not left.models:
            raise Conflict(f"Nothing of ours stands in {left.uri}.")
        settings = self.context.settings
        if settings.anchors_in_mlflow and left.uri == self.context.registry.uri:
            raise Conflict(
                "The worker would write the tag again: the ledger's head is kept in this MLflow.",
                hint="It is our own server." if settings.mlflow_is_ours else "Unset MLOPS_DASH_LEDGER_IN_MLFLOW first.",
            )
        unit.audit(left.uri, before={"tag": left.tag, "models": list(left.models)}, after={}, reason=reason.strip())
        return left

    @record(Permission.USERS_EDIT)
    def take_tags(self, actor: Actor, left: LeftInMlflow) -> tuple[str, ...]:
        """Take our tag off the registered models that carry it; again it finds nothing. Gives their names.

        Raises:
            Unavailable: the server does not answer, or lets us change nothing.
        """
        registry = self._registry(left.uri)
        there = sorted(registry.model_tags(left.tag))
        for name in there:
            registry.remove_model_tag(name, left.tag)
        return tuple(there)

    def _registry(self, uri: str) -> MlflowRegistry:
        if not uri or uri == self.context.registry.uri:
            return self.context.registry
        if not uri.startswith(("http://", "https://")):  # a file would be made a store
            raise InvalidInput(f"{uri!r} is no address of a server.", hint="Give one such as https://mlflow.example")
        return MlflowRegistry(uri)

    @read(Permission.AUDIT_READ)
    def sealed_head(self, actor: Actor) -> str:
        """The head with its seal, on one line: kept elsewhere, it proves later that nothing before it was changed.

        Raises:
            NotFound: the ledger is empty.
        """
        found = self.head(actor)
        if found is None:
            raise NotFound("The ledger has no entry yet.")
        return domain.anchor_text(self.context.settings.ledger_key, found)

    @read(Permission.AUDIT_READ)
    def head(self, actor: Actor) -> Anchor | None:
        """The last entry's number and seal; None for an empty ledger."""
        with reading(self.context.databases.app) as session:
            return store.head(session)


def _sealed(key: bytes, tags: dict[str, str]) -> dict[str, Anchor]:
    read_back = {name: domain.anchor_of(key, text) for name, text in tags.items()}
    return {name: anchor for name, anchor in read_back.items() if anchor is not None}
