"""Rows of recipes and schedules, and what the Retraining page needs to know of alerts, serving and proposals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, delete, or_, select

from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.recipe_checks import checks_of
from mlops_dash.domain.registry.records import CARRIED_OUT, OPEN_STATES
from mlops_dash.domain.retraining import Candidate, Misfire, Recipe, Schedule, Unanswered
from mlops_dash.domain.starting import TRIGGERS, ScheduleKind
from mlops_dash.domain.words import AlertState, JobState
from mlops_dash.store import policies
from mlops_dash.store.jobs import to_job
from mlops_dash.store.tables.jobs import JobRow, RecipeRow, ScheduleRow
from mlops_dash.store.tables.monitoring import AlertRow
from mlops_dash.store.tables.registry import ModelRow, ProposalRow, ServingRow

_STILL_TO_DECIDE = {str(s) for s in (*OPEN_STATES, *CARRIED_OUT)}


def recipe(session: Session, name: str) -> Recipe | None:
    """One recipe."""
    row = session.get(RecipeRow, name)
    return None if row is None else _to_recipe(row)


def recipes(session: Session) -> tuple[Recipe, ...]:
    """All recipes by name."""
    return tuple(_to_recipe(row) for row in session.exec(select(RecipeRow).order_by(RecipeRow.name)))


def put_recipe(session: Session, made: Recipe, *, now: datetime) -> None:
    """Keep a recipe under its name."""
    session.merge(RecipeRow(**{**made.as_json(), "updated_at": now}))
    session.flush()


def schedule(session: Session, schedule_id: str) -> Schedule | None:
    """One schedule."""
    row = session.get(ScheduleRow, schedule_id)
    return None if row is None else _to_schedule(row)


def schedule_named(session: Session, name: str) -> Schedule | None:
    """The schedule of that name."""
    row = session.exec(select(ScheduleRow).where(ScheduleRow.name == name)).first()
    return None if row is None else _to_schedule(row)


def schedules(session: Session) -> tuple[Schedule, ...]:
    """All schedules by name."""
    return tuple(_to_schedule(row) for row in session.exec(select(ScheduleRow).order_by(ScheduleRow.name)))


def put_schedule(session: Session, made: Schedule) -> None:
    """Keep a schedule under its id."""
    upcoming = None if made.upcoming is None else [at.isoformat() for at in made.upcoming]
    values: dict[str, Any] = {**vars(made), "arguments": dict(made.arguments), "upcoming": upcoming}
    values.update(kind=str(made.kind), task=str(made.task), misfire=str(made.misfire))
    session.merge(ScheduleRow(**values))
    session.flush()


def remove_schedule(session: Session, schedule_id: str) -> None:
    """Take a schedule away; its jobs stay."""
    session.execute(delete(ScheduleRow).where(col(ScheduleRow.id) == schedule_id))


def needing_the_metronome(session: Session, *, now: datetime, schedule_id: str = "") -> tuple[Schedule, ...]:
    """Schedules that are due, not planned yet, or whose pause is over, and triggers always: all or only one."""
    query = select(ScheduleRow).where(_needs_the_metronome(now)).order_by(ScheduleRow.name)
    if schedule_id:
        query = query.where(ScheduleRow.id == schedule_id)
    return tuple(_to_schedule(row) for row in session.exec(query))


def names_needing_the_metronome(session: Session, *, now: datetime) -> dict[str, str]:
    """The same ones, id -> name, without reading what they say: one that cannot be read keeps no other waiting."""
    query = select(ScheduleRow.id, ScheduleRow.name).where(_needs_the_metronome(now)).order_by(ScheduleRow.name)
    return dict(session.exec(query).all())


def _needs_the_metronome(now: datetime) -> ColumnElement[bool]:
    on = col(ScheduleRow.enabled).is_(True)
    due = on & (col(ScheduleRow.next_due_at) <= now)
    looked_at = on & (col(ScheduleRow.kind) != str(ScheduleKind.CALL))  # a program calls that one by itself
    unplanned = looked_at & col(ScheduleRow.upcoming).is_(None)
    triggered = looked_at & col(ScheduleRow.kind).in_([str(kind) for kind in TRIGGERS])
    over = col(ScheduleRow.enabled).is_(False) & (col(ScheduleRow.paused_until) <= now)
    of_archived = (
        select(RecipeRow.name)
        .join(ModelRow, col(ModelRow.name) == RecipeRow.model)
        .where(col(RecipeRow.name) == ScheduleRow.recipe, col(ModelRow.archived_at).is_not(None))
        .exists()
    )
    return or_(due, unplanned, triggered, over) & ~of_archived


def unanswered_alerts(session: Session, *, model: str, kind: str) -> tuple[tuple[str, datetime, str], ...]:
    """(id, opened at, title) of this model's open alerts of one kind that no job answers yet, oldest first."""
    answered = select(JobRow.id).where(JobRow.alert_id == AlertRow.id).exists()
    rows = session.exec(
        select(AlertRow)
        .where(AlertRow.model == model, AlertRow.kind == kind, AlertRow.state == str(AlertState.OPEN), ~answered)
        .order_by(col(AlertRow.opened_at))
    )
    return tuple((row.id, row.opened_at, row.title) for row in rows)


