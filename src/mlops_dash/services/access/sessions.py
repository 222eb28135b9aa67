"""Making and spending secrets inside a transaction: what logins and accounts share. No permission is checked here."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from mlops_dash.domain.access import Actor, User
from mlops_dash.errors import NotAllowed
from mlops_dash.ids import sha256_text
from mlops_dash.store import access as store
from mlops_dash.store.db import Session

SESSION_LIFE = timedelta(days=7)
KNOWN_LIFE = timedelta(days=180)
LINK_LIFE = timedelta(hours=24)


def open_browser(session: Session, user: User, *, wall: datetime, user_agent: str) -> str:
    """Open a browser session; returns the cookie's secret."""
    return _keep(session, store.BROWSER, user.id, wall=wall, life=SESSION_LIFE, user_agent=user_agent)


def know_browser(session: Session, user: User, *, wall: datetime) -> str:
    """Remember that this person has logged in from a browser; returns the secret that it keeps."""
    return _keep(session, store.KNOWN, user.id, wall=wall, life=KNOWN_LIFE, user_agent="")


def make_link(session: Session, kind: str, user_id: str | None, *, wall: datetime) -> str:
    """Make a one-time link; returns its secret."""
    return _keep(session, kind, user_id, wall=wall, life=LINK_LIFE, user_agent="")


def spend_link(session: Session, secret: str, kind: str, *, wall: datetime) -> str | None:
    """Use up a one-time link; returns the id of the user it is for, if any.

    Raises:
        NotAllowed: it is unknown, used or expired.
    """
    sha256 = sha256_text(secret)
    row = store.live_session(session, sha256, kinds=(kind,), wall=wall)
    if row is None:
        raise NotAllowed("This link is not valid any more.", hint="Links work once, for 24 hours. Ask for a new one.")
    store.end_session(session, sha256, wall=wall)
    return row.user_id


def person(user: User, secret: str) -> Actor:
    """The person behind a browser's session; every command asks again whether that session still lives."""
    return Actor(id=user.id, name=user.name, role=user.role, credential=sha256_text(secret))


def by_token(user: User, token_id: str) -> Actor:
    """The person through their token: the same id, so that nobody approves their own work through a token."""
    return Actor(user.id, user.name, user.role, kind="token", credential=token_id, models=frozenset(user.models))


def _keep(session: Session, kind: str, user_id: str | None, *, wall: datetime, life: timedelta, user_agent: str) -> str:
    secret = secrets.token_urlsafe(32)
    store.add_session(
        session, sha256_text(secret), kind=kind, user_id=user_id, wall=wall, until=wall + life, user_agent=user_agent
    )
    return secret
