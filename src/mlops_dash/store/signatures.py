"""Which columns does a version take? What its signature named when it was read, kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from mlops_dash.store.tables.registry import VersionInputsRow


def inputs_of(session: Session, version_id: str) -> tuple[str, ...] | None:
    """The input columns of a version; None while its signature was never read."""
    row = session.get(VersionInputsRow, version_id)
    return None if row is None else tuple(row.names)


def keep_inputs(session: Session, version_id: str, names: Sequence[str], *, at: datetime) -> None:
    """Keep them; whoever read them at the same moment read the same."""
    session.merge(VersionInputsRow(version_id=version_id, names=list(names), read_at=at))
