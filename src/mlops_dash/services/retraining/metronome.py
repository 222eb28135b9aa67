"""What the metronome does with schedules: plan and fire what the clock says, follow what a trigger waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.blackout import InBlackout
from mlops_dash.domain.jobs import NewJob
from mlops_dash.domain.retraining import Misfire, Recipe, Schedule, ScheduleDraft, check_schedule
from mlops_dash.domain.starting import TRIGGERS, ScheduleKind
from mlops_dash.domain.triggers import Guards, Occasion, Overlap, labels_needed, without_guards, would_run
from mlops_dash.domain.words import JobState
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, read, record
from mlops_dash.services.retraining.money import why_schedule_too_dear
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import retraining as rows
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.prediction_log import every_nth_label

MISFIRE_AFTER = timedelta(minutes=1)
SETTLED = timedelta(seconds=10)  # a file that was written just now may be written still
_MONTH = timedelta(days=33)
_MOST_FILES = 10_000
_MOST_PAST = 1_000


class Metronome:
    """Plans, fires and follows schedules."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.SYSTEM)
    def needing_the_metronome(self, actor: Actor, schedule_id: str = "") -> tuple[Schedule, ...]:
        """Schedules that are due, not planned yet or paused for long enough, and all on alerts: all of them, or one."""
        with reading(self.context.databases.app) as session:
            return rows.needing_the_metronome(session, now=self.context.clock.now(), schedule_id=schedule_id)

    @record(Permission.SYSTEM)
    def names_needing_the_metronome(self, actor: Actor) -> dict[str, str]:
        """The same ones, id -> name, without reading what they say."""
        with reading(self.context.databases.app) as session:
            return rows.names_needing_the_metronome(session, now=self.context.clock.now())

    @record(Permission.SYSTEM)
    def plan(self, actor: Actor, seen: Schedule, upcoming: tuple[datetime, ...]) -> None:
        """Keep the next fire times of a schedule, unless it was edited since it was seen."""
        with transaction(self.context.databases.app) as session:
            known = rows.schedule(session, seen.id)
            if known is not None and known.enabled and known.updated_at == seen.updated_at:
                first = upcoming[0] if upcoming else None
                rows.put_schedule(session, replace(known, next_due_at=first, upcoming=upcoming))

    @record(Permission.SYSTEM)
    def fire(self, actor: Actor, seen: Schedule, upcoming: tuple[datetime, ...]) -> str | None:
        """Turn a schedule's due slot into a job and keep its next times, in one transaction.

        Slots that passed while no worker ran become one job (misfire "run_once") or one skipped job ("skip"); one that
        the schedule's guards do not allow is a skipped job too, or is moved to the end of a blackout.

        Returns:
            The job's id, or None when the schedule was changed meanwhile, the slot is taken, or it was moved.
        """
        now, job_id = self.context.clock.now(), self.context.new_id()
        with transaction(self.context.databases.app) as session:
            known = rows.schedule(session, seen.id)
            if known is None or not known.enabled or known.next_due_at is None or known.next_due_at > now:
                return None
            if known.updated_at != seen.updated_at or known.next_due_at != seen.next_due_at:
                return None
            late = now - known.next_due_at
            dark = known.guards.dark_until(now if late > MISFIRE_AFTER else known.next_due_at, known.zone)
            if dark is not None and known.guards.in_blackout == InBlackout.WAIT:
                ahead = (dark, *(at for at in upcoming if at > dark))
                rows.put_schedule(session, replace(known, next_due_at=dark, upcoming=ahead))
                return None
            error = why_not(session, known, now, known.guards.rhythm) or _beside(session, known)
            error = error or why_schedule_too_dear(self.context, session, known, now)
            if dark is not None:
                error = f"Nothing starts until {dark:%Y-%m-%d %H:%M} UTC: {known.guards.words()}."
            elif not error and known.misfire is Misfire.SKIP and late > MISFIRE_AFTER:
                error = f"Missed by {_minutes(late)}; the schedule says skip."
            job = job_of(session, known, due_at=known.next_due_at, requested_by=actor.id)
            added = job_rows.enqueue(
                session, job, job_id=job_id, now=now,
                state=JobState.SKIPPED if error else JobState.QUEUED, error=error,
            )  # fmt: skip
            first = upcoming[0] if upcoming else None
            rows.put_schedule(session, replace(known, next_due_at=first, upcoming=upcoming))
            return job_id if added else None

    @record(Permission.SYSTEM)
    def follow(self, actor: Actor, seen: Schedule) -> str | None:
        """Start a trigger's work once for each occasion: an unanswered alert, labels, a changed file, another run.

        Never beside a job that waits or runs for the same model, and not before the schedule's guards allow it.

        Returns:
            The job's id, or None when there is nothing to do.
        """
        now, job_id = self.context.clock.now(), self.context.new_id()
        with transaction(self.context.databases.app) as session:
            known = rows.schedule(session, seen.id)
            if known is None or not known.enabled or why_not(session, known, now, known.guards):
                return None
            if rows.unfinished_for(session, model=known.model, task=known.task) is not None:
                return None
            if why_schedule_too_dear(self.context, session, known, now):
                return None
            for occasion in self._occasions(session, known):
                job = job_of(session, known, due_at=occasion.at, requested_by=actor.id)
                cause = f"{occasion.cause} (schedule {known.name})"
                if job_rows.enqueue(
                    session, replace(job, alert_id=occasion.alert_id, cause=cause), job_id=job_id, now=now
                ):
                    return job_id
        return None

    @read(Permission.ROOM_READ)
    def past_runs(self, actor: Actor, draft: ScheduleDraft, since: datetime) -> tuple[datetime, ...] | None:
        """When a trigger would have started runs since a moment, had it been there; None where nobody can know.

        Nobody knows when a file changed or a program would have called, and slots of the clock are counted ahead
        (`domain.due.of_draft`).

        Raises:
            InvalidInput: it could not be saved.
            NotFound: there is no such recipe.
        """
        now = self.context.clock.now()
        check_schedule(draft, now=now)
        guards = Guards.of(draft.arguments)
        with reading(self.context.databases.app) as session:
            model = recipe_of(session, draft.recipe).model if draft.recipe else str(draft.arguments.get("model", ""))
            if draft.kind is ScheduleKind.ALERT:
                opened = rows.alerts_opened(session, model=model, kind=draft.expression, since=since)
                return would_run(opened, guards, draft.zone, until=now, each=True)
            if draft.kind is ScheduleKind.RECIPE:
                done = rows.succeeded(session, recipe=draft.expression, since=since)
                return would_run([at for _, at in done], guards, draft.zone, until=now, each=False)
        if draft.kind is not ScheduleKind.LABELS:
            return None
        with reading(self.context.databases.log) as log:
            came = every_nth_label(log, model, n=labels_needed(draft.expression), since=since, limit=_MOST_PAST)
        return would_run(came, guards, draft.zone, until=now, each=False)

    def _occasions(self, session: Session, known: Schedule) -> Iterator[Occasion]:
        """What the schedule waits for and has come, oldest first."""
        if known.kind is ScheduleKind.ALERT:
            for alert_id, opened_at, title in rows.unanswered_alerts(session, model=known.model, kind=known.expression):
                yield Occasion(opened_at, f"alert: {title}", alert_id)
            return
        since = max(known.updated_at, rows.last_slot(session, known.id) or known.updated_at)
        if known.kind is ScheduleKind.RECIPE:
            for job_id, at in rows.succeeded(session, recipe=known.expression, since=since)[-1:]:
                if at > since:
                    yield Occasion(at, f"{known.expression} made a version in run {job_id[:8]}")
        elif known.kind is ScheduleKind.LABELS:
            n = labels_needed(known.expression)
            with reading(self.context.databases.log) as log:
                for at in every_nth_label(log, known.model, n=n, since=since, limit=1):
                    yield Occasion(at, f"{n:,} new labels since {since:%Y-%m-%d %H:%M} UTC")
        elif known.kind is ScheduleKind.FILE:
            changed = self._changed(Path(known.expression))
            if changed is not None and changed >= since + timedelta(seconds=1):
                yield Occasion(changed, f"{known.expression} changed")

    def _changed(self, path: Path) -> datetime | None:
        """When a file, or the newest file in a folder, was last written, by our clock; None while it is written."""
        try:
            files = list(islice(path.iterdir(), _MOST_FILES)) if path.is_dir() else [path]
            newest = max((one.stat().st_mtime for one in files if one.is_file()), default=None)
        except OSError:
            return None
        if newest is None:
            return None
        wall, ahead = self.context.clock.wall(), self.context.clock.now() - self.context.clock.wall()
        at = datetime.fromtimestamp(int(newest), tz=wall.tzinfo)
        return at + timedelta(seconds=round(ahead.total_seconds())) if wall - at >= SETTLED else None


