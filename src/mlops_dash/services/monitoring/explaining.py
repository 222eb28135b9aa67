"""Which column is the likely cause: what the version in service rests on, measured by a worker, and the ranking.

What it rests on is measured once a reference, on rows from before it got worse, and kept as evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.calendar import day_of
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.monitoring.causes import KIND, By, Causes, Importance, as_shares, importance_of, ranked
from mlops_dash.domain.monitoring.loss_splits import KIND as SPLIT
from mlops_dash.domain.monitoring.loss_splits import Split, split_of
from mlops_dash.domain.monitoring.readings import Reading, known
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.ripeness import days_in
from mlops_dash.domain.words import AlertState, JobState
from mlops_dash.errors import BrokenModel, Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.ground import Ground, ground_of, logged, needed
from mlops_dash.services.monitoring.stretch import harm_stretch
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.cells import NumericCells
from mlops_dash.stats.model_importance import ROUNDS, loss_rises
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import prediction_log, registry
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import alerts as alert_store
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

MIN_ROWS, MOST_ROWS = 200, 2_000  # labelled rows that importance is measured on
FIRST_WINDOWS = 28  # of the log, where the reference's own rows are not in it
ELSEWHERE = "others serve this model, so it cannot be asked here"
_LEVEL = 0.95
_SEED = 20_130_101
_HOUR = timedelta(hours=1)
_FAILED = (JobState.FAILED, JobState.TIMED_OUT)
_NOT_FEATURES = ("prediction_id", "at", "at_us", "label", "label_received_at", "label_observed_at", "score")
Answer = Callable[[str, pd.DataFrame], Floats]  # version id, features as logged -> float64[rows], or [rows, classes]
Own = Callable[[str, Mapping[str, float]], Mapping[str, float]]  # version id, inputs and their spread -> share of each
Tell = Callable[[float, str], None]


class Explaining:
    """The verbs of causes."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def causes(self, actor: Actor, model: str) -> Causes | None:
        """The columns of what is served that moved, likeliest cause first; None where nothing is judged.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            ground = ground_of(session, model, self.context.clock.now())
            if ground is None:
                return None
            own = store.readings(session, ground.version.id)
            return causes_of(session, ground.version, ground.reference, ground.policy, own)

    @command(Permission.JOB_RUN, Action.WHY_REQUESTED)
    def ask_why(self, unit: Unit, actor: Actor, model: str, reason: str, *, at_once: bool = False) -> str:
        """Ask a worker what the version in service rests on.

        Args:
            unit: Of work.
            actor: Who asks.
            model: The model's name.
            reason: What they want to find out.
            at_once: They measure it themselves, right away: it is in the ledger, and no job is made.

        Returns:
            The job's id; "" without one.

        Raises:
            NotFound: nothing is served, or it has no reference.
            InvalidInput: no reason, or others serve the model.
            Conflict: it was asked already.
        """
        if not reason.strip():
            raise InvalidInput("A run needs a reason.", hint="Say in a few words what you want to find out.")
        ground = needed(ground_of(unit.session, model, unit.now), model)
        if at_once:
            unit.audit(f"v{ground.version.version}", model=model, reason=reason.strip(),
                       after={"at_once": True, "version_id": ground.version.id})  # fmt: skip
            return ""
        if ground.elsewhere:
            raise InvalidInput(f"What v{ground.version.version} rests on cannot be measured: {ELSEWHERE}.")
        already = job_reads.unfinished_for(unit.session, model=model, task=Task.WHY)
        if already is not None:
            raise Conflict(f"What {model} rests on is being measured: the job is {already.state}.", hint="Wait for it.")
        job_id = self.context.new_id()
        job = _job(ground, unit.now, f"asked by {actor.name}: {reason.strip()}", actor.id)
        job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        unit.audit(f"v{ground.version.version}", model=model, after={"job": job_id, **job.arguments},
                   reason=reason.strip())  # fmt: skip
        return job_id

    @record(Permission.SYSTEM)
    def plan_why(self, actor: Actor, model: str) -> bool:
        """Have it measured when an alert first asks, and a risen loss split; whether a job was made."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            ground = ground_of(session, model, now)
            if ground is None:
                return False
            open_kinds = {one.kind for one in alert_store.alerts(session, model) if one.state is not AlertState.CLOSED}
            unknown = not ground.elsewhere and _known(session, ground).at is None
            own = [one for one in store.readings(session, ground.version.id) if one.n]
            worse = harm_stretch(own, ground.policy) if "harm" in open_kinds else []
            split = _split(session, ground.version, ground.reference, worse)
            weeks = (worse[-1].end - worse[0].start).days // 7 if worse and split is not None and split.reason else 0
            unsplit = bool(worse) and (split is None or weeks > 0)  # what few days could not tell, more may
            if not unsplit and not (unknown and open_kinds & {"harm", "inputs"}):
                return False
        since = worse[0].start.isoformat() if worse else ""
        asks = [model, str(Task.WHY), ground.version.id, ground.reference.id, since, *([weeks] if weeks else [])]
        with transaction(self.context.databases.app) as session:
            slot = digest(asks)[:26]
            before = job_rows.get(session, slot)
            if before is not None and before.state in _FAILED:  # it is tried again, once a day
                slot = digest([*asks, day_of(now, ground.policy.zone).isoformat()])[:26]
            job = _job(ground, now, "an alert asks for its cause", actor.id)
            return job_rows.enqueue(session, job, job_id=slot, now=now)

    @record(Permission.JOB_RUN)
    def explain(self, actor: Actor, model: str, answer: Answer, own: Own, *, tell: Tell | None = None) -> Importance:
        """Measure what the version in service rests on, and keep it; that it cannot be is kept as well.

        Args:
            actor: Who asks.
            model: The model's name.
            answer: Asks a version about rows.
            own: Asks a version what it says of itself.
            tell: Is told the share that is done, and what is being done.

        Raises:
            NotFound: nothing is served, or it has no reference.
            Unavailable: the version's files are not here and MLflow does not answer.
        """
        now, tell = self.context.clock.now(), tell or _silent
        with reading(self.context.databases.app) as session:
            ground = needed(ground_of(session, model, now), model)
        tell(0.05, "reading labelled rows")
        try:
            made = self._measured(ground, answer, own, now, tell)
        except (BrokenModel, InvalidInput) as error:
            made = replace(_evidence(ground, By.UNKNOWN, now), state="not_computable", reason=_clause(error.message))
        with transaction(self.context.databases.app) as session:
            evidence_store.put(session, [made])
            return _known(session, ground)

    def _measured(self, ground: Ground, answer: Answer, own: Own, now: datetime, tell: Tell) -> Evidence:
        if ground.elsewhere:
            raise InvalidInput(ELSEWHERE)
        layout, version = ground.reference.layout, ground.version
        rows, said = self._rows(ground)
        features = [name for name in layout.features if name in rows]
        if len(rows) < MIN_ROWS:
            shares = own(version.id, _spreads(ground.reference))
            why = f"{len(rows):,} labelled rows of {said} are in the log, {MIN_ROWS} are needed to measure it"
            if not shares:
                raise InvalidInput(f"{why}, and the model says nothing of itself")
            columns = as_shares({name: (share, math.nan, math.nan) for name, share in shares.items()})
            return replace(_evidence(ground, By.MODEL, now), details={"columns": columns, "why": why},
                           method="what the fitted model keeps (feature_importances_ or coef_)")  # fmt: skip
        labels = rows["label"].to_numpy(dtype=np.float64)
        swayed, answers = np.zeros(len(features)), list[Floats]()
        given = rows.drop(columns=[name for name in _NOT_FEATURES if name in rows])

        def losses(column: int | None, order: Ints | None) -> Floats:
            asked = given
            if column is not None and order is not None:
                name = features[column]
                asked = given.assign(**{name: given[name].to_numpy()[order]})
                tell(0.1 + 0.85 * column / max(1, len(features)), f"shuffling {name}")
            found = layout.task.split(answer(version.id, asked))[0]  # where it gives probabilities, the class it says
            if column is None:
                answers.append(found)
            else:
                swayed[column] += layout.task.row_losses(answers[0], found).mean()
            return layout.task.row_losses(labels, found)

        days = pd.factorize(days_in(rows["at"], ground.policy.zone))[0].astype(np.int64)
        usual, rises = loss_rises(losses, len(features), days, level=_LEVEL)
        columns = as_shares({
            name: (one.value, one.low, one.high) for name, one in zip(features, rises, strict=True)
        })  # fmt: skip
        tell(0.95, "asking with the values that columns moved to")
        whole, moved_to = float(swayed.sum()), dict[str, float]()
        for name, values in self._moved_to(ground, features, len(rows)).items() if whole > 0 else ():
            try:
                found = layout.task.split(answer(version.id, given.assign(**{name: values})))[0]
            except (BrokenModel, InvalidInput):  # it cannot take them: nothing is known, so it is not excluded
                continue
            moved_to[name] = ROUNDS * float(layout.task.row_losses(answers[0], found).mean()) / whole
        if not any(share for _, share, _, _ in columns):
            raise InvalidInput(f"no column makes the answers worse when it is shuffled ({len(rows):,} labelled rows)")
        return replace(
            _evidence(ground, By.PERMUTATION, now), value=known(usual.value), low=known(usual.low),
            high=known(usual.high), n=len(rows), n_clusters=usual.n_clusters,
            method=f"{layout.task.row_loss} of the rows, each column shuffled three times; {usual.method}",
            bound=f"{said}; a column that another one stands for counts for less",
            details={"columns": columns, "effects": _effects(features, swayed), "loss": layout.task.row_loss,
                     "moved_to": moved_to, "compared_with": said,
                     "constant": [name for name in features if given[name].nunique(dropna=False) < 2]},
        )  # fmt: skip

    def _moved_to(self, ground: Ground, features: Sequence[str], n: int) -> dict[str, npt.NDArray[Any]]:
        """Values of the latest window, `n` of each column that moved there."""
        with reading(self.context.databases.app) as session:
            own = [one for one in store.readings(session, ground.version.id) if one.n]
        moved = [name for name in features if own and name in own[-1].body["moved"]]
        rows = logged(self.context, ground, own[-1].start, own[-1].end, most=MOST_ROWS) if moved else pd.DataFrame()
        rng = np.random.default_rng(_SEED)
        return {name: rows[name].to_numpy()[rng.integers(0, len(rows), n)]
                for name in moved if name in rows and len(rows)}  # fmt: skip

    def _rows(self, ground: Ground) -> tuple[pd.DataFrame, str]:
        """Labelled rows from before anything got worse: the reference's, else the first ones of the log."""
        reference, policy = ground.reference, ground.policy
        found = self._labelled(ground, reference.start, reference.end)
        if len(found) >= MIN_ROWS:
            return found, "the reference"
        with reading(self.context.databases.log) as session:
            span = prediction_log.span_of(session, reference.version_id)
        if span is None:
            return found, "the reference"
        first = max(span[0], reference.end)
        end = first + timedelta(days=FIRST_WINDOWS * max(1.0, policy.cadence.usual))
        with reading(self.context.databases.app) as session:
            worse = harm_stretch(store.readings(session, reference.version_id), policy)
        end = min(end, span[1] + _HOUR, *(one.start for one in worse[:1]))
        return self._labelled(ground, first, end), "the first windows"

    def _labelled(self, ground: Ground, start: datetime, end: datetime) -> pd.DataFrame:
        """At most `MOST_ROWS` labelled rows of a span, spread over its hours."""
        rows = logged(self.context, ground, start, end, most=MOST_ROWS)
        rows = rows[rows["label"].notna()].reset_index(drop=True)
        if len(rows) > MOST_ROWS:
            chosen = np.sort(np.random.default_rng(_SEED).choice(len(rows), MOST_ROWS, replace=False))
            rows = rows.iloc[chosen].reset_index(drop=True)
        return rows


