"""Have all columns together moved? Our domain classifier and, beside it, the detectors of alibi-detect, on rows.

Profiles hold each column alone, so rows are read from the log: a bounded number, the same hours of the day everywhere.
What is found is evidence about the version, one piece a window and a method; the same window is not judged twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.audit import Action
from mlops_dash.domain.detectors import USUAL, detectors_of, known
from mlops_dash.domain.evidence import Evidence
from mlops_dash.domain.jobs import NewJob, Task
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.monitoring.together import ALIBI, NATIVE, Together, judge_together, together_of
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.domain.ripeness import days_in
from mlops_dash.domain.words import Drift
from mlops_dash.errors import Conflict, InvalidInput, NotFound
from mlops_dash.ids import digest
from mlops_dash.services.command import Context, Unit, command, read, record
from mlops_dash.services.monitoring.room import span_start
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.cells import CategoryCells
from mlops_dash.stats.domain_classifier import MOST_ROWS, DomainClassifier, domain_classifier, usual_aucs
from mlops_dash.store import evidence as evidence_store
from mlops_dash.store import jobs as job_rows
from mlops_dash.store import policies, prediction_log
from mlops_dash.store import retraining as job_reads
from mlops_dash.store.db import Session, reading, transaction
from mlops_dash.store.monitoring import profiles, references
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring.readings import Version
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.training.second_opinion import Opinion, licence, opinion_of

KIND = "drift"
WINDOWS = 8  # the latest ones, without overlap: what agreement is said over
MOST_USUAL = 28  # reference windows of which the usual level is measured
_FIRST_WINDOWS = 28  # of the log, where the reference's own rows are not in it
USUAL_ROWS = 4_000  # a side, of each of them
LEVEL = 0.95
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Tell = Callable[[float, str], None]


@dataclass(frozen=True)
class _Rows:
    """Rows as numbers: levels by their place, NaN where a value is missing."""

    values: Floats
    days: Ints
    at: pd.Series[Any]


class Judged:
    """The verbs of all columns together."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def together(self, actor: Actor, model: str) -> Together | None:
        """What is known about all columns together of what is served; None while nobody asked.

        Raises:
            NotFound: no such model.
        """
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            return of_model_together(session, model)[0]

    @command(Permission.JOB_RUN, Action.OPINION_REQUESTED)
    def ask_together(
        self, unit: Unit, actor: Actor, model: str, reason: str, *, detectors: Sequence[str] = USUAL
    ) -> str:
        """Ask a worker to judge all columns together, with a second opinion of these detectors.

        Returns:
            The job's id.

        Raises:
            NotFound: nothing is served.
            InvalidInput: no reason, or no such detector.
            Conflict: it was asked already.
        """
        if not reason.strip():
            raise InvalidInput("A run needs a reason.", hint="Say in a few words what you want to find out.")
        if store.champion(unit.session, model) is None:
            raise NotFound(f"No version of {model} is served.", hint="Promote a version first.")
        already = job_reads.unfinished_for(unit.session, model=model, task=Task.MULTIVARIATE)
        if already is not None:
            raise Conflict(f"A second opinion on {model} is {already.state} already.", hint="Wait for it.")
        asked = {"detectors": list(known(detectors))}
        job_id = self.context.new_id()
        job = NewJob(
            Task.MULTIVARIATE, unit.now, f"asked by {actor.name}: {reason.strip()}", actor.id, model, arguments=asked
        )
        job_rows.enqueue(unit.session, job, job_id=job_id, now=unit.now)
        unit.audit(f"job {job_id}", model=model, after={"task": str(Task.MULTIVARIATE), **asked}, reason=reason.strip())
        return job_id

    @record(Permission.SYSTEM)
    def plan_together(self, actor: Actor, model: str) -> bool:
        """Have the second opinion of the policy given on the latest window, once a window; whether a job was made."""
        now = self.context.clock.now()
        with transaction(self.context.databases.app) as session:
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            wanted, version = detectors_of(policy.second_opinion), store.champion(session, model)
            if not wanted or version is None:
                return False
            spans = _windows(store.readings(session, version.id), policy, most=1)
            if not spans or job_reads.unfinished_for(session, model=model, task=Task.MULTIVARIATE) is not None:
                return False
            job = NewJob(
                Task.MULTIVARIATE, now, "the monitoring policy asks for a second opinion", actor.id, model,
                arguments={"detectors": list(wanted)},
            )  # fmt: skip
            week = (spans[-1][1] - _EPOCH).days // round(policy.cadence.short * policy.cadence.usual)
            slot = digest([model, str(Task.MULTIVARIATE), list(wanted), week])[:26]  # the same span is asked about once
            return job_rows.enqueue(session, job, job_id=slot, now=now)

    @record(Permission.SYSTEM)
    def judge_together(
        self, actor: Actor, model: str, detectors: Sequence[str] = (), *, windows: int = WINDOWS,
        tell: Tell | None = None,
    ) -> Together:  # fmt: skip
        """Judge all columns together over the latest windows that do not overlap, those judged already left out.

        Args:
            actor: A process of ours.
            model: The model.
            detectors: Of alibi-detect, besides ours.
            windows: How many windows.
            tell: Is told the share that is done, and what is being done.

        Raises:
            NotFound: no such model, nothing is served, or it has no reference or no judged window.
            InvalidInput: there is no such detector, or too few rows to compare with.
        """
        wanted, now = known(detectors), self.context.clock.now()
        version, reference, policy, spans = self._grounds(model, now, windows)
        with reading(self.context.databases.app) as session:
            held = evidence_store.about(session, [_subject(version)], kinds=[KIND])
        done = {
            (one.metric, one.window_end)
            for one in held
            if one.digests.get("reference") == reference.id and (one.state == "ok" or one.metric == NATIVE)
        }
        tell = tell or _silent
        tell(0.05, "reading the rows to compare with")
        past, said, end = self._past(reference, policy, spans[-1][0])
        todo = [
            (metric, span)
            for span in spans
            for metric in (NATIVE, *(f"{ALIBI}{name}" for name in wanted))
            if span[0] >= end and (metric, span[1]) not in done
        ]
        if todo:
            self._judge(version, reference, policy, todo, past, said, _usual(past, policy), now, tell)
        with reading(self.context.databases.app) as session:
            found = together_of(evidence_store.about(session, [_subject(version)], kinds=[KIND]))
        if found is None:
            raise NotFound(f"No window of {model} was judged.", hint="Ask again when a window is judged.")
        return found

    def _grounds(
        self, model: str, now: datetime, windows: int
    ) -> tuple[Version, Reference, MonitoringPolicy, list[tuple[datetime, datetime]]]:
        with reading(self.context.databases.app) as session:
            if model not in store.model_names(session):
                raise NotFound(f"No model {model}.", hint="Choose one from the list.")
            version = store.champion(session, model)
            reference = None if version is None else references.reference(session, version.id)
            if version is None or reference is None:
                raise NotFound(
                    f"Nothing of {model} is watched yet.", hint="It needs a served version with a reference."
                )
            policy = policies.active(session, model, PolicyKind.MONITORING, now).monitoring
            spans = _windows(store.readings(session, version.id), policy, most=windows)
        spans = [span for span in spans if span[0] >= reference.end]
        if not spans:
            raise NotFound(f"No whole window of {model} is judged yet.", hint="Wait for it, or: mlops-dash monitor.")
        return version, reference, policy, spans

    def _judge(
        self, version: Version, reference: Reference, policy: MonitoringPolicy,
        todo: Sequence[tuple[str, tuple[datetime, datetime]]], past: _Rows, said: str, usual: tuple[float, ...],
        now: datetime, tell: Tell,
    ) -> None:  # fmt: skip
        names = reference.layout.features
        levels = [isinstance(reference.layout.columns[name], CategoryCells) for name in names]
        rows: dict[tuple[datetime, datetime], _Rows] = {}
        for place, (metric, span) in enumerate(todo):
            tell(0.1 + 0.9 * place / len(todo), f"{metric} of the window until {span[1]:%Y-%m-%d}")
            if span not in rows:
                rows = {span: self._rows(reference, policy, *span)}
            live = rows[span]
            if metric == NATIVE:
                found = domain_classifier(past.values, live.values, past.days, live.days, by_column=True)
                made = _ours(version, reference, policy, span, found, usual, said, names, now)
            else:
                name = metric.removeprefix(ALIBI)
                opinion = opinion_of(name, past.values, live.values, names, levels, alpha=policy.alpha)
                made = _theirs(version, reference, policy, span, opinion, said, now)
            with transaction(self.context.databases.app) as session:
                evidence_store.put(session, [made])

    def _past(
        self, reference: Reference, policy: MonitoringPolicy, before: datetime
    ) -> tuple[_Rows, str, datetime]:  # fmt: skip
        """The rows to compare with, what they are, and when they end: the reference's, else the first of the log."""
        found = self._rows(reference, policy, reference.start, reference.end)
        if len(found.days) >= policy.min_reference_rows:
            return found, "the reference's own rows", reference.end
        with reading(self.context.databases.log) as session:
            span = prediction_log.span_of(session, reference.version_id)
        first = reference.end if span is None else max(span[0], reference.end)
        end = min(before, first + timedelta(days=_FIRST_WINDOWS * max(1.0, policy.cadence.usual)))
        if end > first:
            found = self._rows(reference, policy, first, end)
        if len(found.days) < policy.min_reference_rows:
            raise InvalidInput(
                f"The log has {len(found.days):,} rows to compare with; {policy.min_reference_rows:,} are needed.",
                hint="Ask again when more weeks are in the log.",
            )
        last = end - timedelta(microseconds=1)
        return found, f"rows served until {last:%Y-%m-%d}, as the reference's own rows are not in the log", end

    def _rows(self, reference: Reference, policy: MonitoringPolicy, start: datetime, end: datetime) -> _Rows:
        first = start.replace(minute=0, second=0, microsecond=0)
        hours = [first + _HOUR * at for at in range(math.ceil((end - first) / _HOUR))]
        with reading(self.context.databases.log) as session:
            counted = prediction_log.rows_by_hour(
                session, [reference.version_id], hours, roles=profiles.SERIES_ROLES
            ).get(reference.version_id, {})
            every = max(1, math.ceil(sum(counted.values()) / (2 * MOST_ROWS)))
            kept = [hour for hour in sorted(counted) if hour.hour % min(every, 24) == 0]
            if not kept:
                return _Rows(np.empty((0, len(reference.layout.features))), np.empty(0, dtype=np.int64),
                             pd.Series([], dtype="datetime64[us, UTC]"))  # fmt: skip
            frame = prediction_log.read_window(
                session, reference.version_id, start, end, roles=profiles.SERIES_ROLES, hours=kept
            )
        rows, _ = sift(reference.layout, frame)
        return in_numbers(reference, rows, policy.zone)


