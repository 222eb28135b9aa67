"""The three kinds of service method, and what each guarantees.

    @read(permission)             looks; checks the permission
    @command(permission, action)  a decision of a person or a policy: ONE transaction, in which session, state and role
                                  are read again, and it raises if no ledger entry was written
    @record(permission)           a machine fact (prediction, label, heartbeat, progress): idempotent, no ledger
    @identifies                   the few reads that answer who the actor is (session, token): public, no actor yet

A service account is refused where the argument `model` is none of its models.
The actor is always the first argument. A command's method also gets a `Unit` (session, time, ledger) before the actor;
callers do not pass it:  `services.registry.approve(actor, proposal_id, ...)`.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from mlops_dash.clock import Clock
from mlops_dash.domain.access import Actor, Permission, Role
from mlops_dash.domain.audit import Action, Anchor, Entry
from mlops_dash.errors import LedgerMissing, NotAuthenticated
from mlops_dash.ids import NewId
from mlops_dash.settings import Settings
from mlops_dash.store import access as access_store
from mlops_dash.store import audit as ledger_store
from mlops_dash.store.db import Databases, Session, transaction

if TYPE_CHECKING:
    from mlops_dash.tracking.registry import MlflowRegistry

P = ParamSpec("P")
R = TypeVar("R")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Context:
    """What every service is built with; made once in `bootstrap.build`."""

    settings: Settings
    clock: Clock
    new_id: NewId
    databases: Databases
    registry: MlflowRegistry  # MLflow's registry, through `tracking`

    @property
    def anchor_path(self) -> Path:
        """The file outside the database that remembers the ledger's head."""
        return self.settings.home / "ledger.anchor"


@dataclass
class Unit:
    """One command's unit of work."""

    session: Session
    now: datetime
    actor: Actor
    context: Context
    action: Action
    entries: list[Entry] = field(default_factory=list)
    unchanged: bool = False

    def audit(
        self,
        object_: str,
        *,
        model: str = "",
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str = "",
        evidence_ids: tuple[str, ...] = (),
    ) -> Entry:
        """Append this command's ledger entry, in the same transaction as its writes."""
        entry = ledger_store.append(
            self.session,
            key=self.context.settings.ledger_key,
            at=self.now,
            wall=self.context.clock.wall(),
            actor=self.actor.id,
            action=self.action,
            object_=object_,
            model=model,
            before=before or {},
            after=after or {},
            reason=reason,
            evidence_ids=evidence_ids,
        )
        self.entries.append(entry)
        return entry

    def nothing_changed(self) -> None:
        """Say that a repeated call found its work already done: no write, so no entry."""
        self.unchanged = True


class HasContext(Protocol):
    """A service."""

    context: Context


S = TypeVar("S", bound=HasContext)


def _anchor(context: Context, head: Anchor) -> None:
    """Remember the head outside the database.

    The decision is committed already, so a full disk must not turn it into an error. An older anchor stays valid: it
    only finds removed entries later.
    """
    try:
        ledger_store.write_anchor(context.anchor_path, head, key=context.settings.ledger_key)
    except OSError as error:
        _log.error("the ledger's anchor was not written", extra={"ledger": head.number, "why": str(error)})


def read(
    permission: Permission,
) -> Callable[[Callable[Concatenate[S, Actor, P], R]], Callable[Concatenate[S, Actor, P], R]]:
    """Mark a method that only looks."""
    return _checked(permission, "read")


def record(
    permission: Permission,
) -> Callable[[Callable[Concatenate[S, Actor, P], R]], Callable[Concatenate[S, Actor, P], R]]:
    """Mark a method that stores a machine fact; it must be idempotent."""
    return _checked(permission, "record")


def identifies(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Mark the reads that find out who the actor is, so that they cannot be given one."""
    method.__mlops_kind__ = "read"  # type: ignore[attr-defined]
    method.__mlops_permission__ = Permission.PUBLIC  # type: ignore[attr-defined]
    return method


def _checked(
    permission: Permission, kind: str
) -> Callable[[Callable[Concatenate[S, Actor, P], R]], Callable[Concatenate[S, Actor, P], R]]:
    def decorate(method: Callable[Concatenate[S, Actor, P], R]) -> Callable[Concatenate[S, Actor, P], R]:
        signature = inspect.signature(method)
        of_a_model = "model" in signature.parameters

        @functools.wraps(method)
        def call(self: S, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            actor.require(permission)
            if of_a_model and actor.role is Role.SERVICE:
                actor.require_model(signature.bind(self, actor, *args, **kwargs).arguments["model"])
            return method(self, actor, *args, **kwargs)

        call.__mlops_kind__ = kind  # type: ignore[attr-defined]
        call.__mlops_permission__ = permission  # type: ignore[attr-defined]
        return call

    return decorate


def _standing(session: Session, actor: Actor, context: Context, now: datetime) -> Actor:
    """The actor as the database knows them inside this transaction: a page may have been open for hours."""
    standing = access_store.standing(session, actor, wall=context.clock.wall(), now=now)
    if standing is None:
        raise NotAuthenticated(
            f"{actor.name} is not logged in any more, so nothing was done.",
            hint="The session ended, the token was revoked, or the account was disabled. Log in again.",
        )
    return standing


def command(
    permission: Permission, action: Action
) -> Callable[[Callable[Concatenate[S, Unit, Actor, P], R]], Callable[Concatenate[S, Actor, P], R]]:
    """Mark a decision: permission, one transaction, one action, and a ledger entry or nothing at all."""

    def decorate(method: Callable[Concatenate[S, Unit, Actor, P], R]) -> Callable[Concatenate[S, Actor, P], R]:
        @functools.wraps(method)
        def call(self: S, actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            actor.require(permission)
            context = self.context
            with transaction(context.databases.app, ledger=True) as session:
                now = context.clock.now()
                actor = _standing(session, actor, context, now)
                actor.require(permission)
                unit = Unit(session=session, now=now, actor=actor, context=context, action=action)
                result = method(self, unit, actor, *args, **kwargs)
                if not unit.entries and not unit.unchanged:
                    raise LedgerMissing(f"{action} by {actor.id} wrote no ledger entry.", hint="This is a bug of ours.")
            if unit.entries:
                head = unit.entries[-1]
                _anchor(context, Anchor(head.number, head.mac))
                _log.info("command", extra={"action": str(action), "actor": actor.id, "ledger": head.number})
            return result

        call.__mlops_kind__ = "command"  # type: ignore[attr-defined]
        call.__mlops_permission__ = permission  # type: ignore[attr-defined]
        call.__mlops_action__ = action  # type: ignore[attr-defined]
        return call

    return decorate
