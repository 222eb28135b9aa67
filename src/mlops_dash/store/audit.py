"""The ledger's rows: append in the caller's transaction, read back, and the anchor file outside the database."""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Text, cast, func, or_
from sqlmodel import Session, col, select

from mlops_dash.domain.audit import (
    GENESIS,
    Action,
    Anchor,
    Choices,
    Entry,
    Filter,
    Page,
    anchor_of,
    anchor_text,
    sign,
)
from mlops_dash.ids import canonical_json
from mlops_dash.store.tables.audit import LedgerRow

_LONGEST_ANCHOR = 1_000  # characters; a whole one has at most 148


def append(
    session: Session,
    *,
    key: bytes,
    at: datetime,
    wall: datetime,
    actor: str,
    action: Action,
    object_: str,
    model: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str,
    evidence_ids: tuple[str, ...],
) -> Entry:
    """Add one entry at the head of the chain. The caller holds the write transaction (`ledger=True`)."""
    head = session.exec(select(LedgerRow).order_by(col(LedgerRow.number).desc()).limit(1)).first()
    unsigned = Entry(
        number=1 if head is None else head.number + 1,
        at=at,
        recorded_at_wall=wall,
        actor=actor,
        action=action,
        object=object_,
        model=model,
        before=_as_read_back(before),
        after=_as_read_back(after),
        reason=reason,
        evidence_ids=evidence_ids,
        previous=GENESIS if head is None else head.mac,
        mac="",
    )
    entry = replace(unsigned, mac=sign(key, unsigned))
    session.add(
        LedgerRow(
            **{k: v for k, v in vars(entry).items() if k not in {"action", "evidence_ids"}},
            action=str(entry.action),
            evidence_ids=list(entry.evidence_ids),
        )
    )
    session.flush()
    return entry


