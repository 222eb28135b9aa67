"""The queue's rows: enqueue, claim, fence, reap, and the lease; each step is one statement that two workers can race.

Wall times (heartbeats, leases) are handed in as `wall`, this world's times (due, started, finished) as `now`: a replay
that drives the clock must not make a living worker look dead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, func, or_, select

from mlops_dash.domain.jobs import Beat, Job, Lease, NewJob, Task
from mlops_dash.domain.words import JobState
from mlops_dash.store.db import is_sqlite
from mlops_dash.store.tables.jobs import JobRow, LeaseRow, RecipeRow

_RUNNING = str(JobState.RUNNING)
_QUEUED = str(JobState.QUEUED)


def enqueue(
    session: Session, job: NewJob, *, job_id: str, now: datetime, state: JobState = JobState.QUEUED, error: str = "",
    started: datetime | None = None,
) -> bool:  # fmt: skip
    """Add a job, or one that ended and began then. False when its schedule's slot is taken: then nothing changes."""
    finished = now if state is not JobState.QUEUED else None
    values = {
        "id": job_id, "task": str(job.task), "model": job.model, "recipe": job.recipe,
        "arguments": dict(job.arguments), "schedule_id": job.schedule_id, "alert_id": job.alert_id,
        "due_at": job.due_at, "state": str(state), "priority": job.priority, "exclusive_key": job.exclusive_key,
        "attempt": 0, "max_attempts": job.max_attempts, "epoch": 0, "claimed_by": "", "progress": 0.0,
        "progress_text": "", "cause": job.cause, "requested_by": job.requested_by, "cancel_requested": False,
        "cancel_reason": "", "error": error, "log_path": "", "created_at": started or now,
        "started_at": started, "finished_at": finished,
        "price_per_hour": _price(session, job.recipe), "spent_seconds": 0.0,
    }  # fmt: skip
    return insert_once(session, JobRow, values)


def _price(session: Session, recipe: str | None) -> float | None:
    """What an hour of the recipe costs now: a job keeps it, whatever it costs later."""
    made = session.get(RecipeRow, recipe) if recipe else None
    return None if made is None else made.price_per_hour


def insert_once(session: Session, table: type[Any], values: Mapping[str, Any]) -> bool:
    """Insert a row unless a unique key forbids it; says whether it was inserted."""
    insert = sqlite.insert if is_sqlite(session) else postgresql.insert
    first_key = next(iter(table.__table__.primary_key.columns))
    added = session.exec(insert(table).values(**values).on_conflict_do_nothing().returning(first_key))
    return added.first() is not None


def anything_due(session: Session, *, now: datetime) -> bool:
    """Whether a claim could find something: a look that takes no lock."""
    due = select(JobRow.id).where(JobRow.state == _QUEUED, col(JobRow.due_at) <= now).limit(1)
    return session.exec(due).first() is not None


