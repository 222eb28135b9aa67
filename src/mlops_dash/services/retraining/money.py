"""What recipes and schedules cost this month, and whether their budgets let another run start, or one go on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.jobs import Job
from mlops_dash.domain.money import Estimate, Spending, month_start, spending
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.retraining import Recipe, Schedule
from mlops_dash.domain.words import JobState
from mlops_dash.errors import NotFound
from mlops_dash.services.command import Context, read, record
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import policies
from mlops_dash.store import retraining as rows
from mlops_dash.store import spending as store
from mlops_dash.store.db import Session, reading, transaction


class Money:
    """The month of a recipe."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def spending(self, actor: Actor, recipe: str) -> Spending:
        """What a recipe cost this month so far, by the calendar of its model's zone.

        Raises:
            NotFound: there is no such recipe.
        """
        with reading(self.context.databases.app) as session:
            made = rows.recipe(session, recipe)
            if made is None:
                raise NotFound(f"There is no recipe {recipe!r}.", hint="The Retraining page lists them.")
            return spending_of(self.context, session, [made], self.context.clock.now())[recipe]

    @record(Permission.SYSTEM)
    def end_over_budget(self, actor: Actor) -> tuple[str, ...]:
        """Have runs ended whose recipe, or schedule, has spent its month, them included; the ids of those jobs."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            running = [job for job in job_rows.recent(session, since=now, states=(JobState.RUNNING,)) if job.recipe]
            reasons = {
                job.id: _why_over(self.context, session, job, now) for job in running if not job.cancel_requested
            }
        over = {job_id: reason for job_id, reason in reasons.items() if reason}
        if not over:
            return ()
        with transaction(self.context.databases.app) as session:
            asked = [one for one, why in over.items() if job_rows.request_cancel(session, job_id=one, reason=why)]
        return tuple(asked)


def _why_over(context: Context, session: Session, job: Job, now: datetime) -> str:
    """Why a run must not go on, "" while the budgets that it is under are not used up."""
    recipe = rows.recipe(session, str(job.recipe))
    zone = policies.active(session, job.model, PolicyKind.MONITORING, now).monitoring.zone
    if recipe is None or (job.started_at or now) < month_start(now, zone):  # the month that it began in counts it
        return ""
    said = "" if recipe.money_a_month is None else (
        spending_of(context, session, [recipe], now)[recipe.name].why_over(f"recipe {recipe.name}")
    )  # fmt: skip
    made = rows.schedule(session, job.schedule_id) if job.schedule_id else None
    if said or made is None or not made.guards.money_a_month:
        return said
    return _of_schedule(context, session, made, recipe, now).why_over(f"schedule {made.name}")


def estimate_of(context: Context, session: Session, recipe: Recipe, *, runs: int = 1) -> Estimate:
    """What runs of a recipe would cost."""
    return Estimate(runs, recipe.price_per_hour, store.usual(session, recipe.name), context.settings.currency)


def spending_of(context: Context, session: Session, recipes: Sequence[Recipe], now: datetime) -> dict[str, Spending]:
    """The month so far of each recipe."""
    found = {}
    for made in recipes:
        zone = policies.active(session, made.model, PolicyKind.MONITORING, now).monitoring.zone
        since = month_start(now, zone)
        found[made.name] = spending(
            store.jobs_of_month(session, [made.name], since=since)[made.name], now=now, since=since, zone=zone,
            budget=made.money_a_month, estimate=estimate_of(context, session, made),
        )  # fmt: skip
    return found


def why_too_dear(context: Context, session: Session, recipe: Recipe, now: datetime, *, runs: int = 1) -> str:
    """Why the recipe's budget lets no such runs start now, "" where it does."""
    if recipe.money_a_month is None:
        return ""
    return spending_of(context, session, [recipe], now)[recipe.name].why_not(f"recipe {recipe.name}", runs=runs)


def why_schedule_too_dear(context: Context, session: Session, made: Schedule, now: datetime) -> str:
    """Why the budget of a schedule, or of its recipe, lets it start nothing now, "" where it does."""
    recipe = rows.recipe(session, made.recipe) if made.recipe else None
    if recipe is None:
        return ""
    said = why_too_dear(context, session, recipe, now)
    if said or not made.guards.money_a_month:
        return said
    return _of_schedule(context, session, made, recipe, now).why_not(f"schedule {made.name}")


def _of_schedule(context: Context, session: Session, made: Schedule, recipe: Recipe, now: datetime) -> Spending:
    since = month_start(now, made.zone)
    jobs = store.jobs_of_month(session, [recipe.name], since=since, schedule_id=made.id)[recipe.name]
    return spending(
        jobs, now=now, since=since, zone=made.zone, budget=made.guards.money_a_month,
        estimate=estimate_of(context, session, recipe),
    )  # fmt: skip
