"""Which runs became versions: our mirror of MLflow's registry, by run."""

from __future__ import annotations

from sqlmodel import col, select

from mlops_dash.store.db import Session
from mlops_dash.store.tables.registry import ModelVersionRow


def versions_by_run(session: Session) -> dict[str, tuple[str, str]]:
    """Model and version of every run that became one; of two versions of one run the later."""
    rows = session.exec(select(ModelVersionRow).order_by(col(ModelVersionRow.created_at))).all()
    return {row.run_id: (row.model, row.version) for row in rows if row.run_id}
