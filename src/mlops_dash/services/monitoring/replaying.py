"""The version that took over, replayed on the rows before its takeover: asked for, carried out, and told.

What it answers is counted here and kept with its job alone. Nothing goes into the log or among the readings, so that
no verdict, gate or alarm can rest on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.class_probabilities import column_of
from mlops_dash.domain.jobs import FAILED, Job, NewJob, Task
from mlops_dash.domain.monitoring.past import Span, Takeover
from mlops_dash.domain.monitoring.readings import estimate_from_row
from mlops_dash.domain.monitoring.replay import (
    MOST_ROWS,
    Replayed,
    ReplayState,
    ReplayView,
    days_back,
    newest_days,
    told,
    why_no_rows,
    window_of,
)
from mlops_dash.domain.monitoring.room import MonitoringRoom, Point
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.words import Health, JobState
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring import room as rooms
from mlops_dash.services.monitoring.batching import batch_parts, names_of
from mlops_dash.services.monitoring.course import Kept
from mlops_dash.services.monitoring.days import days_of
from mlops_dash.services.monitoring.grouping import WindowGroups, group_parts
from mlops_dash.services.monitoring.judging import judge
from mlops_dash.services.monitoring.profiling import slots_of
from mlops_dash.services.monitoring.referencing import recut
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.stats.arrays import Floats
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import policies, prediction_log, registry
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.groups import GroupPiece
from mlops_dash.store.monitoring.parts import Part, count_rows, pack
from mlops_dash.store.monitoring.profiles import Piece
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import from_us, to_us

ROWS_AT_ONCE = 10_000
Answer = Callable[
    [str, pd.DataFrame], Floats
]  # version id, features as logged -> float64[rows], or float64[rows, k] of classes
Tell = Callable[[float, str], None]
_NOT_FEATURES = ("prediction_id", "at", "at_us", "label", "label_received_at", "label_observed_at", "score")
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Ground:
    """What a replay is of: the version in service, whose place it took, and the time before that."""

    version: Version
    takeover: Takeover
    start: datetime
    end: datetime
    why_not: str  # "" when it can be replayed


class Replaying:
    """The verbs of a replay."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def replayed(self, actor: Actor, model: str) -> ReplayView | None:
        """How far the replay of the version in service is; None where nothing took over, or its own days speak.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            policy = policies.active(session, model, PolicyKind.MONITORING, self.context.clock.now()).monitoring
            ground = _ground(session, model, policy)
            return None if ground is None else _view(session, ground, policy)

    @command(Permission.JOB_RUN, Action.REPLAY_REQUESTED)
    def ask_replay(self, unit: Unit, actor: Actor, model: str, reason: str) -> str:
        """Ask a worker to replay the version in service on the rows before its takeover.

        Returns:
            The job's id.

        Raises:
            NotFound: there is nothing to replay.
            InvalidInput: no reason, or it cannot be replayed.
            Conflict: it was asked already.
        """
        if not reason.strip():
            raise InvalidInput("A replay needs a reason.", hint="Say in a few words what you want to find out.")
        policy = policies.active(unit.session, model, PolicyKind.MONITORING, unit.now).monitoring
        ground = _needed(_ground(unit.session, model, policy), model)
        already = job_reads.unfinished_for(unit.session, model=model, task=Task.REPLAY)
        if already is not None:
            raise Conflict(f"A replay of {model} is {already.state} already.", hint="Wait for it.")
        if ground.why_not:
            raise InvalidInput(f"v{ground.version.version} cannot be replayed: {ground.why_not}.")
        job_id = self.context.new_id()
        job = _job(ground, unit.now, f"asked by {actor.name}: {reason.strip()}", actor.id)
        job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        unit.audit(f"v{ground.version.version}", model=model, after={"job": job_id, **job.arguments},
                   reason=reason.strip())  # fmt: skip
        return job_id

    @record(Permission.SYSTEM)
    def plan_replay(self, actor: Actor, model: str) -> bool:
        """Have a version that took over replayed once, while none of its days is judged; whether a job was made."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            ground = _ground(session, model, policy)
        if ground is None or ground.why_not:
            return False
        slot = digest([model, str(Task.REPLAY), ground.version.id, ground.takeover.at.isoformat()])[:26]
        with transaction(self.context.databases.app) as session:
            job = _job(ground, now, f"v{ground.version.version} took over; none of its own days is judged", actor.id)
            return job_rows.enqueue(session, job, job_id=slot, now=now)

    @record(Permission.JOB_RUN)
    def replay(
        self, actor: Actor, model: str, answer: Answer, *, version_id: str = "", tell: Tell | None = None
    ) -> Replayed:
        """Have the version in service answer the rows before its takeover, and count what it says.

        Args:
            actor: Who asks.
            model: The model's name.
            answer: Asks a version about rows.
            version_id: Which version was asked for; "" for the one in service.
            tell: Is told the share that is done, and what is being done.

        Raises:
            NotFound: there is nothing to replay.
            InvalidInput: it cannot be replayed; whatever `answer` raises.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            ground = _needed(_ground(session, model, policy), model)
            if version_id not in ("", ground.version.id):
                raise InvalidInput(f"Meanwhile v{ground.version.version} serves; it has a replay of its own.")
            held = references.reference(session, ground.version.id)
            positive = registry.model(session, model).positive_label
        reference = None if held is None else recut(held, policy)
        if reference is None or ground.why_not:
            why = ground.why_not or "its reference was kept by other windows"
            raise InvalidInput(f"v{ground.version.version} cannot be replayed: {why}.")
        rows, aside = self._answered(ground, reference, policy, answer, tell or _silent)
        pieces = _pieces(reference, policy, rows)
        days = days_of(reference, pieces, policy, until=now)
        groups = _groups(reference, policy, rows)
        course = judge(ground.version, reference, policy, days, Kept(positive=positive), groups=groups)
        labelled = int(rows["label"].notna().sum())
        windows = tuple(window_of(one) for one in course.readings if one.n)
        return Replayed(rows["at"].min().to_pydatetime(), ground.end, len(rows), labelled, aside, windows)

    def _answered(
        self, ground: Ground, reference: Reference, policy: MonitoringPolicy, answer: Answer, tell: Tell
    ) -> tuple[pd.DataFrame, int]:
        """The rows of the log with the answers of this version, and how many cannot be counted."""
        version, model = ground.version, reference.model
        start = self._affordable(model, ground, policy)
        after, held, aside = None, [], 0
        while True:
            with reading(self.context.databases.log) as session:
                page = prediction_log.read_logged(
                    session, model, start, ground.end, after=after, limit=ROWS_AT_ONCE, labels=True
                )
            if page.empty:
                break
            after = (int(page["at_us"].iloc[-1]), str(page["prediction_id"].iloc[-1]))
            # Before anybody is asked: a row that cannot be counted must not make the model fail for all others.
            fit, unfit = sift(reference.layout, page.assign(score=0.0), batch=reference.batch_column)
            fit = fit.reset_index(drop=True)
            if len(fit):
                scores = answer(version.id, fit.drop(columns=[name for name in _NOT_FEATURES if name in fit]))
                score, p = reference.layout.task.split(scores)
                told = {} if p is None else dict(zip(map(column_of, reference.layout.classes), p.T, strict=True))
                fit, wrong = sift(reference.layout, fit.assign(score=score, **told), batch=reference.batch_column)
                aside += len(wrong)
                held.append(fit)
            aside += sum(1 for one in unfit if one.column != "label")
            share = (page["at"].iloc[-1].to_pydatetime() - start) / max(ground.end - start, _HOUR)
            tell(0.05 + 0.85 * share, f"v{version.version} answered the rows up to {page['at'].iloc[-1]:%Y-%m-%d}")
        if not held or not sum(map(len, held)):
            raise InvalidInput(f"v{version.version} cannot be replayed: no row of these days can be counted.")
        return pd.concat(held, ignore_index=True), aside

    def _affordable(self, model: str, ground: Ground, policy: MonitoringPolicy) -> datetime:
        """From when on rows are answered again: whole days, no more rows than one replay may take."""
        with reading(self.context.databases.log) as session:
            hours = prediction_log.logged_by_hour(session, model, ground.start, ground.end)
        by_day = [
            (day_start(day, policy.zone), sum(n for _, n in of_day))
            for day, of_day in groupby(hours, lambda one: day_of(one[0], policy.zone))
        ]
        version = ground.version.version
        if not by_day:
            raise InvalidInput(f"v{version} cannot be replayed: no row is logged before it took over.")
        first = newest_days(by_day)
        if first is None:
            last = f"{by_day[-1][1]:,} rows; {MOST_ROWS:,} are the most"
            raise InvalidInput(f"v{version} cannot be replayed: the last day before it alone has {last}.")
        return max(first, ground.start)


def with_replay(
    room: MonitoringRoom, session: Session, material: rooms.Material, policy: MonitoringPolicy, *, long: bool
) -> MonitoringRoom:
    """The room with the replay of a version that took over and has no judged day of its own."""
    takeover = material.takeover
    if takeover is None or rooms.speaks_for_itself(material.own, takeover):
        return room
    version = store.champion(session, room.model)
    if version is None:
        return room
    ground = _ground_of(session, version, takeover, material.reference, policy, material.around.spans)
    view = _view(session, ground, policy)
    if view.found is None or room.performance is None:
        return replace(room, replay=view)
    metric, days = room.performance.metric, rooms.trailing(long=long)
    points = tuple(_point(one, view.version, metric, days) for one in view.found.windows)
    return replace(room, replay=view, performance=replace(room.performance, replayed=points))


def _point(window: Mapping[str, Any], version: str, metric: str, days: int) -> Point:
    row = window["metrics"].get(str(days), {}).get(metric)
    return Point(
        start=datetime.fromisoformat(window["start"]),
        end=datetime.fromisoformat(window["end"]),
        version=version,
        n=int(window["n"]),
        n_labelled=int(window["labelled"]),
        ripe=bool(window["ripe"]),
        daily=window["day"].get(metric),
        trailing=None if row is None else estimate_from_row(row, days),
        health=Health.NOT_KNOWN,
    )


def _needed(ground: Ground | None, model: str) -> Ground:
    if ground is None:
        raise NotFound(
            f"There is nothing of {model} to replay.",
            hint="A version is replayed after it took over from another, until its own first days are judged.",
        )
    return ground


def _job(ground: Ground, now: datetime, cause: str, asked_by: str) -> NewJob:
    version = ground.version
    arguments = {"version_id": version.id, "version": version.version}
    return NewJob(Task.REPLAY, now, cause, asked_by, version.model, arguments=arguments, priority=-1)


def _ground(session: Session, model: str, policy: MonitoringPolicy) -> Ground | None:
    """What of a model can be replayed now; None where nothing took over, or the new version's own days speak."""
    version = store.champion(session, model)
    if version is None:
        return None
    around = store.surroundings(session, model)
    takeover = rooms.takeover_of(version.version, around, store.version_names(session, model))
    if takeover is None or rooms.speaks_for_itself(store.readings(session, version.id), takeover):
        return None
    return _ground_of(session, version, takeover, references.reference(session, version.id), policy, around.spans)


