"""Who stands in for whom, from when until when."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from mlops_dash.domain.access import person_of
from mlops_dash.domain.deputies import Deputy
from mlops_dash.errors import NotFound
from mlops_dash.store.tables.access import DeputyRow


def add(session: Session, made: Deputy) -> None:
    """Keep a new one."""
    session.add(DeputyRow(**vars(made)))
    session.flush()


def get(session: Session, deputy_id: str) -> Deputy:
    """One naming.

    Raises:
        NotFound: no such naming.
    """
    row = session.get(DeputyRow, deputy_id)
    if row is None:
        raise NotFound(f"There is no deputy {deputy_id[:40]!r}.", hint="mlops-dash deputy list shows their ids.")
    return Deputy(**row.model_dump())


def all_of(session: Session, *, principal: str = "") -> tuple[Deputy, ...]:
    """All namings, or those of one person, the latest first; those that are over too."""
    query = select(DeputyRow).order_by(col(DeputyRow.since).desc(), col(DeputyRow.id))
    if principal:
        query = query.where(DeputyRow.principal == principal)
    return tuple(Deputy(**row.model_dump()) for row in session.exec(query))


def standing(session: Session, now: datetime, *, deputy: str = "") -> tuple[Deputy, ...]:
    """Those that stand at a moment; with `deputy` those of this person alone, whatever way they came in."""
    query = select(DeputyRow).where(DeputyRow.since <= now, DeputyRow.until > now).order_by(DeputyRow.principal)
    found = (Deputy(**row.model_dump()) for row in session.exec(query))
    return tuple(one for one in found if one.stands(now) and (not deputy or one.deputy == person_of(deputy)))


def end(session: Session, deputy_id: str, *, at: datetime, by: str) -> None:
    """It does not stand from `at` on."""
    row = session.get_one(DeputyRow, deputy_id)
    row.ended_at, row.ended_by = at, by
    session.flush()