def _as_read_back(values: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping as the database gives it back, so that what is signed is what will be verified."""
    kept: dict[str, Any] = json.loads(canonical_json(dict(values)))
    return kept


def entries(session: Session, *, after: int = 0) -> Iterator[Entry]:
    """All entries with a number above `after`, in order, read in chunks."""
    while True:
        rows = session.exec(
            select(LedgerRow).where(col(LedgerRow.number) > after).order_by(col(LedgerRow.number)).limit(500)
        ).all()
        for row in rows:
            yield to_entry(row)
        if len(rows) < 500:
            return
        after = rows[-1].number


def about(session: Session, object_: str, *, model: str, most: int) -> tuple[tuple[Entry, ...], int]:
    """The newest `most` entries about exactly one object of a model, newest first, and how many there are in all."""
    those = (LedgerRow.object == object_, LedgerRow.model == model)
    total = session.exec(select(func.count()).select_from(LedgerRow).where(*those)).one()
    rows = session.exec(select(LedgerRow).where(*those).order_by(col(LedgerRow.number).desc()).limit(most)).all()
    return tuple(to_entry(row) for row in rows), total


def to_entry(row: LedgerRow) -> Entry:
    """A row as the domain knows it."""
    return Entry(
        number=row.number,
        at=row.at,
        recorded_at_wall=row.recorded_at_wall,
        actor=row.actor,
        action=row.action if row.action not in set(Action) else Action(row.action),
        object=row.object,
        model=row.model,
        before=row.before,
        after=row.after,
        reason=row.reason,
        evidence_ids=tuple(row.evidence_ids),
        previous=row.previous,
        mac=row.mac,
    )


def first_unreadable(session: Session) -> int | None:
    """The number of the first entry whose JSON or time does not parse, or None: such a row cannot even be verified."""
    known = 0
    try:
        for entry in entries(session):
            known = entry.number
    except (ValueError, TypeError):
        numbers = session.exec(
            select(LedgerRow.number).where(col(LedgerRow.number) > known).order_by(col(LedgerRow.number))
        ).all()
        return next(number for number in numbers if not _readable(session, number))
    return None


def _readable(session: Session, number: int) -> bool:
    try:
        return one(session, number) is not None
    except (ValueError, TypeError):
        return False


def write_anchor(path: Path, anchor: Anchor, *, key: bytes) -> None:
    """Remember the head outside the database, sealed; an older head never replaces a newer one."""
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released with the file; two processes may commit at the same moment
        known = read_anchor(path, key=key)
        if known is not None and known.number >= anchor.number:
            return
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(anchor_text(key, anchor), encoding="ascii")
        draft.replace(path)


def read_anchor(path: Path, *, key: bytes) -> Anchor | None:
    """The remembered head; None when there is none, or what stands there cannot be read or is not sealed by us."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return anchor_of(key, file.read(_LONGEST_ANCHOR).strip())
    except OSError:
        return None


def head(session: Session) -> Anchor | None:
    """The last entry's number and seal, or None for an empty ledger."""
    row = session.exec(select(LedgerRow).order_by(col(LedgerRow.number).desc()).limit(1)).first()
    return None if row is None else Anchor(row.number, row.mac)


def find(session: Session, wanted: Filter, *, page: int, size: int) -> Page:
    """One page of the entries that `wanted` lets through, newest first."""
    conditions = _conditions(wanted)
    total = session.exec(select(func.count()).select_from(LedgerRow).where(*conditions)).one()
    number = min(max(1, page), max(1, -(-total // size)))
    rows = session.exec(
        select(LedgerRow)
        .where(*conditions)
        .order_by(col(LedgerRow.number).desc())
        .offset((number - 1) * size)
        .limit(size)
    ).all()
    return Page(tuple(to_entry(row) for row in rows), total, number, size)


def matching(session: Session, wanted: Filter) -> tuple[Entry, ...]:
    """All entries that `wanted` lets through, oldest first."""
    rows = session.exec(select(LedgerRow).where(*_conditions(wanted)).order_by(col(LedgerRow.number))).all()
    return tuple(to_entry(row) for row in rows)


def one(session: Session, number: int) -> Entry | None:
    """The entry with this number, or None."""
    row = session.get(LedgerRow, number)
    return None if row is None else to_entry(row)


def rejecters(session: Session, model: str) -> dict[str, str]:
    """Who rejected each rejected proposal of a model, by the proposal's id."""
    rows = session.exec(
        select(LedgerRow).where(LedgerRow.model == model, LedgerRow.action == str(Action.PROPOSAL_REJECTED))
    ).all()
    return {str(row.after.get("proposal", "")): row.actor for row in rows}


def card_writers(session: Session, model: str) -> tuple[str, ...]:
    """Ids of everybody who wrote a model's card since it was last approved, sorted."""
    approved = select(func.coalesce(func.max(LedgerRow.number), 0)).where(
        LedgerRow.model == model, LedgerRow.action == str(Action.CARD_APPROVED)
    )
    rows = session.exec(
        select(LedgerRow.actor)
        .where(
            LedgerRow.model == model,
            LedgerRow.action == str(Action.CARD_EDITED),
            col(LedgerRow.number) > approved.scalar_subquery(),
        )
        .distinct()
    ).all()
    return tuple(sorted(rows))


def choices(session: Session) -> Choices:
    """The actors, actions and models that occur."""
    return Choices(
        *(
            tuple(value for value in session.exec(select(column).distinct().order_by(column)).all() if value)
            for column in (col(LedgerRow.actor), col(LedgerRow.action), col(LedgerRow.model))
        )
    )


def _conditions(wanted: Filter) -> list[Any]:
    conditions: list[Any] = []
    for column, value in (
        (LedgerRow.actor, wanted.actor),
        (LedgerRow.action, wanted.action),
        (LedgerRow.model, wanted.model),
    ):
        if value:
            conditions.append(col(column) == value)
    if wanted.object:
        conditions.append(col(LedgerRow.object).icontains(wanted.object, autoescape=True))
    if wanted.start is not None:
        conditions.append(col(LedgerRow.at) >= wanted.start)
    if wanted.end is not None:
        conditions.append(col(LedgerRow.at) < wanted.end)
    if wanted.text:
        places = (LedgerRow.reason, LedgerRow.object, LedgerRow.before, LedgerRow.after)
        conditions.append(or_(*(cast(col(place), Text).icontains(wanted.text, autoescape=True) for place in places)))
    return conditions