def held_back(
    context: Context, session: Session, schedules: tuple[Schedule, ...], now: datetime, dear: Mapping[str, str]
) -> dict[str, str]:
    """Why guards and budgets hold schedules back now, by id, from one query; those that may run are left out.

    `dear` says of recipes, by name, why their own budget lets nothing start.
    """
    bound = {made.id: _bounds(made) for made in schedules if made.enabled and _bounds(made) != Guards()}
    past = rows.started_by_each(
        session, list(bound), newest=_newest(*bound.values()), since=now - _farthest(*bound.values())
    )
    said = {one.id: _held(one, past.get(one.id, ()), now, bound[one.id]) for one in schedules if one.id in bound}
    for made in schedules:
        if made.enabled and not said.get(made.id):
            own = why_schedule_too_dear(context, session, made, now) if made.guards.money_a_month else ""
            said[made.id] = own or dear.get(made.recipe or "", "")
    return {schedule_id: why for schedule_id, why in said.items() if why}


def _bounds(made: Schedule) -> Guards:
    """What may hold it back now: a slot of the clock says by itself when it comes."""
    guards = made.guards if made.kind in TRIGGERS else made.guards.rhythm
    return replace(guards, overlap=Overlap.QUEUE, in_blackout=InBlackout.SKIP)


