"""Measure once, keep for ever: challenger against champion on the same rows, a version alone, and the two checks.

Everything ends as Evidence rows; gates, approvals and reports only carry their ids. What cannot be compared is kept
too, as "not computable" with the reason.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_dash import __version__
from mlops_dash.clock import require_utc
from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.evidence import METRICS, REGRESSION, Direction, Evidence
from mlops_dash.domain.policies import PAIRED_METRICS_OF, MonitoringPolicy, PolicyKind, PromotionPolicy
from mlops_dash.domain.registry import Version
from mlops_dash.errors import BrokenModel, InvalidInput, Unavailable
from mlops_dash.services.command import Context, read, record
from mlops_dash.stats.comparison import PairedEstimate, paired_difference
from mlops_dash.stats.performance import (
    MetricEstimate,
    base_rate_free_estimate,
    classification_metrics,
    regression_metrics,
)
from mlops_dash.store import evidence as store
from mlops_dash.store import policies as policy_store
from mlops_dash.store import prediction_log
from mlops_dash.store import registry as registry_store
from mlops_dash.store.db import reading, transaction
from mlops_dash.tracking.fresh_check import check_in_fresh_process
from mlops_dash.tracking.models import compare_signatures

MAX_MISSING_SHARE = 0.01  # more rows than that without the challenger's score: the rows are not the same any more
_THRESHOLD = 0.5  # classification_metrics wants one; none of the four metrics depends on it


@dataclass(frozen=True)
class _Pair:
    """The rows of one comparison, and what is to be said about them."""

    candidate: Version
    champion: Version
    rows: pd.DataFrame  # at, day, label, score_a (candidate), score_b (champion)
    start: datetime
    end: datetime
    policy: PromotionPolicy
    watch: MonitoringPolicy
    task: str
    prior: float | None
    coverage: str
    refusal: str  # why these rows cannot be compared; "" = they can


class EvidenceService:
    """Evidence of all models."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @read(Permission.ROOM_READ)
    def get(self, actor: Actor, ids: Sequence[str]) -> tuple[Evidence, ...]:
        """Evidence by id, in that order.

        Raises:
            NotFound: one of them was never kept.
        """
        with reading(self.context.databases.app) as session:
            return store.get(session, ids)

    @read(Permission.ROOM_READ)
    def about(self, actor: Actor, version_id: str) -> tuple[Evidence, ...]:
        """All evidence about one version, oldest first."""
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            return tuple(one for one in store.about(session, [version.subject]) if _is_about(one, version_id))

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
        found = [_difference(pair, metric, now) for metric in PAIRED_METRICS_OF[pair.task]]
        alone = pair.rows.rename(columns={"score_a": "score"})
        prior, said = _prior(pair.prior, pair.champion, alone, task=pair.task)
        bound = "; ".join(one for one in (_bound(pair.watch), pair.coverage, said) if one)
        window = (pair.start, pair.end)
        found += _alone(pair.candidate, alone, pair.policy, prior, bound, now, window, task=pair.task)
        with transaction(self.context.databases.app) as session:
            store.put(session, found)
        return tuple(found)

    @record(Permission.JOB_RUN)
    def measure(self, actor: Actor, version_id: str, rows: pd.DataFrame, *, bound: str) -> tuple[Evidence, ...]:
        """Measure a version alone on rows that came with it (out of fold, or a later hold-out): what the floor needs.

        Args:
            actor: Who asks.
            version_id: Of which version.
            rows: Columns `at` (aware UTC), `score`, `label` (0/1; of a regression the number); clusters are the days of
                the monitor's zone.
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
        rows = _with_days(rows.dropna(subset=["label"]), watch.zone)
        prior, said = _prior(known, version, rows, task=task)
        window = (rows["at"].min().to_pydatetime(), rows["at"].max().to_pydatetime() + timedelta(microseconds=1))
        bounds = "; ".join(one for one in (bound, said) if one)
        found = _alone(version, rows, policy, prior, bounds, now, window, task=task)
        with transaction(self.context.databases.app) as session:
            store.put(session, found)
        return tuple(found)

    @record(Permission.JOB_RUN)
    def check_version(self, actor: Actor, version_id: str) -> tuple[Evidence, ...]:
        """Check the signature against the champion's and score the input example in a fresh process.

        Gives two evidences of kind "check": value 1 = fine, 0 = not, None = could not be checked, each with a reason.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            version = registry_store.version(session, version_id)
            serving = registry_store.serving(session, version.model)
            champion = None if serving is None else registry_store.version(session, serving.version_id)
        uri, pickles = self.context.settings.mlflow_uri, self.context.settings.allow_pickle
        champion_uri = None if champion is None or champion.id == version.id else champion.source_uri
        comparator = "" if champion is None else champion.subject
        found = []
        for metric in ("signature", "input_example"):
            try:
                if metric == "signature":
                    answer = compare_signatures(uri, version.source_uri, champion_uri)
                else:
                    answer = check_in_fresh_process(uri, version.source_uri, allow_pickle=pickles)
                value, reason, method = (1.0 if answer.ok else 0.0), answer.reason, answer.method
            except (Unavailable, BrokenModel) as error:
                value, reason, method = None, error.sentence(), "not checked"
                if isinstance(error, BrokenModel):
                    value = 0.0
            found.append(_check(version, comparator, metric, value, reason, method, now))
        with transaction(self.context.databases.app) as session:
            store.put(session, found)
        return tuple(found)

    def _pair(
        self, model: str, candidate_id: str, champion_id: str, start: datetime, end: datetime, now: datetime
    ) -> _Pair:
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
            rows = prediction_log.read_paired(log, model, candidate_id, champion_id, start, end)
            scored = store.rows_scored(log, champion_id, start, end)
        missing = scored - len(rows)
        coverage = f"{len(rows):,} of {scored:,} rows have both scores"
        refusal = _refusal(candidate, champion, start, scored=scored, missing=missing)
        ripe = _ripe(_with_days(rows, watch.zone), watch, now)
        return _Pair(candidate, champion, ripe, start, end, policy, watch, task, prior, coverage, refusal)


