"""Is a challenger better than the champion? Their metrics on the same rows, paired by row, days as clusters.

What cannot be compared is kept too, as "not computable" with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from mlops_dash import __version__
from mlops_dash.clock import require_utc
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.class_probabilities import probability_columns
from mlops_dash.domain.error_overlap import KEY
from mlops_dash.domain.evidence import DAYS, Direction, Evidence
from mlops_dash.domain.policies import PolicyKind, PromotionPolicy
from mlops_dash.domain.registry.records import Version
from mlops_dash.domain.ripeness import ripe_rows, with_days
from mlops_dash.domain.tasks import METRICS
from mlops_dash.domain.tasks.task import ModelTask
from mlops_dash.errors import InvalidInput
from mlops_dash.services.command import Context, record
from mlops_dash.services.evidence.measuring import Sample, metrics_of
from mlops_dash.services.evidence.rows import bound_of, digest_of, finite, prior_and_source
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.comparison import PairedEstimate, paired_difference
from mlops_dash.stats.error_overlap import error_overlap
from mlops_dash.store import evidence as store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading, transaction

MAX_MISSING_SHARE = 0.01  # more rows than that without the challenger's score: the rows are not the same any more


@dataclass(frozen=True)
class Pair:
    """The rows of one comparison, and what is to be said about them."""

    candidate: Version
    champion: Version
    rows: pd.DataFrame  # day (the cluster), label, score_a (candidate), score_b (champion)
    start: datetime | None
    end: datetime | None
    policy: PromotionPolicy
    bound: str  # what the numbers rest on, coverage included
    task: ModelTask
    prior: float | None
    refusal: str  # why these rows cannot be compared; "" = they can
    clusters: str = DAYS  # what the clusters are
    probabilities: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())  # columns of every class, of each

    def told(self, metric: str) -> pd.DataFrame:
        """The rows that tell what the metric takes: of probabilities, those of both versions."""
        if not self._of_probabilities(metric):
            return self.rows
        return self.rows.dropna(subset=[*self.probabilities[0], *self.probabilities[1]])

    def said(self, metric: str) -> tuple[Floats, Floats]:
        """What each version answered in those rows, as the metric takes it."""
        of_classes = self._of_probabilities(metric)
        ours, theirs = self.probabilities if of_classes else (("score_a",), ("score_b",))
        a, b = (self.told(metric)[list(names)].to_numpy(dtype=np.float64) for names in (ours, theirs))
        return (a, b) if of_classes else (a[:, 0], b[:, 0])

    def _of_probabilities(self, metric: str) -> bool:
        return metric in {one.key for one in self.task.of_probabilities}


class Comparing:
    """The paired comparison."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.JOB_RUN)
    def compare(
        self,
        actor: Actor,
        model: str,
        candidate_version_id: str,
        champion_version_id: str,
        start: datetime,
        end: datetime,
    ) -> tuple[Evidence, ...]:
        """Compare two versions on the rows of [start, end) that both scored, ripe labels only, paired by row, by day.

        Gives a paired difference (candidate minus champion) of each metric of the model's task, and the candidate's
        metrics alone. A window that either was trained on, or with too many rows that lack one of the scores, gives
        evidence that says so.

        Raises:
            NotFound: a version is not known.
            InvalidInput: the window is empty or upside down, or the versions are of another model.
        """
        now = self.context.clock.now()
        pair = self._pair(model, candidate_version_id, champion_version_id, require_utc(start), require_utc(end), now)
        evidence = compared(pair, now)
        evidence += metrics_of(_candidate_alone(pair), now=now)
        with transaction(self.context.databases.app) as session:
            store.put(session, evidence)
        return tuple(evidence)

    def _pair(
        self, model: str, candidate_id: str, champion_id: str, start: datetime, end: datetime, now: datetime
    ) -> Pair:
        if end <= start:
            raise InvalidInput(f"The window {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} is empty.")
        with reading(self.context.databases.app) as session:
            candidate = registry_store.version(session, candidate_id)
            champion = registry_store.version(session, champion_id)
            policy = policy_store.active(session, model, PolicyKind.PROMOTION, now).promotion
            watch = policy_store.active(session, model, PolicyKind.MONITORING, now).monitoring
            prior, task = store.prior_of(session, champion_id), policy_store.task_of(session, model)
        if {candidate.model, champion.model} != {model} or candidate.id == champion.id:
            raise InvalidInput(f"{candidate.subject} and {champion.subject} are not two versions of {model}.")
        with reading(self.context.databases.log) as log:
            rows = prediction_log.read_paired(
                log, model, candidate_id, champion_id, start, end, classes=task.facts.get("classes", ())
            )
            scored = prediction_log.rows_scored(log, champion_id, start, end)
        ripe = ripe_rows(with_days(rows, watch.zone), watch, now)
        ours, theirs = (tuple(probability_columns(ripe, of)) for of in ("_a", "_b"))
        told = bool(ours) and bool(ripe[[*ours, *theirs]].notna().all(axis=1).any())
        return Pair(
            candidate=candidate,
            champion=champion,
            rows=ripe if told else ripe.drop(columns=[*ours, *theirs]),
            start=start,
            end=end,
            policy=policy,
            bound=f"{bound_of(watch)}; {len(rows):,} of {scored:,} rows have both scores",
            task=task,
            prior=prior,
            refusal=_refusal(candidate, champion, start, scored=scored, missing=scored - len(rows)),
            probabilities=(ours, theirs) if told else ((), ()),
        )