def claim(session: Session, *, worker: str, now: datetime, wall: datetime) -> Job | None:
    """Take the most urgent due job, if there is one, by one UPDATE ... RETURNING.

    Order: priority, then due time. A job waits while another with its exclusive key runs; when two workers race for
    that key, the unique index lets one win and the other gets None.
    """
    other = aliased(JobRow)
    blocked = select(other.id).where(other.state == _RUNNING, other.exclusive_key == JobRow.exclusive_key).exists()
    candidate = (
        select(JobRow.id)
        .where(
            JobRow.state == _QUEUED,
            col(JobRow.due_at) <= now,
            or_(col(JobRow.not_before).is_(None), col(JobRow.not_before) <= now),
            or_(JobRow.exclusive_key == "", ~blocked),
        )
        .order_by(col(JobRow.priority).desc(), col(JobRow.due_at), col(JobRow.created_at), col(JobRow.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    take = (
        update(JobRow)
        .where(col(JobRow.id) == candidate.scalar_subquery(), col(JobRow.state) == _QUEUED)
        .values(
            state=_RUNNING, epoch=JobRow.epoch + 1, attempt=JobRow.attempt + 1, claimed_by=worker, heartbeat_at=wall,
            started_at=now, not_before=None, progress=0.0, progress_text="", error="", pid=None,
        )
        .returning(col(JobRow.id))
        .execution_options(synchronize_session=False)
    )  # fmt: skip
    try:
        taken = session.exec(take).first()
    except IntegrityError:
        session.rollback()
        return None
    return None if taken is None else get(session, taken[0])


def heartbeat(session: Session, *, job_id: str, epoch: int, wall: datetime) -> Beat:
    """Say that the job's worker lives; the answer says whether the job is still its own."""
    beat = session.exec(
        update(JobRow)
        .where(*_mine(job_id, epoch))
        .values(heartbeat_at=wall)
        .returning(col(JobRow.cancel_requested), col(JobRow.cancel_reason))
        .execution_options(synchronize_session=False)
    ).first()
    return Beat(mine=False) if beat is None else Beat(True, bool(beat[0]), str(beat[1]))


def progress(session: Session, *, job_id: str, epoch: int, text: str, share: float, wall: datetime) -> bool:
    """Note how far a job is, which is a sign of life too; False when it is no longer this epoch's."""
    return _write(session, job_id, epoch, {"progress_text": text, "progress": share, "heartbeat_at": wall})


def finish(
    session: Session, *, job_id: str, epoch: int, now: datetime, state: JobState,
    result: Mapping[str, Any] | None = None, error: str = "",
) -> bool:  # fmt: skip
    """End a job; False when it is no longer this epoch's."""
    values: dict[str, Any] = {"state": str(state), "finished_at": now, "error": error, "cancel_requested": False}
    if result is not None:
        values["result"] = dict(result)
    if state is JobState.SUCCEEDED:
        values["progress"] = 1.0
    return _write(session, job_id, epoch, values)


def put_back(
    session: Session, *, job_id: str, epoch: int, error: str, not_before: datetime | None, count_attempt: bool,
    seconds: float,
) -> bool:  # fmt: skip
    """Queue a running job again; a clean stop of the worker does not count as an attempt. Its `seconds` are kept."""
    values: dict[str, Any] = {"state": _QUEUED, "error": error, "not_before": not_before, "claimed_by": ""}
    values.update(progress=0.0, progress_text="", heartbeat_at=None, started_at=None)
    values["spent_seconds"] = col(JobRow.spent_seconds) + seconds
    if not count_attempt:
        values["attempt"] = case((col(JobRow.attempt) > 0, JobRow.attempt - 1), else_=0)
    return _write(session, job_id, epoch, values)


def lost(session: Session, *, silent_since: datetime) -> tuple[Job, ...]:
    """Running jobs whose worker has said nothing after `silent_since` (wall time)."""
    rows = session.exec(
        select(JobRow).where(JobRow.state == _RUNNING, col(JobRow.heartbeat_at) <= silent_since).order_by(JobRow.id)
    )
    return tuple(to_job(row) for row in rows)


def cancel_queued(session: Session, *, job_id: str, now: datetime, reason: str) -> bool:
    """Cancel a job that has not started; False when it has."""
    done = session.exec(
        update(JobRow)
        .where(col(JobRow.id) == job_id, col(JobRow.state) == _QUEUED)
        .values(state=str(JobState.CANCELLED), finished_at=now, cancel_reason=reason, error=reason)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)


def request_cancel(session: Session, *, job_id: str, reason: str) -> bool:
    """Ask the worker of a running job to stop it; False when it is not running."""
    done = session.exec(
        update(JobRow)
        .where(col(JobRow.id) == job_id, col(JobRow.state) == _RUNNING)
        .values(cancel_requested=True, cancel_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)


def get(session: Session, job_id: str) -> Job | None:
    """One job."""
    row = session.get(JobRow, job_id, populate_existing=True)
    return None if row is None else to_job(row)


def newest_in(session: Session, exclusive_key: str) -> Job | None:
    """The job that was asked for last of those that never run together; None without any."""
    row = session.exec(
        select(JobRow)
        .where(JobRow.exclusive_key == exclusive_key)
        .order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc())
        .limit(1)
    ).first()
    return None if row is None else to_job(row)


def last_about(session: Session, *, task: Task, model: str, version_id: str) -> Job | None:
    """The newest job of this task whose arguments name a version of the model; None without any."""
    rows = session.exec(
        select(JobRow)
        .where(JobRow.model == model, JobRow.task == str(task))
        .order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc())
    )
    return next((to_job(row) for row in rows if (row.arguments or {}).get("version_id") == version_id), None)


def forget_rows(session: Session, model: str, rows: Collection[str]) -> tuple[str, ...]:
    """Delete jobs that ask why one of these rows got its answer; gives their ids. A worker loses its one."""
    wanted = select(JobRow.id, JobRow.arguments).where(JobRow.model == model, JobRow.task == str(Task.ROW))
    named = set(rows)
    gone = tuple(job_id for job_id, given in session.exec(wanted) if str((given or {}).get("row")) in named)
    for at in range(0, len(gone), 500):
        session.exec(
            delete(JobRow).where(col(JobRow.id).in_(gone[at : at + 500])).execution_options(synchronize_session=False)
        )
    return gone


def mine(session: Session, *, job_id: str, epoch: int) -> bool:
    """Whether the job still runs under this epoch."""
    return session.exec(select(JobRow.id).where(*_mine(job_id, epoch))).first() is not None


def recent(
    session: Session, *, since: datetime | None, model: str = "", states: Iterable[JobState] = (), limit: int = 500,
    without: Collection[Task] = (),
) -> tuple[Job, ...]:  # fmt: skip
    """Jobs that are unfinished, or ended (or were due) at or after `since`, of some tasks none; newest first."""
    wanted = select(JobRow)
    if without:
        wanted = wanted.where(col(JobRow.task).not_in([str(task) for task in without]))
    if since is not None:
        open_ = col(JobRow.state).in_([_QUEUED, _RUNNING])
        wanted = wanted.where(or_(open_, col(JobRow.finished_at) >= since, col(JobRow.due_at) >= since))
    if model:
        wanted = wanted.where(JobRow.model == model)
    words = [str(state) for state in states]
    if words:
        wanted = wanted.where(col(JobRow.state).in_(words))
    rows = session.exec(wanted.order_by(col(JobRow.created_at).desc(), col(JobRow.id).desc()).limit(limit))
    return tuple(to_job(row) for row in rows)


def unfinished(session: Session) -> dict[JobState, int]:
    """How many jobs wait and how many run; a state without any is left out."""
    counted = select(JobRow.state, func.count()).where(col(JobRow.state).in_([_QUEUED, _RUNNING]))
    return {JobState(state): n for state, n in session.exec(counted.group_by(col(JobRow.state)))}


def lease(session: Session, *, name: str, holder: str, wall: datetime, seconds: float) -> Lease:
    """Take or keep the lead by one UPDATE: it succeeds when the lease is ours or has run out."""
    insert_once(session, LeaseRow, {"name": name, "holder": "", "until": wall - timedelta(days=1), "epoch": 0})
    until = wall + timedelta(seconds=seconds)
    epoch = case((col(LeaseRow.holder) == holder, LeaseRow.epoch), else_=LeaseRow.epoch + 1)
    won = session.exec(
        update(LeaseRow)
        .where(col(LeaseRow.name) == name, or_(col(LeaseRow.holder) == holder, col(LeaseRow.until) < wall))
        .values(holder=holder, until=until, epoch=epoch)
        .returning(col(LeaseRow.epoch))
        .execution_options(synchronize_session=False)
    ).first()
    if won is not None:
        return Lease(True, holder, until, int(won[0]))
    return leader(session, name) or Lease(False, "", wall, 0)


def leader(session: Session, name: str) -> Lease | None:
    """Who held the lease last, and until when; None when nobody ever did."""
    row = session.get(LeaseRow, name, populate_existing=True)
    return None if row is None else Lease(False, row.holder, row.until, row.epoch)


def give_up_lease(session: Session, *, name: str, holder: str, wall: datetime) -> None:
    """Let the next worker lead at once (a clean stop)."""
    session.exec(
        update(LeaseRow)
        .where(col(LeaseRow.name) == name, col(LeaseRow.holder) == holder)
        .values(until=wall - timedelta(seconds=1), holder="")
        .execution_options(synchronize_session=False)
    )


def to_job(row: JobRow) -> Job:
    """A row as the domain knows it."""
    kept = {name: value for name, value in row.model_dump().items() if name not in {"log_path", "pid"}}
    kept.update(task=Task(row.task), state=JobState(row.state), arguments=dict(row.arguments or {}))
    return Job(**kept)


def _mine(job_id: str, epoch: int) -> tuple[Any, Any, Any]:
    return col(JobRow.id) == job_id, col(JobRow.epoch) == epoch, col(JobRow.state) == _RUNNING


def _write(session: Session, job_id: str, epoch: int, values: Mapping[str, Any]) -> bool:
    done = session.exec(
        update(JobRow).where(*_mine(job_id, epoch)).values(**values).execution_options(synchronize_session=False)
    )
    return bool(done.rowcount)
