"""Facts of this installation that every process shares: above all the clock's offset."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlmodel import Session, col, select

from mlops_dash.store.tables.audit import WorldRow

CLOCK_OFFSET = "clock_offset_seconds"
HELD_BACK = "held_back"  # how far a demo's data have been played; no other home has it


def get(session: Session, key: str) -> Any:
    """The value kept under `key`, or None."""
    row = session.get(WorldRow, key)
    return None if row is None else row.value


def beginning(session: Session, prefix: str) -> dict[str, Any]:
    """Every key that begins so, with its value, in one statement."""
    rows = session.exec(select(WorldRow).where(col(WorldRow.key).startswith(prefix, autoescape=True))).all()
    return {row.key: row.value for row in rows}


def put(session: Session, key: str, value: Any) -> None:
    """Keep `value` under `key`."""
    session.merge(WorldRow(key=key, value=value))


def clock_offset(session: Session) -> timedelta:
    """How far this world's clock is from the machine's."""
    return timedelta(seconds=float(get(session, CLOCK_OFFSET) or 0.0))