def _refusal(candidate: Version, champion: Version, start: datetime, *, scored: int, missing: int) -> str:
    for one in (candidate, champion):
        if one.training_end is not None and start < one.training_end:
            return f"not comparable: the window begins before the training of {one.label} ended"
    if scored and missing / scored > MAX_MISSING_SHARE:
        return f"not comparable: {missing:,} of {scored:,} rows lack a score of {candidate.label}"
    return ""


def _with_days(rows: pd.DataFrame, zone: str) -> pd.DataFrame:
    local = rows["at"].dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    days = local.to_numpy().astype("datetime64[D]").astype(str)  # a tenth of the time of strftime
    return rows.assign(day=days.astype(object))


def _ripe(rows: pd.DataFrame, watch: MonitoringPolicy, now: datetime) -> pd.DataFrame:
    """Labelled rows of ripe days: a day counts when it is old enough, or when most of its labels have come.

    Labels that come quickly may differ from those that come late, so a day is taken whole or not at all.
    """
    if rows.empty:
        return rows
    labelled = rows["label"].notna()
    old = pd.Timestamp(now - timedelta(hours=watch.label_delay_hours))
    by_day = pd.DataFrame({"last": rows["at"], "share": labelled.astype(float), "day": rows["day"]}).groupby("day")
    ripe = (by_day["last"].max() <= old) | (by_day["share"].mean() >= watch.ripe_coverage)
    return rows[labelled & rows["day"].map(ripe)]


def _prior(known: float | None, version: Version, rows: pd.DataFrame, *, task: str) -> tuple[float, str]:
    """The base rate at which the base-rate-free loss is stated, and where it is from; a regression has none."""
    if task == REGRESSION:
        return math.nan, ""
    if known is not None:
        return known, f"base rate {known:.3f} of the reference of {version.label}"
    if rows.empty:
        return 0.5, "no base rate"
    share = float(rows["label"].mean())
    return share, f"base rate {share:.3f} of these rows: {version.label} has no reference"


def _bound(watch: MonitoringPolicy) -> str:
    return f"days of {watch.zone} resampled; labels older than {watch.label_delay_hours:g} h or complete"


