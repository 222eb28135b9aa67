"""Models and versions: add a model, mirror what MLflow registered, look a version up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.catalogue import Catalogue
from mlops_dash.domain.registry.editing import check_live, check_tier, checked_cadence, checked_cluster
from mlops_dash.domain.registry.live import live_mark
from mlops_dash.domain.registry.records import EXTERNAL, Connection, Model, Version
from mlops_dash.domain.tasks import BINARY, task_named
from mlops_dash.errors import Conflict, InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import registry as store
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.tracking.catalogue import RegistryCatalogue

_LATER = (
    "artifact_digest",
    "source_uri",
    "training_start",
    "training_end",
    "data_digest",
    "recipe",
    "note",
    "created_by",
)


class Versions:
    """What there is to promote."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.MODEL_EDIT, Action.MODEL_ADDED)
    def add_model(
        self,
        unit: Unit,
        actor: Actor,
        name: str,
        *,
        title: str = "",
        task: str = BINARY.name,
        positive_label: str = "1",
        class_names: Sequence[str] = (),
        cadence: str = "day",
        cluster: str = "",
        live: str = Model.live,
        owner: str = "",
        tier: int = 2,
        source: str = "mlflow",
        do_not_log: Sequence[str] = (),
        slices: Sequence[str] = (),
        groups: Sequence[str] = (),
        reason: str = "",
    ) -> Model:
        """Add a model that this room watches. A scientist or above may.

        Raises:
            InvalidInput: the name is empty, task, source, cadence, live mark or tier are unknown, or the task's classes
                are not said.
            Conflict: the name is taken.
        """
        if not name.strip() or source not in {"mlflow", EXTERNAL}:
            raise InvalidInput(
                f"A model {name!r} with source {source!r} cannot be added.",
                hint="Give a name, and the source mlflow or external.",
            )
        check_tier(tier)
        predicts = task_named(task, class_names)
        reason_not = predicts.why_incomplete()
        if reason_not or (class_names and not predicts.in_words):
            why = reason_not or f"a {predicts.name} model has no list of classes"
            raise InvalidInput(
                f"{name} cannot be added: {why}.", hint="Name the classes of a multiclass model, in order."
            )
        made = Model(
            name=name,  # as MLflow has it: a space at its end belongs to it
            source=source,
            title=title or name.strip(),
            task=predicts.name,
            positive_label=positive_label,
            owner=owner,
            tier=tier,
            do_not_log=tuple(do_not_log),
            created_at=unit.now,
            class_names=tuple(class_names),
            cadence=checked_cadence(cadence),
            cluster=checked_cluster(cluster),
            live=str(live_mark(live)),
            slices=tuple(slices),
            groups=tuple(groups),
        )
        check_live(made)
        if name in store.archived_names(unit.session):
            raise Conflict(f"A model {name!r} is archived.", hint="Restore it: mlops-dash model restore")
        store.add_model(unit.session, made)
        facts: dict[str, Any] = {
            "task": task,
            "source": source,
            "owner": owner,
            "tier": tier,
            "do_not_log": list(do_not_log),
        }
        if cadence != Model.cadence:
            facts["cadence"] = cadence
        if made.cluster:
            facts["cluster"] = made.cluster
        if made.live != Model.live:
            facts["live"] = made.live
        if made.groups:
            facts["groups"] = list(made.groups)
        if made.slices:
            facts["slices"] = list(made.slices)
        if class_names:
            facts["class_names"] = list(class_names)
        unit.audit(made.name, model=made.name, after=facts, reason=reason)
        return made

    @record(Permission.JOB_RUN)
    def record_version(
        self,
        actor: Actor,
        model: str,
        version: str,
        *,
        run_id: str = "",
        source_uri: str = "",
        artifact_digest: str = "",
        training_start: datetime | None = None,
        training_end: datetime | None = None,
        data_digest: str = "",
        recipe: str = "",
        created_by: str = "",
        note: str = "",
    ) -> str:
        """Mirror a version that MLflow registered; gives its id. The same call again gives the same id.

        A number that MLflow handed out before, for another run, is a new incarnation with a new id. Facts that come
        later (the artifact digest) fill in what was empty.

        Raises:
            NotFound: the model was never added.
        """
        draft = Version(
            id=self.context.new_id(),
            model=model,
            version=str(version),
            incarnation=1,
            run_id=run_id,
            artifact_digest=artifact_digest,
            source_uri=source_uri,
            training_start=training_start,
            training_end=training_end,
            data_digest=data_digest,
            recipe=recipe,
            created_at=self.context.clock.now(),
            created_by=created_by or actor.id,
            note=note,
        )
        with transaction(self.context.databases.app) as session:
            store.model(session, model)
            return keep_version(session, draft).id

    @read(Permission.ROOM_READ)
    def connection(self, actor: Actor) -> Connection:
        """Whether MLflow answers, and which of its registered models nobody watches yet; nothing is written there."""
        reason = self.context.registry.why_unreachable()
        if reason:
            return Connection(reachable=False, reason=reason)
        with reading(self.context.databases.app) as session:
            known = {one.name for one in store.models(session, archived=True)}
        try:
            names = self.context.registry.models()
        except Unavailable as error:
            return Connection(reachable=False, reason=error.message)
        return Connection(reachable=True, reason="", unwatched=tuple(name for name in names if name not in known))

    @read(Permission.ROOM_READ)
    def catalogue(self, actor: Actor, uri: str = "") -> Catalogue:
        """All registered models of our MLflow, or of another server, and which of them are watched. Only reads there.

        Raises:
            InvalidInput: the address is none of a server.
        """
        ours = self.context.registry.uri
        registry = RegistryCatalogue(uri or ours)
        if registry.uri != ours and not uri.startswith(("http://", "https://")):  # a file would be made a store
            raise InvalidInput(f"{uri!r} is no address of a server.", hint="Give one such as https://mlflow.example")
        reason = registry.why_unreachable()
        if reason:
            return Catalogue(registry.uri, reachable=False, reason=reason)
        with reading(self.context.databases.app) as session:
            known = {one.name: one.archived_at for one in store.models(session, archived=True)}
        try:
            models = registry.offered()
        except Unavailable as error:
            return Catalogue(registry.uri, reachable=False, reason=error.message)
        states = {name: "watched" if archived_at is None else "archived" for name, archived_at in known.items()}
        found = tuple(replace(one, watched=states.get(one.name, "")) for one in models)
        return Catalogue(registry.uri, reachable=True, reason="", models=found)

    @read(Permission.ROOM_READ)
    def models(self, actor: Actor) -> tuple[Model, ...]:
        """All models, by name."""
        with reading(self.context.databases.app) as session:
            return store.models(session)

    @read(Permission.ROOM_READ)
    def version(self, actor: Actor, version_id: str) -> Version:
        """One version by its id."""
        with reading(self.context.databases.app) as session:
            return store.version(session, version_id)

    @read(Permission.ROOM_READ)
    def version_id(self, actor: Actor, model: str, version: str) -> str:
        """The id of "3" or "v3": its latest life.

        Raises:
            NotFound: it was never recorded.
        """
        with reading(self.context.databases.app) as session:
            return find_version(session, model, version).id

    @record(Permission.ROOM_READ)
    def known_version(self, actor: Actor, model: str, version: str, *, reason: str) -> Version:
        """The version "3" or "v3"; one of an external model is recorded when its first rows or evidence come.

        Raises:
            NotFound: no such model, or MLflow's registry is where its versions come from and knows none of this number.
        """
        with reading(self.context.databases.app) as session:
            try:
                return find_version(session, model, version)
            except NotFound:
                known = store.model(session, model)
                if known.source != EXTERNAL or known.archived_at is not None or not actor.may(Permission.JOB_RUN):
                    raise
        return self.version(actor, self.record_version(actor, model, version, note=reason))


