"""Who judges a model by which numbers: read the policy in force, write the next one with four eyes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlops_dash.domain.access import Actor, Permission, person_of
from mlops_dash.domain.audit import Action
from mlops_dash.domain.policies import PolicyKind, PolicyVersion, policy_body
from mlops_dash.domain.policies.room import (
    PolicyRoom,
    others_who_may,
    policy_changes,
    policy_fields,
    second_person,
)
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import access, registry
from mlops_dash.store import policies as store
from mlops_dash.store.db import Session, reading


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

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor, model: str, kind: PolicyKind) -> PolicyRoom:
        """What is in force field by field, every version, and who may put the next one into force.

        Raises:
            NotFound: nobody has added the model.
        """
        with reading(self.context.databases.app) as session:
            registry.model(session, model)
            active = store.active(session, model, kind, self.context.clock.now())
            return PolicyRoom(
                active=active,
                fields=policy_fields(active, store.task_of(session, model)),
                history=store.history(session, model, kind),
                who_may=self._who_may(session),
            )

    @read(Permission.ROOM_READ)
    def changes(
        self, actor: Actor, model: str, kind: PolicyKind, body: Mapping[str, Any]
    ) -> tuple[tuple[str, Any, Any], ...]:
        """What a body would change of the policy in force: (field, now, then). Nothing is stored.

        Raises:
            InvalidInput: a field is unknown or out of range.
            NotFound: nobody has added the model.
        """
        with reading(self.context.databases.app) as session:
            registry.model(session, model)
            active = store.active(session, model, kind, self.context.clock.now())
            return policy_changes(active.body, _whole(session, model, kind, body))

    @command(Permission.POLICY_EDIT, Action.POLICY_PROPOSED)
    def propose(
        self, unit: Unit, actor: Actor, model: str, kind: PolicyKind, body: Mapping[str, Any], *, reason: str
    ) -> PolicyVersion:
        """Write the next version of a policy; it holds once another lead has activated it.

        A lead or admin may. `body` says only what differs from the defaults. Audited with both bodies.

        Raises:
            InvalidInput: a field is unknown or out of range, or the reason is empty.
            NotFound: nobody has added the model.
            Conflict: it says what the policy in force, or one that waits for a second person, says already.
        """
        if not reason.strip():
            raise InvalidInput("A policy needs a reason.", hint="Say why it changes; it goes into the ledger.")
        registry.model(unit.session, model)
        checked = _whole(unit.session, model, kind, body)
        before = store.active(unit.session, model, kind, unit.now)
        if before.digest == digest(checked) and not before.is_default:
            raise Conflict(f"The {kind} policy of {model} says that already (version {before.number}).")
        known = store.history(unit.session, model, kind)
        waiting = next((one for one in known if one.number > before.number and one.digest == digest(checked)), None)
        if waiting is not None:
            raise Conflict(
                f"The {kind} policy {waiting.number} of {model} says that already and waits for a second person.",
                hint=second_person(self._who_may(unit.session), waiting.author),
            )
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
        changed = {name: value for name, _, value in policy_changes(before.body, checked)}
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
            InvalidInput: the reason is empty.
            NotFound: no such policy.
            NotAllowed: the actor wrote it.
            Conflict: it holds already, or a newer one does.
        """
        if not reason.strip():
            raise InvalidInput("Putting a policy into force needs a reason.", hint="It goes into the ledger.")
        version = store.get(unit.session, policy_id)
        if version is None:
            raise NotFound(
                f"No policy has the id {policy_id!r}.", hint="Ids stand in: mlops-dash policy history --model M"
            )
        if person_of(version.author) == actor.person:
            raise NotAllowed(
                f"{actor.name} wrote this policy and cannot put it into force.",
                hint=second_person(self._who_may(unit.session), version.author),
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

    def _who_may(self, session: Session) -> tuple[tuple[str, str], ...]:
        return others_who_may(access.users(session), demo=self.context.settings.demo)


def _whole(session: Session, model: str, kind: PolicyKind, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body with every field: what it leaves out is as the model's task and cadence say."""
    return policy_body(kind, body, store.task_of(session, model), window=store.cadence_of(session, model))
