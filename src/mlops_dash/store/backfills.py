"""Backfills among the jobs: those that carry the same group where others carry their schedule."""

from __future__ import annotations

from itertools import groupby

from sqlmodel import Session, col, select

from mlops_dash.domain.hindsight import Backfill, group_of, id_of
from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.words import JobState
from mlops_dash.store.jobs import to_job
from mlops_dash.store.tables.jobs import JobRow

_MOST = 2_000  # jobs that are looked at, newest first


def backfills(session: Session, *, model: str = "") -> tuple[Backfill, ...]:
    """Those of a model, or all, newest first."""
    wanted = select(JobRow).where(JobRow.task == str(Task.REFIT))
    if model:
        wanted = wanted.where(JobRow.model == model)
    found = session.exec(wanted.order_by(col(JobRow.created_at).desc(), col(JobRow.schedule_id)).limit(_MOST))
    jobs = [to_job(row) for row in found]
    return tuple(_of(list(members)) for _, members in groupby(jobs, key=lambda job: job.schedule_id))


def backfill(session: Session, backfill_id: str) -> Backfill | None:
    """One by its id, or the beginning of it."""
    wanted = select(JobRow).where(col(JobRow.schedule_id).startswith(group_of(backfill_id), autoescape=True))
    jobs = [to_job(row) for row in session.exec(wanted.limit(_MOST))] if backfill_id else []
    return _of(jobs) if jobs and len({job.schedule_id for job in jobs}) == 1 else None


def took(session: Session, recipe: str) -> float | None:
    """Seconds of a recipe's last success; None where it has none."""
    row = session.exec(
        select(JobRow.started_at, JobRow.finished_at)
        .where(JobRow.recipe == recipe, JobRow.state == str(JobState.SUCCEEDED), col(JobRow.started_at).is_not(None))
        .order_by(col(JobRow.finished_at).desc())
        .limit(1)
    ).first()
    return None if row is None or row[0] is None or row[1] is None else (row[1] - row[0]).total_seconds()


def _of(jobs: list[Job]) -> Backfill:
    ordered = tuple(sorted(jobs, key=lambda job: job.due_at))
    first = ordered[0]
    return Backfill(id_of(first.schedule_id or ""), first.recipe or "", first.model, ordered)