def alerts_opened(session: Session, *, model: str, kind: str, since: datetime) -> tuple[datetime, ...]:
    """When alerts of one kind opened since a moment, ascending."""
    asked = select(AlertRow.opened_at).where(
        AlertRow.model == model, AlertRow.kind == kind, col(AlertRow.opened_at) >= since
    )
    return tuple(session.exec(asked.order_by(col(AlertRow.opened_at))))


def started_by_each(
    session: Session, schedule_ids: Sequence[str], *, newest: int, since: datetime
) -> dict[str, tuple[datetime, ...]]:
    """When the newest runs of each schedule were started since a moment, oldest first; skipped slots are no runs."""
    if not schedule_ids:
        return {}
    place = func.row_number().over(partition_by=JobRow.schedule_id, order_by=col(JobRow.created_at).desc())
    runs = (
        select(col(JobRow.schedule_id).label("schedule"), col(JobRow.created_at).label("at"), place.label("place"))
        .where(col(JobRow.schedule_id).in_(schedule_ids), col(JobRow.state) != str(JobState.SKIPPED))
        .where(col(JobRow.created_at) >= since)
        .subquery()
    )
    asked = select(runs.c.schedule, runs.c.at).where(runs.c.place <= newest).order_by(runs.c.at)
    found: dict[str, list[datetime]] = {}
    for schedule_id, at in session.exec(asked):
        found.setdefault(schedule_id, []).append(at)
    return {schedule_id: tuple(times) for schedule_id, times in found.items()}


def succeeded(session: Session, *, recipe: str, since: datetime) -> tuple[tuple[str, datetime], ...]:
    """(job, when) of a recipe's runs that succeeded since a moment, oldest first."""
    asked = select(JobRow.id, JobRow.finished_at).where(
        JobRow.recipe == recipe,
        JobRow.state == str(JobState.SUCCEEDED),
        JobRow.task == str(Task.RETRAIN),
        col(JobRow.finished_at) >= since,
    )
    return tuple((job, at) for job, at in session.exec(asked.order_by(col(JobRow.finished_at))) if at is not None)


def last_slot(session: Session, schedule_id: str) -> datetime | None:
    """The latest slot of a schedule that was run; None while none was."""
    run = (col(JobRow.schedule_id) == schedule_id) & (col(JobRow.state) != str(JobState.SKIPPED))
    asked = select(JobRow.due_at).where(run).order_by(col(JobRow.due_at).desc())
    return session.exec(asked.limit(1)).first()


