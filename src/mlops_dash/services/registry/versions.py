"""Models and versions: add a model, mirror what MLflow registered, look a version up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry import Connection, Model, Version
from mlops_dash.errors import InvalidInput, NotFound, Unavailable
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import registry as store
from mlops_dash.store.db import Session, reading, transaction

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
        task: str = "binary",
        positive_label: str = "1",
        owner: str = "",
        tier: int = 2,
        source: str = "mlflow",
        do_not_log: Sequence[str] = (),
        reason: str = "",
    ) -> Model:
        """Add a model that this room watches. A scientist or above may.

        Raises:
            InvalidInput: the name is empty, or task or source are unknown words.
            Conflict: the name is taken.
        """
        if not name.strip() or task not in {"binary", "regression"} or source not in {"mlflow", "external"}:
            raise InvalidInput(
                f"A model {name!r} with task {task!r} and source {source!r} cannot be added.",
                hint="Give a name, the task binary or regression, the source mlflow or external.",
            )
        made = Model(
            name=name.strip(),
            source=source,
            title=title or name.strip(),
            task=task,
            positive_label=positive_label,
            owner=owner,
            tier=tier,
            do_not_log=tuple(do_not_log),
            created_at=unit.now,
        )
        store.add_model(unit.session, made)
        facts = {"task": task, "source": source, "owner": owner, "tier": tier, "do_not_log": list(do_not_log)}
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
            known = {one.name for one in store.models(session)}
        try:
            names = self.context.registry.models()
        except Unavailable as error:
            return Connection(reachable=False, reason=error.message)
        return Connection(reachable=True, reason="", unwatched=tuple(name for name in names if name not in known))

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


def find_version(session: Session, model: str, version: str) -> Version:
    """The latest life of a version number, "3" or "v3"."""
    store.model(session, model)
    lives = store.incarnations(session, model, version.removeprefix("v"))
    if not lives:
        known = ", ".join(one.label for one in store.versions(session, model)) or "none yet"
        raise NotFound(f"{model} has no version {version}.", hint=f"Known: {known}.")
    return lives[0]


def keep_version(session: Session, draft: Version) -> Version:
    """Add the version, or fill in what its record lacks."""
    lives = store.incarnations(session, draft.model, draft.version)
    for known in lives:
        same_run = known.run_id == draft.run_id
        if same_run and (not known.source_uri or not draft.source_uri or known.source_uri == draft.source_uri):
            later = {name: getattr(draft, name) for name in _LATER if getattr(draft, name) and not getattr(known, name)}
            return store.change_version(session, known.id, **later) if later else known
    made = replace(draft, incarnation=1 + max((one.incarnation for one in lives), default=0))
    store.add_version(session, made)
    return made
