"""Recipes and schedules: how a version is made again, and when.

What people type is read and said in `domain.starting`. When exactly a schedule fires is counted in `domain.due`; the
worker's metronome stores the next times.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from mlops_dash.domain.calendar import zone_of
from mlops_dash.domain.cron import cron_fields
from mlops_dash.domain.jobs import Job, Task
from mlops_dash.domain.money import Spending, check_money
from mlops_dash.domain.parameters import require_plain
from mlops_dash.domain.recipe_checks import Check
from mlops_dash.domain.reports.plans import Plan
from mlops_dash.domain.starting import ALERT_KINDS, CALLED, TRIGGERS, ScheduleKind, describe, instant, interval_seconds
from mlops_dash.domain.triggers import Guards, Overlap, labels_needed, watched_path
from mlops_dash.domain.workplace import check_workplace
from mlops_dash.errors import InvalidInput
from mlops_dash.ids import digest

# Jobs that Retraining does not list: a backfill's own card, Monitoring and Reports tell what became of them.
TOLD_ELSEWHERE = (Task.REFIT, Task.WHY, Task.ROW, Task.SLICES, Task.ESTIMATE, Task.REPORT)


class Misfire(StrEnum):
    """What happens to slots that passed while nobody could run them."""

    RUN_ONCE = "run_once"
    SKIP = "skip"


class Afterwards(StrEnum):
    """What happens to the version that a run makes."""

    REVIEW = "review"  # it waits until somebody proposes it
    PROPOSE = "propose"  # it is proposed when all gates let it through


@dataclass(frozen=True)
class Recipe:
    """How to make a version: program, parameters and limits of one run."""

    name: str
    model: str
    entry: str  # `module:function`, a command line, or a file that a tool runs (`training.files`)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout_seconds: int = 900
    memory_mib: int = 4096
    max_attempts: int = 1
    checks: tuple[Check, ...] = ()
    price_per_hour: float | None = None  # of wall time, in the installation's currency; None = nobody knows
    money_a_month: float | None = None  # most that its runs may cost in a calendar month; None = no bound
    requirements: str = ""  # a pip requirements file, whose venv runs the program; "" = this environment
    repository: str = ""  # a git address, whose checkout is the working folder; "" = where the worker runs
    commit: str = ""  # of the repository
    updated_at: datetime | None = None

    @property
    def programs(self) -> tuple[Any, ...]:
        """What only admins say: what runs here, and whose version it makes."""
        return (self.entry, self.model, self.checks, self.requirements, self.repository, self.commit)

    @property
    def workplace(self) -> str:
        """sha256 of where its programs work, as admins say it; "" for our environment and folder."""
        said = [self.requirements, self.repository, self.commit]
        return digest(said) if any(said) else ""

    @property
    def longest_seconds(self) -> int:
        """How long a run may take with its checks."""
        return self.timeout_seconds + sum(one.timeout_seconds for one in self.checks)

    def as_json(self) -> dict[str, Any]:
        """Everything that people say of it."""
        checks = [one.as_json() for one in self.checks]
        kept = {**vars(self), "parameters": dict(self.parameters), "checks": checks}
        del kept["updated_at"]
        return kept


@dataclass(frozen=True)
class Choice:
    """A recipe as people choose it: what it would train on now, and how its last run went."""

    recipe: str
    model: str
    zone: str
    start: datetime | None  # of the training window by the calendar; None: its parameters cannot be read
    end: datetime | None
    judged: bool  # later rows are left, on which the new version meets the champion
    last_at: datetime | None  # when a run of it last succeeded
    took_seconds: float | None


def refreshing_first(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """What refreshes a model comes first: later rows to be judged on, then the latest success, then the longest window.

    A recipe that leaves no later rows makes a version that nobody can compare with the champion.
    """
    latest = datetime.min.replace(tzinfo=UTC)
    ranked = sorted(choices, key=lambda one: (one.start or datetime.max.replace(tzinfo=UTC), one.recipe))
    ranked.sort(key=lambda one: one.last_at or latest, reverse=True)
    return tuple(sorted(ranked, key=lambda one: not (one.judged and one.start is not None)))


@dataclass(frozen=True)
class Schedule:
    """When a recipe or a house-keeping task runs. `upcoming` is None until the worker has planned it."""

    id: str
    name: str
    kind: ScheduleKind
    expression: str
    zone: str
    task: Task
    recipe: str | None
    arguments: Mapping[str, Any]
    enabled: bool
    misfire: Misfire
    pause_reason: str
    paused_until: datetime | None
    next_due_at: datetime | None
    upcoming: tuple[datetime, ...] | None
    updated_at: datetime

    @property
    def model(self) -> str:
        """The model it is about ("" for none)."""
        return str(self.arguments.get("model", ""))

    @property
    def when(self) -> str:
        """When it runs, in words."""
        said, held = describe(self.kind, self.expression, self.zone), self.guards.words()
        then = "; proposed when it passes all gates" if self.afterwards is Afterwards.PROPOSE else ""
        return (f"{said}, {held}" if held else said) + then

    @property
    def ahead(self) -> tuple[datetime, ...]:
        """The next runs that are planned: slots in a blackout are none."""
        return tuple(at for at in self.upcoming or () if self.guards.dark_until(at, self.zone) is None)

    @property
    def afterwards(self) -> Afterwards:
        """What happens to the versions that its runs make."""
        return Afterwards(str(self.arguments.get("then", Afterwards.REVIEW)))

    @property
    def guards(self) -> Guards:
        """What keeps it from running too often."""
        return Guards.of(self.arguments)


@dataclass(frozen=True)
class ScheduleDraft:
    """What a person fills in; `id` None makes a new schedule, else that one is changed in place."""

    name: str
    kind: ScheduleKind
    expression: str
    zone: str = "UTC"
    recipe: str | None = None
    task: Task = Task.RETRAIN
    arguments: Mapping[str, Any] = field(default_factory=dict)
    misfire: Misfire = Misfire.RUN_ONCE
    id: str | None = None


@dataclass(frozen=True)
class Slot:
    """One future run of a schedule."""

    at: datetime
    schedule_id: str
    name: str
    model: str
    title: str
    why: str  # "every Monday at 06:00"


@dataclass(frozen=True)
class Candidate:
    """A version that a finished retrain left behind and nobody has decided on yet."""

    model: str
    version: str
    version_id: str
    job_id: str
    proposed: bool


@dataclass(frozen=True)
class Unanswered:
    """A harm alert that no run answers."""

    model: str
    title: str
    since: datetime


@dataclass(frozen=True)
class Room:
    """Everything the Retraining page shows, from one read."""

    now: datetime
    since: datetime
    jobs: tuple[Job, ...]  # in the window or unfinished, newest first
    slots: tuple[Slot, ...]  # next runs of enabled schedules, soonest first
    recipes: tuple[Recipe, ...]
    schedules: tuple[Schedule, ...]
    failed_24h: int
    candidate: Candidate | None
    unanswered: tuple[Unanswered, ...]  # oldest first
    worker_seen_at: datetime | None  # wall time of the leader's last sign; None = never
    worker_away_seconds: float | None
    held: Mapping[str, str] = field(default_factory=dict)  # schedule id -> why its guards hold it back now
    spending: Mapping[str, Spending] = field(default_factory=dict)  # recipe -> the month so far

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that run now."""
        return tuple(job for job in self.jobs if job.running)

    @property
    def worker_answers(self) -> bool:
        """Whether a worker leads now (10 s of patience)."""
        return self.worker_away_seconds is not None and self.worker_away_seconds < 10

    @property
    def models(self) -> tuple[str, ...]:
        """Models that appear here, sorted."""
        named = {r.model for r in self.recipes} | {j.model for j in self.jobs if j.model}
        return tuple(sorted(named | {s.model for s in self.schedules if s.model}))

    def job(self, job_id: str | None) -> Job | None:
        """The job of that id when the room shows it."""
        return next((job for job in self.jobs if job.id == job_id), None)


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe that cannot run.

    Raises:
        InvalidInput: an empty name or model, a program that cannot be started, a parameter that cannot be kept,
            or a limit that is not positive.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", recipe.name):
        raise InvalidInput(
            f"The recipe name {recipe.name!r} cannot be used.",
            hint="Use letters, digits, '.', '_' and '-', at most 80.",
        )
    if not recipe.model:
        raise InvalidInput(f"The recipe {recipe.name} names no model.", hint="Say which model it makes a version of.")
    check_entry(recipe.entry)
    require_plain(recipe.parameters)
    for one in recipe.checks:
        check_entry(one.program)
    programs = [recipe.entry, *(one.program for one in recipe.checks)]
    check_workplace(recipe.requirements, recipe.repository, recipe.commit, programs)
    check_money(recipe.price_per_hour, recipe.money_a_month, f"recipe {recipe.name}")
    limits = {"timeout_seconds": recipe.timeout_seconds, "memory_mib": recipe.memory_mib}
    for name, value in {**limits, "max_attempts": recipe.max_attempts}.items():
        if value < 1:
            raise InvalidInput(f"The recipe's {name} is {value}.", hint="Use a number above 0.")


