"""Which files of models an admin trusts, by their digest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_dash.store.tables.registry import TrustedFilesRow


@dataclass(frozen=True)
class TrustedFiles:
    """Files that may run code of their own when they are loaded."""

    digest: str
    model: str
    version: str
    reason: str
    by: str
    at: datetime


def is_trusted(session: Session, digest: str) -> bool:
    """Whether somebody trusts files of this digest; nobody trusts files that were never looked at."""
    return digest != "" and session.get(TrustedFilesRow, digest) is not None


def trusted(session: Session, digest: str) -> TrustedFiles | None:
    """Who trusts files of this digest, since when and why."""
    row = session.get(TrustedFilesRow, digest)
    if row is None:
        return None
    return _files(row)


def of_model(session: Session, model: str) -> tuple[TrustedFiles, ...]:
    """Everything of a model that somebody trusts, oldest first."""
    query = select(TrustedFilesRow).where(TrustedFilesRow.model == model)
    rows = session.exec(query.order_by(col(TrustedFilesRow.trusted_at), col(TrustedFilesRow.digest)))
    return tuple(_files(row) for row in rows)


def withdraw(session: Session, digest: str) -> None:
    """Trust these files no longer; files that nobody trusts stay so."""
    row = session.get(TrustedFilesRow, digest)
    if row is not None:
        session.delete(row)
        session.flush()


def put(session: Session, files: TrustedFiles) -> None:
    """Trust them."""
    row = TrustedFilesRow(
        digest=files.digest, model=files.model, version=files.version, reason=files.reason, trusted_by=files.by,
        trusted_at=files.at,
    )  # fmt: skip
    session.merge(row)


def _files(row: TrustedFilesRow) -> TrustedFiles:
    return TrustedFiles(row.digest, row.model, row.version, row.reason, row.trusted_by, row.trusted_at)
