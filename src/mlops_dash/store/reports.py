"""Frozen reports: kept once under the hash of their facts, never changed."""

from __future__ import annotations

from sqlalchemy.orm import defer
from sqlmodel import Session, col, false, or_, select

from mlops_dash.domain.reports.snapshot import Report, ReportKind, ReportLine, Week
from mlops_dash.store.tables.reports import ReportRow

_FEWEST_DIGITS = 8


def add(session: Session, report: Report) -> None:
    """Keep a report."""
    line = report.line
    session.add(
        ReportRow(
            id=line.id,
            kind=str(line.kind),
            model=line.model or None,
            subject=line.subject,
            start=line.week.start,
            end=line.week.end,
            zone=line.week.zone,
            facts=dict(report.facts),
            sha256=line.sha256,
            made_by=line.made_by,
            made_at=line.made_at,
        )
    )
    session.flush()


def lines(session: Session, *, limit: int = 200) -> tuple[ReportLine, ...]:
    """The reports without their facts, newest first."""
    query = select(ReportRow).options(defer(col(ReportRow.facts)))  # type: ignore[arg-type]
    rows = session.exec(query.order_by(col(ReportRow.made_at).desc(), col(ReportRow.id)).limit(limit)).all()
    return tuple(line_of(row) for row in rows)


def report(session: Session, report_id: str) -> Report | None:
    """One report with its facts, or None."""
    row = session.get(ReportRow, report_id)
    return None if row is None else _report(row)


def named(session: Session, name: str) -> tuple[Report, ...]:
    """Reports with this id, or whose hash begins with it where it is 8 digits or more; at most three."""
    begins = col(ReportRow.sha256).startswith(name, autoescape=True) if len(name) >= _FEWEST_DIGITS else false()
    rows = session.exec(select(ReportRow).where(or_(col(ReportRow.id) == name, begins)).limit(3)).all()
    return tuple(_report(row) for row in rows)


def same(session: Session, kind: ReportKind, model: str, sha256: str) -> Report | None:
    """The report of this kind and model that holds these very facts, or None."""
    row = session.exec(
        select(ReportRow).where(ReportRow.kind == kind, ReportRow.model == (model or None), ReportRow.sha256 == sha256)
    ).first()
    return None if row is None else _report(row)


def with_hash(session: Session, sha256: str) -> Report | None:
    """The report whose facts have this hash, or None."""
    row = session.exec(select(ReportRow).where(ReportRow.sha256 == sha256)).first()
    return None if row is None else _report(row)


def _report(row: ReportRow) -> Report:
    return Report(line=line_of(row), facts=row.facts)


def line_of(row: ReportRow) -> ReportLine:
    """A row without its facts."""
    return ReportLine(
        id=row.id,
        kind=ReportKind(row.kind),
        model=row.model or "",
        subject=row.subject,
        week=Week(row.start, row.end, row.zone),
        sha256=row.sha256,
        made_by=row.made_by,
        made_at=row.made_at,
    )