def check_entry(entry: str) -> None:
    """Refuse a program that could not be started.

    Raises:
        InvalidInput: it is empty, or a command line whose quotes do not close.

    >>> check_entry("team.churn:train")
    >>> check_entry("{python} train.py --until {end}")
    """
    try:
        words = shlex.split(entry)
    except ValueError as error:
        raise InvalidInput(f"The program {entry!r} cannot be read: {error}.", hint="Close its quotes.") from error
    if not words or "\0" in entry or "\n" in entry:
        raise InvalidInput(
            f"{entry!r} is no program.",
            hint="Use module:function, a command line such as {python} train.py, or a file (.ipynb, dvc.yaml).",
        )


def check_schedule(draft: ScheduleDraft, *, now: datetime) -> None:
    """Refuse a schedule that could never fire or that nobody could read.

    Raises:
        InvalidInput: the name, zone or expression cannot be used.
    """
    if not draft.name.strip():
        raise InvalidInput("The schedule has no name.", hint='Name it, for example "weekly".')
    if draft.task is Task.REPORT:
        Plan.of(draft.arguments)
    if draft.task is Task.RETRAIN and not draft.recipe:
        raise InvalidInput("The schedule names no recipe.", hint="Choose what it runs.")
    zone_of(draft.zone)
    guards = Guards.of(draft.arguments)
    guards.check()
    if draft.kind in TRIGGERS and guards.overlap != Overlap.QUEUE:
        raise InvalidInput(
            "A trigger waits by itself until no other run of its model is left.", hint="Leave the overlap at queue."
        )
    afterwards_of(str(draft.arguments.get("then", "")))
    if draft.kind is ScheduleKind.CRON:
        cron_fields(draft.expression)
    elif draft.kind is ScheduleKind.INTERVAL:
        interval_seconds(draft.expression)
    elif draft.kind is ScheduleKind.ONCE:
        at = instant(draft.expression)
        if at <= now:
            raise InvalidInput(f"{draft.expression} has passed.", hint="Choose a later time, or run it now.")
    elif draft.kind is ScheduleKind.LABELS:
        labels_needed(draft.expression)
    elif draft.kind is ScheduleKind.FILE:
        watched_path(draft.expression)
    elif draft.kind is ScheduleKind.RECIPE:
        if not draft.expression.strip():
            raise InvalidInput("The schedule names no recipe to follow.", hint="Choose after which one it runs.")
    elif draft.kind is ScheduleKind.CALL:
        if draft.expression != CALLED:
            raise InvalidInput("A schedule that is called waits for nothing else.", hint=f"Leave it at {CALLED!r}.")
    elif draft.expression not in ALERT_KINDS:
        raise InvalidInput(
            f"There is no alert kind {draft.expression!r}.", hint=f"Use one of: {', '.join(ALERT_KINDS)}."
        )