def _ground_of(
    session: Session, version: Version, takeover: Takeover, reference: Reference | None, policy: MonitoringPolicy,
    spans: Sequence[Span],
) -> Ground:  # fmt: skip
    cadence, zone = policy.cadence, policy.zone
    end = takeover.at if cadence.is_batch else day_start(day_of(takeover.at, zone), zone)
    trained = registry.version(session, version.id).training_end
    start = day_start(cadence.first_day(day_of(end - timedelta(days=days_back(cadence)), zone)), zone)
    served = [one.end for one in spans if one.version_id == version.id and one.end and one.end <= takeover.at]
    start = max([start, *served, *([] if trained is None else [trained])])  # what it answered itself is no replay
    why = ""
    if registry.model(session, version.model).elsewhere:
        why = "others serve this model, so its files are not here"
    elif reference is None:
        why = "it has no reference to be counted by"
    elif not reference.labelled:
        why = "its reference has no labels, so nothing says how good an answer is"
    else:
        why = why_no_rows(version.version, trained_until=trained, end=end)
    return Ground(version, takeover, start, end, why)


def _view(session: Session, ground: Ground, policy: MonitoringPolicy) -> ReplayView:
    """What is known of the replay of a version."""
    version = ground.version.version
    job = job_rows.last_about(session, task=Task.REPLAY, model=ground.version.model, version_id=ground.version.id)
    known = registry.version(session, ground.version.id).training_end is not None
    view = ReplayView(version, ground.takeover.before, ReplayState.NONE, "", ground.why_not, trained_known=known)
    if ground.why_not:
        return replace(view, state=ReplayState.CANNOT, sentence=f"v{version} cannot be replayed: {ground.why_not}.")
    if job is None:
        said = f"Nobody has replayed v{version} on the rows before it yet."
        return replace(view, sentence=said)
    return _of_job(view, job, policy)


