"""Coming in and going out: passwords, demo accounts, one-time links, cookies, tokens, and what waits for whom."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from mlops_dash.domain.ab_tests.room import waits_for
from mlops_dash.domain.access import (
    PERSON_ROLES,
    REJECTION_STANDS,
    Actor,
    Permission,
    Role,
    User,
    Waiting,
    alert_waits,
    new_user,
    proposal_waits_for,
    rejection_waits,
)
from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.conditions import Condition, condition_waits
from mlops_dash.domain.registry.threads import MENTION_STANDS, mention_waits
from mlops_dash.domain.registry.tiers import proof_of
from mlops_dash.errors import NotAllowed, NotAuthenticated, StoreUnavailable
from mlops_dash.ids import sha256_text
from mlops_dash.services.access import passwords, sessions, tries
from mlops_dash.services.command import Context, Unit, command, identifies, read, record
from mlops_dash.store import ab_tests as ab_store
from mlops_dash.store import access as store
from mlops_dash.store import conditions as condition_store
from mlops_dash.store import deputies as deputy_store
from mlops_dash.store import logins as tries_store
from mlops_dash.store import threads as thread_store
from mlops_dash.store.db import Session, reading, transaction

TOKEN_PREFIX = "mld_"
_USE_NOTED_EVERY = timedelta(minutes=10)
_log = logging.getLogger(__name__)


class Logins:
    """What anonymous people and machines meet."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @identifies
    def actor_for_session(self, secret: str) -> Actor | None:
        """The person behind a session cookie; None when it is unknown, ended, expired or its user is disabled."""
        if not secret:
            return None
        with reading(self.context.databases.app) as session:
            row = store.live_session(
                session, sha256_text(secret), kinds=(store.BROWSER,), wall=self.context.clock.wall()
            )
            user = store.user(session, row.user_id) if row is not None and row.user_id else None
        return None if user is None or user.disabled or user.is_service else sessions.person(user, secret)

    @identifies
    def actor_for_token(self, secret: str) -> Actor:
        """The person, or the service account, behind an API token.

        Raises:
            NotAuthenticated: it is unknown, revoked, expired, or its user is disabled.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            found = store.token_by_sha(session, sha256_text(secret))
        if found is None or found.user.disabled or not found.token.live(now):
            raise NotAuthenticated("The token is not valid.", hint="Ask an admin for one: Audit & admin, tab Tokens.")
        used = found.token.last_used_at
        if used is None or not timedelta(0) <= now - used < _USE_NOTED_EVERY:
            self._note_use(found.token.id)
        return sessions.by_token(found.user, found.token.id)

    @identifies
    def actor_for_owner(self, login: str) -> Actor:
        """Who owns this local store and types on its machine: an administrator.

        An account with the name of the machine's login is the same person, be it made before or after: nobody approves
        at the command line what they proposed on a page, nor the other way round. A service account is nobody.

        Args:
            login: Name on the machine, as the operating system knows it.
        """
        name = login.strip().lower()
        with reading(self.context.databases.app) as session:
            user = store.user_by_name(session, name)
        prefix = "owner" if user is not None and user.is_service else "user"
        return Actor(f"{prefix}:{name}", name, Role.ADMIN, kind="owner")

    def _note_use(self, token_id: str) -> None:
        try:
            with transaction(self.context.databases.app) as session:
                store.note_use(session, token_id, at=self.context.clock.now())
        except StoreUnavailable as error:  # a busy database must not refuse a valid token
            _log.warning("the use of a token was not noted", extra={"why": error.message})

    @record(Permission.PUBLIC)
    def login(
        self,
        actor: Actor,
        name: str,
        password: str,
        user_agent: str = "",
        *,
        address: str = "",
        known_browser: str = "",
    ) -> tuple[str, Actor]:
        """Check name and password; returns the cookie's secret and the person.

        Every try counts before the password is looked at, so that parallel guesses are slowed down too. `tries.py` says
        how many there are, for the address and for a browser that this person has used before.

        Raises:
            NotAuthenticated: name and password do not fit together, or too many tries failed.
            Unavailable: too many passwords are being checked.
        """
        name, wall = name.strip().lower(), self.context.clock.wall()
        with reading(self.context.databases.app) as session:
            user = store.user_by_name(session, name)
            known = store.password_hash(session, user.id) if user is not None else ""
            browser = _browser_of(session, user, known_browser, wall=wall)
            guess = tries.Guess(user.name if user else _bucket(name), address, browser)
            wait = tries.wait_seconds(session, guess, wall=wall)
        if wait == 0:  # a flood of refused guesses never asks to write
            with transaction(self.context.databases.app) as session:
                wait = tries.count(session, guess, wall=wall)
        if wait > 0:
            raise NotAuthenticated("Too many tries failed.", hint=f"Wait {math.ceil(wait)} s, then try again.")
        if not passwords.fits(known, password, reserved=bool(browser)) or user is None or user.disabled:
            raise NotAuthenticated("Name and password do not fit together.", hint="Check both and try again.")
        with transaction(self.context.databases.app) as session:
            tries.fitted(session, guess)
            secret = sessions.open_browser(session, user, wall=wall, user_agent=user_agent)
        _log.info("login", extra={"actor": user.id})
        return secret, sessions.person(user, secret)

    @record(Permission.ROOM_READ)
    def prove_password(self, actor: Actor, password: str, subject: str, *, address: str = "") -> str:
        """Say one's own password once more; gives what proves it for five minutes, for one subject.

        Tries count as those of a login do.

        Args:
            actor: Who says it.
            password: Theirs.
            subject: What for: a proposal's id.
            address: Where from, as far as it is known.

        Raises:
            NotAllowed: there is no account with a password behind the actor.
            NotAuthenticated: it is another password, or too many tries failed.
            Unavailable: too many passwords are being checked.
        """
        wall = self.context.clock.wall()
        with reading(self.context.databases.app) as session:
            user = store.user(session, actor.person)
            known = store.password_hash(session, user.id) if user is not None else ""
        if user is None or not known:
            raise NotAllowed(
                f"{actor.name} has no password here.",
                hint="An admin issues a link to set one: tab Users.",
            )
        guess = tries.Guess(user.name, address)
        with transaction(self.context.databases.app) as session:
            wait = tries.count(session, guess, wall=wall)
        if wait > 0:
            raise NotAuthenticated("Too many tries failed.", hint=f"Wait {math.ceil(wait)} s, then try again.")
        if not passwords.fits(known, password, reserved=True):
            raise NotAuthenticated("That is not your password.", hint="Check it and try again.")
        with transaction(self.context.databases.app) as session:
            tries.fitted(session, guess)
        return proof_of(self.context.settings.ledger_key, actor.person, subject, self.context.clock.now())

    @record(Permission.ROOM_READ)
    def remember_browser(self, actor: Actor, known_browser: str) -> str:
        """The secret of a cookie that says that this person has logged in here before; the one they have, if it does.

        It opens nothing. A new password, or a disabled account, ends it.
        """
        wall = self.context.clock.wall()
        with transaction(self.context.databases.app) as session:
            user = store.user(session, actor.id)
            if user is None or _browser_of(session, user, known_browser, wall=wall):
                return known_browser
            return sessions.know_browser(session, user, wall=wall)

    @record(Permission.PUBLIC)
    def login_demo(self, actor: Actor, name: str, user_agent: str = "") -> tuple[str, Actor]:
        """Open a session of a demo account, without a password: in the demo and on loopback only.

        Raises:
            NotAllowed: this is no demo, it listens beyond loopback, or the account is no demo account.
        """
        if not self._offers_demo():
            raise NotAllowed("Demo accounts open in the demo on this machine only.", hint="Log in with a password.")
        with transaction(self.context.databases.app) as session:
            user = store.user_by_name(session, name)
            if user is None or not user.demo or user.disabled:
                raise NotAllowed(f"{name!r} is no demo account.", hint="Choose one of the accounts shown.")
            secret = sessions.open_browser(session, user, wall=self.context.clock.wall(), user_agent=user_agent)
        return secret, sessions.person(user, secret)

    @record(Permission.PUBLIC)
    def logout(self, actor: Actor, secret: str) -> None:
        """End the session behind this cookie; nothing happens when there is none."""
        with transaction(self.context.databases.app) as session:
            store.end_session(session, sha256_text(secret), wall=self.context.clock.wall())

    @read(Permission.PUBLIC)
    def demo_accounts(self, actor: Actor) -> tuple[User, ...]:
        """The accounts that the login page offers: in the demo on loopback only, lowest role first."""
        if not self._offers_demo():
            return ()
        with reading(self.context.databases.app) as session:
            offered = [user for user in store.users(session) if user.demo and not user.disabled]
        return tuple(sorted(offered, key=lambda user: PERSON_ROLES.index(user.role)))

    @record(Permission.SYSTEM)
    def ensure_demo_users(self, actor: Actor) -> tuple[User, ...]:
        """Make the demo accounts, one a role and named after it, where they are missing."""
        with transaction(self.context.databases.app) as session:
            for role in PERSON_ROLES:
                if store.user_by_name(session, str(role)) is None:
                    made = new_user(str(role), role, str(role).capitalize(), at=self.context.clock.now(), demo=True)
                    store.add_user(session, made)
            return tuple(user for user in store.users(session) if user.demo)

    def _offers_demo(self) -> bool:
        return self.context.settings.demo and self.context.settings.on_loopback

    @record(Permission.SYSTEM)
    def create_first_admin_link(self, actor: Actor) -> str | None:
        """The secret of a one-time link that makes the first admin; None when somebody is known already.

        An earlier unused link stops working, so that the newest line on the terminal is the valid one.
        """
        wall = self.context.clock.wall()
        with transaction(self.context.databases.app) as session:
            if store.any_user(session):
                return None
            store.end_sessions(session, wall=wall, kind=store.ADMIN_LINK)
            return sessions.make_link(session, store.ADMIN_LINK, None, wall=wall)

    @read(Permission.USERS_READ)
    def first_admin_link_is_open(self, actor: Actor) -> bool:
        """Whether somebody may still become the first admin by the link of the first start."""
        with reading(self.context.databases.app) as session:
            links = store.open_links(session, store.ADMIN_LINK, wall=self.context.clock.wall())
            return links > 0 and not store.any_user(session)

    @read(Permission.PUBLIC)
    def link_is_for(self, actor: Actor, secret: str) -> str | None:
        """Whom a one-time link is for: `""` for the first admin, an invited user's name, or None when it is void."""
        with reading(self.context.databases.app) as session:
            row = store.live_session(
                session, sha256_text(secret), kinds=(store.ADMIN_LINK, store.INVITE), wall=self.context.clock.wall()
            )
            if row is None:
                return None
            if row.user_id is None:
                return None if store.any_user(session) else ""
            user = store.user(session, row.user_id)
        return None if user is None or user.disabled else user.name

    @command(Permission.PUBLIC, Action.ADMIN_LINK_USED)
    def redeem_admin_link(
        self, unit: Unit, actor: Actor, secret: str, *, name: str, password: str, user_agent: str = ""
    ) -> tuple[str, Actor]:
        """Make the first admin from the one-time link; returns the cookie's secret and the person. Audited.

        Raises:
            NotAllowed: the link is not valid any more, or an admin exists.
            InvalidInput: name or password cannot be used.
        """
        wall = self.context.clock.wall()
        sessions.spend_link(unit.session, secret, store.ADMIN_LINK, wall=wall)
        if store.any_user(unit.session):
            raise NotAllowed("The first admin exists already.", hint="Ask them for an account.")
        user = new_user(name, Role.ADMIN, "", at=unit.now)
        store.add_user(unit.session, user, password_hash=passwords.hashed(password, user.name))
        unit.audit(user.name, after={"role": str(user.role)}, reason="first start, one-time link")
        cookie = sessions.open_browser(unit.session, user, wall=wall, user_agent=user_agent)
        return cookie, sessions.person(user, cookie)

    @command(Permission.PUBLIC, Action.PASSWORD_SET)
    def redeem_invite(
        self, unit: Unit, actor: Actor, secret: str, *, password: str, user_agent: str = ""
    ) -> tuple[str, Actor]:
        """Set the password through a one-time link and log in; older sessions of the person end. Audited.

        Raises:
            NotAllowed: the link is not valid any more.
            InvalidInput: the password cannot be used.
        """
        wall = self.context.clock.wall()
        user_id = sessions.spend_link(unit.session, secret, store.INVITE, wall=wall)
        user = store.user(unit.session, user_id or "")
        if user is None or user.disabled:
            raise NotAllowed("This account is disabled.", hint="Ask an admin.")
        store.change_user(unit.session, user.id, password_hash=passwords.hashed(password, user.name))
        tries_store.forget_name(unit.session, user.name)
        store.end_sessions(unit.session, wall=wall, user_id=user.id)
        unit.audit(user.name, after={"password": "set"}, reason="one-time link")
        cookie = sessions.open_browser(unit.session, user, wall=wall, user_agent=user_agent)
        return cookie, sessions.person(user, cookie)

    @read(Permission.ROOM_READ)
    def waiting(self, actor: Actor, *, reviews: Sequence[Condition] | None = None) -> tuple[Waiting, ...]:
        """What this person is asked to do (review, promote, answer, start or stop a test); what is due first is first.

        `reviews` are those that are due, where they have been read already.

        Critical alerts come before all, notices last. An alert is due since it opened, a proposal when it expires; one
        that has expired waits for nobody.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            known = store.proposals_since(session, now - REJECTION_STANDS)
            proposals = store.pending_proposals(session, known)
            alerts = store.pending_alerts(session, now) if actor.may(Permission.ALERT_ANSWER) else []
            tests = ab_store.asking(session)
            rejected = store.rejections(session, known, actor.person)
            due = condition_store.due(session, now) if reviews is None else reviews
            named = thread_store.mentions_of(session, actor, since=now - MENTION_STANDS)
            open_ones = [proposal for proposal in proposals if proposal.due > now]
            asks = bool(open_ones) and actor.may(Permission.PROPOSAL_JUDGE)
            stood = deputy_store.standing(session, now, deputy=actor.person) if asks else ()
        away = [one.principal for one in stood]
        asked = [proposal_waits_for(actor, **vars(proposal), stands_for=away) for proposal in open_ones]
        asked += [waits_for(actor, test, now) for test in tests]
        asked += [condition_waits(actor, one, now) for one in due]
        found = [item for item in asked if item is not None]
        found += [
            rejection_waits(one.model, one.version, by=one.by, reason=one.reason, since=one.since, stopped=one.stopped)
            for one in rejected
        ]
        found += [mention_waits(one) for one in named]
        found += [alert_waits(**vars(item)) for item in alerts]
        return tuple(sorted(found, key=lambda item: item.urgency))


def _browser_of(session: Session, user: User | None, known_browser: str, *, wall: datetime) -> str:
    """The digest of a browser's cookie when it is this user's, else ""."""
    if user is None or not known_browser:
        return ""
    digest = sha256_text(known_browser)
    row = store.live_session(session, digest, kinds=(store.KNOWN,), wall=wall)
    return digest if row is not None and row.user_id == user.id else ""


def _bucket(name: str) -> str:
    """Unknown names share 4,096 counters, so that guessing names cannot fill the table."""
    return f"?{sha256_text(name)[:3]}"
