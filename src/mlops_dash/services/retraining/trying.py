"""Wishes to look before anything is decided: try a recipe on a small window, or check a version by its recipe again."""

from __future__ import annotations

from datetime import datetime

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.retraining import Recipe
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput
from mlops_dash.services.command import Context, Unit, command, record
from mlops_dash.services.retraining.metronome import recipe_of
from mlops_dash.services.retraining.money import why_too_dear
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import registry as registry_store
from mlops_dash.store import retraining as rows
from mlops_dash.store.db import Session, transaction

ASKED_BY_PEOPLE = 10  # priority: a person waits for it
MOST_DAYS = 3_660
BUDGET_HINT = "Wait for the next month, or ask a lead for a larger budget."


class Trying:
    """What runs a recipe's programs and makes no version."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._here: dict[str, tuple[NewJob, datetime]] = {}  # what commands run themselves, and since when

    @command(Permission.JOB_RUN, Action.RECIPE_TRIED)
    def try_recipe(self, unit: Unit, actor: Actor, recipe: str, *, days: int = 7, here: bool = False) -> str:
        """Ask for a check of a recipe: its program runs on its last `days` of training, and nothing is registered.

        Scientists and above; audited. The job's result says what is missing. With `here` the caller runs it itself, and
        says to `ran_here` when it is over: no job waits then.

        Returns:
            The job's id.

        Raises:
            NotFound: there is no such recipe.
            InvalidInput: `days` is no window.
            Conflict: a check of that model's recipes waits or runs already, or the month's budget is spent.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InvalidInput(f"{days} days are no window.", hint=f"Use 1 to {MOST_DAYS:,}.")
        made = recipe_of(unit.session, recipe)
        if not here:
            _refuse_twice(unit.session, made.model, Task.TRY_RECIPE)
        self._refuse_too_dear(unit, made)
        job_id = self.context.new_id()
        job = NewJob(
            Task.TRY_RECIPE, unit.now, f"asked by {actor.name}: does {made.name} work?", actor.id, made.model,
            made.name, {"model": made.model, "days": days}, priority=ASKED_BY_PEOPLE,
        )  # fmt: skip
        self._begin(unit, job, job_id, here=here)
        unit.audit(f"recipe {made.name}", model=made.model, after={"job": job_id, "days": days})
        return job_id

    @command(Permission.JOB_RUN, Action.VERSION_CHECKED)
    def check_by_recipe(self, unit: Unit, actor: Actor, version_id: str, *, here: bool = False) -> str | None:
        """Ask that the checks of its recipe look at a version again. Scientists and above; audited.

        With `here` the caller runs them itself, and says to `ran_here` when they are over: no job waits then.

        Returns:
            The job's id, or None where its recipe carries no checks: then nothing happens.

        Raises:
            NotFound: there is no such version.
            Conflict: checks of that model wait or run already.
        """
        version = registry_store.version(unit.session, version_id)
        made = rows.recipe(unit.session, version.recipe) if version.recipe else None
        if made is None or not made.checks:
            unit.nothing_changed()
            return None
        if not here:
            _refuse_twice(unit.session, version.model, Task.CHECK_VERSION)
        self._refuse_too_dear(unit, made)
        job_id = self.context.new_id()
        job = NewJob(
            Task.CHECK_VERSION, unit.now, f"asked by {actor.name}: checks of {version.label} once more", actor.id,
            version.model, made.name,
            {"model": version.model, "version_id": version.id, "version": version.version}, priority=ASKED_BY_PEOPLE,
        )  # fmt: skip
        self._begin(unit, job, job_id, here=here)
        unit.audit(version.subject, model=version.model, after={"job": job_id, "recipe": made.name})
        return job_id

    @record(Permission.JOB_RUN)
    def ran_here(self, actor: Actor, job_id: str, *, error: str = "") -> None:
        """Keep what was run by the caller itself as a job that has ended: its time counts like any other's."""
        job, began = self._here.pop(job_id)
        now = self.context.clock.now()
        with transaction(self.context.databases.app) as session:
            state = JobState.FAILED if error else JobState.SUCCEEDED
            job_rows.enqueue(session, job, job_id=job_id, now=now, state=state, error=error, started=began)

    def _begin(self, unit: Unit, job: NewJob, job_id: str, *, here: bool) -> None:
        if here:
            self._here[job_id] = job, unit.now
        else:
            job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)

    def _refuse_too_dear(self, unit: Unit, made: Recipe) -> None:
        said = why_too_dear(self.context, unit.session, made, unit.now)
        if said:
            raise Conflict(said, hint=BUDGET_HINT)


def _refuse_twice(session: Session, model: str, task: Task) -> None:
    already = rows.unfinished_for(session, model=model, task=task)
    if already is not None:
        raise Conflict(
            f"A check of {model} is {already.state} already (job {already.id}).", hint="Wait for it, or cancel it."
        )