def of_model_together(session: Session, model: str) -> tuple[Together | None, bool]:
    """What is known about all columns together of what is served, and whether a job is about to say more."""
    version = store.champion(session, model)
    found = () if version is None else evidence_store.about(session, [_subject(version)], kinds=[KIND])
    waits = job_reads.unfinished_for(session, model=model, task=Task.MULTIVARIATE) is not None
    return together_of(found), waits


def _subject(version: Version) -> str:
    return f"{version.model} v{version.version}"


def _windows(readings: Sequence[Reading], policy: MonitoringPolicy, *, most: int) -> list[tuple[datetime, datetime]]:
    """The latest judged windows without overlap, oldest first."""
    cadence = policy.cadence
    judged = [one for one in readings if one.n and one.drift is not Drift.NOT_COMPUTABLE]
    found: list[tuple[datetime, datetime]] = []
    for one in reversed(judged):
        span = (span_start(one, cadence), one.end)
        if not found or span[1] <= found[-1][0]:
            found.append(span)
    return found[:most][::-1]


def in_numbers(reference: Reference, rows: pd.DataFrame, zone: str) -> _Rows:
    """Rows as numbers, with their days of a zone; a column an input: levels by place, NaN where a value is missing."""
    columns = []
    for name in reference.layout.features:
        cells = reference.layout.columns[name]
        if name not in rows:
            columns.append(np.full(len(rows), np.nan))
        elif isinstance(cells, CategoryCells):
            codes, _, _ = cells.place(rows[name].to_numpy(dtype=object))
            columns.append(np.where(codes == cells.k, np.nan, codes.astype(np.float64)))
        else:
            columns.append(pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=np.float64))
    days = pd.factorize(days_in(rows["at"], zone))[0].astype(np.int64)
    return _Rows(np.column_stack(columns) if columns else np.empty((len(rows), 0)), days, rows["at"])


