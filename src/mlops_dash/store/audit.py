"""The ledger's rows: append in the caller's transaction, read back, and the anchor file outside the database."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from mlops_dash.domain.audit import GENESIS, Action, Anchor, Entry, sign
from mlops_dash.store.tables_app import LedgerRow


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
        before=dict(before),
        after=dict(after),
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


def to_entry(row: LedgerRow) -> Entry:
    """A row as the domain knows it."""
    return Entry(
        number=row.number,
        at=row.at,
        recorded_at_wall=row.recorded_at_wall,
        actor=row.actor,
        action=Action(row.action),
        object=row.object,
        model=row.model,
        before=row.before,
        after=row.after,
        reason=row.reason,
        evidence_ids=tuple(row.evidence_ids),
        previous=row.previous,
        mac=row.mac,
    )


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Remember the head outside the database; an older head never replaces a newer one."""
    known = read_anchor(path)
    if known is not None and known.number >= anchor.number:
        return
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    draft.write_text(json.dumps({"number": anchor.number, "mac": anchor.mac}), encoding="utf-8")
    os.replace(draft, path)


def read_anchor(path: Path) -> Anchor | None:
    """The remembered head, or None when there is none yet."""
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Anchor(number=int(kept["number"]), mac=str(kept["mac"]))