def check_no_loop(draft: ScheduleDraft, known: Iterable[Schedule]) -> None:
    """Refuse a schedule whose recipe would, over others that follow one another, start itself again.

    Raises:
        InvalidInput: it would.
    """
    after: dict[str, set[str]] = {}
    for one in known:
        if one.kind is ScheduleKind.RECIPE and one.recipe and one.id != draft.id:
            after.setdefault(one.expression, set()).add(one.recipe)
    reached, wanted = set(), [str(draft.recipe)]
    while wanted:
        name = wanted.pop()
        if name == draft.expression:
            raise InvalidInput(
                f"{draft.recipe} would start itself again: {draft.expression} follows it already.",
                hint="Start the first of them by the clock, labels or an alert.",
            )
        if name not in reached:
            reached.add(name)
            wanted += after.get(name, ())


def afterwards_of(text: str) -> Afterwards:
    """What happens afterwards, as it is written; empty means that the version waits for review.

    Raises:
        InvalidInput: it is none of them.
    """
    try:
        return Afterwards(text or Afterwards.REVIEW)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is nothing that can follow a run.", hint="Use review or propose.") from error


def followed_by(arguments: Mapping[str, Any], then: Afterwards, by: str) -> dict[str, Any]:
    """The arguments of work after which something shall happen, and who wants that: this person cannot approve it.

    >>> followed_by({"model": "m", "then": "propose", "asked_by": "ada"}, Afterwards.REVIEW, "bob")
    {'model': 'm'}
    """
    kept = {name: value for name, value in arguments.items() if name not in ("then", "asked_by")}
    return kept if then is Afterwards.REVIEW else {**kept, "then": str(then), "asked_by": by}
