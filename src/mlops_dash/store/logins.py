"""Rows of tries to log in: how often each key failed of late, and how long it must wait.

A row's `blocked_until_wall` is also its age: what nobody tried for a day is forgotten, so that strangers cannot fill
the table.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, delete

from mlops_dash.domain.access import Allowance, slow_down
from mlops_dash.store.tables.access import LoginAttemptRow

FORGOTTEN_AFTER, FORGIVEN_AFTER = timedelta(days=1), timedelta(hours=1)


def wait_seconds(session: Session, key: str, *, wall: datetime) -> float:
    """How long the next try under this key must wait; 0: not at all."""
    row = session.get(LoginAttemptRow, key)
    if row is None or row.blocked_until_wall is None:
        return 0.0
    return max(0.0, (row.blocked_until_wall - wall).total_seconds())


def count_try(session: Session, key: str, *, wall: datetime) -> float:
    """Count a try under this key; returns the seconds it must still wait (then it was not counted), else 0."""
    wait = wait_seconds(session, key, wall=wall)
    if wait > 0:
        return wait
    row = session.get(LoginAttemptRow, key)
    if row is None:
        _forget_old(session, wall)
        row = LoginAttemptRow(name=key, failures=0)
    if row.blocked_until_wall is not None and wall - row.blocked_until_wall > FORGOTTEN_AFTER:
        row.failures = 0
    row.failures += 1
    row.blocked_until_wall = wall + slow_down(row.failures)
    session.add(row)
    return 0.0


def failures(session: Session, key: str) -> int:
    """How many tries under this key did not fit."""
    row = session.get(LoginAttemptRow, key)
    return 0 if row is None else row.failures


def spend(session: Session, key: str, allowance: Allowance, *, wall: datetime) -> None:
    """Take one try out of what this key may do."""
    row = session.get(LoginAttemptRow, key)
    if row is None:
        _forget_old(session, wall)
        row = LoginAttemptRow(name=key, failures=0)
    if row.blocked_until_wall is not None and wall - row.blocked_until_wall > FORGIVEN_AFTER:
        row.failures = 0
    row.failures += 1
    row.blocked_until_wall = allowance.after_one_more(row.blocked_until_wall, wall)
    session.add(row)


def overdrawn_seconds(session: Session, key: str, allowance: Allowance, *, wall: datetime) -> float:
    """How long this key must wait until its allowance has a try again; 0: it has one."""
    row = session.get(LoginAttemptRow, key)
    return 0.0 if row is None else allowance.wait_seconds(row.blocked_until_wall, wall)


def give_back(session: Session, key: str, allowance: Allowance) -> None:
    """A try that fitted costs nothing."""
    row = session.get(LoginAttemptRow, key)
    if row is not None and row.blocked_until_wall is not None:
        row.failures -= 1
        row.blocked_until_wall -= timedelta(seconds=allowance.every_seconds)
        session.add(row)


def forget_tries(session: Session, key: str) -> None:
    """A login that fits starts the count anew."""
    row = session.get(LoginAttemptRow, key)
    if row is not None:
        session.delete(row)


def forget_name(session: Session, name: str) -> None:
    """A new password starts the counts of a name anew, wherever the tries came from."""
    session.execute(delete(LoginAttemptRow).where(col(LoginAttemptRow.name).startswith(f"{name}@", autoescape=True)))
    forget_tries(session, name)


def _forget_old(session: Session, wall: datetime) -> None:
    session.execute(delete(LoginAttemptRow).where(col(LoginAttemptRow.blocked_until_wall) < wall - FORGOTTEN_AFTER))
