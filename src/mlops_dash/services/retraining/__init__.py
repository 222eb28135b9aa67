"""Recipes, schedules and the wish to retrain: what people decide; what the metronome fires is in `metronome`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from mlops_dash.domain import retraining as rules
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import LEASE, LEASE_SECONDS, NewJob, Task
from mlops_dash.domain.money import check_money
from mlops_dash.domain.parameters import of_one_run, parameter_lines
from mlops_dash.domain.retraining import (
    TOLD_ELSEWHERE,
    Choice,
    Recipe,
    Room,
    Schedule,
    ScheduleDraft,
    Slot,
    refreshing_first,
)
from mlops_dash.domain.starting import TRIGGERS, ScheduleKind
from mlops_dash.domain.triggers import Guards
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.services.retraining.backfills import Backfills
from mlops_dash.services.retraining.calls import Calls
from mlops_dash.services.retraining.metronome import Metronome, held_back, job_of, recipe_of, schedule_of
from mlops_dash.services.retraining.money import Money, spending_of, why_too_dear
from mlops_dash.services.retraining.trying import ASKED_BY_PEOPLE, BUDGET_HINT, Trying
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import retraining as rows
from mlops_dash.store.db import Session, reading
from mlops_dash.training.contract import choice_of


class RetrainingService:
    """How versions are made again, and when."""

    def __init__(self, context: Context) -> None:
        self.context = context

        metronome = Metronome(context)
        self.needing_the_metronome = metronome.needing_the_metronome
        self.names_needing_the_metronome = metronome.names_needing_the_metronome
        self.plan = metronome.plan
        self.fire = metronome.fire
        self.follow = metronome.follow
        self.past_runs = metronome.past_runs
        self.call = Calls(context).call
        money = Money(context)
        self.spending = money.spending
        self.end_over_budget = money.end_over_budget
        trying = Trying(context)
        self.try_recipe = trying.try_recipe
        self.check_by_recipe = trying.check_by_recipe
        self.ran_here = trying.ran_here
        backfills = Backfills(context)
        self.planned_backfill = backfills.planned_backfill
        self.backfill = backfills.backfill
        self.cancel_backfill = backfills.cancel_backfill
        self.backfills = backfills.backfills
        self.hindsight = backfills.hindsight

    # --- what people decide -------------------------------------------------------------------------------------------

    @command(Permission.SCHEDULE_EDIT, Action.RECIPE_SAVED)
    def save_recipe(self, unit: Unit, actor: Actor, recipe: Recipe, *, new: bool = False) -> None:
        """Keep a recipe under its name; audited with what changed.

        Which program runs, for which model and with which checks, is for admins: it may do whatever this server's
        account may. Price and budget are for leads, parameters and limits for scientists and above. With `new`, one
        that is there already is not changed.

        Raises:
            Conflict: `new`, and there is one of that name.
            InvalidInput: it could not run.
            NotAllowed: the program, its model or a check is new, and the actor is no admin; or price or budget are, and
                the actor is no lead.
        """
        rules.check_recipe(recipe)
        known = rows.recipe(unit.session, recipe.name)
        if known is not None and new:
            raise Conflict(f"There is a recipe {recipe.name} already.", hint="Edit that one, or choose another name.")
        if known is None or known.programs != recipe.programs:
            actor.require(Permission.RECIPE_DEFINE)
        was = (None, None) if known is None else (known.price_per_hour, known.money_a_month)
        if was != (recipe.price_per_hour, recipe.money_a_month):
            actor.require(Permission.POLICY_EDIT)
        if known is not None and known.as_json() == recipe.as_json():
            unit.nothing_changed()
            return
        rows.put_recipe(unit.session, recipe, now=unit.now)
        unit.audit(
            f"recipe {recipe.name}",
            model=recipe.model,
            before=known.as_json() if known else {},
            after=recipe.as_json(),
        )

    @command(Permission.SCHEDULE_EDIT, Action.SCHEDULE_SAVED)
    def save_schedule(self, unit: Unit, actor: Actor, draft: ScheduleDraft) -> str:
        """Make a schedule, or change one in place (its history stays). Scientists and above; audited.

        Which file of the worker's machine starts it is for admins.

        The worker plans its next runs within a second.

        Returns:
            The schedule's id.

        Raises:
            InvalidInput: it could never fire, or names what does not exist.
            NotFound: there is no schedule or recipe of that id.
            Conflict: another schedule has that name.
            NotAllowed: it watches another file, and the actor is no admin.
        """
        rules.check_schedule(draft, now=unit.now)
        if draft.task is Task.REPORT:
            actor.require(Permission.REPORT_SHARE)  # it goes to people without an account
        then = rules.afterwards_of(str(draft.arguments.get("then", "")))
        if then is rules.Afterwards.PROPOSE:
            actor.require(Permission.PROPOSAL_OPEN)
        arguments = rules.followed_by(draft.arguments, then, actor.id)
        if draft.recipe:
            made_by = recipe_of(unit.session, draft.recipe)
            arguments["model"] = made_by.model
            if money := Guards.of(arguments).money_a_month:
                check_money(made_by.price_per_hour, money, f"recipe {made_by.name}")
        if draft.kind in TRIGGERS and not arguments.get("model"):
            raise InvalidInput("The schedule follows no model.", hint="Name a recipe or a model.")
        if draft.kind is ScheduleKind.RECIPE:
            recipe_of(unit.session, draft.expression)
            rules.check_no_loop(draft, rows.schedules(unit.session))
        known = schedule_of(unit.session, draft.id) if draft.id else None
        if draft.kind is ScheduleKind.FILE and (known is None or known.expression != draft.expression):
            actor.require(Permission.RECIPE_DEFINE)  # it tells what lies on the worker's machine
        same_name = rows.schedule_named(unit.session, draft.name)
        if same_name is not None and same_name.id != draft.id:
            raise Conflict(f"A schedule named {draft.name!r} exists.", hint="Choose another name, or edit that one.")
        made = Schedule(
            id=known.id if known else self.context.new_id(),
            name=draft.name.strip(), kind=draft.kind, expression=draft.expression.strip(), zone=draft.zone,
            task=draft.task, recipe=draft.recipe, arguments=arguments,
            enabled=known.enabled if known else True,
            misfire=draft.misfire,
            pause_reason=known.pause_reason if known else "",
            paused_until=known.paused_until if known else None,
            next_due_at=None, upcoming=None, updated_at=unit.now,
        )  # fmt: skip
        rows.put_schedule(unit.session, made)
        unit.audit(f"schedule {made.name}", model=made.model, before=_facts(known) if known else {}, after=_facts(made))
        return made.id

    @command(Permission.SCHEDULE_EDIT, Action.SCHEDULE_PAUSED)
    def pause(self, unit: Unit, actor: Actor, schedule_id: str, reason: str, *, until: datetime | None = None) -> None:
        """Stop a schedule from firing, with a reason, and optionally until a moment when it resumes by itself.

        Scientists and above; audited.

        Raises:
            NotFound: there is no such schedule.
            InvalidInput: no reason, or the moment has passed.
            Conflict: it is paused already.
        """
        known = schedule_of(unit.session, schedule_id)
        if not reason.strip():
            raise InvalidInput("A pause needs a reason.", hint="The next person wants to know why nothing runs.")
        if until is not None and until <= unit.now:
            raise InvalidInput(f"{until:%Y-%m-%d %H:%M} UTC has passed.", hint="Choose a later time, or none.")
        if not known.enabled:
            raise Conflict(f"The schedule {known.name} is paused already.", hint=f"Reason: {known.pause_reason}")
        rows.put_schedule(
            unit.session,
            replace(known, enabled=False, pause_reason=reason.strip(), paused_until=until, next_due_at=None,
                    upcoming=(), updated_at=unit.now),
        )  # fmt: skip
        after = {"enabled": False, "paused_until": until.isoformat() if until else None}
        unit.audit(
            f"schedule {known.name}", model=known.model, before={"enabled": True}, after=after, reason=reason.strip()
        )

    @command(Permission.SCHEDULE_EDIT, Action.SCHEDULE_RESUMED)
    def resume(self, unit: Unit, actor: Actor, schedule_id: str, reason: str = "") -> None:
        """Let a paused schedule fire again; slots that passed meanwhile do not run. Audited.

        Scientists and above, and the worker when the pause has an end.

        Raises:
            NotFound: there is no such schedule.
        """
        known = schedule_of(unit.session, schedule_id)
        if known.enabled:
            unit.nothing_changed()
            return
        rows.put_schedule(
            unit.session,
            replace(known, enabled=True, pause_reason="", paused_until=None, next_due_at=None, upcoming=None,
                    updated_at=unit.now),
        )  # fmt: skip
        before = {"enabled": False, "pause_reason": known.pause_reason}
        unit.audit(f"schedule {known.name}", model=known.model, before=before, after={"enabled": True}, reason=reason)

    @command(Permission.SCHEDULE_EDIT, Action.SCHEDULE_REMOVED)
    def remove_schedule(self, unit: Unit, actor: Actor, schedule_id: str, reason: str) -> None:
        """Take a schedule away; what it started stays, and what it started last goes on. Audited.

        Raises:
            NotFound: there is no such schedule.
            InvalidInput: the reason is empty.
        """
        known = schedule_of(unit.session, schedule_id)
        if not reason.strip():
            raise InvalidInput("A reason is missing.", hint="Say why in a few words: it goes into the ledger.")
        rows.remove_schedule(unit.session, known.id)
        unit.audit(f"schedule {known.name}", model=known.model, before=_facts(known), reason=reason.strip())

    @command(Permission.JOB_RUN, Action.JOB_REQUESTED)
    def run_now(
        self, unit: Unit, actor: Actor, recipe: str | None, reason: str, *, alert_id: str | None = None,
        schedule_id: str | None = None, parameters: Mapping[str, Any] | None = None, then: str = "",
    ) -> str:  # fmt: skip
        """Ask for a run of a recipe (or of a schedule's own work) as soon as a worker is free.

        Scientists and above; audited with the reason and, when it answers an alert, with that. `parameters` are those
        of the recipe that differ in this one run. `then` is what happens to its version ("propose" when all gates let
        it through, in the name of who asks); by default it waits, or what the schedule says.

        Returns:
            The job's id.

        Raises:
            NotFound: there is no such recipe, schedule or alert.
            InvalidInput: no reason, nothing to run, or a parameter that the recipe has not.
            Conflict: a retrain of that model waits or runs already, or the recipe's budget of the month is spent.
        """
        if not reason.strip():
            raise InvalidInput("A run needs a reason.", hint="Say in a few words what you want to find out.")
        job = self._wanted(unit.session, actor, recipe, schedule_id, unit.now, parameters or {})
        if then:
            job = replace(job, arguments=rules.followed_by(job.arguments, rules.afterwards_of(then), actor.id))
        if job.arguments.get("then"):
            actor.require(Permission.PROPOSAL_OPEN)
        cause = f"asked by {actor.name}: {reason.strip()}{_with(job.parameters)}"
        if alert_id is not None:
            title = rows.alert_title(unit.session, alert_id)
            if title is None:
                raise NotFound(f"There is no alert {alert_id!r}.", hint="See the Monitoring page.")
            cause = f"{cause} (alert: {title})"
        already = rows.unfinished_for(unit.session, model=job.model, task=job.task)
        if already is not None:
            raise Conflict(
                f"A {job.task} of {job.model} is {already.state} already (job {already.id}).",
                hint="Wait for it, or cancel it first.",
            )
        dear = rows.recipe(unit.session, job.recipe) if job.recipe else None
        if dear is not None and (why := why_too_dear(self.context, unit.session, dear, unit.now)):
            raise Conflict(why, hint=BUDGET_HINT)
        job_id = self.context.new_id()
        job_rows.enqueue(unit.session, replace(job, cause=cause, alert_id=alert_id), job_id=job_id, now=unit.now)
        asked = {"task": str(job.task), "recipe": job.recipe or "", "alert": alert_id or "", **job.arguments}
        unit.audit(f"job {job_id}", model=job.model, after=asked, reason=reason.strip())
        return job_id

    # --- what everybody may see ---------------------------------------------------------------------------------------

    @read(Permission.ROOM_READ)
    def recipes(self, actor: Actor) -> tuple[Recipe, ...]:
        """All recipes by name."""
        with reading(self.context.databases.app) as session:
            return rows.recipes(session)

    @read(Permission.ROOM_READ)
    def recipe(self, actor: Actor, name: str) -> Recipe:
        """One recipe.

        Raises:
            NotFound: there is none of that name.
        """
        with reading(self.context.databases.app) as session:
            return recipe_of(session, name)

    @read(Permission.ROOM_READ)
    def choices(self, actor: Actor, model: str = "") -> tuple[Choice, ...]:
        """Recipes of a model, or of all, to run now: what refreshes comes first."""
        with reading(self.context.databases.app) as session:
            known = rows.recipes_to_run(session, model, now=self.context.clock.now())
        return refreshing_first(choice_of(*one, now=self.context.clock.now()) for one in known)

    @read(Permission.ROOM_READ)
    def schedules(self, actor: Actor) -> tuple[Schedule, ...]:
        """All schedules by name."""
        with reading(self.context.databases.app) as session:
            return rows.schedules(session)

    @read(Permission.ROOM_READ)
    def room(
        self, actor: Actor, *, model: str = "", back: timedelta = timedelta(hours=48),
        ahead: timedelta = timedelta(hours=48), job_id: str | None = None,
    ) -> Room:  # fmt: skip
        """Everything the Retraining page shows, from one read. `job_id` is shown however old it is."""
        now, wall = self.context.clock.now(), self.context.clock.wall()
        with reading(self.context.databases.app) as session:
            jobs = job_rows.recent(session, since=now - back, model=model, without=TOLD_ELSEWHERE)
            asked = job_rows.get(session, job_id) if job_id else None
            if asked is not None and asked.id not in {job.id for job in jobs}:
                jobs = (*jobs, asked)
            if not jobs:  # a quiet house still shows what happened last
                jobs = job_rows.recent(session, since=None, model=model, limit=10, without=TOLD_ELSEWHERE)
            past_day = job_rows.recent(session, since=now - timedelta(hours=24), model=model, without=TOLD_ELSEWHERE)
            schedules = tuple(
                s
                for s in rows.schedules(session)
                if s.task is not Task.REPORT and (not model or s.model in {"", model})
            )
            lease = job_rows.leader(session, LEASE)
            finished = job_rows.recent(
                session, since=None, model=model, states=(JobState.SUCCEEDED,), limit=20, without=TOLD_ELSEWHERE
            )
            shown = tuple(r for r in rows.recipes(session) if not model or r.model == model)
            month = spending_of(self.context, session, [r for r in shown if r.price_per_hour is not None], now)
            dear = {name: one.why_not(f"recipe {name}") for name, one in month.items()}
            seen = None if lease is None else lease.until - timedelta(seconds=LEASE_SECONDS)
            return Room(
                now=now, since=now - back, jobs=jobs, slots=_slots(schedules, until=now + ahead),
                recipes=shown,
                schedules=schedules,
                failed_24h=sum(job.state in {JobState.FAILED, JobState.TIMED_OUT} for job in past_day),
                candidate=rows.candidate(session, finished),
                unanswered=rows.harm_without_run(session, model=model),
                worker_seen_at=seen,
                worker_away_seconds=None if seen is None else max(0.0, (wall - seen).total_seconds()),
                held=held_back(self.context, session, schedules, now, dear), spending=month,
            )  # fmt: skip

    def _wanted(
        self, session: Session, actor: Actor, recipe: str | None, schedule_id: str | None, now: datetime,
        parameters: Mapping[str, Any],
    ) -> NewJob:  # fmt: skip
        if schedule_id is not None:
            of_schedule = job_of(session, schedule_of(session, schedule_id), due_at=now, requested_by=actor.id)
            return replace(of_schedule, schedule_id=None, priority=ASKED_BY_PEOPLE)
        if not recipe:
            raise InvalidInput("Nothing to run was named.", hint="Name a recipe or a schedule.")
        made = recipe_of(session, recipe)
        changed = of_one_run(made.parameters, parameters)
        return NewJob(
            task=Task.RETRAIN, due_at=now, cause="", requested_by=actor.id, model=made.model, recipe=made.name,
            arguments={"model": made.model, **({"parameters": changed} if changed else {})},
            priority=ASKED_BY_PEOPLE, max_attempts=made.max_attempts,
        )  # fmt: skip


def _slots(schedules: tuple[Schedule, ...], *, until: datetime) -> tuple[Slot, ...]:
    """Runs ahead: every schedule's next one, and all others before `until`; soonest first."""
    found = [
        Slot(at, s.id, s.name, s.model, s.recipe or str(s.task), s.when)
        for s in schedules
        if s.enabled
        for place, at in enumerate(s.ahead)
        if place == 0 or at <= until
    ]
    return tuple(sorted(found, key=lambda slot: (slot.at, slot.name)))


def _facts(made: Schedule) -> dict[str, object]:
    return {
        "name": made.name, "kind": str(made.kind), "expression": made.expression, "zone": made.zone,
        "task": str(made.task), "recipe": made.recipe or "", "misfire": str(made.misfire), **vars(made.guards),
        "then": str(made.afterwards), **({"report": made.arguments["report"]} if made.task is Task.REPORT else {}),
    }  # fmt: skip


def _with(parameters: Mapping[str, Any]) -> str:
    return f" (with {', '.join(parameter_lines(parameters).splitlines())})" if parameters else ""