def _of_job(view: ReplayView, job: Job, policy: MonitoringPolicy) -> ReplayView:
    if not job.finished:
        said = f"v{view.version} is being replayed: a worker has it answer the rows before it took over."
        return replace(view, state=ReplayState.WAITING, sentence=said, why_not="A replay is on its way.")
    if job.state is not JobState.SUCCEEDED or job.result is None:
        why = "was cancelled" if job.state not in FAILED else "failed"
        said = f"The replay of v{view.version} {why}: {job.error or job.cancel_reason or 'nobody said why'}"
        return replace(view, state=ReplayState.FAILED, sentence=said)
    if "why_not" in job.result:
        return replace(view, state=ReplayState.CANNOT, sentence=str(job.result["why_not"]))
    done = replace(view, state=ReplayState.DONE, found=Replayed.of_json(job.result))
    return replace(done, sentence=told(done, policy.cadence, policy.zone))


def _pieces(reference: Reference, policy: MonitoringPolicy, rows: pd.DataFrame) -> tuple[Piece, ...]:
    """Answered rows as the pieces that windows of this cadence are put together of."""
    at = rows["at"].dt.as_unit("us").astype("int64").to_numpy()
    if policy.cadence.is_batch:
        made = batch_parts(reference, rows, at, names_of(reference, rows, at, (), ()))
        return tuple(
            _piece(one.first_us, one.part, batch=one.batch, last_us=one.last_us)
            for one in sorted(made, key=lambda one: (one.first_us, one.batch))
        )
    begins = _begins(from_us(int(at[0])), from_us(int(at[-1])), policy)
    slots = np.asarray(begins, dtype=np.int64)
    place = np.searchsorted(slots, at, side="right").astype(np.int64) - 1
    parts = count_rows(reference.layout, rows, place, slots.size)
    return tuple(_piece(begin, part) for begin, part in zip(begins, parts, strict=True) if part.n)