def causes_of(
    session: Session, version: Version, reference: Reference, policy: MonitoringPolicy, own: Sequence[Reading]
) -> Causes | None:
    """The ranking, from the stored readings of the version in service; None where none is judged.

    Args:
        session: Of our database.
        version: The one in service.
        reference: What it is compared with.
        policy: The rules.
        own: Its readings, in order.
    """
    judged = [one for one in own if one.n]
    if not judged:
        return None
    elsewhere = registry.model(session, version.model).elsewhere
    importance = _known(session, Ground(version, reference, policy, elsewhere))
    stretch = harm_stretch(judged, policy)
    found = ranked(stretch or judged[-1:], importance, worse=bool(stretch))
    return replace(found, split=_split(session, version, reference, stretch))


def _split(session: Session, version: Version, reference: Reference, stretch: Sequence[Reading]) -> Split | None:
    if not stretch:
        return None
    kept = evidence_store.about(session, [f"{version.model} v{version.version}"], kinds=[SPLIT])
    return split_of(kept, reference.id, stretch[0].start, stretch[-1].end)


def importance_in(session: Session, version: Version, reference: Reference) -> Importance:
    """What is known of what a version rests on."""
    found = evidence_store.about(session, [f"{version.model} v{version.version}"], kinds=[KIND])
    return importance_of(found, reference.id)


