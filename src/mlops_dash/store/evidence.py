"""Evidence rows: kept once under the digest of what they say, never changed; and the counts that say their coverage."""

from __future__ import annotations

from collections.abc import Iterable

from sqlmodel import Session, col, select

from mlops_dash.domain.evidence import Evidence
from mlops_dash.errors import NotFound
from mlops_dash.store.tables.monitoring import ReferenceRow
from mlops_dash.store.tables.registry import EvidenceRow


def put(session: Session, found: Iterable[Evidence]) -> tuple[str, ...]:
    """Keep evidence; what is known already stays as it is. Gives the ids in the order of `found`."""
    ids: list[str] = []
    for one in found:
        ids.append(one.id)
        if session.get(EvidenceRow, one.id) is not None:
            continue
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
        session.flush()
    return tuple(ids)


def get(session: Session, ids: Iterable[str]) -> tuple[Evidence, ...]:
    """Evidence by id, in that order.

    Raises:
        NotFound: one of them was never kept.
    """
    found: list[Evidence] = []
    for one in ids:
        row = session.get(EvidenceRow, one)
        if row is None:
            raise NotFound(f"No evidence {one[:12]}.", hint="Evidence is never removed: check the id.")
        found.append(Evidence.from_json(row.body))
    return tuple(found)


def about(session: Session, subjects: Iterable[str], *, kinds: Iterable[str] = ()) -> tuple[Evidence, ...]:
    """All evidence about some subjects ("flight-delay v3"), oldest first."""
    query = select(EvidenceRow).where(col(EvidenceRow.subject).in_(list(subjects)))
    wanted = list(kinds)
    if wanted:
        query = query.where(col(EvidenceRow.kind).in_(wanted))
    rows = session.exec(query.order_by(col(EvidenceRow.computed_at), col(EvidenceRow.id))).all()
    return tuple(Evidence.from_json(row.body) for row in rows)


def prior_of(session: Session, version_id: str) -> float | None:
    """Share of label 1 in the version's latest reference, or None when it has none."""
    row = session.exec(
        select(ReferenceRow.baseline)
        .where(ReferenceRow.version_id == version_id)
        .order_by(col(ReferenceRow.created_at).desc(), col(ReferenceRow.id))
        .limit(1)
    ).first()
    prior = row.get("prior") if isinstance(row, dict) else None
    return None if prior is None else float(prior)
