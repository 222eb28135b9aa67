"""Readings and what a monitor needs to know about serving and jobs (app database)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, func, select

from mlops_dash.domain.monitoring.past import Span, spans_of
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.registry.records import CHAMPION
from mlops_dash.domain.words import Drift, Health, JobState, OperationState, ProposalState
from mlops_dash.ids import canonical_json
from mlops_dash.store import world
from mlops_dash.store.tables.jobs import JobRow, RecipeRow
from mlops_dash.store.tables.monitoring import ReadingRow
from mlops_dash.store.tables.registry import ModelRow, ModelVersionRow, OperationRow, ProposalRow, ServingRow

_IDS_A_STATEMENT = 500


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
    """All models that are not archived, by name."""
    query = select(ModelRow.name).where(col(ModelRow.archived_at).is_(None)).order_by(ModelRow.name)
    return tuple(session.exec(query).all())


def model_titles(session: Session) -> dict[str, str]:
    """Model -> title, of those that are not archived."""
    rows = session.exec(select(ModelRow).where(col(ModelRow.archived_at).is_(None))).all()
    return {row.name: row.title or row.name for row in rows}


def version(session: Session, version_id: str) -> Version | None:
    """A version by its id."""
    row = session.get(ModelVersionRow, version_id)
    return None if row is None else _version(row)


def _version(row: ModelVersionRow) -> Version:
    return Version(row.id, row.model, row.version, row.run_id, row.artifact_digest, row.data_digest)


def version_names(session: Session, model: str) -> dict[str, str]:
    """Version id -> the number people see."""
    query = select(ModelVersionRow.id, ModelVersionRow.version).where(ModelVersionRow.model == model)
    return dict(session.exec(query).all())


def served(session: Session) -> dict[str, str]:
    """Model -> id of the version that the gateway serves."""
    query = select(ServingRow.model, ServingRow.version_id).where(ServingRow.alias == CHAMPION)
    return dict(session.exec(query).all())


def champions(session: Session) -> dict[str, Version]:
    """Model -> the version that the gateway serves, of all models, in one statement."""
    rows = session.exec(
        select(ModelVersionRow)
        .join(ServingRow, col(ServingRow.version_id) == col(ModelVersionRow.id))
        .where(ServingRow.alias == CHAMPION)
    ).all()
    return {row.model: _version(row) for row in rows}


def champion(session: Session, model: str) -> Version | None:
    """The version that the gateway serves, or None when nothing is approved."""
    row = session.get(ServingRow, (model, CHAMPION))
    return None if row is None else version(session, row.version_id)


def serving_since(session: Session, model: str) -> datetime | None:
    """Since when the gateway serves what it serves; None when that is nothing."""
    row = session.get(ServingRow, (model, CHAMPION))
    return None if row is None else row.since


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


def unfinished(session: Session, model: str, window: timedelta) -> tuple[Version, datetime] | None:
    """The version that the champion replaced, and when, while its last windows are not judged or not ripe; else None.

    Args:
        session: On the app database.
        model: Whose.
        window: How long one of its windows is at least; of weeks and months a day, as the last one may end early.
    """
    around = surroundings(session, model)
    replaced = None if around.replaced is None else version(session, around.replaced)
    if replaced is None or replaced.id == around.serving:
        return None
    until = around.moves[-1].at
    last = session.exec(
        select(ReadingRow.window_end, ReadingRow.ripe)
        .where(ReadingRow.version_id == replaced.id, ReadingRow.window_start < until)
        .order_by(col(ReadingRow.window_start).desc())
        .limit(1)
    ).first()
    return None if last is not None and last[1] and last[0] + window > until else (replaced, until)


def model_readings(
    session: Session, model: str, *, start: datetime, end: datetime | None = None
) -> tuple[Reading, ...]:
    """The judged windows of all versions of a model that begin in [start, end), in order."""
    query = select(ReadingRow).where(ReadingRow.model == model, ReadingRow.window_start >= start)
    if end is not None:
        query = query.where(ReadingRow.window_start < end)
    ordered = query.order_by(col(ReadingRow.window_start), ReadingRow.version_id)
    return tuple(_reading(row) for row in session.exec(ordered).all())


def last_start(session: Session, model: str, *, before: datetime) -> datetime | None:
    """When the last judged window of a model before a time begins, whichever version it is of; None without any."""
    return session.exec(
        select(ReadingRow.window_start)
        .where(ReadingRow.model == model, ReadingRow.window_start < before)
        .order_by(col(ReadingRow.window_start).desc())
        .limit(1)
    ).first()


def last_readings(session: Session) -> dict[str, Reading]:
    """Version id -> its last window with rows, for all versions that serve, in one statement."""
    last = (
        select(ReadingRow.version_id, func.max(ReadingRow.window_start).label("start"))
        .join(
            ServingRow, (col(ServingRow.version_id) == col(ReadingRow.version_id)) & (col(ServingRow.alias) == CHAMPION)
        )
        .where(ReadingRow.n > 0)
        .group_by(col(ReadingRow.version_id))
        .subquery()
    )
    rows = session.exec(
        select(ReadingRow).join(
            last, (col(ReadingRow.version_id) == last.c.version_id) & (col(ReadingRow.window_start) == last.c.start)
        )
    ).all()
    return {row.version_id: _reading(row) for row in rows}


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
        if row is not None and _facts(_reading(row)) == _facts(one):
            continue
        changed += 1
        if row is None:
            row = ReadingRow(
                id=_id(one),
                model=one.model,
                version=one.version,
                version_id=one.version_id,
                revision=0,
            )
        row.window_kind, row.window_start, row.window_end = one.kind, one.start, one.end
        row.revision += 1
        row.n, row.n_labelled, row.ripe = one.n, one.n_labelled, one.ripe
        row.drift, row.health = str(one.drift), str(one.health)
        row.body, row.computed_at = dict(one.body), now
        session.add(row)
    return changed


def _facts(one: Reading) -> tuple[object, ...]:
    """What makes a window another one: a day without labels ripens although its body stays the same."""
    return one.kind, one.end, one.n, one.n_labelled, one.ripe, one.drift, one.health, canonical_json(one.body)


def _id(one: Reading) -> str:
    """The minutes only where a day begins within an hour, all of the moment where a batch names no round one."""
    if one.batch:
        return f"{one.version_id}:{one.start:%Y-%m-%dT%H%M%S.%f}"
    return f"{one.version_id}:{one.start:%Y-%m-%dT%H}" + (f"{one.start:%M}" if one.start.minute else "")


def drop_readings_besides(session: Session, version_id: str, windows: Sequence[Reading]) -> int:
    """Remove windows up to the end of the last of these that are none of them.

    They were cut in another zone or of another length, or are of a long silence.
    """
    if not windows:
        return 0
    kept = {one.start for one in windows}
    query = select(ReadingRow.id, ReadingRow.window_start).where(
        ReadingRow.version_id == version_id, ReadingRow.window_start < windows[-1].end
    )
    gone = [id_ for id_, start in session.exec(query).all() if start not in kept]
    for first in range(0, len(gone), _IDS_A_STATEMENT):
        session.connection().execute(
            delete(ReadingRow).where(col(ReadingRow.id).in_(gone[first : first + _IDS_A_STATEMENT]))
        )
    return len(gone)


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
        kind=row.window_kind,
    )


# The harm alarm's restarts by people


_RESTARTS = "harm_restarts:"


def restarts(session: Session, version_id: str) -> tuple[datetime, ...]:
    """When people restarted a version's harm alarm."""
    kept = world.get(session, f"{_RESTARTS}{version_id}") or []
    return tuple(datetime.fromisoformat(one) for one in kept)


