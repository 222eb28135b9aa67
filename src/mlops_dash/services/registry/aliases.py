"""An alias moved behind our back: notice it, restore or adopt with one click. What is served does not follow it."""

from __future__ import annotations

from dataclasses import replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import Operation, Version
from mlops_dash.domain.words import AlertState, OperationState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.registry.alarms import ALIAS_ALERT, close_alert, open_alert
from mlops_dash.services.registry.promotion import decided, serve, void_other_proposals
from mlops_dash.store import registry as store
from mlops_dash.store.monitoring.alerts import Alert, save_alert


class Aliases:
    """What to do about an alias that somebody else moved."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.PROMOTE, Action.ALIAS_RESTORED)
    def restore_alias(self, unit: Unit, actor: Actor, model: str, *, reason: str) -> str:
        """Decide to point the alias at the approved version again. A lead or admin may. Gives the operation to finish.

        Raises:
            Conflict: the alias was not moved, or nothing was ever approved.
        """
        _need_reason(reason)
        serving = store.serving(unit.session, model)
        alert = open_alert(unit.session, model, ALIAS_ALERT)
        if serving is None or alert is None:
            raise Conflict(f"The {store.model(unit.session, model).mark.phrase} of {model} points where it should.")
        _free(unit, model)
        approved = store.version(unit.session, serving.version_id)
        operation = decided(unit, "restore", approved, reason, shadows=serving.shadow_version_ids)
        store.add_operation(unit.session, operation)
        close_alert(unit.session, alert, unit.now)
        unit.audit(
            approved.subject,
            model=model,
            before={"alias": alert.body.get("found")},
            after={"alias": approved.label, "operation": operation.id},
            reason=reason.strip(),
        )
        return operation.id

    @command(Permission.PROMOTE, Action.ALIAS_ADOPTED)
    def adopt_alias(self, unit: Unit, actor: Actor, model: str, *, version: str, reason: str) -> Operation:
        """Serve the version that the alias points at, as it was moved outside. A lead or admin may, with a reason.

        It passes no gate; the ledger says so. Open proposals become void.

        Args:
            unit: Of this command.
            actor: Who adopts.
            model: Of which model.
            version: The version number that the actor saw behind the alias; another one by now is a Conflict.
            reason: Why; goes into the ledger.

        Raises:
            Conflict: the alias points somewhere else by now, or that version is served already.
            NotFound: MLflow's version was never recorded here.
        """
        _need_reason(reason)
        serving = store.serving(unit.session, model)
        alert = open_alert(unit.session, model, ALIAS_ALERT)
        seen = None if alert is None else alert.body.get("alias_version")
        if serving is not None and seen != version and not actor.is_system:  # the worker has just looked itself
            mark = store.model(unit.session, model).mark
            raise Conflict(f"The {mark.phrase} of {model} does not point at version {version} any more.")
        _free(unit, model)
        lives = store.incarnations(unit.session, model, version)
        if not lives:
            raise NotFound(f"{model} version {version} is not known here.", hint="Wait for the next look at MLflow.")
        target = lives[0]
        if serving is not None and serving.version_id == target.id:
            raise Conflict(f"{target.subject} is served already.")
        operation = decided(
            unit, "adopt", target, reason, shadows=() if serving is None else serving.shadow_version_ids
        )
        epoch = 1 if serving is None else serving.epoch + 1
        operation = replace(operation, state=OperationState.ALIAS_MOVED, alias_moved_at=unit.now, epoch=epoch)
        store.add_operation(unit.session, operation)
        before = None if serving is None else store.version(unit.session, serving.version_id).label
        after = serve(unit, operation, serving)
        void_other_proposals(unit, model, f"{target.label} was adopted as champion")
        if alert is not None:
            close_alert(unit.session, alert, unit.now)
        unit.audit(
            target.subject,
            model=model,
            before={"champion": before},
            after={"champion": target.label, "epoch": after.epoch, "operation": operation.id, "gates": "not asked"},
            reason=reason.strip(),
        )
        return operation


class AliasWatch:
    """The worker's eye on aliases; no verb for anybody else."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.SYSTEM, Action.ALIAS_DRIFTED)
    def notice(self, unit: Unit, actor: Actor, model: str, approved: Version, found: str | None) -> bool:
        """Open (or refresh) the alert; True when it is news."""
        known = open_alert(unit.session, model, ALIAS_ALERT)
        if known is not None and known.body.get("alias_version") == found:
            save_alert(unit.session, replace(known, last_seen_at=unit.now))
            unit.nothing_changed()
            return False
        where = "nothing" if found is None else f"v{found}"
        mark = store.model(unit.session, model).mark
        choice = f"Restore the {mark.kind}." if found is None else f"Restore the {mark.kind}, or adopt {where}."
        made = Alert(
            id=self.context.new_id() if known is None else known.id,
            model=model,
            version="",
            kind=ALIAS_ALERT,
            severity="warning",
            state=AlertState.OPEN,
            title=f"The {mark.phrase} of {model} points at {where}, not at the approved {approved.label}",
            cause=f"Somebody moved it outside mlops-dash. {approved.label} is still served. {choice}",
            opened_at=unit.now,
            last_seen_at=unit.now,
            closed_at=None,
            owner="",
            snoozed_until=None,
            evidence_ids=(),
            body={"alias_version": found, "found": where, "approved": approved.label},
        )
        save_alert(unit.session, made)
        unit.audit(
            approved.subject,
            model=model,
            before={"alias": approved.label},
            after={"alias": where, "served": approved.label},
            reason="found by looking at MLflow",
        )
        return True


def _free(unit: Unit, model: str) -> None:
    if store.in_flight(unit.session, model) is not None:
        raise Conflict(f"A change of champion of {model} is being carried out.", hint="Wait until it is done.")


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("This needs a reason.", hint="One sentence; it goes into the ledger.")
