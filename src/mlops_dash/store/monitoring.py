"""Readings and what a monitor needs to know about serving and jobs (app database)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from mlops_dash.domain.readings import Reading
from mlops_dash.domain.words import Drift, Health, JobState, OperationState, ProposalState
from mlops_dash.ids import canonical_json
from mlops_dash.store import world
from mlops_dash.store.tables_app import (
    JobRow,
    ModelRow,
    ModelVersionRow,
    OperationRow,
    ProposalRow,
    ReadingRow,
    RecipeRow,
    ServingRow,
)

CHAMPION = "champion"


@dataclass(frozen=True)
class Version:
    """A version as monitoring knows it."""

    id: str
    model: str
    version: str
    run_id: str
    artifact_digest: str
    data_digest: str


def model_names(session: Session) -> tuple[str, ...]:
    """All models, by name."""
    return tuple(session.exec(select(ModelRow.name).order_by(ModelRow.name)).all())


def model_titles(session: Session) -> dict[str, str]:
    """Model -> title."""
    return {row.name: row.title or row.name for row in session.exec(select(ModelRow)).all()}


def version(session: Session, version_id: str) -> Version | None:
    """A version by its id."""
    row = session.get(ModelVersionRow, version_id)
    if row is None:
        return None
    return Version(row.id, row.model, row.version, row.run_id, row.artifact_digest, row.data_digest)


def version_names(session: Session, model: str) -> dict[str, str]:
    """Version id -> the number people see."""
    query = select(ModelVersionRow.id, ModelVersionRow.version).where(ModelVersionRow.model == model)
    return dict(session.exec(query).all())


def champion(session: Session, model: str) -> Version | None:
    """The version that the gateway serves, or None when nothing is approved."""
    row = session.get(ServingRow, (model, CHAMPION))
    return None if row is None else version(session, row.version_id)


def readings(
    session: Session, version_id: str, *, start: datetime | None = None, end: datetime | None = None
) -> tuple[Reading, ...]:
    """The judged windows of a version that begin in [start, end), in order."""
    query = select(ReadingRow).where(ReadingRow.version_id == version_id)
    if start is not None:
        query = query.where(ReadingRow.window_start >= start)
    if end is not None:
        query = query.where(ReadingRow.window_start < end)
    return tuple(_reading(row) for row in session.exec(query.order_by(col(ReadingRow.window_start))).all())


def last_start(session: Session, version_id: str, *, before: datetime) -> datetime | None:
    """When the last judged window before a time begins; None when there is none."""
    return session.exec(
        select(ReadingRow.window_start)
        .where(ReadingRow.version_id == version_id, ReadingRow.window_start < before)
        .order_by(col(ReadingRow.window_start).desc())
        .limit(1)
    ).first()


def last_readings(session: Session) -> dict[str, Reading]:
    """Version id -> its last window, for all versions that serve."""
    served = session.exec(select(ServingRow.version_id).where(ServingRow.alias == CHAMPION)).all()
    found = {}
    for version_id in served:
        row = session.exec(
            select(ReadingRow)
            .where(ReadingRow.version_id == version_id, ReadingRow.n > 0)
            .order_by(col(ReadingRow.window_start).desc())
            .limit(1)
        ).first()
        if row is not None:
            found[version_id] = _reading(row)
    return found


def save_readings(session: Session, found: Sequence[Reading], *, now: datetime) -> int:
    """Write the readings that differ from what is stored; a changed window gets the next revision. Gives how many."""
    if not found:
        return 0
    held = {
        row.window_start: row
        for row in session.exec(
            select(ReadingRow).where(
                ReadingRow.version_id == found[0].version_id,
                ReadingRow.window_start >= found[0].start,
                ReadingRow.window_start <= found[-1].start,
            )
        ).all()
    }
    changed = 0
    for one in found:
        row = held.get(one.start)
        if row is not None and canonical_json(row.body) == canonical_json(one.body) and row.window_end == one.end:
            continue
        changed += 1
        if row is None:
            row = ReadingRow(
                id=f"{one.version_id}:{one.start:%Y-%m-%dT%H}",
                model=one.model,
                version=one.version,
                version_id=one.version_id,
                revision=0,
            )
        row.window_kind, row.window_start, row.window_end = "day", one.start, one.end
        row.revision += 1
        row.n, row.n_labelled, row.ripe = one.n, one.n_labelled, one.ripe
        row.drift, row.health = str(one.drift), str(one.health)
        row.body, row.computed_at = dict(one.body), now
        session.add(row)
    return changed


def _reading(row: ReadingRow) -> Reading:
    return Reading(
        model=row.model,
        version=row.version,
        version_id=row.version_id,
        start=row.window_start,
        end=row.window_end,
        n=row.n,
        n_labelled=row.n_labelled,
        ripe=row.ripe,
        drift=Drift(row.drift),
        health=Health(row.health),
        body=row.body,
        revision=row.revision,
    )


# The harm alarm's restarts by people


def restarts(session: Session, version_id: str) -> tuple[datetime, ...]:
    """When people restarted a version's harm alarm."""
    kept = world.get(session, f"harm_restarts:{version_id}") or []
    return tuple(datetime.fromisoformat(one) for one in kept)


