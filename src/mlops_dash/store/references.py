"""References of versions, and the evidence that is measured with them (app database)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlmodel import Session, col, select

from mlops_dash.domain.evidence import Evidence
from mlops_dash.store.parts import Layout, Part, unpack_all
from mlops_dash.store.tables_app import EvidenceRow, ReferenceRow


@dataclass(frozen=True)
class Reference:
    """What a version's live traffic is compared with."""

    id: str
    version_id: str
    model: str
    start: datetime
    end: datetime
    n_rows: int
    kinds: Mapping[str, str]  # feature -> kind, or why it was left out
    cells: Mapping[str, Any]
    baseline: Mapping[str, Any]
    profile: bytes = field(repr=False)
    method: str
    created_at: datetime

    @cached_property
    def layout(self) -> Layout:
        """The cells."""
        return Layout.from_dict(self.cells)

    @cached_property
    def windows(self) -> tuple[Part, ...]:
        """The reference's own days."""
        return unpack_all(self.layout, self.profile)


def save_reference(session: Session, reference: Reference) -> bool:
    """Store a reference; False when the same one is there already."""
    if session.get(ReferenceRow, reference.id) is not None:
        return False
    session.add(
        ReferenceRow(
            id=reference.id,
            version_id=reference.version_id,
            model=reference.model,
            window_start=reference.start,
            window_end=reference.end,
            n_rows=reference.n_rows,
            schema_=dict(reference.kinds),
            cells=dict(reference.cells),
            profile=reference.profile,
            baseline=dict(reference.baseline),
            method=reference.method,
            created_at=reference.created_at,
        )
    )
    return True


def reference(session: Session, version_id: str) -> Reference | None:
    """The latest reference of a version."""
    row = session.exec(
        select(ReferenceRow)
        .where(ReferenceRow.version_id == version_id)
        .order_by(col(ReferenceRow.created_at).desc(), col(ReferenceRow.id))
        .limit(1)
    ).first()
    return None if row is None else _reference(row)


def references(session: Session) -> dict[str, list[Reference]]:
    """Model -> the latest reference of each of its versions."""
    latest: dict[str, ReferenceRow] = {}
    for row in session.exec(select(ReferenceRow).order_by(col(ReferenceRow.created_at), col(ReferenceRow.id))).all():
        latest[row.version_id] = row
    found: dict[str, list[Reference]] = {}
    for row in latest.values():
        found.setdefault(row.model, []).append(_reference(row))
    return found


def _reference(row: ReferenceRow) -> Reference:
    return Reference(
        id=row.id,
        version_id=row.version_id,
        model=row.model,
        start=row.window_start,
        end=row.window_end,
        n_rows=row.n_rows,
        kinds=row.schema_,
        cells=row.cells,
        baseline=row.baseline,
        profile=row.profile,
        method=row.method,
        created_at=row.created_at,
    )


def save_evidence(session: Session, found: Sequence[Evidence]) -> tuple[str, ...]:
    """Store evidence rows; equal facts are one row. Gives their ids."""
    for one in found:
        if session.get(EvidenceRow, one.id) is None:
            session.add(
                EvidenceRow(
                    id=one.id,
                    kind=one.kind,
                    subject=one.subject,
                    comparator=one.comparator,
                    metric=one.metric,
                    body=one.as_json(),
                    computed_at=one.computed_at,
                )
            )
    return tuple(one.id for one in found)
