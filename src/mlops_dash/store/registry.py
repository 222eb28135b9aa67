"""Models, versions, proposals, approvals, operations and what is served: rows in, domain objects out.

A rule that the database guards (one promoting proposal a model, one promotion a proposal, the proposal's revision)
comes back as a Conflict in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col, select

from mlops_dash.domain.access import Role
from mlops_dash.domain.audit import Entry
from mlops_dash.domain.registry.records import (
    CHAMPION,
    Approval,
    Heartbeat,
    Model,
    Operation,
    Proposal,
    Serving,
    Version,
)
from mlops_dash.domain.registry.rollouts import stages_as_json, stages_from_json
from mlops_dash.domain.words import OperationState, ProposalState
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.store.audit import to_entry
from mlops_dash.store.prediction_log import first_answer_since as first_answer
from mlops_dash.store.prediction_log import from_us, to_us
from mlops_dash.store.tables.access import UserRow
from mlops_dash.store.tables.audit import LedgerRow
from mlops_dash.store.tables.log import HeartbeatRow
from mlops_dash.store.tables.registry import (
    ApprovalRow,
    ModelRow,
    ModelVersionRow,
    OperationRow,
    ProposalRow,
    ServingRow,
)

# --- models and versions ----------------------------------------------------------------------------------------------

_LISTS = ("do_not_log", "class_names", "slices", "groups")  # of a model, kept as JSON


def models(session: Session, *, archived: bool = False) -> tuple[Model, ...]:
    """All models, by name; those that are archived only when asked for."""
    query = select(ModelRow).order_by(col(ModelRow.name))
    if not archived:
        query = query.where(col(ModelRow.archived_at).is_(None))
    return tuple(_model(row) for row in session.exec(query).all())


def archived_names(session: Session) -> frozenset[str]:
    """Names of the models that are archived."""
    return frozenset(session.exec(select(ModelRow.name).where(col(ModelRow.archived_at).is_not(None))).all())


def model(session: Session, name: str) -> Model:
    """One model.

    Raises:
        NotFound: nobody has added it.
    """
    row = session.get(ModelRow, name)
    if row is None:
        raise NotFound(f"No model {name!r}.", hint="Add it first, or check the name on the Registry page.")
    return _model(row)


def add_model(session: Session, made: Model) -> None:
    """Keep a new model.

    Raises:
        Conflict: the name is taken.
    """
    _add(session, _model_row(made), f"A model {made.name!r} exists.")


def change_model(session: Session, made: Model) -> None:
    """Keep what is new about a model."""
    row = session.get_one(ModelRow, made.name)
    for name, value in vars(made).items():
        setattr(row, name, list(value) if isinstance(value, tuple) else value)
    session.flush()


def versions(session: Session, name: str) -> tuple[Version, ...]:
    """All versions of a model that we ever recorded, newest first."""
    rows = session.exec(
        select(ModelVersionRow)
        .where(ModelVersionRow.model == name)
        .order_by(col(ModelVersionRow.created_at).desc(), col(ModelVersionRow.id).desc())
    ).all()
    known = [_version(row) for row in rows]
    return tuple(sorted(known, key=lambda one: (_number(one.version), one.incarnation), reverse=True))


def version(session: Session, version_id: str) -> Version:
    """One version.

    Raises:
        NotFound: it was never recorded.
    """
    row = session.get(ModelVersionRow, version_id)
    if row is None:
        raise NotFound(f"No version with the id {version_id!r}.", hint="Open it from the Registry page.")
    return _version(row)


def incarnations(session: Session, name: str, number: str) -> tuple[Version, ...]:
    """All lives of one version number, newest first."""
    rows = session.exec(
        select(ModelVersionRow)
        .where(ModelVersionRow.model == name, ModelVersionRow.version == number)
        .order_by(col(ModelVersionRow.incarnation).desc())
    ).all()
    return tuple(_version(row) for row in rows)


def add_version(session: Session, made: Version) -> None:
    """Keep a new version.

    Raises:
        Conflict: somebody recorded it at the same moment.
    """
    _add(session, ModelVersionRow(**vars(made)), f"{made.subject} was recorded already.")


def change_version(session: Session, version_id: str, **changes: Any) -> Version:
    """Fill in facts that became known later, such as the artifact digest."""
    row = session.get_one(ModelVersionRow, version_id)
    for name, value in changes.items():
        setattr(row, name, value)
    session.flush()
    return _version(row)


# --- proposals and approvals ------------------------------------------------------------------------------------------


def proposal(session: Session, proposal_id: str) -> Proposal:
    """One proposal.

    Raises:
        NotFound: no such proposal.
    """
    row = session.get(ProposalRow, proposal_id)
    if row is None:
        raise NotFound(f"No proposal {proposal_id!r}.", hint="Open it from the Registry page.")
    return _proposal(row)


def proposals(session: Session, name: str, *, states: Sequence[ProposalState] = ()) -> tuple[Proposal, ...]:
    """Proposals of a model, newest first, in some states or all."""
    query = select(ProposalRow).where(ProposalRow.model == name)
    if states:
        query = query.where(col(ProposalRow.state).in_([str(state) for state in states]))
    rows = session.exec(query.order_by(col(ProposalRow.created_at).desc(), col(ProposalRow.id).desc())).all()
    return tuple(_proposal(row) for row in rows)


def add_proposal(session: Session, made: Proposal) -> None:
    """Keep a new proposal."""
    values = {
        **vars(made),
        "state": str(made.state),
        "gates": dict(made.gates),
        "evidence_ids": list(made.evidence_ids),
        "stages": stages_as_json(made.stages) or None,
    }
    _add(session, ProposalRow(**values), f"The proposal {made.id} exists already.")


def change_proposal(session: Session, proposal_id: str, revision: int, **changes: Any) -> Proposal:
    """Change a proposal that nobody changed since `revision` was read; the revision grows by one.

    Raises:
        Conflict: somebody did, or another proposal of the model is being promoted.
    """
    values = {name: str(value) if name == "state" else value for name, value in changes.items()}
    statement = (
        update(ProposalRow)
        .where(col(ProposalRow.id) == proposal_id, col(ProposalRow.revision) == revision)
        .values(**values, revision=revision + 1)
    )
    try:
        result = session.connection().execute(statement)
    except IntegrityError as error:
        raise Conflict(
            "Another version of this model is being promoted at this moment.", hint="Wait until it is done."
        ) from error
    if result.rowcount != 1:
        raise Conflict("The proposal changed since you looked.", hint="Load the page again and look once more.")
    session.expire_all()
    return proposal(session, proposal_id)


def approvals(session: Session, proposal_id: str) -> tuple[Approval, ...]:
    """Approvals and overrides of a proposal, oldest first."""
    rows = session.exec(
        select(ApprovalRow)
        .where(ApprovalRow.proposal_id == proposal_id)
        .order_by(col(ApprovalRow.created_at), col(ApprovalRow.id))
    ).all()
    return tuple(_approval(row) for row in rows)


def put_approval(session: Session, made: Approval) -> None:
    """Keep an approval; one of the same person, kind and gate that went void before is replaced."""
    known = session.exec(
        select(ApprovalRow).where(
            ApprovalRow.proposal_id == made.proposal_id,
            ApprovalRow.approver == made.approver,
            ApprovalRow.kind == made.kind,
            ApprovalRow.gate == made.gate,
        )
    ).first()
    if known is None:
        _add(session, ApprovalRow(**vars(made)), "You did this already.")
        return
    for name, value in vars(made).items():
        if name != "id":
            setattr(known, name, value)
    session.flush()


def void_approval(session: Session, approval_id: str, *, at: datetime, reason: str) -> None:
    """Strike out one approval."""
    row = session.get_one(ApprovalRow, approval_id)
    row.void_at, row.void_reason = at, reason
    session.flush()


# --- operations and serving -------------------------------------------------------------------------------------------


def operation(session: Session, operation_id: str) -> Operation:
    """One operation.

    Raises:
        NotFound: no such operation.
    """
    row = session.get(OperationRow, operation_id)
    if row is None:
        raise NotFound(f"No operation {operation_id!r}.")
    return _operation(row)


def operations(session: Session, name: str) -> tuple[Operation, ...]:
    """All operations of a model, oldest first."""
    rows = session.exec(
        select(OperationRow)
        .where(OperationRow.model == name)
        .order_by(col(OperationRow.decided_at), col(OperationRow.id))
    ).all()
    return tuple(_operation(row) for row in rows)


def unfinished(session: Session) -> tuple[Operation, ...]:
    """Operations of all models that are decided and not done, oldest first."""
    rows = session.exec(
        select(OperationRow)
        .where(OperationRow.state == str(OperationState.DECIDED))
        .order_by(col(OperationRow.decided_at), col(OperationRow.id))
    ).all()
    return tuple(_operation(row) for row in rows)


def add_operation(session: Session, made: Operation) -> None:
    """Keep a new operation.

    Raises:
        Conflict: this proposal was promoted already.
    """
    values = {**vars(made), "state": str(made.state), "shadow_version_ids": list(made.shadow_version_ids)}
    _add(session, OperationRow(**values), "This proposal is being promoted already.")


def change_operation(session: Session, operation_id: str, **changes: Any) -> Operation:
    """Note how far an operation got."""
    row = session.get_one(OperationRow, operation_id)
    for name, value in changes.items():
        setattr(row, name, str(value) if name == "state" else value)
    session.flush()
    return _operation(row)


def serving(session: Session, name: str, alias: str = CHAMPION) -> Serving | None:
    """What the gateway follows for a model, or None when nothing was ever approved."""
    row = session.get(ServingRow, (name, alias))
    return None if row is None else _serving(row)


def champion(session: Session, name: str) -> Version | None:
    """The version that is served as champion."""
    current = serving(session, name)
    return None if current is None else version(session, current.version_id)


def in_flight(session: Session, name: str) -> Operation | None:
    """The change of champion that is decided and not done, if there is one."""
    return next((change for change in operations(session, name) if change.in_flight), None)


def servings(session: Session) -> tuple[Serving, ...]:
    """What the gateway follows, all models."""
    return tuple(_serving(row) for row in session.exec(select(ServingRow).order_by(col(ServingRow.model))).all())


def put_serving(session: Session, made: Serving) -> None:
    """Say what is served from now on."""
    session.merge(ServingRow(**{**vars(made), "shadow_version_ids": list(made.shadow_version_ids)}))
    session.flush()


# --- what the page shows besides --------------------------------------------------------------------------------------


def ledger_of(session: Session, name: str, *, limit: int) -> tuple[Entry, ...]:
    """The newest ledger entries about a model, newest first."""
    rows = session.exec(
        select(LedgerRow).where(LedgerRow.model == name).order_by(col(LedgerRow.number).desc()).limit(limit)
    ).all()
    return tuple(to_entry(row) for row in rows)


def people(session: Session) -> tuple[tuple[str, str, str], ...]:
    """(id, name to show, role) of everybody who may log in."""
    may_log_in = select(UserRow).where(col(UserRow.disabled).is_(False), UserRow.role != Role.SERVICE)
    rows = session.exec(may_log_in.order_by(col(UserRow.name))).all()
    return tuple((row.id, row.display_name or row.name, row.role) for row in rows)


def heartbeats(log_session: Session, name: str, *, since: datetime) -> tuple[Heartbeat, ...]:
    """What each gateway process said last about a model, of those that spoke since `since`."""
    rows = log_session.exec(
        select(HeartbeatRow)
        .where(HeartbeatRow.model == name, col(HeartbeatRow.at_us) >= to_us(since))
        .order_by(col(HeartbeatRow.process))
    ).all()
    return tuple(Heartbeat(row.process, row.version_id, row.epoch, from_us(row.at_us), row.error) for row in rows)


def first_answer_since(log_session: Session, version_id: str, since: datetime) -> datetime | None:
    """When the version first answered as champion from then on, by the prediction log; None = never."""
    return first_answer(log_session, version_id, since, role=CHAMPION)


def _add(session: Session, row: SQLModel, sentence: str) -> None:
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise Conflict(sentence, hint="Load the page again and look once more.") from error


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _model(row: ModelRow) -> Model:
    lists = {name: tuple(getattr(row, name) or ()) for name in _LISTS}
    return Model(**{**row.model_dump(), **lists})


def _model_row(made: Model) -> ModelRow:
    lists = {name: list(getattr(made, name)) for name in _LISTS}
    return ModelRow(**{**vars(made), **lists})


def _version(row: ModelVersionRow) -> Version:
    return Version(**row.model_dump())


def _proposal(row: ProposalRow) -> Proposal:
    values = row.model_dump()
    lists = {"evidence_ids": tuple(row.evidence_ids or ()), "stages": stages_from_json(row.stages)}
    return Proposal(**{**values, **lists, "state": ProposalState(row.state)})


def _approval(row: ApprovalRow) -> Approval:
    return Approval(**row.model_dump())


def _operation(row: OperationRow) -> Operation:
    shadows = tuple(row.shadow_version_ids or ())
    return Operation(**{**row.model_dump(), "state": OperationState(row.state), "shadow_version_ids": shadows})


def _serving(row: ServingRow) -> Serving:
    return Serving(**{**row.model_dump(), "shadow_version_ids": tuple(row.shadow_version_ids or ())})
