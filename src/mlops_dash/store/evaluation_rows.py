"""Rows that somebody pushed as evidence: what a version answered on which ids, kept as it came."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlmodel import Session, col, select

from mlops_dash.store.tables.registry import EvaluationRowsRow, ModelVersionRow


@dataclass(frozen=True)
class EvaluationRows:
    """One push."""

    id: str
    version_id: str
    digest: str
    source: str
    rows: pd.DataFrame
    pushed_at: datetime
    pushed_by: str


def add(session: Session, made: EvaluationRows) -> None:
    """Keep a push."""
    content = io.BytesIO()
    made.rows.to_parquet(content, index=False, compression="zstd")
    session.add(
        EvaluationRowsRow(
            id=made.id,
            version_id=made.version_id,
            digest=made.digest,
            n_rows=len(made.rows),
            source=made.source,
            content=content.getvalue(),
            pushed_at=made.pushed_at,
            pushed_by=made.pushed_by,
        )
    )
    session.flush()


def pushed_of(session: Session, version_ids: Collection[str]) -> frozenset[str]:
    """Which of these versions have rows."""
    query = select(EvaluationRowsRow.version_id).where(col(EvaluationRowsRow.version_id).in_(version_ids)).distinct()
    return frozenset(session.exec(query))


def naming(session: Session, model: str, ids: Collection[str]) -> tuple[str, ...]:
    """Labels of the versions of a model of which some push holds one of these ids."""
    query = (
        select(EvaluationRowsRow.content, ModelVersionRow.version)
        .join(ModelVersionRow, col(ModelVersionRow.id) == col(EvaluationRowsRow.version_id))
        .where(ModelVersionRow.model == model)
    )
    found = set()
    for content, version in session.exec(query):
        if pd.read_parquet(io.BytesIO(content), columns=["id"])["id"].isin(ids).any():
            found.add(f"v{version}")
    return tuple(sorted(found))


def newest(session: Session, version_id: str) -> EvaluationRows | None:
    """The push of a version that counts: its last one."""
    row = session.exec(
        select(EvaluationRowsRow)
        .where(EvaluationRowsRow.version_id == version_id)
        .order_by(col(EvaluationRowsRow.pushed_at).desc(), col(EvaluationRowsRow.id).desc())
        .limit(1)
    ).first()
    if row is None:
        return None
    rows = pd.read_parquet(io.BytesIO(row.content))
    return EvaluationRows(row.id, row.version_id, row.digest, row.source, rows, row.pushed_at, row.pushed_by)