def _usual(past: _Rows, policy: MonitoringPolicy) -> tuple[float, ...]:
    """How well each window of the past is told from its rest."""
    held = _windows_of(past, policy)[:MOST_USUAL]
    return usual_aucs([past.values[one] for one in held], days=[past.days[one] for one in held], most=USUAL_ROWS)


def _windows_of(past: _Rows, policy: MonitoringPolicy) -> list[npt.NDArray[np.bool_]]:
    """Which rows of the past each whole window has: as long as what is compared with them, bool[rows] each."""
    cadence = policy.cadence
    if cadence.pieces == "day" and not cadence.is_daily:  # weeks and months of the zone, however many days have rows
        local = past.at.dt.tz_convert(policy.zone)
        begins = pd.factorize(local.dt.date.map(cadence.first_day), sort=True)[0]
        return [begins == one for one in range(1, int(begins.max(initial=0)))]  # the first and the last may be cut off
    names = np.unique(past.days)
    span = 1 if cadence.is_hourly else cadence.short  # a day of hours is one day
    apart = [names[at : at + span] for at in range(0, len(names), span)]
    return [np.isin(past.days, one) for one in apart if len(one) == span]


def _ours(
    version: Version, reference: Reference, policy: MonitoringPolicy, span: tuple[datetime, datetime],
    found: DomainClassifier, usual: tuple[float, ...], said: str, names: Sequence[str], now: datetime,
) -> Evidence:  # fmt: skip
    verdict, reason = judge_together(found, usual, alpha=policy.alpha, rank_level=policy.rank_level)
    ranked = sorted(zip(names, found.drops, strict=False), key=lambda pair: -pair[1])
    halves = "days" if found.by_cluster else "rows: fewer than two days on one side"
    details = {
        "verdict": str(verdict), "why": reason, "drift": verdict in (Drift.WATCH, Drift.DRIFT),
        "p_value": _plain(found.p_value), "usual": [_plain(one) for one in usual], "compared_with": said,
        "columns": [[name, _plain(drop)] for name, drop in ranked[:5] if drop > 0.0],
    }  # fmt: skip
    made = _evidence(version, reference, span, NATIVE, now, n=found.n_reference + found.n_current, details=details)
    return replace(
        made, method=f"domain classifier: boosted trees fitted on one half, DeLong on the other; halves by {halves}",
        bound=f"rows of a day taken as alike; compared with {said}",
        **({"value": _plain(found.auc), "low": _plain(found.low), "high": _plain(found.high)} if found.computable
           else {"state": "not_computable", "reason": found.reason}),
    )  # fmt: skip


