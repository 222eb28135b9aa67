"""Read-only links to reports: made, found by the hash of their secret, counted, revoked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select, update
from sqlmodel.sql.expression import Select

from mlops_dash.domain.reports.levels import Level
from mlops_dash.domain.reports.shares import Share
from mlops_dash.domain.reports.snapshot import KIND_LABELS, ReportLine
from mlops_dash.store.reports import line_of
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.reports import ReportRow, ReportShareRow


@dataclass(frozen=True)
class Found:
    """A link with the hashes that are never shown."""

    share: Share
    secret_sha256: str
    password_hash: str


def add(session: Session, share: Share, *, secret_sha256: str, password_hash: str) -> None:
    """Keep a new link."""
    session.add(
        ReportShareRow(
            id=share.id, report_id=share.report_id, secret_sha256=secret_sha256, password_hash=password_hash,
            reason=share.reason, made_by=share.made_by, made_at=share.made_at, expires_at=share.expires_at,
            level=str(share.level),
        )
    )  # fmt: skip
    session.flush()


def shares(session: Session, *, report_id: str = "", limit: int = 500) -> tuple[Share, ...]:
    """Links, newest first; of one report, or of all."""
    query = _joined().order_by(col(ReportShareRow.made_at).desc(), col(ReportShareRow.id)).limit(limit)
    if report_id:
        query = query.where(ReportShareRow.report_id == report_id)
    return tuple(_share(*row) for row in session.exec(query))


def share(session: Session, share_id: str) -> Share | None:
    """One link, or None."""
    row = session.exec(_joined().where(ReportShareRow.id == share_id)).first()
    return None if row is None else _share(*row)


def by_secret(session: Session, secret_sha256: str) -> Found | None:
    """The link whose secret has this hash, or None."""
    row = session.exec(_joined().where(ReportShareRow.secret_sha256 == secret_sha256)).first()
    return None if row is None else Found(_share(*row), row[0].secret_sha256, row[0].password_hash)


def revoke(session: Session, share_id: str, *, wall: datetime) -> None:
    """Let a link open nothing any more."""
    session.execute(update(ReportShareRow).where(col(ReportShareRow.id) == share_id).values(revoked_at=wall))


def count(session: Session, share_id: str, *, wall: datetime) -> bool:
    """Count that a link was opened; False where it was revoked or ran out meanwhile, and nothing was counted."""
    change = (
        update(ReportShareRow)
        .where(
            col(ReportShareRow.id) == share_id,
            col(ReportShareRow.revoked_at).is_(None),
            col(ReportShareRow.expires_at) > wall,
        )
        .values(opens=ReportShareRow.opens + 1, last_opened_at=wall)
    )
    return bool(session.connection().execute(change).rowcount)


def _joined() -> Select[ReportShareRow, ReportRow, bool]:
    return (
        select(ReportShareRow, ReportRow, UserRow.disabled)
        .join(ReportRow, col(ReportRow.id) == ReportShareRow.report_id)
        .outerjoin(UserRow, col(UserRow.id) == ReportShareRow.made_by)
        .options(defer(col(ReportRow.facts)))  # type: ignore[arg-type]
    )


def _share(row: ReportShareRow, report: ReportRow, disabled: bool | None) -> Share:
    return Share(
        id=row.id, report_id=row.report_id, about=_words(line_of(report)), reason=row.reason, made_by=row.made_by,
        made_at=row.made_at, expires_at=row.expires_at, revoked_at=row.revoked_at, opens=row.opens,
        last_opened_at=row.last_opened_at, has_password=bool(row.password_hash), stopped=bool(disabled),
        level=Level(row.level),
    )  # fmt: skip


def _words(line: ReportLine) -> str:
    return f"{KIND_LABELS[line.kind]} of {line.of}, {line.about}"
