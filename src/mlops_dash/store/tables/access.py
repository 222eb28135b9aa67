"""Tables of people: users, tokens, sessions, failed logins, and what waits to be sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Field

from mlops_dash.store.tables.app import AppTable, json_column, text_column, time_column


class UserRow(AppTable, table=True):
    """A person who may log in, or a program's service account, which may not."""

    __tablename__ = "user_account"
    id: str = Field(primary_key=True)
    name: str = Field(unique=True)
    display_name: str = ""
    role: str
    password_hash: str = ""
    disabled: bool = False
    demo: bool = False  # offered on the demo's login page
    created_at: datetime = time_column()
    models: Any = json_column(nullable=True)  # of a service account: a list of the models that it may write


class TokenRow(AppTable, table=True):
    """An API token: only its sha256 is kept."""

    __tablename__ = "token"
    id: str = Field(primary_key=True)
    user_id: str = Field(foreign_key="user_account.id", index=True)
    name: str
    secret_sha256: str = Field(unique=True)
    created_at: datetime = time_column()
    expires_at: datetime | None = time_column(nullable=True)
    revoked_at: datetime | None = time_column(nullable=True)
    last_used_at: datetime | None = time_column(nullable=True)


class SessionRow(AppTable, table=True):
    """A browser session, or a one-time link (`kind`): only the sha256 of its secret is kept."""

    __tablename__ = "session"
    id: str = Field(primary_key=True)  # sha256 of the cookie or link secret
    user_id: str | None = Field(default=None, index=True)
    kind: str = "browser"  # browser | admin_link | invite | known
    created_at_wall: datetime = time_column()
    expires_at_wall: datetime = time_column()
    ended_at_wall: datetime | None = time_column(nullable=True)
    user_agent: str = ""


class OutboxRow(AppTable, table=True):
    """A message to be delivered at least once, with its dedupe key."""

    __tablename__ = "outbox"
    id: str = Field(primary_key=True)
    channel: str
    dedupe_key: str = Field(unique=True)
    subject: str = ""
    body: Any = json_column()
    created_at: datetime = time_column()
    sent_at: datetime | None = time_column(nullable=True)
    attempts: int = 0
    error: str = text_column()


class LoginAttemptRow(AppTable, table=True):
    """Failed logins by name and address, by address, by name, and of all: for the limits."""

    __tablename__ = "login_attempt"
    name: str = Field(primary_key=True)  # the key: "ada@6f1…", "@6f1…", "ada" or "*"; no address is kept
    failures: int = 0
    blocked_until_wall: datetime | None = time_column(nullable=True)  # or when its tries are paid off


class DeputyRow(AppTable, table=True):
    """Who may approve in whose name, from when until when."""

    __tablename__ = "deputy"
    id: str = Field(primary_key=True)
    principal: str = Field(foreign_key="user_account.id", index=True)
    deputy: str = Field(foreign_key="user_account.id")
    since: datetime = time_column()
    until: datetime = time_column(index=True)
    reason: str = text_column()
    at: datetime = time_column()
    ended_at: datetime | None = time_column(nullable=True)
    ended_by: str = ""
