"""Moves between places of the board: a mark of an environment in MLflow, and scoring silently. Never production.

What becomes live does so by a proposal alone. A mark is decided first, with its ledger entry, and then put: MLflow and
our database cannot change together, and putting it again changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.live import LiveMark
from mlops_dash.domain.registry.moves import checked_environment, why_not_mark, why_not_silent
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, record
from mlops_dash.store import audit as ledger_store
from mlops_dash.store import registry as store
from mlops_dash.store.db import reading
from mlops_dash.tracking.marks import Marks

_LOOK_BACK = 1_000  # entries of a model


class Moving:
    """What moves a version without making it live."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.MODEL_EDIT, Action.VERSION_MARKED)
    def mark_version(self, unit: Unit, actor: Actor, version_id: str, environment: str, *, reason: str) -> int:
        """Decide which version an environment's mark in MLflow points at. Gives the entry to carry out.

        A scientist or above may; call `finish_mark` with the answer.

        Args:
            unit: Of this command.
            actor: Who decides.
            version_id: The version.
            environment: Its alias in MLflow, such as dev or staging; never the one that says what is live.
            reason: Why; goes into the ledger.

        Raises:
            InvalidInput: no reason, or MLflow takes no such alias.
            NotFound: no such version.
            Conflict: the mark says what is live, the model is archived, or others serve it.
        """
        _need(reason)
        version = store.version(unit.session, version_id)
        model, name = store.model(unit.session, version.model), checked_environment(environment)
        _refuse(why_not_mark(actor, model, name))
        entry = unit.audit(
            version.subject,
            model=model.name,
            before={},
            after={"environment": name, "version_id": version.id},
            reason=reason.strip(),
        )
        return entry.number

    @record(Permission.MODEL_EDIT)
    def finish_mark(self, actor: Actor, entry: int) -> str:
        """Put the mark as it was decided, as often as you like; gives the version that carries it then, as "v3".

        Raises:
            NotFound: no such decision, or MLflow knows no such version.
            Conflict: it was decided otherwise since.
            Unavailable: MLflow does not answer; the decision stands in the ledger, call again.
        """
        with reading(self.context.databases.app) as session:
            known = ledger_store.one(session, entry)
            if known is None or known.action != Action.VERSION_MARKED:
                raise NotFound(f"No move was decided in entry {entry}.", hint="Decide it first.")
            name = known.after["environment"]
            later = next(
                (
                    one
                    for one in store.ledger_of(session, known.model, limit=_LOOK_BACK)
                    if one.action == Action.VERSION_MARKED and one.after["environment"] == name
                ),
                known,
            )
            if later.number != entry:
                raise Conflict(f"{name} was decided otherwise since: {later.object}.")
            version = store.version(session, known.after["version_id"])
            _refuse(why_not_mark(actor, store.model(session, version.model), name))  # what says live may be another now
        Marks(self.context.registry.uri).put(version.model, LiveMark("alias", name), version.version)
        return version.label

    @command(Permission.PROMOTE, Action.SHADOW_SET)
    def score_silently(self, unit: Unit, actor: Actor, version_id: str, *, on: bool, reason: str) -> tuple[str, ...]:
        """Let a version score every row silently beside the champion, or no more. A lead or admin may.

        Args:
            unit: Of this command.
            actor: Who decides.
            version_id: The version.
            on: Whether it does from now on.
            reason: Why; goes into the ledger.

        Returns:
            Labels of those that score silently then.

        Raises:
            InvalidInput: no reason.
            NotFound: no such version.
            Conflict: it is champion, it is so already, nothing is served, or a change of champion is under way.
        """
        _need(reason)
        version = store.version(unit.session, version_id)
        model, serving = store.model(unit.session, version.model), store.serving(unit.session, version.model)
        flying = store.in_flight(unit.session, version.model) is not None
        _refuse(why_not_silent(actor, model, version, serving, on=on, in_flight=flying))
        assert serving is not None  # else refused
        before = serving.shadow_version_ids
        after = (*before, version_id) if on else tuple(one for one in before if one != version_id)
        store.put_serving(unit.session, replace(serving, shadow_version_ids=after))
        labels = {one.id: one.label for one in store.versions(unit.session, version.model)}
        told = [tuple(labels[one] for one in some if one in labels) for some in (before, after)]
        unit.audit(
            version.subject,
            model=version.model,
            before={"silent": list(told[0])},
            after={"silent": list(told[1]), "on": on},
            reason=reason.strip(),
        )
        return told[1]


def _need(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A move needs a reason.", hint="One sentence; it goes into the ledger.")


def _refuse(reason: str) -> None:
    if reason:
        raise Conflict(reason)
