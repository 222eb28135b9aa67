"""What a demo holds back: say what comes next, ask for a week of it, and keep how far it was played.

Only a demo's home has anything here. The playing itself is a job with a process of its own (`demo/week.py`).
"""

from __future__ import annotations

from mlops_dash.domain import format as fmt
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.held_back import HeldBack, HeldBackRoom, held_back_of
from mlops_dash.domain.jobs import FINISHED, NewJob, Task
from mlops_dash.errors import Conflict, NotFound
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import retraining as job_reads
from mlops_dash.store import world
from mlops_dash.store.db import Session, reading, transaction

_ATTEMPTS = 3  # each goes on where the one before was ended


class HeldBackService:
    """The verbs of a demo's held-back data."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def room(self, actor: Actor) -> HeldBackRoom | None:
        """What comes next, what runs and what ran; None where this home is no demo."""
        with reading(self.context.databases.app) as session:
            held = _held(session)
            if held is None:
                return None
            return HeldBackRoom(
                held=held,
                coming=held.coming(self.context.clock.now()),
                job=job_reads.unfinished_for(session, model=held.model, task=Task.PLAY_WEEK),
                last=job_reads.newest_of(session, model=held.model, task=Task.PLAY_WEEK, states=FINISHED),
            )

    @command(Permission.JOB_RUN, Action.WEEK_ASKED)
    def play_week(self, unit: Unit, actor: Actor) -> str:
        """Ask a worker to send the next seven days through the gateway; whoever asks meanwhile joins that run.

        Scientists and above; audited. Everybody's clock moves on with it.

        Returns:
            The job's id, of the run that waits or runs already where there is one.

        Raises:
            NotFound: this home is no demo.
            Conflict: the data are over.
        """
        held = _held(unit.session)
        if held is None:
            raise NotFound("Nothing is held back here.", hint="Only the demo has a week to play: mlops-dash up --demo.")
        already = job_reads.unfinished_for(unit.session, model=held.model, task=Task.PLAY_WEEK)
        if already is not None:
            unit.nothing_changed()
            return already.id
        week = held.coming(unit.now)
        if week is None:
            said = HeldBackRoom(held, None, None, None).over
            raise Conflict(said, hint="Delete the demo's folder and start it again.")
        job_id, words = self.context.new_id(), fmt.period(week.start, week.end, held.zone)
        job = NewJob(
            Task.PLAY_WEEK, unit.now, f"asked by {actor.name}: {words}", actor.id, held.model,
            arguments=week.as_json(), max_attempts=_ATTEMPTS,
        )  # fmt: skip
        job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        unit.audit(words, model=held.model, after={"job": job_id, **week.as_json()})
        return job_id

    @read(Permission.SYSTEM)
    def held(self, actor: Actor) -> HeldBack | None:
        """How far the data have been played; None where this home is no demo."""
        with reading(self.context.databases.app) as session:
            return _held(session)

    @record(Permission.SYSTEM)
    def keep(self, actor: Actor, held: HeldBack) -> None:
        """Keep how far the data have been played."""
        with transaction(self.context.databases.app) as session:
            world.put(session, world.HELD_BACK, held.as_json())


def _held(session: Session) -> HeldBack | None:
    kept = world.get(session, world.HELD_BACK)
    return None if kept is None else held_back_of(kept)