def _groups(reference: Reference, policy: MonitoringPolicy, rows: pd.DataFrame) -> WindowGroups | None:
    """Answered rows by what they belong to, where that is what intervals go by."""
    if not reference.is_grouped:
        return None
    at = rows["at"].dt.as_unit("us").astype("int64").to_numpy()
    names = names_of(reference, rows, at, (), ()) if policy.cadence.is_batch else np.full(len(rows), "", dtype=object)
    begins = np.asarray(_begins(from_us(int(at[0])), from_us(int(at[-1])), policy), dtype=np.int64)
    found = group_parts(reference, rows, begins[np.searchsorted(begins, at, side="right") - 1], names)
    return WindowGroups(
        reference.layout, lambda: [GroupPiece(one.hour_us, one.batch, one.number, pack(one.part)) for one in found]
    )


def _begins(first: datetime, last: datetime, policy: MonitoringPolicy) -> Sequence[int]:
    """Where pieces begin from the one of `first` to the one of `last`, in microseconds."""
    if policy.cadence.pieces == "day":
        day, begins = day_of(first, policy.zone), list[int]()
        while day <= day_of(last, policy.zone):
            begins.append(to_us(day_start(day, policy.zone)))
            day += timedelta(days=1)
        return begins
    hour, slots = first.replace(minute=0, second=0, microsecond=0), list[int]()
    while hour <= last:
        slots.extend(slots_of(hour, policy.zone))
        hour += _HOUR
    return slots


def _piece(at_us: int, part: Part, *, batch: str = "", last_us: int = 0) -> Piece:
    return Piece(at_us, part.n, part.n_labelled, 0, pack(part), batch, last_us)


def _silent(share: float, text: str) -> None:
    """Nobody wants to know how far it is."""
