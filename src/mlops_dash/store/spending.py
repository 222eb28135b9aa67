"""Rows behind what a recipe or schedule cost: jobs of a month, and how long its last successes took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import median

from sqlmodel import Session, and_, col, or_, select

from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.money import Usual
from mlops_dash.domain.words import JobState
from mlops_dash.store.jobs import to_job
from mlops_dash.store.tables.jobs import JobRow

LAST_RUNS = 10
_OPEN = (str(JobState.QUEUED), str(JobState.RUNNING))


def jobs_of_month(
    session: Session, recipes: Iterable[str], *, since: datetime, schedule_id: str = ""
) -> Mapping[str, tuple[Job, ...]]:
    """Jobs of recipes that began since a moment, and those that wait or run, by recipe; of one schedule only, if asked.

    One that ran, was put back and then ended while it waited counts where it ended. One query, whatever their number.
    """
    names = list(recipes)
    asked = select(JobRow).where(
        col(JobRow.recipe).in_(names),
        or_(
            col(JobRow.started_at) >= since,
            col(JobRow.state).in_(_OPEN),
            and_(col(JobRow.spent_seconds) > 0, col(JobRow.finished_at) >= since),
        ),
    )
    if schedule_id:
        asked = asked.where(JobRow.schedule_id == schedule_id)
    found: dict[str, list[Job]] = {name: [] for name in names}
    for row in session.exec(asked):
        found[str(row.recipe)].append(to_job(row))
    return {name: tuple(jobs) for name, jobs in found.items()}


def usual(session: Session, recipe: str) -> Usual:
    """How long its last runs that made a version took: the median, in seconds, and of how many."""
    asked = (
        select(JobRow.started_at, JobRow.finished_at)
        .where(
            JobRow.recipe == recipe,
            JobRow.state == str(JobState.SUCCEEDED),
            col(JobRow.task).in_((str(Task.RETRAIN), str(Task.REFIT))),
        )
        .order_by(col(JobRow.finished_at).desc())
        .limit(LAST_RUNS)
    )
    took = [(end - begun).total_seconds() for begun, end in session.exec(asked) if begun and end]
    return Usual(median(took) if took else None, len(took))
