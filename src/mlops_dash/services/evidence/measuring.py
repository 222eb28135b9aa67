"""How good is a version alone, on rows that are given? Its metrics with their intervals, days as clusters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from mlops_dash import __version__
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.class_probabilities import probability_columns
from mlops_dash.domain.evidence import DAYS, Evidence
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.ripeness import with_days
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context, record
from mlops_dash.services.evidence.rows import digest_of, finite, prior_and_source
from mlops_dash.stats.performance import MetricEstimate
from mlops_dash.store import evidence as store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading, transaction


@dataclass(frozen=True)
class Sample:
    """Rows of one version, and what is to be said about them."""

    version: Version
    rows: pd.DataFrame  # day (the cluster), label, score
    task: ModelTask
    level: float
    prior: float  # base rate at which losses are stated; nan for a task that has none
    bound: str
    start: datetime | None
    end: datetime | None
    clusters: str = DAYS  # what the clusters are


class Measuring:
    """What the floor of a policy needs."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.JOB_RUN)
    def measure(self, actor: Actor, version_id: str, rows: pd.DataFrame, *, bound: str) -> tuple[Evidence, ...]:
        """Measure a version alone on rows that came with it (out of fold, or a later hold-out): what the floor needs.

        Args:
            actor: Who asks.
            version_id: Of which version.
            rows: Columns `at` (aware UTC), `score`, `label` (0/1; of a regression the number, of several classes its
                place); clusters are the days of the monitor's zone.
            bound: What these rows are, e.g. "out of fold by day, January to February".
        """
        now = self.context.clock.now()
        missing = {"at", "score", "label"} - set(rows.columns)
        if missing or rows.empty:
            raise InvalidInput(f"Rows to measure need at, score and label; missing: {sorted(missing) or 'all rows'}.")
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            policy = policy_store.active(session, version.model, PolicyKind.PROMOTION, now).promotion
            watch = policy_store.active(session, version.model, PolicyKind.MONITORING, now).monitoring
            known, task = store.prior_of(session, version_id), policy_store.task_of(session, version.model)
        rows = with_days(rows.dropna(subset=["label"]), watch.zone)
        prior, source = prior_and_source(known, version, rows, task)
        sample = Sample(
            version=version,
            rows=rows,
            task=task,
            level=policy.level,
            prior=prior,
            bound="; ".join(part for part in (bound, source) if part),
            start=rows["at"].min().to_pydatetime(),
            end=rows["at"].max().to_pydatetime() + timedelta(microseconds=1),
        )
        evidence = metrics_of(sample, now=now)
        with transaction(self.context.databases.app) as session:
            store.put(session, evidence)
        return tuple(evidence)


def metrics_of(sample: Sample, *, now: datetime) -> list[Evidence]:
    """One evidence of each metric of the task; of no rows too, "not computable"."""
    digests = {
        "candidate": sample.version.id,
        "artifact": sample.version.artifact_digest,
        "rows": digest_of(sample.rows, ("score",)),
    }
    label, score, day = (sample.rows[name].to_numpy() for name in ("label", "score", "day"))
    estimates = sample.task.measure_rows(label, score, day, prior=sample.prior, level=sample.level)
    names = list(sample.task.paired)
    columns = probability_columns(sample.rows)
    if columns:
        p = sample.rows[columns].to_numpy(dtype=np.float64)
        told = ~np.isnan(p).any(axis=1)  # rows of the log may have come without
        of_classes = sample.task.measure_probabilities(label[told], p[told], day[told], level=sample.level)
        estimates, names = {**estimates, **of_classes}, [*names, *of_classes]
    return [_metric(sample, metric, estimates[metric], digests=digests, now=now) for metric in names]


def _metric(
    sample: Sample, metric: str, estimate: MetricEstimate, *, digests: dict[str, str], now: datetime
) -> Evidence:
    return Evidence(
        kind="metric",
        subject=sample.version.subject,
        comparator="",
        metric=metric,
        direction=str(METRICS[metric].direction),
        value=finite(estimate.value),
        low=finite(estimate.low),
        high=finite(estimate.high),
        level=sample.level,
        n=estimate.n,
        n_clusters=estimate.n_clusters,
        method=estimate.method.replace("clusters", sample.clusters),
        bound=sample.bound,
        window_start=sample.start,
        window_end=sample.end,
        digests=digests,
        code_version=__version__,
        computed_at=now,
        state="ok" if estimate.computable else "not_computable",
        reason=estimate.reason.replace("clusters", sample.clusters) if sample.clusters != DAYS else estimate.reason,
        details={} if sample.clusters == DAYS else {"clusters": sample.clusters},
    )
