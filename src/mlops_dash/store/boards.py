"""Labels of versions, and the newest of each model, for the board."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, func, select

from mlops_dash.store.tables.registry import ModelVersionRow


def labels(session: Session, version_ids: Sequence[str]) -> dict[str, str]:
    """Version id -> what people say: v3."""
    query = select(ModelVersionRow.id, ModelVersionRow.version, ModelVersionRow.incarnation)
    rows = session.exec(query.where(col(ModelVersionRow.id).in_(version_ids)))
    return {one: _label(version, incarnation) for one, version, incarnation in rows}


def newest(session: Session) -> dict[str, str]:
    """Model -> the label of the version that was made last."""
    latest = (
        select(ModelVersionRow.model, func.max(ModelVersionRow.created_at).label("at"))
        .group_by(ModelVersionRow.model)
        .subquery()
    )
    rows = session.exec(
        select(ModelVersionRow.model, ModelVersionRow.version, ModelVersionRow.incarnation).where(
            ModelVersionRow.model == latest.c.model, ModelVersionRow.created_at == latest.c.at
        )
    ).all()
    ordered = sorted(rows, key=lambda one: (int(one[1]) if one[1].isdecimal() else 0, one[2]))
    return {model: _label(version, incarnation) for model, version, incarnation in ordered}


def _label(version: str, incarnation: int) -> str:
    return f"v{version}" if incarnation == 1 else f"v{version} (no. {incarnation})"
