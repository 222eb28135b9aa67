"""All models at once: a fixed number of set-based statements, whatever the number of models.

Readings are read in three steps so that two years of them cost little: the last windows without their JSON, the JSON of
the few windows that the page speaks about, and one metric table of each window of the trend. No verdict here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, String, Text, and_, bindparam, cast, func, literal, or_
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from mlops_dash.domain.audit import Action, Entry
from mlops_dash.domain.fleet.attention import FailedJob, OpenAlert, OpenProposal, StuckOperation
from mlops_dash.domain.fleet.rows import FleetModel, Traffic
from mlops_dash.domain.jobs import FAILED
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.policies import PolicyKind, PolicyVersion
from mlops_dash.domain.registry.records import CHAMPION, EXTERNAL, OPEN_STATES
from mlops_dash.domain.words import AlertState, Drift, Health, JobState, OperationState, ProposalState
from mlops_dash.store.audit import to_entry
from mlops_dash.store.db import is_sqlite
from mlops_dash.store.monitoring.readings import MOVED
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import from_us, to_us
from mlops_dash.store.tables.audit import LedgerRow
from mlops_dash.store.tables.jobs import JobRow
from mlops_dash.store.tables.log import LabelRow, ManifestRow, PredictionRow
from mlops_dash.store.tables.monitoring import AlertRow, ReadingRow, ReferenceRow
from mlops_dash.store.tables.registry import (
    EvidenceRow,
    ModelRow,
    ModelVersionRow,
    OperationRow,
    PolicyVersionRow,
    ProposalRow,
    ServingRow,
)
from mlops_dash.store.types import UtcDateTime

HOURS_OF = timedelta(days=30)
SERIES = 90  # windows of each model: what Monitoring shows by default
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
MODELS_A_STATEMENT = 200  # of the log: SQLite gives back 2,000 columns at most, Postgres 1,664


def models(session: Session) -> tuple[FleetModel, ...]:
    """Every model that is not archived with what it serves, by name."""
    replaced = aliased(ModelVersionRow)
    rows = session.exec(
        select(  # type: ignore[call-overload]
            ModelRow, ServingRow, ModelVersionRow.version, OperationRow.kind, replaced.version
        )
        .join(ServingRow, and_(col(ServingRow.model) == ModelRow.name, col(ServingRow.alias) == CHAMPION), isouter=True)
        .join(ModelVersionRow, col(ModelVersionRow.id) == ServingRow.version_id, isouter=True)
        .join(OperationRow, col(OperationRow.id) == ServingRow.operation_id, isouter=True)
        .join(replaced, col(replaced.id) == OperationRow.from_version_id, isouter=True)
        .where(col(ModelRow.archived_at).is_(None))
        .order_by(ModelRow.name)
    ).all()
    return tuple(_model(*row) for row in rows)


def _model(
    row: ModelRow, serving: ServingRow | None, version: str | None, kind: str | None, replaced: str | None
) -> FleetModel:
    title = row.title or row.name
    if serving is None:
        return FleetModel(
            row.name, title, row.task, added_at=row.created_at, cadence=row.cadence, elsewhere=row.source == EXTERNAL
        )
    gated = kind in ("promote", "rollback")
    return FleetModel(row.name, title, row.task, serving.version_id, version or "", serving.since, gated,
                      replaced or "", row.created_at, row.cadence, row.source == EXTERNAL)  # fmt: skip


def monitoring_policies(session: Session, now: datetime) -> dict[str, PolicyVersion]:
    """Model -> the monitoring policy in force, of the models that have one."""
    rows = session.exec(
        select(PolicyVersionRow)
        .where(
            PolicyVersionRow.kind == str(PolicyKind.MONITORING),
            col(PolicyVersionRow.approver).is_not(None),
            col(PolicyVersionRow.active_from) <= now,
        )
        .order_by(col(PolicyVersionRow.number))
    ).all()
    return {row.model: PolicyVersion(**{**row.model_dump(), "kind": PolicyKind(row.kind)}) for row in rows}


# --- readings ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Window:
    """A judged window without its body, and the id under which the body is kept."""

    id: str
    reading: Reading


def series(session: Session, *, before: datetime) -> dict[str, tuple[Window, ...]]:
    """Model that serves -> windows of all its versions, its last `SERIES` ones before a time, without bodies.

    Of hours those of the last `HOURS_OF`, so that days are whole.
    """
    back = aliased(ReadingRow)
    first = (
        select(back.window_start)
        .distinct()
        .where(back.model == ServingRow.model, back.window_start < before)
        .order_by(col(back.window_start).desc())
        .offset(SERIES - 1)
        .limit(1)
        .correlate(ServingRow)
        .scalar_subquery()
    )
    rows = session.exec(
        select(  # type: ignore[call-overload]
            ReadingRow.id,
            ReadingRow.model,
            ReadingRow.version,
            ReadingRow.version_id,
            ReadingRow.window_start,
            ReadingRow.window_end,
            ReadingRow.n,
            ReadingRow.n_labelled,
            ReadingRow.ripe,
            ReadingRow.drift,
            ReadingRow.health,
            ReadingRow.window_kind,
        )
        .join(ServingRow, and_(col(ServingRow.model) == ReadingRow.model, col(ServingRow.alias) == CHAMPION))
        .where(
            col(ReadingRow.window_start) < before,
            or_(
                col(ReadingRow.window_start) >= func.coalesce(first, literal(_LONG_AGO, UtcDateTime)),
                and_(col(ReadingRow.window_kind) == "hour", col(ReadingRow.window_start) >= before - HOURS_OF),
            ),
        )
        .order_by(ReadingRow.model, ReadingRow.window_start, ReadingRow.version_id)
    ).all()
    found: dict[str, list[Window]] = {}
    for id_, model, version, version_id, start, end, n, n_labelled, ripe, drift, health, kind in rows:
        made = Reading(model, version, version_id, start, end, n, n_labelled, ripe, Drift(drift), Health(health), {},
                       kind=kind)  # fmt: skip
        found.setdefault(model, []).append(Window(id_, made))
    return {model: tuple(windows) for model, windows in found.items()}


def changes(session: Session) -> dict[str, list[tuple[datetime, str]]]:
    """Model -> its changes of champion, in order: when, and to which version."""
    rows = session.exec(
        select(OperationRow.model, OperationRow.alias_moved_at, OperationRow.decided_at, OperationRow.to_version_id)
        .where(OperationRow.alias == CHAMPION, OperationRow.kind != "restore", col(OperationRow.state).in_(MOVED))
        .order_by(OperationRow.model, col(OperationRow.epoch), col(OperationRow.decided_at))
    ).all()
    found: dict[str, list[tuple[datetime, str]]] = {}
    for model, moved_at, decided_at, version_id in rows:
        found.setdefault(model, []).append((moved_at or decided_at, version_id))
    return found


def bodies(session: Session, ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
    """Reading id -> its body."""
    return dict(session.exec(select(ReadingRow.id, ReadingRow.body).where(col(ReadingRow.id).in_(ids))).all())


def trailing(session: Session, ids: Collection[str], days: int) -> dict[str, Mapping[str, Sequence[Any]]]:
    """Reading id -> metric -> its stored estimate over the trailing `days`; the database cuts it out of the body."""
    if is_sqlite(session):
        part = func.json_extract(ReadingRow.body, f'$.metrics."{days}"', type_=Text)
    else:
        part = cast(ReadingRow.body, JSONB)["metrics"][str(days)].astext
    rows = session.exec(select(ReadingRow.id, part).where(col(ReadingRow.id).in_(ids))).all()
    return {id_: json.loads(found) for id_, found in rows if found}


def references(session: Session) -> dict[str, Reference]:
    """Served version -> its latest reference, without cells and profile: they are large and not drawn here."""
    rows = session.exec(
        select(  # type: ignore[call-overload]
            ReferenceRow.id,
            ReferenceRow.version_id,
            ReferenceRow.model,
            ReferenceRow.window_start,
            ReferenceRow.window_end,
            ReferenceRow.n_rows,
            ReferenceRow.schema_,
            ReferenceRow.baseline,
            ReferenceRow.method,
            ReferenceRow.created_at,
        )
        .join(
            ServingRow, and_(col(ServingRow.version_id) == ReferenceRow.version_id, col(ServingRow.alias) == CHAMPION)
        )
        .order_by(col(ReferenceRow.created_at), col(ReferenceRow.id).desc())
    ).all()
    return {
        row[1]: Reference(
            id=row[0],
            version_id=row[1],
            model=row[2],
            start=row[3],
            end=row[4],
            n_rows=row[5],
            kinds=row[6],
            cells={},
            baseline=row[7],
            profile=b"",
            method=row[8],
            created_at=row[9],
        )
        for row in rows
    }


# --- what waits or went wrong -----------------------------------------------------------------------------------------


def open_alerts(session: Session) -> tuple[OpenAlert, ...]:
    """Alerts that are not closed, of models that are not archived, oldest first."""
    archived = select(ModelRow.name).where(col(ModelRow.archived_at).is_not(None))
    rows = session.exec(
        select(AlertRow)
        .where(AlertRow.state != str(AlertState.CLOSED), col(AlertRow.model).not_in(archived))
        .order_by(col(AlertRow.opened_at))
    ).all()
    return tuple(
        OpenAlert(
            model=row.model,
            version=row.version,
            kind=row.kind,
            severity=row.severity,
            state=AlertState(row.state),
            title=row.title,
            cause=row.cause,
            opened_at=row.opened_at,
            owner=row.owner,
            snoozed_until=row.snoozed_until,
        )
        for row in rows
    )


def open_proposals(session: Session, now: datetime) -> tuple[OpenProposal, ...]:
    """Proposals that wait for an approval or for the promote click, oldest first."""
    rows = session.exec(
        select(ProposalRow, ModelVersionRow.version)
        .where(
            ProposalRow.version_id == ModelVersionRow.id,
            col(ProposalRow.state).in_([str(one) for one in OPEN_STATES]),
            col(ProposalRow.expires_at) > now,
        )
        .order_by(col(ProposalRow.created_at))
    ).all()
    return tuple(
        OpenProposal(row.model, version, ProposalState(row.state), row.proposer, row.comment, row.created_at)
        for row, version in rows
    )


def stuck_operations(session: Session) -> tuple[StuckOperation, ...]:
    """The last change of champion of each model, where it failed or is not carried out yet."""
    later = aliased(OperationRow)
    rows = session.exec(
        select(OperationRow, ModelVersionRow.version)
        .where(
            OperationRow.to_version_id == ModelVersionRow.id,
            col(OperationRow.state).in_([str(OperationState.DECIDED), str(OperationState.FAILED)]),
            ~select(later.id)
            .where(later.model == OperationRow.model, later.decided_at > OperationRow.decided_at)
            .exists(),
        )
        .order_by(col(OperationRow.decided_at))
    ).all()
    return tuple(
        StuckOperation(row.model, version, row.kind, OperationState(row.state), row.error, row.decided_at)
        for row, version in rows
    )


def failed_jobs(session: Session, *, since: datetime) -> tuple[FailedJob, ...]:
    """Jobs that ended badly since a time and that no later one of the same task, model and recipe made good."""
    later = aliased(JobRow)
    rows = session.exec(
        select(JobRow)
        .where(
            col(JobRow.state).in_([str(one) for one in FAILED]),
            col(JobRow.finished_at) >= since,
            ~select(later.id)
            .where(
                later.task == JobRow.task,
                later.model == JobRow.model,
                func.coalesce(later.recipe, "") == func.coalesce(JobRow.recipe, ""),
                col(later.state).in_([str(one) for one in (JobState.SUCCEEDED, *FAILED)]),
                col(later.finished_at) > col(JobRow.finished_at),
            )
            .exists(),
        )
        .order_by(col(JobRow.finished_at))
    ).all()
    return tuple(
        FailedJob(row.id, row.task, row.model, row.recipe or "", JobState(row.state), row.error, row.finished_at)
        for row in rows
        if row.finished_at is not None
    )


def decisions(session: Session, actions: Collection[Action], *, limit: int) -> tuple[Entry, ...]:
    """The newest ledger entries of these actions, newest first."""
    rows = session.exec(
        select(LedgerRow)
        .where(col(LedgerRow.action).in_([str(one) for one in actions]))
        .order_by(col(LedgerRow.number).desc())
        .limit(limit)
    ).all()
    return tuple(to_entry(row) for row in rows)


# --- how far models have come -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """Which models have a version, and which have evidence about one."""

    registered: frozenset[str]
    with_evidence: frozenset[str]


def known(session: Session) -> Known:
    """How far models have come before their first prediction."""
    subject = ModelVersionRow.model + " v" + ModelVersionRow.version
    measured = select(EvidenceRow.id).where(EvidenceRow.subject == subject, EvidenceRow.kind != "harm").exists()
    rows = session.exec(
        select(ModelVersionRow.model, func.max(cast(measured, Integer))).group_by(ModelVersionRow.model)
    ).all()
    return Known(frozenset(model for model, _ in rows), frozenset(model for model, has in rows if has))


def traffic(log_session: Session, names: Sequence[str], *, since: datetime, until: datetime) -> dict[str, Traffic]:
    """Model -> its predictions in (since, until], its last prediction and its last label.

    Each figure is a look at the end of an index; a GROUP BY over the log would read all of it.
    """
    found: dict[str, Traffic] = {}
    times = {"since": to_us(since), "until": to_us(until)}
    for first in range(0, len(names), MODELS_A_STATEMENT):
        part = names[first : first + MODELS_A_STATEMENT]
        asked = {f"model_{i}": name for i, name in enumerate(part)}
        row = log_session.connection().execute(_traffic_of(len(part)), {**times, **asked}).one()
        for i, name in enumerate(part):
            n, last, label = row[3 * i : 3 * i + 3]
            found[name] = Traffic(n, None if last is None else from_us(last), None if label is None else from_us(label))
    return found


@lru_cache(maxsize=8)
def _traffic_of(n_models: int) -> Select[Any]:
    """The statement for so many models: making it takes longer than running it."""
    columns = [column for i in range(n_models) for column in _of_model(bindparam(f"model_{i}", type_=String))]
    made: Select[Any] = select(*columns)
    return made


def _of_model(name: Any) -> tuple[Any, Any, Any]:
    before = col(PredictionRow.at_us) <= bindparam("until", type_=BigInteger)
    after = col(PredictionRow.at_us) > bindparam("since", type_=BigInteger)
    counted = select(func.count()).where(col(PredictionRow.model) == name, after, before)
    last = select(func.max(PredictionRow.at_us)).where(col(PredictionRow.model) == name, before)
    label = select(func.max(LabelRow.received_at_us)).where(col(LabelRow.model) == name)
    return counted.scalar_subquery(), _or_archived(last, name, "prediction"), _or_archived(label, name, "label")


def _or_archived(hot: Any, name: Any, kind: str) -> Any:
    """A model whose last rows are archived has had them all the same."""
    cold = select(func.max(ManifestRow.max_at_us)).where(ManifestRow.model == name, ManifestRow.kind == kind)
    return func.coalesce(hot.scalar_subquery(), cold.scalar_subquery())