def job_of(session: Session, made: Schedule, *, due_at: datetime, requested_by: str) -> NewJob:
    """The job that a schedule asks for."""
    attempts = 1
    if made.recipe:
        attempts = recipe_of(session, made.recipe).max_attempts
    return NewJob(
        task=made.task, due_at=due_at, cause=f"schedule {made.name}: {made.when}", requested_by=requested_by,
        model=made.model, recipe=made.recipe, arguments=without_guards(made.arguments), schedule_id=made.id,
        max_attempts=attempts,
    )  # fmt: skip


def recipe_of(session: Session, name: str) -> Recipe:
    """A recipe that must be there."""
    made = rows.recipe(session, name)
    if made is None:
        raise NotFound(f"There is no recipe {name!r}.", hint="The Retraining page lists them.")
    return made


def schedule_of(session: Session, schedule_id: str) -> Schedule:
    """A schedule that must be there."""
    made = rows.schedule(session, schedule_id)
    if made is None:
        raise NotFound(f"There is no schedule {schedule_id!r}.", hint="The Retraining page lists them.")
    return made


def why_not(session: Session, known: Schedule, now: datetime, guards: Guards) -> str:
    """Why these guards do not let a schedule run now, "" where they do."""
    if guards == Guards():
        return ""
    since = now - _farthest(guards)
    return _held(
        known, rows.started_by_each(session, [known.id], newest=_newest(guards), since=since).get(known.id, ()), now,
        guards,
    )  # fmt: skip


def _held(known: Schedule, past: tuple[datetime, ...], now: datetime, guards: Guards) -> str:
    allowed = guards.first_allowed(past, now, known.zone)
    return "" if allowed <= now else f"Held back until {allowed:%Y-%m-%d %H:%M} UTC: {known.guards.words()}."


def _newest(*guards: Guards) -> int:
    """How many runs of the past may matter: more can change nothing."""
    return max((max(1, one.runs_a_month) for one in guards), default=1)


def _farthest(*guards: Guards) -> timedelta:
    """How long ago a run may be that still matters: a calendar month, or the pause between two."""
    longest = max((one.cooldown_seconds for one in guards), default=0)
    return max(_MONTH, timedelta(seconds=longest))


def _beside(session: Session, known: Schedule) -> str:
    """Why a slot of the clock starts nothing beside what waits or runs already, "" where it may."""
    if known.guards.overlap == Overlap.QUEUE:
        return ""
    states = (JobState.QUEUED,) if known.guards.overlap == Overlap.QUEUE_ONE else (JobState.QUEUED, JobState.RUNNING)
    other = rows.unfinished_for(session, model=known.model, task=known.task, states=states)
    return "" if other is None else f"The {other.task} {other.id} is {other.state} already: {known.guards.words()}."


def _minutes(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
