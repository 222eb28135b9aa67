"""What somebody who owns the database can do: take its rules about the ledger away, then change entries."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

SQLITE = ("ledger_no_update", "ledger_no_delete", "ledger_no_replace")


def unguarded(session: Session) -> Session:
    """The session, after the rules of a SQLite ledger were taken away."""
    for name in SQLITE:
        session.connection().execute(text(f"DROP TRIGGER IF EXISTS {name}"))
    return session
