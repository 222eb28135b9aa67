"""Estimates of a model that answers with a number: a worker learns the loss of a row, and estimates by it.

Classifiers are estimated from their profiles (`estimating`); here rows are read, so a job does it, once a week.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.monitoring.label_free import LOSS_KIND, EstimatedPoint, EstimatedView, back_test, loss_points
from mlops_dash.domain.monitoring.readings import Reading, known
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.errors import InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.estimating import estimator_of, view_of
from mlops_dash.services.monitoring.samples import window_rows
from mlops_dash.services.monitoring.stretch import harm_stretch
from mlops_dash.services.monitoring.together import in_numbers
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.loss_model import LossModel, fit_loss
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import policies, prediction_log
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference

LEARN_DAYS, LEARN_WINDOWS, LEARN_ROWS = 28, 8, 5_000  # of the log, whichever is longer; rows at most
MOST_WINDOWS = 60  # the latest ones that are estimated
_LEVEL = 0.95
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class LossModels:
    """The verbs."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.SYSTEM)
    def plan_estimate(self, actor: Actor, model: str) -> bool:
        """Have later windows estimated once a week, or once a longer window; whether a job was made."""
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            found = _ground(session, model, now)
            if found is None or job_reads.unfinished_for(session, model=model, task=Task.ESTIMATE) is not None:
                return False
            version, reference, policy = found
            own = [one for one in store.readings(session, version.id) if one.n]
        if not own or own[-1].end - own[0].start < _learns(policy):
            return False
        span = max(7.0, policy.cadence.usual)
        slot = digest([model, str(Task.ESTIMATE), version.id, reference.id, int((own[-1].end - _EPOCH).days // span)])
        with transaction(self.context.databases.app) as session:
            job = NewJob(Task.ESTIMATE, now, "windows wait for their labels", actor.id, model,
                         arguments={"version_id": version.id, "version": version.version}, priority=-1)  # fmt: skip
            return job_rows.enqueue(session, job, job_id=slot[:26], now=now)

    @command(Permission.JOB_RUN, Action.ESTIMATE_REQUESTED)
    def ask_estimate(self, unit: Unit, actor: Actor, model: str, reason: str) -> None:
        """Say in the ledger that somebody has windows estimated now, before they do.

        Raises:
            NotFound: nothing is served, or it has no reference with labels.
            InvalidInput: no reason.
        """
        if not reason.strip():
            raise InvalidInput("A run needs a reason.", hint="Say in a few words what you want to find out.")
        version, _, _ = _needed(_ground(unit.session, model, unit.now), model)
        unit.audit(f"v{version.version}", model=model, reason=reason.strip(), after={"version_id": version.id})

    @read(Permission.ROOM_READ)
    def estimated(self, actor: Actor, model: str) -> EstimatedView | None:
        """What is known of windows without labels: by their profiles of a classifier, else as a worker left it.

        Returns:
            None where nothing is estimated (yet).

        Raises:
            NotFound: no such model.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            if version is None or reference is None:
                return None
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            own = [one for one in store.readings(session, version.id) if one.n]
            found = view_of(reference, own, "")  # of its main metric
            return loss_view(session, version, reference, policy, own) if found is None else found

    @record(Permission.JOB_RUN)
    def estimate_losses(self, actor: Actor, model: str) -> EstimatedView | None:
        """Learn the loss of a row on the first labelled windows, estimate the later ones, and keep that as evidence.

        Raises:
            NotFound: nothing is served, or it has no reference with labels.
            InvalidInput: it is estimated from its profiles already, or too few labelled rows teach anything.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            version, reference, policy = _needed(_ground(session, model, now), model)
            own = [one for one in store.readings(session, version.id) if one.n]
        learner, until = self._learned(reference, policy, own)
        if learner.reason:
            raise InvalidInput(f"The loss of {model} cannot be estimated: {learner.reason}.")
        windows = [one for one in own if one.start >= until and one.n >= policy.min_rows][-MOST_WINDOWS:]
        rows = []
        for one in windows:
            x, _, days = self._read(reference, policy, one.start, one.end, most=LEARN_ROWS // 2, labelled=False)
            made = learner.estimate(x, days, level=_LEVEL)
            if made is not None:
                rows.append([one.start.isoformat(), one.end.isoformat(), *(known(number) for number in made)])
        if not rows:
            raise InvalidInput(f"No window of {model} came after the {learner.n:,} rows that its loss was learned on.")
        kept = _evidence(version, reference, learner, rows, until, now)
        with transaction(self.context.databases.app) as session:
            evidence_store.put(session, [kept])
            return loss_view(session, version, reference, policy, own)

    def _learned(
        self, reference: Reference, policy: MonitoringPolicy, own: Sequence[Reading]
    ) -> tuple[LossModel, datetime]:
        """The loss of a row, learned on the first labelled windows before anything got worse, and when those end."""
        with reading(self.context.databases.log) as session:
            span = prediction_log.span_of(session, reference.version_id)
        first = reference.end if span is None else max(span[0], reference.end)
        worse = harm_stretch(own, policy)
        until = min([first + _learns(policy), *(one.start for one in worse[:1] if one.start > first)])
        x, losses, days = self._read(reference, policy, first, until, most=LEARN_ROWS, labelled=True)
        return fit_loss(x, losses, days), until

    def _read(
        self, reference: Reference, policy: MonitoringPolicy, start: datetime, end: datetime, *, most: int,
        labelled: bool,
    ) -> tuple[Floats, Floats, Ints]:  # fmt: skip
        """Inputs with the answer as the last column, losses (NaN without label), and days."""
        with reading(self.context.databases.log) as session:
            rows = window_rows(session, reference, start, end, most=most)
        rows = rows[rows["label"].notna()].reset_index(drop=True) if labelled else rows
        made, score = in_numbers(reference, rows, policy.zone), rows["score"].to_numpy(dtype=np.float64)
        losses = reference.layout.task.row_losses(rows["label"].to_numpy(dtype=np.float64), score)
        return np.column_stack([made.values, score]), losses, made.days


def loss_view(
    session: Session, version: Version, reference: Reference, policy: MonitoringPolicy, own: Sequence[Reading]
) -> EstimatedView | None:
    """What a worker estimated of what is served, held against the labels that came since; None where it did not."""
    kept = evidence_store.about(session, [f"{version.model} v{version.version}"], kinds=[LOSS_KIND])
    metric, points = loss_points(kept, reference.id, own)
    charted = next((one for one in reference.layout.task.choices if one.key == metric), None)
    if charted is None or not points:
        return None
    shown: tuple[EstimatedPoint, ...] = points
    return EstimatedView(metric, charted.label, charted.higher, charted.decimals, policy.label_unit,
                         policy.cadence.name, shown, back_test(shown))  # fmt: skip


def _ground(session: Session, model: str, now: datetime) -> tuple[Version, Reference, MonitoringPolicy] | None:
    """What is served, where its windows are estimated by a model of the loss."""
    version = store.champion(session, model)
    reference = None if version is None else references.reference(session, version.id)
    if version is None or reference is None or not reference.labelled or estimator_of(reference) is not None:
        return None
    return version, reference, policies.active(session, model, PolicyKind.MONITORING, now).monitoring


def _needed(
    found: tuple[Version, Reference, MonitoringPolicy] | None, model: str
) -> tuple[Version, Reference, MonitoringPolicy]:
    if found is None:
        raise NotFound(
            f"Nothing of {model} is estimated by a model of its loss.",
            hint="Classifiers are estimated at every judgement; others need a served version whose reference has "
            "labels.",
        )
    return found


def _learns(policy: MonitoringPolicy) -> timedelta:
    return timedelta(days=max(LEARN_DAYS, LEARN_WINDOWS * policy.cadence.usual))


def _evidence(
    version: Version, reference: Reference, learner: LossModel, rows: Sequence[Sequence[object]], until: datetime,
    now: datetime,
) -> Evidence:  # fmt: skip
    start, end, value, low, high = rows[-1]
    task = reference.layout.task
    return Evidence(
        kind=LOSS_KIND, subject=f"{version.model} v{version.version}", comparator="",
        metric=task.harm_watches[0].key, direction="lower_is_better",
        value=value, low=low, high=high, level=_LEVEL, n=learner.n, n_clusters=None,  # type: ignore[arg-type]
        method=f"DLE: boosted trees learn the {task.row_loss} of a row; off on days left out, added to the interval",
        bound=f"learned on labelled rows until {until:%Y-%m-%d}; assumes that such rows are answered as badly now",
        window_start=datetime.fromisoformat(str(start)), window_end=datetime.fromisoformat(str(end)),
        digests={"reference": reference.id, "model": version.artifact_digest}, code_version=__version__,
        computed_at=now, details={"windows": [list(one) for one in rows]},
    )  # fmt: skip
