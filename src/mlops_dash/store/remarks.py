"""Comments on frozen reports, sign-offs and their withdrawals: added, never changed."""

from __future__ import annotations

from sqlmodel import Session, col, select

from mlops_dash.domain.reports.remarks import Remark, RemarkKind
from mlops_dash.store.tables.reports import ReportRemarkRow


def add(session: Session, made: Remark) -> None:
    """Keep a remark; a withdrawal lets its account sign anew."""
    if made.kind is RemarkKind.WITHDRAWN:
        own = (ReportRemarkRow.report_id == made.report_id, ReportRemarkRow.signer == made.by)
        for row in session.exec(select(ReportRemarkRow).where(*own)):
            row.signer = None
    signer = made.by if made.kind is RemarkKind.SIGN_OFF else None
    place = len(remarks(session, made.report_id))
    session.add(ReportRemarkRow(**{**vars(made), "kind": str(made.kind), "signer": signer, "place": place}))
    session.flush()


def remarks(session: Session, report_id: str = "") -> tuple[Remark, ...]:
    """Remarks, oldest first: of one report, or of all."""
    query = select(ReportRemarkRow).order_by(col(ReportRemarkRow.place), col(ReportRemarkRow.id))
    if report_id:
        query = query.where(ReportRemarkRow.report_id == report_id)
    return tuple(
        Remark(row.id, row.report_id, RemarkKind(row.kind), row.by, row.name, row.text, row.at)
        for row in session.exec(query)
    )
