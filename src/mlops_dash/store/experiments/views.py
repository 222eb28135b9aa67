"""Saved views of runs and notes on comparisons."""

from __future__ import annotations

from collections.abc import Collection

from sqlmodel import Session, col, or_, select

from mlops_dash.domain.experiments.views import RunNote, SavedView, comparison_key
from mlops_dash.store.tables.experiments import RunNoteRow, RunViewRow


def views(session: Session, owner: str) -> tuple[SavedView, ...]:
    """The views of one person and those that others share: their own first, each by name."""
    asked = select(RunViewRow).where(or_(col(RunViewRow.owner) == owner, col(RunViewRow.shared)))
    found = [_view(row) for row in session.exec(asked)]
    return tuple(sorted(found, key=lambda one: (one.owner != owner, one.name.lower(), one.id)))


def view(session: Session, view_id: str) -> SavedView | None:
    """One view, or None."""
    row = session.get(RunViewRow, view_id)
    return None if row is None else _view(row)


def view_named(session: Session, owner: str, name: str) -> SavedView | None:
    """The view of this owner and name, or None."""
    row = session.exec(select(RunViewRow).where(RunViewRow.owner == owner, RunViewRow.name == name)).first()
    return None if row is None else _view(row)


def put_view(session: Session, made: SavedView) -> None:
    """Add a view, or write over the one with its id."""
    values = {**vars(made), "state": dict(made.state)}
    row = session.get(RunViewRow, made.id) or RunViewRow(**values)
    for name, value in values.items():
        setattr(row, name, value)
    session.add(row)
    session.flush()


def delete_view(session: Session, view_id: str) -> None:
    """Remove a view."""
    row = session.get(RunViewRow, view_id)
    if row is not None:
        session.delete(row)
        session.flush()


def notes(session: Session, run_ids: Collection[str]) -> tuple[RunNote, ...]:
    """The notes on a comparison of just these runs, the latest first."""
    asked = select(RunNoteRow).where(RunNoteRow.runs_key == comparison_key(run_ids))
    rows = session.exec(asked.order_by(col(RunNoteRow.at).desc(), col(RunNoteRow.id).desc()))
    return tuple(RunNote(row.id, tuple(row.run_ids), row.author, row.text, row.at) for row in rows)


def add_note(session: Session, made: RunNote) -> None:
    """Keep a note."""
    session.add(
        RunNoteRow(
            id=made.id, runs_key=comparison_key(made.run_ids), run_ids=list(made.run_ids), author=made.author,
            text=made.text, at=made.at,
        )
    )  # fmt: skip
    session.flush()


def _view(row: RunViewRow) -> SavedView:
    return SavedView(row.id, row.name, row.owner, row.shared, dict(row.state), row.created_at, row.updated_at)