def _known(session: Session, ground: Ground) -> Importance:
    found = importance_in(session, ground.version, ground.reference)
    if ground.elsewhere:
        return replace(found, barred=ELSEWHERE, why=found.why if found.known else ELSEWHERE)
    waits = job_reads.unfinished_for(session, model=ground.version.model, task=Task.WHY) is not None
    return replace(found, asked=waits)


def _job(ground: Ground, now: datetime, cause: str, asked_by: str) -> NewJob:
    version = ground.version
    arguments = {"version_id": version.id, "version": version.version}
    return NewJob(Task.WHY, now, cause, asked_by, version.model, arguments=arguments, priority=-1)


def _evidence(ground: Ground, by: By, now: datetime) -> Evidence:
    version, reference = ground.version, ground.reference
    return Evidence(
        kind=KIND, subject=f"{version.model} v{version.version}", comparator="", metric=str(by),
        direction="lower_is_better", value=None, low=None, high=None, level=_LEVEL, n=0, n_clusters=None, method="",
        bound="", window_start=reference.start, window_end=reference.end,
        digests={"reference": reference.id, "model": version.artifact_digest}, code_version=__version__,
        computed_at=now,
    )  # fmt: skip


def _spreads(reference: Reference) -> dict[str, float]:
    """How far the values of each input lie apart; levels have no distance."""
    columns = {name: reference.layout.columns[name] for name in reference.layout.features}
    return {name: cells.spread if isinstance(cells, NumericCells) else 1.0 for name, cells in columns.items()}


def _effects(names: Sequence[str], swayed: Floats) -> dict[str, float | None]:
    whole = float(swayed.sum())
    return {name: known(one / whole) for name, one in zip(names, swayed.tolist(), strict=True)} if whole > 0 else {}


def _clause(said: str) -> str:
    """A sentence as part of another one."""
    return said.rstrip(".")


def _silent(share: float, text: str) -> None:
    """Nobody wants to know how far it is."""