def find_version(session: Session, model: str, version: str) -> Version:
    """The latest life of a version, "3" or "v3"; what others call "vanilla" keeps its name."""
    store.model(session, model)
    lives = store.incarnations(session, model, version) or store.incarnations(session, model, version.removeprefix("v"))
    if not lives:
        known = ", ".join(one.label for one in store.versions(session, model)) or "none yet"
        raise NotFound(f"{model} has no version {version}.", hint=f"Known: {known}.")
    return lives[0]


def keep_versions(session: Session, model: str, drafts: Sequence[Version]) -> None:
    """Keep many versions of a model: one statement as long as nothing is new, however many there are."""
    known = store.versions(session, model)
    lives: dict[str, list[Version]] = {}
    for one in known:  # the newest life of a number comes first
        lives.setdefault(one.version, []).append(one)
    for draft in drafts:
        _keep(session, draft, lives.get(draft.version, []))


def keep_version(session: Session, draft: Version) -> Version:
    """Add the version, or fill in what its record lacks."""
    return _keep(session, draft, store.incarnations(session, draft.model, draft.version))


def _keep(session: Session, draft: Version, lives: Sequence[Version]) -> Version:
    for known in lives:
        same_run = known.run_id == draft.run_id
        if same_run and (not known.source_uri or not draft.source_uri or known.source_uri == draft.source_uri):
            later = {name: getattr(draft, name) for name in _LATER if getattr(draft, name) and not getattr(known, name)}
            return store.change_version(session, known.id, **later) if later else known
    made = replace(draft, incarnation=1 + max((one.incarnation for one in lives), default=0))
    store.add_version(session, made)
    return made
