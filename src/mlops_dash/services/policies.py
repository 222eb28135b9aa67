"""Who judges a model by which numbers: read the policy in force, write the next one with four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind, PolicyVersion, policy_body
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import policies as store
from mlops_dash.store.db import reading


class PolicyService:
    """Policies of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def active(self, actor: Actor, model: str, kind: PolicyKind) -> PolicyVersion:
        """The policy in force; the named default (number 0) while there is none."""
        with reading(self.context.databases.app) as session:
            return store.active(session, model, kind, self.context.clock.now())

    @read(Permission.ROOM_READ)
    def history(self, actor: Actor, model: str, kind: PolicyKind) -> tuple[PolicyVersion, ...]:
        """All versions, newest first; `approver` None waits for a second person."""
        with reading(self.context.databases.app) as session:
            return store.history(session, model, kind)

    @command(Permission.POLICY_EDIT, Action.POLICY_PROPOSED)
    def propose(
        self, unit: Unit, actor: Actor, model: str, kind: PolicyKind, body: Mapping[str, Any], *, reason: str
    ) -> PolicyVersion:
        """Write the next version of a policy; it holds once another lead has activated it.

        A lead or admin may. `body` says only what differs from the defaults. Audited with both bodies.

        Raises:
            InvalidInput: a field is unknown or out of range, or the reason is empty.
            Conflict: it says what the policy in force says already.
        """
        if not reason.strip():
            raise InvalidInput("A policy needs a reason.", hint="Say why it changes; it goes into the ledger.")
        checked = policy_body(kind, body, task=store.task_of(unit.session, model))
        before = store.active(unit.session, model, kind, unit.now)
        if before.digest == digest(checked) and not before.is_default:
            raise Conflict(f"The {kind} policy of {model} says that already (version {before.number}).")
        known = store.history(unit.session, model, kind)
        made = PolicyVersion(
            id=self.context.new_id(),
            model=model,
            kind=kind,
            number=1 + max((one.number for one in known), default=0),
            body=checked,
            digest=digest(checked),
            author=actor.id,
            approver=None,
            active_from=unit.now,
        )
        store.add(unit.session, made)
        changed = {name: value for name, value in checked.items() if before.body.get(name) != value}
        unit.audit(
            f"{kind} policy {made.number} of {model}",
            model=model,
            before={"number": before.number, **{name: before.body.get(name) for name in changed}},
            after={"number": made.number, "digest": made.digest, **changed},
            reason=reason,
        )
        return made

    @command(Permission.POLICY_EDIT, Action.POLICY_ACTIVATED)
    def activate(self, unit: Unit, actor: Actor, policy_id: str, *, reason: str) -> PolicyVersion:
        """Put a written policy into force. Never its author, admin included. Approvals given before are void.

        Raises:
            NotFound: no such policy.
            NotAllowed: the actor wrote it.
            Conflict: it holds already, or a newer one does.
        """
        version = store.get(unit.session, policy_id)
        if version is None:
            raise NotFound(f"No policy {policy_id}.")
        if version.author == actor.id:
            raise NotAllowed(
                f"{actor.name} wrote this policy and cannot put it into force.", hint="Ask another lead or admin."
            )
        before = store.active(unit.session, version.model, version.kind, unit.now)
        if version.is_active or before.number > version.number:
            raise Conflict(f"The {version.kind} policy {before.number} of {version.model} is in force already.")
        store.put_into_force(unit.session, policy_id, approver=actor.id, at=unit.now)
        unit.audit(
            f"{version.kind} policy {version.number} of {version.model}",
            model=version.model,
            before={"number": before.number, "digest": before.digest},
            after={"number": version.number, "digest": version.digest},
            reason=reason,
        )
        return store.active(unit.session, version.model, version.kind, unit.now)
