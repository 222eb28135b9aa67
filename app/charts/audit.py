"""The ledger, users and tokens as frames for a table: pure, entries in, frame out."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from html import escape

import pandas as pd

from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Token, User
from mlops_dash.domain.audit import Entry, changes
from mlops_dash.domain.audit_words import sentence
from mlops_dash.domain.deputies import Deputy
from mlops_dash.domain.retention import ModelRows

_DIGEST = re.compile(r"\b[0-9a-f]{32,}\b")


def ledger(entries: Sequence[Entry], zone: str) -> pd.DataFrame:
    """One row an entry, in the order given: number, when, who did what to which, why, and what changed."""
    return pd.DataFrame(
        {
            "#": [entry.number for entry in entries],
            "When": [fmt.instant(entry.at, zone) for entry in entries],
            "Who did what": [sentence(entry) for entry in entries],
            "Why": [entry.reason or fmt.MISSING for entry in entries],
            "Before → after": [change(entry) for entry in entries],
        }
    )


def listing(entries: Sequence[Entry], zone: str) -> str:
    """The same rows for a narrow screen, as HTML: who did what to which, when, why; each a link to the entry."""
    rows = "".join(
        f"<li><a href='/audit?entry={entry.number}' target='_self'><b>{escape(sentence(entry))}</b></a>"
        f"<span>{escape(fmt.instant(entry.at, zone))}</span>"
        + (f"<q>{escape(entry.reason)}</q>" if entry.reason else "")
        + "</li>"
        for entry in entries
    )
    return f"<ul class='rows'>{rows}</ul>"


def change(entry: Entry) -> str:
    """What an entry changed, in one line, real changes first: `champion v2 → v3, role lead, state was open`."""
    facts = changes(entry)
    moved = [f"{name} {before} → {after}" for name, before, after in facts if before and after]
    new = [f"{name} {after}" for name, before, after in facts if not before]
    known = [f"{name} was {before}" for name, before, after in facts if not after]
    return _DIGEST.sub(lambda found: found[0][:8], ", ".join([*moved, *new, *known])) or fmt.MISSING


def storage(models: Sequence[ModelRows], zone: str) -> pd.DataFrame:
    """One row a model: predictions in the tables, since when, how many may move; those in cold files, of when, size."""
    return pd.DataFrame(
        {
            "Model": [one.model for one in models],
            "Hot rows": [fmt.whole(one.hot) for one in models],
            "Oldest hot row": [fmt.day(one.oldest, zone) for one in models],
            "Old enough to move": [fmt.whole(one.movable) for one in models],
            "Archived rows": [fmt.whole(one.archived) for one in models],
            "Archived": [fmt.period(one.first, one.last, "UTC") if one.archived else fmt.MISSING for one in models],
            "Size": [f"{one.size / 1e6:,.1f} MB" if one.files else fmt.MISSING for one in models],
        }
    )


def users(people: Sequence[User], now: datetime) -> pd.DataFrame:
    """One row a user: name, role, state, since."""
    return pd.DataFrame(
        {
            "Name": [user.name for user in people],
            "Shown as": [user.display_name for user in people],
            "Role": [str(user.role) for user in people],
            "State": [_user_state(user) for user in people],
            "Created": [fmt.ago(now, user.created_at) for user in people],
        }
    )


def deputies(named: Sequence[Deputy], now: datetime, zone: str) -> pd.DataFrame:
    """One row a naming: who for whom, its state, from when until when, why."""
    return pd.DataFrame(
        {
            "Deputy": [one.deputy.removeprefix("user:") for one in named],
            "For": [one.principal.removeprefix("user:") for one in named],
            "State": [one.state(now).capitalize() for one in named],
            "From": [fmt.instant(one.since, zone) for one in named],
            "Until": [fmt.instant(one.over_at, zone) for one in named],
            "Why": [one.reason for one in named],
        }
    )


def service_accounts(accounts: Sequence[User], now: datetime) -> pd.DataFrame:
    """One row a service account: name, its models, state, since."""
    return pd.DataFrame(
        {
            "Name": [account.name for account in accounts],
            "Writes": [", ".join(account.models) for account in accounts],
            "State": ["Disabled" if account.disabled else "Active" for account in accounts],
            "Created": [fmt.ago(now, account.created_at) for account in accounts],
        }
    )


def tokens(issued: Sequence[Token], now: datetime, *, disabled: Collection[str] = ()) -> pd.DataFrame:
    """One row a token: label, whose, role, state, expiry, last use; those of `disabled` users open nothing."""
    return pd.DataFrame(
        {
            "Label": [token.name for token in issued],
            "Acts as": [token.user_name for token in issued],
            "Role": [str(token.role) for token in issued],
            "State": [_token_state(token, now, disabled=token.user_name in disabled) for token in issued],
            "Issued": [fmt.ago(now, token.created_at) for token in issued],
            "Ends": [fmt.day(token.expires_at) if token.expires_at else "never" for token in issued],
            "Last used": [fmt.ago(now, token.last_used_at) if token.last_used_at else "never" for token in issued],
        }
    )


def _user_state(user: User) -> str:
    if user.disabled:
        return "Disabled"
    if user.demo:
        return "Demo account"
    return "Invited, no password yet" if user.invited else "Active"


def _token_state(token: Token, now: datetime, *, disabled: bool) -> str:
    if token.revoked_at is not None:
        return "Revoked"
    if disabled:
        return "Of a disabled user"
    return "Live" if token.live(now) else "Expired"
