"""Deputies: who approves in whose name while they are away."""

from __future__ import annotations

from datetime import datetime

from mlops_dash.clock import require_utc
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.deputies import Deputy, named, why_not_end, why_not_name
from mlops_dash.domain.format import instant
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import access as access_store
from mlops_dash.store import deputies as store
from mlops_dash.store.db import reading


class Deputies:
    """Namings, and their end."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def deputies(self, actor: Actor) -> tuple[Deputy, ...]:
        """Who stands, stood or will stand in for whom, the latest first."""
        with reading(self.context.databases.app) as session:
            return store.all_of(session)

    @read(Permission.ROOM_READ)
    def possible_deputies(self, actor: Actor) -> tuple[str, ...]:
        """The names of other people who may judge proposals, and so may stand in for the actor."""
        with reading(self.context.databases.app) as session:
            people = access_store.users(session)
        return tuple(
            user.name
            for user in people
            if not user.disabled and user.id != actor.person
            if Actor(user.id, user.name, user.role).may(Permission.PROPOSAL_JUDGE)
        )

    @command(Permission.PROPOSAL_JUDGE, Action.DEPUTY_NAMED)
    def name_deputy(
        self, unit: Unit, actor: Actor, name: str, *, since: datetime | None, until: datetime, reason: str
    ) -> Deputy:
        """Say who approves in the actor's name while they are away. A lead or admin may, for themselves alone.

        Args:
            unit: Of this command.
            actor: Who will be away.
            name: The deputy's, who may judge proposals too and gets no right by it.
            since: From when on; None from now on.
            until: When it is over; it can be ended before.
            reason: Why; goes into the ledger.

        Raises:
            InvalidInput: no reason, or times that cannot be.
            NotFound: no such account.
            Conflict: the deputy may not judge, is the actor, or another one stands in at that time.
        """
        if not reason.strip():
            raise InvalidInput("A deputy needs a reason.", hint="Say why you are away; it goes into the ledger.")
        deputy, own = access_store.user_by_name(unit.session, name.strip().lower()), actor.person
        if deputy is None:
            raise NotFound(f"There is no user {name[:40]!r}.", hint="Leads and admins can stand in.")
        if access_store.user(unit.session, own) is None:
            raise Conflict(f"{actor.name} has no account, so nobody can stand in.", hint="mlops-dash user add NAME")
        begin = unit.now if since is None else require_utc(since, "since")
        before = store.all_of(unit.session, principal=own)
        refusal = why_not_name(actor, deputy, begin, require_utc(until, "until"), unit.now, before)
        if refusal:
            raise Conflict(refusal)
        made = Deputy(
            id=self.context.new_id(), principal=own, deputy=deputy.id, since=begin, until=until,
            reason=reason.strip(), at=unit.now,
        )  # fmt: skip
        store.add(unit.session, made)
        unit.audit(
            deputy.name,
            after={"deputy": made.id, "for": own, "from": begin.isoformat(), "until": until.isoformat()},
            reason=made.reason,
        )
        return made

    @command(Permission.PROPOSAL_JUDGE, Action.DEPUTY_ENDED)
    def end_deputy(self, unit: Unit, actor: Actor, deputy_id: str, *, reason: str) -> Deputy:
        """End it before its time; what was approved in the name stays. Either of the two may, or an admin.

        Raises:
            InvalidInput: no reason.
            NotFound: no such naming.
            Conflict: it is over, or of others.
        """
        if not reason.strip():
            raise InvalidInput("The end of it needs a reason.", hint="One sentence; it goes into the ledger.")
        known = store.get(unit.session, deputy_id)
        refusal = why_not_end(actor, known, unit.now)
        if refusal:
            raise Conflict(refusal)
        store.end(unit.session, deputy_id, at=unit.now, by=actor.id)
        unit.audit(
            named(known.deputy, known.principal),
            before={"deputy": known.id, "until": instant(known.until)},
            after={"ended": True},
            reason=reason.strip(),
        )
        return store.get(unit.session, deputy_id)