def compared(pair: Pair, now: datetime) -> list[Evidence]:
    """A paired difference of each metric of the task, candidate minus champion."""
    metrics = [*pair.task.paired]
    if all(pair.probabilities):
        metrics += [one.key for one in pair.task.of_probabilities]
    found = [_difference(pair, metric, now) for metric in metrics]
    if found and found[0].state == "ok":
        found[0] = replace(found[0], details={**found[0].details, KEY: _overlap(pair)})
    return found


def _overlap(pair: Pair) -> dict[str, Any]:
    """Shares of rows that both versions, one alone or neither gets right (value, low, high).

    Of a regression a row is wrong beyond the median error of the second version, which is kept as its tolerance.
    """
    rows, task = pair.rows, pair.task
    labels = rows["label"].to_numpy(dtype=np.float64)
    ours, theirs = (task.row_losses(labels, rows[name].to_numpy(dtype=np.float64)) for name in ("score_a", "score_b"))
    decides = task.kept_rows.decides  # a loss of 0 or 1, or (probability - label) squared
    cut = 0.25 if decides else float(np.median(theirs))
    made = error_overlap(ours > cut, theirs > cut, rows["day"].to_numpy(), level=pair.policy.level, unit=pair.clusters)
    shares = {name: [finite(one.value), finite(one.low), finite(one.high)] for name, one in made.items()}
    return {"shares": shares, "tolerance": None if decides else cut}


def _refusal(candidate: Version, champion: Version, start: datetime, *, scored: int, missing: int) -> str:
    for version in (candidate, champion):
        if version.training_end is not None and start < version.training_end:
            return f"not comparable: the window begins before the training of {version.label} ended"
    if scored and missing / scored > MAX_MISSING_SHARE:
        return f"not comparable: {missing:,} of {scored:,} rows lack a score of {candidate.label}"
    return ""


def _candidate_alone(pair: Pair) -> Sample:
    ours, theirs = pair.probabilities
    rows = pair.rows.drop(columns=list(theirs)).rename(
        columns={"score_a": "score", **{name: name.removesuffix("_a") for name in ours}}
    )
    prior, source = prior_and_source(pair.prior, pair.champion, rows, pair.task)
    return Sample(
        version=pair.candidate,
        rows=rows,
        task=pair.task,
        level=pair.policy.level,
        prior=prior,
        bound="; ".join(part for part in (pair.bound, source) if part),
        start=pair.start,
        end=pair.end,
    )


def _difference(pair: Pair, metric: str, now: datetime) -> Evidence:
    rows = pair.told(metric)
    some = "" if len(rows) == len(pair.rows) else f"; {len(rows):,} of these tell the probability of every class"
    prior, source = prior_and_source(pair.prior, pair.champion, rows, pair.task)
    estimate = paired_difference(
        rows["label"].to_numpy(),
        *pair.said(metric),
        rows["day"].to_numpy(),
        metric=metric,
        direction=str(METRICS[metric].direction),
        level=pair.policy.level,
        prior=prior if METRICS[metric].at_base_rate else None,
    )
    reason = pair.refusal or estimate.reason
    computable = estimate.computable and not pair.refusal
    value, low, high = _as_difference(estimate, metric) if computable else (None, None, None)
    return Evidence(
        kind="paired_difference",
        subject=pair.candidate.subject,
        comparator=pair.champion.subject,
        metric=metric,
        direction=str(METRICS[metric].direction),
        value=value,
        low=low,
        high=high,
        level=pair.policy.level,
        n=estimate.n,
        n_clusters=estimate.n_clusters,
        method=estimate.method.replace("clusters", pair.clusters),
        bound=pair.bound + some + (f"; {source}" if METRICS[metric].at_base_rate else ""),
        window_start=pair.start,
        window_end=pair.end,
        digests={
            "candidate": pair.candidate.id,
            "champion": pair.champion.id,
            "artifact": pair.candidate.artifact_digest,
            "rows": digest_of(rows, ("score_a", "score_b")),
        },
        code_version=__version__,
        computed_at=now,
        state="ok" if computable else "not_computable",
        reason=reason,
        details={"candidate": finite(estimate.value_a), "champion": finite(estimate.value_b)}
        | ({} if pair.clusters == DAYS else {"clusters": pair.clusters}),
    )


def _as_difference(estimate: PairedEstimate, metric: str) -> tuple[float, float, float]:
    """Candidate minus champion in the metric's own unit; `estimate` says improvement, positive = better."""
    if METRICS[metric].direction is Direction.HIGHER:
        return estimate.value, estimate.low, estimate.high
    return -estimate.value + 0.0, -estimate.high + 0.0, -estimate.low + 0.0
