"""What is said of a model, after it was added: edit it, archive it, restore it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.editing import changed, edited, facts_of
from mlops_dash.domain.registry.records import CARRIED_OUT, OPEN_STATES, Model
from mlops_dash.domain.registry.tiers import why_not_retier
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import ab_tests, policies, prediction_log
from mlops_dash.store import registry as store
from mlops_dash.store.db import Session, reading
from mlops_dash.store.monitoring import references


class Models:
    """Models that are watched, and those that were."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def all_models(self, actor: Actor) -> tuple[Model, ...]:
        """All models by name, archived ones too."""
        with reading(self.context.databases.app) as session:
            return store.models(session, archived=True)

    @command(Permission.MODEL_EDIT, Action.MODEL_EDITED)
    def edit_model(self, unit: Unit, actor: Actor, name: str, changes: Mapping[str, Any], *, reason: str) -> Model:
        """Change title, owner, tier, cadence, columns not to log; task and positive class of a model without rows.

        A scientist or above may. Columns not to log hold for rows from now on. Audited with what was and what is.

        Raises:
            NotFound: no such model.
            InvalidInput: a value cannot be used, or the reason is empty.
            Conflict: its rows were read by what would change, its policy says the cadence, nothing would change, or it
                is archived.
        """
        _need(reason, "An edit")
        model = store.model(unit.session, name)
        if model.archived_at is not None:
            raise Conflict(f"{name} is archived.", hint="Restore it first: mlops-dash model restore")
        after = edited(model, changes, has_rows=self._has_rows(unit.session, name))
        if after.cadence != model.cadence:
            policy = policies.active(unit.session, name, PolicyKind.MONITORING, unit.now)
            if not policy.is_default:
                raise Conflict(
                    f"The monitoring policy of {name} says {policy.monitoring.window}.",
                    hint="Write the next one: mlops-dash policy set --kind monitoring --set window=week --reason TEXT",
                )
        store.change_model(unit.session, after)
        deciding = store.proposals(unit.session, name, states=(*OPEN_STATES, *CARRIED_OUT))
        refusal = why_not_retier(
            actor, model.tier, after.tier, may_judge=actor.may(Permission.PROPOSAL_JUDGE),
            deciding=any(one.is_open(unit.now) or one.state in CARRIED_OUT for one in deciding),
        )  # fmt: skip
        if refusal:
            raise Conflict(refusal)
        names = changed(model, after)
        unit.audit(name, model=name, before=facts_of(model, names), after=facts_of(after, names), reason=reason.strip())
        return after

    @command(Permission.MODEL_ARCHIVE, Action.MODEL_ARCHIVED)
    def archive_model(self, unit: Unit, actor: Actor, name: str, *, reason: str) -> Model:
        """Take a model out of pages, chores and serving; its history stays. Leads and admins may; audited.

        Raises:
            NotFound: no such model.
            InvalidInput: the reason is empty.
            Conflict: it is archived already, or somebody is deciding about it.
        """
        _need(reason, "Archiving")
        model = store.model(unit.session, name)
        if model.archived_at is not None:
            raise Conflict(f"{name} is archived already.")
        deciding = store.proposals(unit.session, name, states=(*OPEN_STATES, *CARRIED_OUT))
        if any(one.is_open(unit.now) or one.state in CARRIED_OUT for one in deciding):
            raise Conflict(f"A proposal of {name} is open.", hint="Reject or withdraw it first.")
        if store.in_flight(unit.session, name) is not None:
            raise Conflict(f"The champion of {name} is being changed.", hint="Wait until that is done.")
        if any(one.model == name for one in ab_tests.pending(unit.session)):
            raise Conflict(f"An A/B test of {name} is not over.", hint="Stop it first.")
        after = replace(model, archived_at=unit.now)
        store.change_model(unit.session, after)
        unit.audit(name, model=name, before={"archived": False}, after={"archived": True}, reason=reason.strip())
        return after

    @command(Permission.MODEL_ARCHIVE, Action.MODEL_RESTORED)
    def restore_model(self, unit: Unit, actor: Actor, name: str, *, reason: str) -> Model:
        """Take an archived model back as it was: the same version serves, the same policies hold. Leads and admins may.

        Raises:
            NotFound: no such model.
            InvalidInput: the reason is empty.
            Conflict: it is not archived.
        """
        _need(reason, "Restoring")
        model = store.model(unit.session, name)
        if model.archived_at is None:
            raise Conflict(f"{name} is not archived.")
        after = replace(model, archived_at=None)
        store.change_model(unit.session, after)
        unit.audit(name, model=name, before={"archived": True}, after={"archived": False}, reason=reason.strip())
        return after

    def _has_rows(self, session: Session, name: str) -> bool:
        if name in references.latest_ids(session):
            return True
        with reading(self.context.databases.log) as log:
            return prediction_log.knows(log, name)


def _need(reason: str, what: str) -> None:
    if not reason.strip():
        raise InvalidInput(f"{what} needs a reason.", hint="One sentence; it goes into the ledger.")
