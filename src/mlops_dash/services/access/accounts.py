"""What admins keep: users, their roles, their one-time links, and API tokens."""

from __future__ import annotations

import secrets
from datetime import timedelta

from mlops_dash.domain.access import (
    PERSON_ROLES,
    Actor,
    Invitation,
    IssuedToken,
    Permission,
    Role,
    Token,
    User,
    new_user,
)
from mlops_dash.domain.audit import Action
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import sha256_text
from mlops_dash.services.access import passwords, sessions
from mlops_dash.services.access.logins import TOKEN_PREFIX
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.store import access as store
from mlops_dash.store.db import Session, reading


class Accounts:
    """Users, links and tokens."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.USERS_READ)
    def users(self, actor: Actor) -> tuple[User, ...]:
        """All people by name; service accounts are not among them."""
        with reading(self.context.databases.app) as session:
            return tuple(user for user in store.users(session) if not user.is_service)

    @read(Permission.ROOM_READ)
    def admins(self, actor: Actor) -> tuple[str, ...]:
        """The names of those who may give roles, for the page of somebody who lacks one."""
        with reading(self.context.databases.app) as session:
            people = store.users(session)
        return tuple(user.display_name or user.name for user in people if user.role is Role.ADMIN and not user.disabled)

    @read(Permission.USERS_READ)
    def tokens(self, actor: Actor) -> tuple[Token, ...]:
        """All tokens, newest first, without their secrets."""
        with reading(self.context.databases.app) as session:
            return tuple(store.tokens(session))

    @command(Permission.USERS_EDIT, Action.USER_CREATED)
    def create_user(
        self,
        unit: Unit,
        actor: Actor,
        name: str,
        role: Role,
        *,
        display_name: str = "",
        password: str | None = None,
        reason: str = "",
    ) -> Invitation:
        """Make a user; without a password they get a one-time link to set their own. Admins only; audited.

        Raises:
            InvalidInput: name or password cannot be used.
            Conflict: the name is taken.
        """
        _require_role_of_people(role)
        user = new_user(name, role, display_name, at=unit.now)
        if store.user_by_name(unit.session, user.name) is not None:
            raise Conflict(f"The name {user.name!r} is taken.", hint="Choose another, or enable the existing user.")
        known = "" if password is None else passwords.hashed(password, user.name)
        store.add_user(unit.session, user, password_hash=known)
        unit.audit(user.name, after={"role": str(role), "display_name": user.display_name}, reason=reason)
        return Invitation(user, None if known else self._invite(unit.session, user))

    @command(Permission.USERS_EDIT, Action.USER_LINK_ISSUED)
    def issue_link(self, unit: Unit, actor: Actor, name: str, *, reason: str = "") -> Invitation:
        """A fresh one-time link with which a user sets a new password; an earlier one stops working. Audited.

        Raises:
            NotFound: no such user.
            Conflict: the user is disabled, or a demo account, or a service account.
        """
        user = _person(unit.session, name)
        if user.disabled or user.demo:
            why = "disabled" if user.disabled else "a demo account"
            raise Conflict(f"{user.name} is {why}.", hint="Enable the user, or create another.")
        store.end_sessions(unit.session, wall=self.context.clock.wall(), user_id=user.id, kind=store.INVITE)
        unit.audit(user.name, after={"link": "one-time, 24 hours"}, reason=reason)
        return Invitation(user, self._invite(unit.session, user))

    @command(Permission.USERS_EDIT, Action.USER_ROLE_SET)
    def set_role(self, unit: Unit, actor: Actor, name: str, role: Role, *, reason: str = "") -> User:
        """Give a user another role. Admins only; audited.

        Raises:
            NotFound: no such user.
            InvalidInput: it is no role of people.
            Conflict: it would leave nobody who can administer, or it is a service account.
        """
        _require_role_of_people(role)
        user = _person(unit.session, name)
        if user.role is role:
            unit.nothing_changed()
            return user
        self._keep_an_admin(unit.session, user)
        unit.audit(user.name, before={"role": str(user.role)}, after={"role": str(role)}, reason=reason)
        return store.change_user(unit.session, user.id, role=role)

    @command(Permission.USERS_EDIT, Action.USER_DISABLED)
    def disable_user(self, unit: Unit, actor: Actor, name: str, *, reason: str = "") -> User:
        """Lock a user out: sessions end, links and tokens open nothing. Admins only; audited.

        Raises:
            NotFound: no such user.
            Conflict: it would leave nobody who can administer.
        """
        user = _known(unit.session, name)
        if user.disabled:
            unit.nothing_changed()
            return user
        self._keep_an_admin(unit.session, user)
        store.end_sessions(unit.session, wall=self.context.clock.wall(), user_id=user.id)
        unit.audit(user.name, before={"disabled": False}, after={"disabled": True}, reason=reason)
        return store.change_user(unit.session, user.id, disabled=True)

    @command(Permission.USERS_EDIT, Action.USER_ENABLED)
    def enable_user(self, unit: Unit, actor: Actor, name: str, *, reason: str = "") -> User:
        """Let a disabled user in again; their tokens work again, old sessions do not. Admins only; audited.

        Raises:
            NotFound: no such user.
        """
        user = _known(unit.session, name)
        if not user.disabled:
            unit.nothing_changed()
            return user
        unit.audit(user.name, before={"disabled": True}, after={"disabled": False}, reason=reason)
        return store.change_user(unit.session, user.id, disabled=False)

    @command(Permission.TOKENS_EDIT, Action.TOKEN_ISSUED)
    def issue_token(
        self, unit: Unit, actor: Actor, name: str, *, label: str, days: int | None = 90, reason: str = ""
    ) -> IssuedToken:
        """An API token that acts as this user; its secret is returned once and never kept. Admins only; audited.

        Raises:
            NotFound: no such user.
            InvalidInput: the token has no label, or a life that is not 1 to 3650 days.
            Conflict: the user is disabled.
        """
        user, label = _known(unit.session, name), label.strip()
        if not 1 <= len(label) <= 80:
            raise InvalidInput("A token needs a label of 1 to 80 characters.", hint="Say what will use it.")
        if days is not None and not 1 <= days <= 3_650:
            raise InvalidInput(f"A token cannot live {days} days.", hint="Use 1 to 3650 days, or none for no end.")
        if user.disabled:
            raise Conflict(f"{user.name} is disabled.", hint="Enable the user first.")
        secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
        token = Token(
            id=self.context.new_id(),
            name=label,
            user_name=user.name,
            role=user.role,
            created_at=unit.now,
            expires_at=None if days is None else unit.now + timedelta(days=days),
            revoked_at=None,
            last_used_at=None,
        )
        store.add_token(unit.session, token, user_id=user.id, secret_sha256=sha256_text(secret))
        after = {"user": user.name, "role": str(user.role), "days": days, "token_id": token.id}
        unit.audit(f"token {label}", after=after, reason=reason)
        return IssuedToken(token, secret)

    @command(Permission.TOKENS_EDIT, Action.TOKEN_REVOKED)
    def revoke_token(self, unit: Unit, actor: Actor, token_id: str, *, reason: str = "") -> None:
        """Make a token open nothing any more. Admins only; audited.

        Raises:
            NotFound: no such token.
        """
        token = store.token(unit.session, token_id)
        if token is None:
            raise NotFound(f"There is no token {token_id!r}.", hint="Reload the list of tokens.")
        if token.revoked_at is not None:
            unit.nothing_changed()
            return
        store.revoke_token(unit.session, token_id, at=unit.now)
        change = {"user": token.user_name, "token_id": token.id}
        unit.audit(f"token {token.name}", before={**change, "revoked": False}, after={"revoked": True}, reason=reason)

    def _invite(self, session: Session, user: User) -> str:
        return sessions.make_link(session, store.INVITE, user.id, wall=self.context.clock.wall())

    def _keep_an_admin(self, session: Session, user: User) -> None:
        others = store.other_admins(session, user.id, demo=self.context.settings.demo)
        if user.role is Role.ADMIN and not user.disabled and others == 0:
            raise Conflict(f"{user.name} is the last admin.", hint="Make another admin first.")


def _known(session: Session, name: str) -> User:
    user = store.user_by_name(session, name.strip().lower())
    if user is None:
        raise NotFound(f"There is no user {name!r}.", hint="Users and their names stand on Audit & admin, tab Users.")
    return user


def _person(session: Session, name: str) -> User:
    user = _known(session, name)
    if user.is_service:
        raise Conflict(
            f"{user.name} is a service account: it has tokens, no login and no other role.",
            hint="Create a user for a person.",
        )
    return user


def _require_role_of_people(role: Role) -> None:
    if role not in PERSON_ROLES:
        raise InvalidInput(
            "A person cannot be a service account.",
            hint="Make one: Audit & admin, tab Tokens, or mlops-dash service add.",
        )
