"""Semantic numbers of versions that are kept: one row a version."""

from __future__ import annotations

from sqlmodel import Session, col, select

from mlops_dash.domain.registry.semver import Numbered
from mlops_dash.store.tables.registry import ModelVersionRow, VersionNumberRow


def of_model(session: Session, model: str) -> dict[str, Numbered]:
    """The kept numbers of a model's versions, by version id."""
    rows = session.exec(
        select(VersionNumberRow)
        .join(ModelVersionRow, col(ModelVersionRow.id) == col(VersionNumberRow.version_id))
        .where(ModelVersionRow.model == model)
    )
    return {row.version_id: Numbered(**{**row.model_dump(), "reasons": tuple(row.reasons or ())}) for row in rows}


def put(session: Session, made: Numbered) -> None:
    """Keep a version's number in place of an earlier one."""
    session.merge(VersionNumberRow(**{**vars(made), "reasons": list(made.reasons)}))
    session.flush()