def all_restarts(session: Session) -> dict[str, list[str]]:
    """Version id -> when people restarted its harm alarm, of all versions."""
    return {key.removeprefix(_RESTARTS): list(kept) for key, kept in world.beginning(session, _RESTARTS).items()}


def add_restart(session: Session, version_id: str, at: datetime) -> None:
    """Remember a restart."""
    kept = world.get(session, f"{_RESTARTS}{version_id}") or []
    world.put(session, f"{_RESTARTS}{version_id}", [*kept, at.isoformat()])


# What stands around the numbers


@dataclass(frozen=True)
class Move:
    """A promotion or rollback that happened."""

    at: datetime
    kind: str
    to_version_id: str
    from_version_id: str | None = None


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
    serving: str  # version id; "" when nothing is served
    serving_since: datetime | None
    retrains: tuple[Retrain, ...]
    waiting: str | None  # version id of an open proposal
    recipes: tuple[str, ...]

    @property
    def spans(self) -> tuple[Span, ...]:
        """Who served when, as far as it is known."""
        changes = [(one.at, one.to_version_id) for one in self.moves]
        return spans_of(changes, serving=self.serving, since=self.serving_since)

    @property
    def replaced(self) -> str | None:
        """Id of the version that the one in service took over from; None where that is not known."""
        return self.moves[-1].from_version_id if self.moves else None


MOVED = [str(OperationState.ALIAS_MOVED), str(OperationState.DELIVERED), str(OperationState.CONFIRMED)]


def surroundings(session: Session, model: str) -> Surroundings:
    """Read what a monitor's page says besides its own numbers."""
    moves = session.exec(
        select(OperationRow)
        .where(
            OperationRow.model == model,
            OperationRow.alias == CHAMPION,
            OperationRow.kind != "restore",  # it does not change the champion
            col(OperationRow.state).in_(MOVED),
        )
        .order_by(col(OperationRow.epoch), col(OperationRow.decided_at))
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
        moves=tuple(
            Move(one.alias_moved_at or one.decided_at, one.kind, one.to_version_id, one.from_version_id)
            for one in moves
        ),
        serving="" if serving is None else serving.version_id,
        serving_since=None if serving is None else serving.since,
        retrains=tuple(
            Retrain(job.id, JobState(job.state), job.finished_at or job.due_at, (job.arguments or {}).get("alert_id"))
            for job in jobs
        ),
        waiting=waiting,
        recipes=tuple(recipes),
    )
