"""Versions as of past days: planned, asked for, cancelled, and what they answer: how often to retrain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain import hindsight
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.calendar import day_start
from mlops_dash.domain.evidence import Direction
from mlops_dash.domain.hindsight import Backfill, Cut, Hindsight, Lived, Plan, Reading, Way
from mlops_dash.domain.jobs import Job, NewJob, Task
from mlops_dash.domain.parameters import of_one_run
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.ripeness import ripe_rows, with_days
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.domain.words import JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.services.command import Context, Unit, command, read
from mlops_dash.services.retraining.metronome import recipe_of
from mlops_dash.services.retraining.money import estimate_of, why_too_dear
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.store import backfills as rows
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import policies as policy_rows
from mlops_dash.store import prediction_log
from mlops_dash.store.db import Session, reading

BEHIND_PEOPLE = -10  # priority: what people and schedules ask for goes first


class Backfills:
    """Retraining over the past."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def planned_backfill(
        self, actor: Actor, recipe: str, *, first: str, until: str = "", every: str = "30d", parallel: int = 1
    ) -> Plan:
        """What a backfill would do: its versions and windows, and how long by the recipe's last run.

        Args:
            first, until: Days, as 2026-01-31; by default the last window ends now.
            every: `30d`, or `month`.
            parallel: How many versions are trained at once, where workers are free.

        Raises:
            NotFound: there is no such recipe.
            InvalidInput: nothing lies between the days, or a word cannot be read.
        """
        with reading(self.context.databases.app) as session:
            return self._plan(session, recipe, first, until, every, parallel, now=self.context.clock.now())

    @command(Permission.JOB_RUN, Action.BACKFILL_ASKED)
    def backfill(
        self, unit: Unit, actor: Actor, recipe: str, reason: str, *, first: str, until: str = "", every: str = "30d",
        parallel: int = 1, parameters: Mapping[str, Any] | None = None,
    ) -> str:  # fmt: skip
        """Train a version as of each cut, behind everything else; nothing that serves changes. Scientists and above.

        Returns:
            The backfill's id.

        Raises:
            Conflict: one of that recipe is under way, or the month's budget does not hold it.
            InvalidInput: no reason, or what `planned_backfill` refuses.
        """
        if not reason.strip():
            raise InvalidInput("A backfill needs a reason.", hint="Say in a few words what you want to find out.")
        plan = self._plan(unit.session, recipe, first, until, every, parallel, now=unit.now)
        made = recipe_of(unit.session, recipe)
        changed = of_one_run(made.parameters, parameters or {})
        for before in rows.backfills(unit.session, model=made.model):
            if before.recipe == recipe and not before.finished:
                raise Conflict(f"A backfill of {recipe} is under way: {before.words}.", hint="Wait, or cancel it.")
        dear = why_too_dear(self.context, unit.session, made, unit.now, runs=len(plan.cuts))
        if dear:
            raise Conflict(dear, hint="Take fewer cuts, or ask a lead for a larger budget.")
        backfill_id = self.context.new_id()
        for cut in plan.cuts:
            arguments = {
                "model": made.model, "as_of": cut.at.isoformat(), "until": plan.until.isoformat(),
                "lane": cut.number % parallel, "window_end": cut.end.isoformat(),
                **({"parameters": changed} if changed else {}),
            }  # fmt: skip
            job = NewJob(
                task=Task.REFIT, due_at=cut.at, requested_by=actor.id, model=made.model, recipe=recipe,
                cause=f"as of {cut.at:%Y-%m-%d}, asked by {actor.name}: {reason.strip()}", arguments=arguments,
                schedule_id=hindsight.group_of(backfill_id), priority=BEHIND_PEOPLE, max_attempts=made.max_attempts,
            )  # fmt: skip
            job_rows.enqueue(unit.session, job, job_id=self.context.new_id(), now=unit.now)
        after = {"recipe": recipe, "from": first, "until": plan.until.isoformat(), "every": every,
                 "versions": len(plan.cuts), "parameters": changed}  # fmt: skip
        unit.audit(f"backfill {backfill_id}", model=made.model, after=after, reason=reason.strip())
        return backfill_id

    @command(Permission.JOB_CANCEL, Action.BACKFILL_CANCELLED)
    def cancel_backfill(self, unit: Unit, actor: Actor, backfill_id: str, reason: str) -> int:
        """Cancel all of its jobs that have not ended; those that run are stopped by their worker within seconds.

        Returns:
            How many.

        Raises:
            NotFound: there is no such backfill.
            InvalidInput: no reason.
            Conflict: it has ended.
        """
        if not reason.strip():
            raise InvalidInput("A cancel needs a reason.", hint="Say in a few words why.")
        known, said = _one(unit.session, backfill_id), f"Cancelled by {actor.name}: {reason.strip()}"
        stopped = sum(
            job_rows.cancel_queued(unit.session, job_id=job.id, now=unit.now, reason=said)
            or job_rows.request_cancel(unit.session, job_id=job.id, reason=said)
            for job in known.jobs
        )
        if not stopped:
            raise Conflict("That backfill has ended already.", hint="There is nothing to stop.")
        after = {"cancelled": stopped, "recipe": known.recipe}
        unit.audit(f"backfill {known.id}", model=known.model, after=after, reason=reason.strip())
        return stopped

    @read(Permission.ROOM_READ)
    def backfills(self, actor: Actor, model: str = "") -> tuple[Backfill, ...]:
        """Those of a model, or all, newest first."""
        with reading(self.context.databases.app) as session:
            return rows.backfills(session, model=model)

    @read(Permission.ROOM_READ)
    def hindsight(self, actor: Actor, backfill_id: str) -> Hindsight:
        """What its versions say: the metric had we retrained never, each time, on alarm; only on rows after training.

        Raises:
            NotFound: there is no such backfill.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            known = _one(session, backfill_id)
            policy = policy_rows.active(session, known.model, PolicyKind.PROMOTION, now).promotion
            watch = policy_rows.active(session, known.model, PolicyKind.MONITORING, now).monitoring
            task = policy_rows.task_of(session, known.model)
        with reading(self.context.databases.log) as log:
            return _Rows(log, known, policy, watch, task, now).answer()

    def _plan(
        self, session: Session, recipe: str, first: str, until: str, every: str, parallel: int, *, now: datetime
    ) -> Plan:
        if not 1 <= parallel <= hindsight.MOST_LANES:
            raise InvalidInput(f"{parallel} at once cannot be.", hint=f"Use 1 to {hindsight.MOST_LANES}.")
        made = recipe_of(session, recipe)
        zone = policy_rows.active(session, made.model, PolicyKind.MONITORING, now).monitoring.zone
        end = min(day_start(hindsight.past_date(until), zone), now) if until else now
        cuts = hindsight.cuts_of(hindsight.past_date(first), end, every, zone)
        cost = estimate_of(self.context, session, made, runs=len(cuts))
        return Plan(recipe, made.model, every, cuts, end, parallel, rows.took(session, recipe), cost)


@dataclass
class _Rows:
    """The labelled rows of a backfill's windows, and what is measured on them."""

    log: Session
    known: Backfill
    policy: PromotionPolicy
    watch: MonitoringPolicy
    task: ModelTask
    now: datetime

    def __post_init__(self) -> None:
        self.metric = self.policy.primary
        self.higher = METRICS[self.metric].direction is Direction.HIGHER
        self.cuts = tuple(_cut(number, job) for number, job in enumerate(self.known.jobs))
        self._read: dict[tuple[int, int], pd.DataFrame] = {}
        self._measured: dict[tuple[int, int], Reading] = {}
        self._prior = math.nan

    def answer(self) -> Hindsight:
        why = self._why_nothing()
        if why:
            return Hindsight(self.known, self.metric, self.higher, self.cuts, (), reason=why)
        n = len(self.cuts)
        first = self.rows(0, 0)
        self._prior = self.task.prior_of(first["label"].to_numpy(dtype=np.float64)) if len(first) else math.nan
        each = tuple(self._latest(window) for window in range(n))
        used = {
            Way.NEVER: (0,) * n,
            Way.EACH: each,
            Way.ALARM: tuple(self._latest(one) for one in hindsight.on_alarm(n, self.reading, higher=self.higher)),
        }
        ways = tuple(self._lived(way, versions) for way, versions in used.items())
        between = self._gain(used[Way.ALARM], each)
        return Hindsight(self.known, self.metric, self.higher, self.cuts, ways, between)

    def rows(self, version: int, window: int) -> pd.DataFrame:
        """Ripe rows of a window with this version's score (`score_a`) and the first one's (`score_b`)."""
        if (version, window) not in self._read:
            cut, ours, first = self.cuts[window], self.known.jobs[version], self.known.jobs[0]
            found = prediction_log.read_paired(
                self.log, self.known.model, _version_id(ours), _version_id(first), cut.at, cut.end
            )
            trained = [str((job.result or {}).get("trained_until", "")) for job in (ours, first)]
            found = found[found["at"] >= pd.Timestamp(max(trained, key=datetime.fromisoformat))]
            self._read[version, window] = ripe_rows(with_days(found, self.watch.zone), self.watch, self.now)
        return self._read[version, window]

    def reading(self, version: int, window: int) -> Reading:
        """The metric of a version in a window after its training."""
        if (version, window) not in self._measured:
            self._measured[version, window] = self._of(self.rows(self._latest(version), window), "score_a")
        return self._measured[version, window]

    def _of(self, found: pd.DataFrame, column: str) -> Reading:
        if found.empty:
            return Reading(None, reason="no labelled rows")
        label, score, day = (found[name].to_numpy() for name in ("label", column, "day"))
        one = self.task.measure_rows(label, score, day, prior=self._prior, level=self.policy.level)[self.metric]
        return Reading(
            _finite(one.value), _finite(one.low), _finite(one.high), one.n, one.n_clusters, one.reason
        )  # fmt: skip

    def _lived(self, way: Way, versions: Sequence[int]) -> Lived:
        readings = tuple(self.reading(version, window) for window, version in enumerate(versions))
        names = tuple(str((self.known.jobs[one].result or {}).get("version", "")) for one in versions)
        trainings = len(set(versions)) - 1
        gain = None if way is Way.NEVER else self._gain(versions, (0,) * len(versions))
        return Lived(
            way, names, readings, trainings, self._of(self._together(versions, (0,) * len(versions)), "score_a"), gain
        )

    def _together(self, ours: Sequence[int], theirs: Sequence[int]) -> pd.DataFrame:
        """All windows: what one way answered (`score_a`) and another one (`score_b`) on the same rows."""
        parts = []
        for window, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            both = self.rows(a, window)
            if b != 0:
                other = self.rows(b, window)[["prediction_id", "score_a"]].rename(columns={"score_a": "score_b"})
                both = both.drop(columns="score_b").merge(other, on="prediction_id")
            parts.append(both)
        return pd.concat(parts, ignore_index=True)

    def _gain(self, ours: Sequence[int], theirs: Sequence[int]) -> Reading:
        if tuple(ours) == tuple(theirs):
            return Reading(0.0, 0.0, 0.0, reason="the same versions answer")
        found = self._together(ours, theirs)
        if found.empty:
            return Reading(None, reason="no labelled rows")
        one = paired_difference(
            *(found[name].to_numpy() for name in ("label", "score_a", "score_b", "day")), metric=self.metric,
            direction=str(METRICS[self.metric].direction), level=self.policy.level,
            prior=self._prior if METRICS[self.metric].at_base_rate else None,
        )  # fmt: skip
        return Reading(_finite(one.value), _finite(one.low), _finite(one.high), one.n, one.n_clusters, one.reason)

    def _latest(self, window: int) -> int:
        """The newest version that was trained by then: one that failed leaves the one before in use."""
        return max((one for one in range(window + 1) if _version_id(self.known.jobs[one])), default=0)

    def _why_nothing(self) -> str:
        if not self.known.finished:
            return f"{self.known.words}."
        if not _version_id(self.known.jobs[0]):
            return f"The first version was not trained: {self.known.jobs[0].error or 'it was cancelled'}"
        if all(self.rows(0, window).empty for window in range(len(self.cuts))):
            return "No labelled row of the log lies in these windows, so nothing can be judged."
        return ""


def _one(session: Session, backfill_id: str) -> Backfill:
    found = rows.backfill(session, backfill_id)
    if found is None:
        raise NotFound(f"There is no backfill {backfill_id!r}.", hint="List them with: mlops-dash backfill --list.")
    return found


def _cut(number: int, job: Job) -> Cut:
    return Cut(number, job.due_at, datetime.fromisoformat(str(job.arguments["window_end"])))


def _version_id(job: Job) -> str:
    return str((job.result or {}).get("version_id", "")) if job.state is JobState.SUCCEEDED else ""


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
