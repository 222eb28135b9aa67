"""The queue's verbs: take a job, say that you live, end it, cancel it, read its log.

Workers act as `system:*` under an epoch; a write with an old epoch raises Conflict and changes nothing. Heartbeats and
leases count wall time, everything a person reads counts this world's time.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mlops_dash.domain import jobs as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import LEASE, LEASE_SECONDS, Beat, Job, Lease, LogChunk, NewJob, Trouble
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import jobs as rows
from mlops_dash.store.db import Session, reading, transaction

TAIL_BYTES = 64_000


class JobsService:
    """Jobs: enqueue, claim, fence, reap, cancel, read."""

    def __init__(self, context: Context) -> None:
        self.context = context

    # --- what people do -----------------------------------------------------------------------------------------------

    @command(Permission.JOB_CANCEL, Action.JOB_CANCEL_REQUESTED)
    def cancel(self, unit: Unit, actor: Actor, job_id: str, reason: str) -> JobState:
        """Stop a job: one that waits ends at once, one that runs is stopped by its worker within seconds.

        Scientists and above; audited with the reason.

        Returns:
            The state the job is in now (cancelled, or running until its processes are gone).

        Raises:
            NotFound: there is no such job.
            InvalidInput: no reason was given.
            Conflict: it has ended already.
        """
        if not reason.strip():
            raise InvalidInput("A cancel needs a reason.", hint="Say in a few words why.")
        job = self._need(unit.session, job_id)
        said = f"Cancelled by {actor.name}: {reason.strip()}"
        if rows.cancel_queued(unit.session, job_id=job_id, now=unit.now, reason=said):
            state = JobState.CANCELLED
        elif rows.request_cancel(unit.session, job_id=job_id, reason=said):
            state = JobState.RUNNING
        else:
            raise Conflict(f"Job {job_id} has ended already ({job.state}).", hint="There is nothing to stop.")
        unit.audit(
            f"job {job_id}",
            model=job.model,
            before={"state": str(job.state)},
            after={"cancel_requested": True, "task": str(job.task), "recipe": job.recipe or ""},
            reason=reason.strip(),
        )
        return state

    # --- what everybody may see ---------------------------------------------------------------------------------------

    @read(Permission.ROOM_READ)
    def job(self, actor: Actor, job_id: str) -> Job:
        """One job.

        Raises:
            NotFound: there is no such job.
        """
        with reading(self.context.databases.app) as session:
            return self._need(session, job_id)

    @read(Permission.ROOM_READ)
    def recent(
        self, actor: Actor, *, since: datetime | None = None, model: str = "", states: tuple[JobState, ...] = (),
        limit: int = 500,
    ) -> tuple[Job, ...]:  # fmt: skip
        """Unfinished jobs and those that ended since then, newest first."""
        with reading(self.context.databases.app) as session:
            return rows.recent(session, since=since, model=model, states=states, limit=limit)

    @read(Permission.ROOM_READ)
    def unfinished(self, actor: Actor) -> dict[JobState, int]:
        """How many jobs wait and how many run; a state without any is left out."""
        with reading(self.context.databases.app) as session:
            return rows.unfinished(session)

    @read(Permission.ROOM_READ)
    def log(self, actor: Actor, job_id: str, *, offset: int | None = None, limit: int = TAIL_BYTES) -> LogChunk:
        """Part of a job's log: from byte `offset`, or by default the last `limit` bytes; whole lines only.

        Raises:
            NotFound: there is no such job.
        """
        with reading(self.context.databases.app) as session:
            self._need(session, job_id)
        path = self.log_path(actor, job_id)
        if not path.is_file():
            return LogChunk("", 0, 0, 0)
        size = path.stat().st_size
        start = max(0, size - limit) if offset is None else min(max(offset, 0), size)
        with path.open("rb") as file:
            file.seek(start)
            piece = file.read(limit)
        if offset is None and start > 0:  # the tail begins with a whole line
            cut = piece.find(b"\n") + 1
            start, piece = start + cut, piece[cut:]
        end = piece.rfind(b"\n") + 1
        if end == 0 and len(piece) == limit:  # one line longer than the limit
            end = limit
        return LogChunk(piece[:end].decode(errors="replace"), start, start + end, size)

    @read(Permission.ROOM_READ)
    def log_path(self, actor: Actor, job_id: str) -> Path:
        """Where the output of a job goes."""
        return self.context.settings.logs / "jobs" / rules.log_name(job_id)

    @read(Permission.ROOM_READ)
    def leader(self, actor: Actor) -> Lease | None:
        """Which worker leads, or led last."""
        with reading(self.context.databases.app) as session:
            return rows.leader(session, LEASE)

    # --- what workers do ----------------------------------------------------------------------------------------------

    @record(Permission.SYSTEM)
    def enqueue(self, actor: Actor, job: NewJob) -> str | None:
        """Add a job; None when its schedule's slot is taken already (nothing changes then)."""
        job_id = self.context.new_id()
        with transaction(self.context.databases.app) as session:
            return job_id if rows.enqueue(session, job, job_id=job_id, now=self._now) else None

    @record(Permission.SYSTEM)
    def claim(self, actor: Actor, worker: str) -> Job | None:
        """Take the most urgent due job under a new epoch, or None."""
        now = self._now
        with reading(self.context.databases.app) as session:
            if not rows.anything_due(session, now=now):
                return None
        with transaction(self.context.databases.app) as session:
            return rows.claim(session, worker=worker, now=now, wall=self._wall)

    @record(Permission.SYSTEM)
    def heartbeat(self, actor: Actor, job_id: str, epoch: int) -> Beat:
        """Say that the job's worker lives; hear whether the job is still its own and wanted."""
        with transaction(self.context.databases.app) as session:
            return rows.heartbeat(session, job_id=job_id, epoch=epoch, wall=self._wall)

    @record(Permission.SYSTEM)
    def progress(self, actor: Actor, job_id: str, epoch: int, text: str, share: float) -> None:
        """Note what is being done and which share (0 to 1) is behind; also the fence before each side effect.

        Raises:
            Conflict: the job is no longer this epoch's.
        """
        with transaction(self.context.databases.app) as session:
            done = rows.progress(
                session, job_id=job_id, epoch=epoch, text=text, share=min(max(share, 0.0), 1.0), wall=self._wall
            )
            self._fenced(done, job_id, epoch)

    @record(Permission.SYSTEM)
    def finish(
        self, actor: Actor, job_id: str, epoch: int, state: JobState, *, result: Mapping[str, Any] | None = None,
        error: str = "",
    ) -> None:  # fmt: skip
        """End a job: succeeded, failed, timed out or cancelled.

        Raises:
            Conflict: the job is no longer this epoch's.
        """
        with transaction(self.context.databases.app) as session:
            done = rows.finish(
                session, job_id=job_id, epoch=epoch, now=self._now, state=state, result=result, error=error
            )
            self._fenced(done, job_id, epoch)

    @record(Permission.SYSTEM)
    def trouble(self, actor: Actor, job_id: str, epoch: int, why: Trouble, error: str) -> JobState:
        """End an attempt that went wrong: queued again after a back-off when attempts are left, else failed.

        Raises:
            Conflict: the job is no longer this epoch's.
        """
        with transaction(self.context.databases.app) as session:
            return self._trouble(session, self._need(session, job_id), epoch, why, error)

    @record(Permission.SYSTEM)
    def release(self, actor: Actor, job_id: str, epoch: int, text: str) -> None:
        """Give a running job back because the worker stops; this attempt does not count.

        Raises:
            Conflict: the job is no longer this epoch's.
        """
        with transaction(self.context.databases.app) as session:
            seconds = self._seconds(self._need(session, job_id))
            done = rows.put_back(
                session, job_id=job_id, epoch=epoch, error=text, not_before=None, count_attempt=False, seconds=seconds
            )
            self._fenced(done, job_id, epoch)

    @record(Permission.SYSTEM)
    def reap(self, actor: Actor, silent_seconds: float) -> tuple[Job, ...]:
        """Take back running jobs whose worker has been silent that long; returns them as they are now."""
        silent_since = self._wall - timedelta(seconds=silent_seconds)
        with reading(self.context.databases.app) as session:
            if not rows.lost(session, silent_since=silent_since):
                return ()
        with transaction(self.context.databases.app) as session:
            found = rows.lost(session, silent_since=silent_since)
            for job in found:
                if job.cancel_requested:
                    rows.finish(
                        session, job_id=job.id, epoch=job.epoch, now=self._now, state=JobState.CANCELLED,
                        error=job.cancel_reason,
                    )  # fmt: skip
                else:
                    text = f"The worker {job.claimed_by} vanished during attempt {job.attempt}."
                    self._trouble(session, job, job.epoch, Trouble.LOST, text)
            return tuple(self._need(session, job.id) for job in found)

    @record(Permission.SYSTEM)
    def lead(self, actor: Actor, holder: str, *, seconds: float = LEASE_SECONDS) -> Lease:
        """Take or keep the lead among workers; the answer says whether we have it."""
        with transaction(self.context.databases.app) as session:
            return rows.lease(session, name=LEASE, holder=holder, wall=self._wall, seconds=seconds)

    @record(Permission.SYSTEM)
    def step_down(self, actor: Actor, holder: str) -> None:
        """Let another worker lead at once."""
        with transaction(self.context.databases.app) as session:
            rows.give_up_lease(session, name=LEASE, holder=holder, wall=self._wall)

    @property
    def _now(self) -> datetime:
        return self.context.clock.now()

    @property
    def _wall(self) -> datetime:
        return self.context.clock.wall()

    def _trouble(self, session: Session, job: Job, epoch: int, why: Trouble, error: str) -> JobState:
        wait = rules.wait_after(why, attempt=job.attempt, max_attempts=job.max_attempts)
        if wait is None:
            state, ended = JobState.FAILED, error
            if job.attempt > 1:
                ended = f"{error} That was attempt {job.attempt}, the last."
            done = rows.finish(session, job_id=job.id, epoch=epoch, now=self._now, state=state, error=ended)
        else:
            state, again = JobState.QUEUED, self._now + wait
            done = rows.put_back(
                session, job_id=job.id, epoch=epoch, error=error, not_before=again, count_attempt=True,
                seconds=self._seconds(job),
            )  # fmt: skip
        self._fenced(done, job.id, epoch)
        return state

    def _seconds(self, job: Job) -> float:
        """How long this attempt took."""
        return 0.0 if job.started_at is None else max(0.0, (self._now - job.started_at).total_seconds())

    @staticmethod
    def _fenced(done: bool, job_id: str, epoch: int) -> None:
        if not done:
            raise Conflict(rules.taken_over(job_id, epoch), hint="Stop: another attempt owns it.")

    @staticmethod
    def _need(session: Session, job_id: str) -> Job:
        job = rows.get(session, job_id)
        if job is None:
            raise NotFound(f"There is no job {job_id!r}.", hint="List them with: mlops-dash jobs list.")
        return job