def _theirs(
    version: Version, reference: Reference, policy: MonitoringPolicy, span: tuple[datetime, datetime],
    opinion: Opinion, said: str, now: datetime,
) -> Evidence:  # fmt: skip
    details = {
        "drift": bool(opinion.drift), "p_value": _plain(opinion.p_value), "threshold": _plain(opinion.threshold),
        "columns": list(opinion.columns), "left_out": list(opinion.left_out), "licence": licence(),
        "compared_with": said,
    }  # fmt: skip
    n = opinion.n_reference + opinion.n_current
    made = _evidence(version, reference, span, f"{ALIBI}{opinion.detector}", now, n=n, details=details)
    state = {"value": _plain(opinion.p_value)} if not opinion.reason else {
        "state": "not_computable", "reason": opinion.reason,
    }  # fmt: skip
    method = f"alibi-detect, {opinion.detector}: smallest p-value, alpha {policy.alpha:g}"
    return replace(made, method=method, bound=f"rows taken as independent; compared with {said}", **state)


def _evidence(
    version: Version, reference: Reference, span: tuple[datetime, datetime], metric: str, now: datetime, *, n: int,
    details: dict[str, Any],
) -> Evidence:  # fmt: skip
    return Evidence(
        kind=KIND, subject=_subject(version), comparator="reference", metric=metric, direction="lower_is_better",
        value=None, low=None, high=None, level=LEVEL, n=n, n_clusters=None, method="", bound="",
        window_start=span[0], window_end=span[1],
        digests={"reference": reference.id, "model": version.artifact_digest}, code_version=__version__,
        computed_at=now, details=details,
    )  # fmt: skip


def _silent(share: float, text: str) -> None:
    """Nobody wants to know how far it is."""


def _plain(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
