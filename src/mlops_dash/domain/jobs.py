"""What is a job, when may it run again, and who leads: the rules of the queue.

A job is one piece of work with a due time. Its epoch grows with every claim and fences every later write, so that a
worker which lost a job cannot change it. Nothing here knows a clock, a database or a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mlops_dash.domain.words import JobState

FINISHED = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.TIMED_OUT, JobState.SKIPPED})
FAILED = frozenset({JobState.FAILED, JobState.TIMED_OUT})
# A job that lost its worker (kill -9, power) is not to blame; but one that takes its worker down must end some day.
LOST_ALLOWANCE = 2
# Something outside does not answer (MLflow is down): about 15 minutes of patience.
UNAVAILABLE_ATTEMPTS = 8
LEASE = "worker"  # whoever holds it leads
LEASE_SECONDS = 2.0
FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)


class Task(StrEnum):
    """What a job does."""

    RETRAIN = "retrain"
    PROFILE = "profile"
    EVALUATE = "evaluate"
    RECONCILE = "reconcile"
    BACKFILL = "backfill"
    MULTIVARIATE = "multivariate"  # all columns together, with a second opinion
    REPLAY = "replay"  # logged rows answered again by the version that took over, for people to look at
    WHY = "why"  # what the version in service rests on, measured on labelled rows
    ROW = "row"  # what the columns of one row add to its answer
    SLICES = "slices"  # in which parts of the rows the version in service is worse
    ESTIMATE = "estimate"  # windows without labels, by a model of the loss
    REFIT = "refit"  # a retrain as of a past day, which judges nothing and waits for nobody
    TRY_RECIPE = "try-recipe"  # its program on a small window: what is missing? Registers nothing
    CHECK_VERSION = "check-version"  # the checks of its recipe look at a version once more
    REPORT = "report"  # made by a schedule, and put on its way to people
    PLAY_WEEK = "play-week"  # of the demo: seven days that it held back go through the gateway


class Trouble(StrEnum):
    """Why an attempt ended without success."""

    FAILED = "failed"  # the work itself said no
    LOST = "lost"  # its worker vanished
    UNAVAILABLE = "unavailable"  # something outside did not answer


@dataclass(frozen=True)
class NewJob:
    """What somebody asks for."""

    task: Task
    due_at: datetime
    cause: str  # "asked by lead: weekly numbers look odd"
    requested_by: str
    model: str = ""
    recipe: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    schedule_id: str | None = None
    alert_id: str | None = None
    priority: int = 0
    max_attempts: int = 1

    @property
    def exclusive_key(self) -> str:
        """Jobs with the same key never run together: one retrain (or evaluation, ...) a model, or one in a lane."""
        lane = f":{self.arguments['lane']}" if "lane" in self.arguments else ""
        return f"{self.task}:{self.model}{lane}" if self.model else str(self.task)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of its recipe that are others in this run."""
        return dict(self.arguments.get("parameters") or {})


@dataclass(frozen=True)
class Job:
    """One piece of work, as everybody outside `store` sees it. `heartbeat_at` is wall time, the rest this world's."""

    id: str
    task: Task
    model: str
    recipe: str | None
    arguments: Mapping[str, Any]
    schedule_id: str | None
    alert_id: str | None
    due_at: datetime
    not_before: datetime | None
    state: JobState
    priority: int
    exclusive_key: str
    attempt: int
    max_attempts: int
    epoch: int
    claimed_by: str
    heartbeat_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: float  # share of the work done, 0 to 1
    progress_text: str
    cause: str
    requested_by: str
    cancel_requested: bool
    cancel_reason: str
    result: Mapping[str, Any] | None
    error: str
    created_at: datetime
    price_per_hour: float | None = None  # of its recipe, when it was asked for
    spent_seconds: float = 0.0  # of attempts before the last

    @property
    def finished(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in FINISHED

    @property
    def running(self) -> bool:
        """Whether a worker has it now."""
        return self.state is JobState.RUNNING

    @property
    def title(self) -> str:
        """What a person calls it: the recipe, else the task."""
        if self.task is Task.TRY_RECIPE:
            return f"check of {self.recipe}"
        if self.task is Task.CHECK_VERSION:
            return f"checks of v{self.arguments.get('version', '')}"
        return self.recipe or str(self.task)

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters of its recipe that are others in this run."""
        return dict(self.arguments.get("parameters") or {})

    @property
    def starts_at(self) -> datetime:
        """When it started, else the earliest moment it may start."""
        return self.started_at or max(self.due_at, self.not_before or self.due_at)


@dataclass(frozen=True)
class Beat:
    """The answer to a heartbeat: is the job still mine, and does somebody want it stopped?"""

    mine: bool
    cancel_requested: bool = False
    reason: str = ""


@dataclass(frozen=True)
class LogChunk:
    """Part of a job's log: whole lines from byte `start`; ask again from `next_offset`."""

    text: str
    start: int
    next_offset: int
    size: int  # bytes of the whole log


@dataclass(frozen=True)
class Lease:
    """Whether this process leads, and under which epoch. Times are wall times."""

    held: bool
    holder: str
    until: datetime
    epoch: int


def wait_after(trouble: Trouble, *, attempt: int, max_attempts: int) -> timedelta | None:
    """How long a job waits after its `attempt`-th attempt (from 1) ended in trouble; None = it has failed for good.

    >>> wait_after(Trouble.FAILED, attempt=1, max_attempts=1) is None
    True
    >>> wait_after(Trouble.LOST, attempt=1, max_attempts=1)
    datetime.timedelta(0)
    >>> wait_after(Trouble.UNAVAILABLE, attempt=3, max_attempts=1)
    datetime.timedelta(seconds=20)
    """
    allowed = {
        Trouble.FAILED: max_attempts,
        Trouble.LOST: max_attempts + LOST_ALLOWANCE,
        Trouble.UNAVAILABLE: max(max_attempts, UNAVAILABLE_ATTEMPTS),
    }[trouble]
    if attempt >= allowed:
        return None
    if trouble is Trouble.LOST:
        return timedelta(0)
    return min(FIRST_WAIT * (1 << (attempt - 1)), LONGEST_WAIT)


def taken_over(job_id: str, epoch: int) -> str:
    """The sentence for a write that came too late."""
    return f"Job {job_id} is no longer ours: epoch {epoch} was taken over, finished or cancelled."


def log_name(job_id: str) -> str:
    """The file name of a job's log below `logs/jobs/`."""
    return f"{job_id}.log"