def add_restart(session: Session, version_id: str, at: datetime) -> None:
    """Remember a restart."""
    kept = world.get(session, f"harm_restarts:{version_id}") or []
    world.put(session, f"harm_restarts:{version_id}", [*kept, at.isoformat()])


# What stands around the numbers


@dataclass(frozen=True)
class Move:
    """A promotion or rollback that happened."""

    at: datetime
    kind: str
    to_version_id: str


@dataclass(frozen=True)
class Retrain:
    """A retrain job."""

    id: str
    state: JobState
    at: datetime
    alert_id: str | None


@dataclass(frozen=True)
class Surroundings:
    """What else is going on with a model: who served when, retrains, an open proposal, recipes."""

    moves: tuple[Move, ...]
    serving_since: datetime | None
    retrains: tuple[Retrain, ...]
    waiting: str | None  # version id of an open proposal
    recipes: tuple[str, ...]


_MOVED = [str(OperationState.ALIAS_MOVED), str(OperationState.DELIVERED), str(OperationState.CONFIRMED)]


def surroundings(session: Session, model: str) -> Surroundings:
    """Read what a monitor's page says besides its own numbers."""
    moves = session.exec(
        select(OperationRow)
        .where(OperationRow.model == model, OperationRow.alias == CHAMPION, col(OperationRow.state).in_(_MOVED))
        .order_by(col(OperationRow.decided_at))
    ).all()
    jobs = session.exec(
        select(JobRow).where(JobRow.model == model, JobRow.task == "retrain").order_by(col(JobRow.due_at))
    ).all()
    waiting = session.exec(
        select(ProposalRow.version_id)
        .where(
            ProposalRow.model == model,
            col(ProposalRow.state).in_([str(ProposalState.OPEN), str(ProposalState.APPROVED)]),
        )
        .order_by(col(ProposalRow.created_at).desc())
        .limit(1)
    ).first()
    recipes = session.exec(select(RecipeRow.name).where(RecipeRow.model == model).order_by(RecipeRow.name)).all()
    serving = session.get(ServingRow, (model, CHAMPION))
    return Surroundings(
        moves=tuple(Move(one.alias_moved_at or one.decided_at, one.kind, one.to_version_id) for one in moves),
        serving_since=None if serving is None else serving.since,
        retrains=tuple(
            Retrain(job.id, JobState(job.state), job.finished_at or job.due_at, (job.arguments or {}).get("alert_id"))
            for job in jobs
        ),
        waiting=waiting,
        recipes=tuple(recipes),
    )