def harm_without_run(session: Session, *, model: str = "") -> tuple[Unanswered, ...]:
    """Open harm alerts (of one model, or of all) that no job answers, oldest first."""
    answered = select(JobRow.id).where(JobRow.alert_id == AlertRow.id).exists()
    asked = select(AlertRow).where(AlertRow.kind == "harm", AlertRow.state == str(AlertState.OPEN), ~answered)
    if model:
        asked = asked.where(AlertRow.model == model)
    found = session.exec(asked.order_by(col(AlertRow.opened_at)))
    return tuple(Unanswered(row.model, row.title, row.opened_at) for row in found)


def alert_title(session: Session, alert_id: str) -> str | None:
    """An alert's title; None when there is no such alert."""
    row = session.get(AlertRow, alert_id)
    return None if row is None else row.title


def unfinished_for(
    session: Session, *, model: str, task: Task, states: Iterable[JobState] = (JobState.QUEUED, JobState.RUNNING)
) -> Job | None:
    """A job of this task that is queued or runs for the model, or is in one of these states."""
    row = session.exec(
        select(JobRow)
        .where(
            JobRow.model == model,
            JobRow.task == str(task),
            col(JobRow.state).in_([str(state) for state in states]),
        )
        .limit(1)
    ).first()
    return None if row is None else to_job(row)


def newest_of(session: Session, *, model: str, task: Task, states: Iterable[JobState]) -> Job | None:
    """The job of this task for the model that was asked for last, of those in one of these states."""
    row = session.exec(
        select(JobRow)
        .where(
            JobRow.model == model,
            JobRow.task == str(task),
            col(JobRow.state).in_([str(state) for state in states]),
        )
        .order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc())
        .limit(1)
    ).first()
    return None if row is None else to_job(row)


def candidate(session: Session, jobs: Sequence[Job]) -> Candidate | None:
    """The newest version among these jobs' results that does not serve and that nobody has decided on."""
    for job in jobs:
        version_id = str((job.result or {}).get("version_id", ""))
        if job.state is not JobState.SUCCEEDED or not version_id:
            continue
        serving = session.get(ServingRow, (job.model, "champion"))
        proposals = session.exec(select(ProposalRow.state).where(ProposalRow.version_id == version_id)).all()
        decided = any(state not in _STILL_TO_DECIDE for state in proposals)
        if (serving is not None and serving.version_id == version_id) or decided:
            return None
        version = str((job.result or {}).get("version", ""))
        return Candidate(job.model, version, version_id, job.id, proposed=bool(proposals))
    return None


def recipes_to_run(session: Session, model: str, *, now: datetime) -> list[tuple[Recipe, Job | None, str]]:
    """Recipes of a model ("" = of all), each with its last success and the zone whose midnights its windows end at."""
    found = []
    for recipe in recipes(session):
        if model in ("", recipe.model):
            zone = policies.active(session, recipe.model, PolicyKind.MONITORING, now).monitoring.zone
            found.append((recipe, _last_success(session, recipe), zone))
    return found


def _last_success(session: Session, recipe: Recipe) -> Job | None:
    row = session.exec(
        select(JobRow)
        .where(JobRow.recipe == recipe.name, JobRow.state == str(JobState.SUCCEEDED), JobRow.task == str(Task.RETRAIN))
        .order_by(col(JobRow.finished_at).desc())
        .limit(1)
    ).first()
    return None if row is None else to_job(row)


def _to_recipe(row: RecipeRow) -> Recipe:
    kept = {**row.model_dump(), "parameters": dict(row.parameters or {}), "checks": checks_of(row.checks)}
    return Recipe(**kept)


def _to_schedule(row: ScheduleRow) -> Schedule:
    kept = row.model_dump()
    kept.update(
        kind=ScheduleKind(row.kind),
        task=Task(row.task),
        misfire=Misfire(row.misfire),
        arguments=dict(row.arguments or {}),
        upcoming=None if row.upcoming is None else tuple(datetime.fromisoformat(text) for text in row.upcoming),
    )
    return Schedule(**kept)