def _difference(pair: _Pair, metric: str, now: datetime) -> Evidence:
    rows = pair.rows
    prior, said = _prior(pair.prior, pair.champion, rows, task=pair.task)
    estimate = paired_difference(
        rows["label"].to_numpy(),
        rows["score_a"].to_numpy(),
        rows["score_b"].to_numpy(),
        rows["day"].to_numpy(),
        metric=metric,
        direction=str(METRICS[metric].direction),
        level=pair.policy.level,
        prior=prior if metric == "base_rate_free_loss" else None,
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
        method=estimate.method.replace("clusters", "days"),
        bound=f"{_bound(pair.watch)}; {pair.coverage}" + (f"; {said}" if metric == "base_rate_free_loss" else ""),
        window_start=pair.start,
        window_end=pair.end,
        digests={
            "candidate": pair.candidate.id,
            "champion": pair.champion.id,
            "artifact": pair.candidate.artifact_digest,
            "rows": _digest(rows, ("score_a", "score_b")),
        },
        code_version=__version__,
        computed_at=now,
        state="ok" if computable else "not_computable",
        reason=reason,
        details={"candidate": _finite(estimate.value_a), "champion": _finite(estimate.value_b)},
    )


def _as_difference(estimate: PairedEstimate, metric: str) -> tuple[float, float, float]:
    """Candidate minus champion in the metric's own unit; `estimate` says improvement, positive = better."""
    if METRICS[metric].direction is Direction.HIGHER:
        return estimate.value, estimate.low, estimate.high
    return -estimate.value + 0.0, -estimate.high + 0.0, -estimate.low + 0.0


def _alone(
    version: Version,
    rows: pd.DataFrame,
    policy: PromotionPolicy,
    prior: float,
    bound: str,
    now: datetime,
    window: tuple[datetime, datetime],
    *,
    task: str,
) -> list[Evidence]:
    label, score, day = rows["label"].to_numpy(), rows["score"].to_numpy(), rows["day"].to_numpy()
    if task == REGRESSION:
        found = regression_metrics(label, score, level=policy.level, clusters=day)
    else:
        found = classification_metrics(label, score, threshold=_THRESHOLD, level=policy.level, clusters=day)
        found["base_rate_free_loss"] = base_rate_free_estimate(
            label, score, prior=prior, level=policy.level, clusters=day
        )
    digests = {"candidate": version.id, "artifact": version.artifact_digest, "rows": _digest(rows, ("score",))}
    return [
        _metric(version, metric, found[metric], policy.level, bound, now, window, digests)
        for metric in PAIRED_METRICS_OF[task]
    ]


def _metric(
    version: Version,
    metric: str,
    estimate: MetricEstimate,
    level: float,
    bound: str,
    now: datetime,
    window: tuple[datetime, datetime],
    digests: dict[str, str],
) -> Evidence:
    return Evidence(
        kind="metric",
        subject=version.subject,
        comparator="",
        metric=metric,
        direction=str(METRICS[metric].direction),
        value=_finite(estimate.value),
        low=_finite(estimate.low),
        high=_finite(estimate.high),
        level=level,
        n=estimate.n,
        n_clusters=estimate.n_clusters,
        method=estimate.method.replace("clusters", "days"),
        bound=bound,
        window_start=window[0],
        window_end=window[1],
        digests=digests,
        code_version=__version__,
        computed_at=now,
        state="ok" if estimate.computable else "not_computable",
        reason=estimate.reason,
    )


def _check(
    version: Version, comparator: str, metric: str, value: float | None, reason: str, method: str, now: datetime
) -> Evidence:
    return Evidence(
        kind="check",
        subject=version.subject,
        comparator=comparator if metric == "signature" else "",
        metric=metric,
        direction=str(Direction.HIGHER),
        value=value,
        low=None,
        high=None,
        level=1.0,
        n=1,
        n_clusters=None,
        method=method,
        bound="the files under this digest, on this machine",
        window_start=None,
        window_end=None,
        digests={"candidate": version.id, "artifact": version.artifact_digest},
        code_version=__version__,
        computed_at=now,
        state="ok" if value is not None else "not_computable",
        reason=reason,
    )


def _digest(rows: pd.DataFrame, scores: Sequence[str]) -> str:
    """sha256 over ids (where there are any), labels and scores, in order."""
    made = hashlib.sha256(f"{len(rows)}\n".encode())
    if "prediction_id" in rows:
        made.update("\n".join(rows["prediction_id"].astype(str)).encode())
    for name in ("label", *scores):
        made.update(np.ascontiguousarray(rows[name].to_numpy(dtype="<f8")).tobytes())
    return made.hexdigest()


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _is_about(one: Evidence, version_id: str) -> bool:
    return one.digests.get("candidate", version_id) == version_id
