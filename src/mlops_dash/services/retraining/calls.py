"""A program calls: a schedule that waits for calls starts its work once for each key."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.retraining import Schedule
from mlops_dash.domain.starting import ScheduleKind
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command
from mlops_dash.services.retraining.metronome import job_of, why_not
from mlops_dash.services.retraining.money import why_schedule_too_dear
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import retraining as rows
from mlops_dash.store.db import Session

_LONGEST = 200


@dataclass(frozen=True)
class Called:
    """What a call did. `why_not` is said by a dry run alone: a call that may not start anything is refused."""

    schedule: str
    job: str
    state: JobState | None
    again: bool  # the same key started this job before
    why_not: str = ""


class Calls:
    """Schedules that are started by calls."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @command(Permission.JOB_RUN, Action.TRIGGER_CALLED)
    def call(
        self, unit: Unit, actor: Actor, schedule: str, *, key: str = "", reason: str = "", dry_run: bool = False
    ) -> Called:
        """Start what a schedule runs, as a program that has something new would ask. Scientists and above; audited.

        Args:
            schedule: Its name or id.
            key: Names the occasion: the same key starts one job only, whatever came between.
            reason: Why, for the ledger.
            dry_run: Say what would happen and change nothing.

        Raises:
            NotFound: there is no such schedule.
            InvalidInput: a key or reason of more than 200 characters.
            Conflict: it waits for something else, is paused, a run of its model waits or runs, or its guards hold it.
        """
        if max(len(key), len(reason)) > _LONGEST:
            raise InvalidInput("The key or the reason is too long.", hint=f"Use at most {_LONGEST} characters.")
        made = self._named(unit.session, schedule)
        job_id = _id_of(made.id, key) if key else self.context.new_id()
        before = job_rows.get(unit.session, job_id)
        refused = "" if before is not None else self._why_not(unit, made)
        if before is not None or dry_run:
            unit.nothing_changed()
            return Called(made.name, job_id if before else "", before.state if before else None, bool(before), refused)
        if refused:
            raise Conflict(refused, hint="Call again later with the same key; nothing was started.")
        said = f": {reason.strip()}" if reason.strip() else ""
        cause = f"called by {actor.name}{said} (schedule {made.name})"
        job = replace(job_of(unit.session, made, due_at=unit.now, requested_by=actor.id), cause=cause)
        if not job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now):
            raise Conflict("Another call came at the same instant.", hint="Call again; nothing was started.")
        after = {"job": job_id, "recipe": made.recipe or "", "key": key}
        unit.audit(f"schedule {made.name}", model=made.model, after=after, reason=reason.strip())
        return Called(made.name, job_id, JobState.QUEUED, again=False)

    def _why_not(self, unit: Unit, made: Schedule) -> str:
        if made.kind is not ScheduleKind.CALL:
            return f"The schedule {made.name} runs {made.when}; calls do not start it."
        if not made.enabled:
            return f"The schedule {made.name} is paused: {made.pause_reason}."
        other = rows.unfinished_for(unit.session, model=made.model, task=made.task)
        if other is not None:
            return f"A {other.task} of {other.model} is {other.state} already (job {other.id})."
        held = why_not(unit.session, made, unit.now, made.guards)
        return held or why_schedule_too_dear(self.context, unit.session, made, unit.now)

    @staticmethod
    def _named(session: Session, name: str) -> Schedule:
        made = rows.schedule_named(session, name) or rows.schedule(session, name)
        if made is None:
            raise NotFound(f"There is no schedule {name[:80]!r}.", hint="List them with: mlops-dash schedule list.")
        return made


def _id_of(schedule_id: str, key: str) -> str:
    """The id of the job that a key starts: 26 characters, as all ids."""
    return hashlib.sha256(f"{schedule_id}\n{key}".encode()).hexdigest()[:26]
