"""Conditions and reviews that approvers asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, func, select

from mlops_dash.domain.registry.conditions import Condition
from mlops_dash.domain.registry.records import CARRIED_OUT, OPEN_STATES
from mlops_dash.domain.words import ProposalState
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.store.tables.registry import ConditionRow, ModelRow, ModelVersionRow, ProposalRow

# Of a proposal that was turned down nothing is asked any more.
_STANDING = [str(one) for one in (*OPEN_STATES, *CARRIED_OUT, ProposalState.PROMOTED)]


def add(session: Session, made: Sequence[Condition]) -> None:
    """Keep new ones."""
    for one in made:
        session.add(
            ConditionRow(
                id=one.id, kind=one.kind, proposal_id=one.proposal_id, text=one.text, by=one.by, at=one.at,
                due_at=one.due_at,
            )
        )  # fmt: skip
    session.flush()


def get(session: Session, condition_id: str) -> Condition:
    """One condition.

    Raises:
        NotFound: no such condition.
    """
    found = session.exec(_joined().where(ConditionRow.id == condition_id)).first()
    if found is None:
        raise NotFound(f"No condition {condition_id[:40]!r}.", hint="mlops-dash conditions MODEL lists them.")
    return _condition(*found)


def of_model(session: Session, model: str) -> tuple[Condition, ...]:
    """All of a model whose proposals were not turned down, oldest first, done ones too."""
    query = _joined().where(ProposalRow.model == model, col(ProposalRow.state).in_(_STANDING))
    return tuple(
        _condition(*row)
        for row in session.exec(query.order_by(col(ConditionRow.at), col(ConditionRow.kind), col(ConditionRow.text)))
    )


def due(session: Session, now: datetime) -> tuple[Condition, ...]:
    """What nobody did of watched models, the longest due first: reviews from their day, conditions once promoted."""
    promoted = col(ConditionRow.due_at).is_(None) & (col(ProposalRow.state) == str(ProposalState.PROMOTED))
    query = _joined().where(
        ProposalRow.model == ModelRow.name,
        col(ModelRow.archived_at).is_(None),
        col(ProposalRow.state).in_(_STANDING),
        col(ConditionRow.done_at).is_(None),
        (col(ConditionRow.due_at) <= now) | promoted,
    )
    since = func.coalesce(ConditionRow.due_at, ConditionRow.at)
    return tuple(_condition(*row) for row in session.exec(query.order_by(since, col(ConditionRow.text))))


def asked_again(session: Session, made: Sequence[Condition]) -> None:
    """Take away what new ones replace: the same approver's of the same proposal, of the same words, or a review."""
    for one in made:
        query = select(ConditionRow).where(
            ConditionRow.proposal_id == one.proposal_id,
            ConditionRow.by == one.by,
            ConditionRow.kind == one.kind,
            ConditionRow.text == one.text,
            col(ConditionRow.done_at).is_(None),
        )
        for row in session.exec(query):
            session.delete(row)
    session.flush()


def finish(session: Session, condition_id: str, *, at: datetime, by: str, note: str) -> None:
    """Say that it is done.

    Raises:
        Conflict: somebody said so at the same moment.
    """
    row = session.get_one(ConditionRow, condition_id)
    if row.done_at is not None:
        raise Conflict("It is done already.", hint="Load the page again.")
    row.done_at, row.done_by, row.done_note = at, by, note
    session.flush()


def _joined() -> Any:
    return select(ConditionRow, ProposalRow, ModelVersionRow.version).where(
        ConditionRow.proposal_id == ProposalRow.id, ProposalRow.version_id == ModelVersionRow.id
    )


def _condition(row: ConditionRow, proposal: ProposalRow, version: str) -> Condition:
    promoted = proposal.state == ProposalState.PROMOTED
    known = {"model": proposal.model, "version": version, "proposer": proposal.proposer, "promoted": promoted}
    return Condition(**{**row.model_dump(), **known})
