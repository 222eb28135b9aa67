"""How good were the answers of each ripe window? Its own values, and estimates over the trailing ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from mlops_dash.domain.cadence import GROUP
from mlops_dash.domain.monitoring.judging import LONG_DAYS, SHORT_DAYS
from mlops_dash.domain.monitoring.readings import COST, Estimate, estimate_to_row, known
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.costs import Costs, cost_of
from mlops_dash.domain.tasks.task import Watch
from mlops_dash.ids import digest
from mlops_dash.services.monitoring.course import Day
from mlops_dash.services.monitoring.grouping import (
    WindowGroups,
    design_of,
    grouped_mean,
    why_no_interval,
    without_interval,
)
from mlops_dash.services.monitoring.measuring import LEVEL, by_day, clusters_of, measure, trailing_means, units_of
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store.monitoring.parts import Part
from mlops_dash.store.monitoring.references import Reference

RULES = 5  # grows when a rule in here, in judging or in domain.monitoring changes: every window is then judged again
_METRIC_KEYS = ("metrics_key", "day", "metrics")


def _labelled(days: Sequence[Day]) -> list[Day]:
    return [day for day in days if day.ripe and day.part.n_labelled]


def units_of_windows(
    reference: Reference, policy: MonitoringPolicy, days: Sequence[Day]
) -> dict[str, tuple[HarmUnit, ...]]:
    """The units of every watch, numbered by their days; rows that say alike make their variance larger."""
    ripe, task = _labelled(days), reference.layout.task
    if not reference.labelled:
        return {watch.key: () for watch in task.followed}
    found = {}
    for watch in task.followed:
        units = units_of(
            task,
            watch,
            [day.part for day in ripe],
            prior=reference.baseline["prior"],
            min_labels=policy.harm_min_unit_labels,
        )
        alike = design_of(reference.baseline, watch)
        found[watch.key] = tuple(
            replace(u, first=ripe[u.first].number, last=ripe[u.last].number, variance=alike * u.variance) for u in units
        )
    return found


def metric_bodies(
    reference: Reference,
    policy: MonitoringPolicy,
    days: Sequence[Day],
    units: Mapping[str, Sequence[HarmUnit]],
    held: Mapping[int, Mapping[str, Any]],
    groups: WindowGroups | None,
) -> dict[int, dict[str, Any]]:
    """Metrics of each ripe, labelled day: its own values, and estimates over the trailing ripe days."""
    ripe, watches = _labelled(days) if reference.labelled else [], reference.layout.task.followed
    place = {day.number: i for i, day in enumerate(ripe)}
    found: dict[int, dict[str, Any]] = {}
    for day in days:
        i = place.get(day.number)
        if i is None:
            found[day.number] = {"metrics_key": "", "day": {}, "metrics": {}}
            continue
        back, most = ripe[max(0, i + 1 - policy.cadence.long) : i + 1], policy.cadence.long
        past = {watch: [u for u in units[watch.key] if u.last <= day.number][-most:] for watch in watches}
        spans = [[unit.first, unit.last] for held_units in past.values() for unit in held_units]
        marks = [one.mark for one in back]
        key = digest([RULES, reference.id, policy.digest, marks, spans])[:16]
        kept = held.get(day.number, {})
        if kept.get("metrics_key") == key:
            found[day.number] = {name: kept[name] for name in _METRIC_KEYS}
            continue
        body = _measured(reference, policy, back, past, groups)
        found[day.number] = {"metrics_key": key, **body}
    return found


def _measured(
    reference: Reference,
    policy: MonitoringPolicy,
    back: Sequence[Day],
    past: Mapping[Watch, Sequence[HarmUnit]],
    groups: WindowGroups | None,
) -> dict[str, Any]:
    task, prior, number, cadence = (
        reference.layout.task, reference.baseline["prior"], back[-1].number, policy.cadence,
    )  # fmt: skip
    alone = {name: estimate.value for name, estimate in measure(task, [back[-1].part], prior=prior).items()}
    for watch, units in past.items():
        own = [unit for unit in units if unit.last == number]
        alone[watch.key] = known(watch.shown(own[0].mean)) if own else None
    metrics = {}
    for key, span in ((SHORT_DAYS, cadence.short), (LONG_DAYS, cadence.long)):
        clusters, unit = clusters_of(
            cadence, by_day([one for day in back[-span:] for one in day.clusters]), [one.part for one in back[-span:]],
            n_days=reference.n_days,
        )  # fmt: skip
        pooled = measure(task, clusters, prior=prior, unit=unit)
        means = trailing_means(past, [one.number for one in back[-span:]], cadence)
        if groups is not None:
            clusters, unit = groups.over(back[-span:]), GROUP
            pooled = measure(task, clusters, prior=prior, unit=unit)
            means = {watch.key: grouped_mean(means[watch.key], task, watch, clusters, prior=prior) for watch in past}
            if why := why_no_interval(reference.cluster, clusters):
                pooled = {name: without_interval(one, why) for name, one in pooled.items()}
                means = {name: without_interval(one, why) for name, one in means.items()}
        if key == LONG_DAYS and (more := _cost_more_a_week(reference, policy, back[-span:], clusters)) is not None:
            pooled = {**pooled, COST: more}
        metrics[str(key)] = {name: estimate_to_row(estimate) for name, estimate in {**pooled, **means}.items()}
    return {"day": alone, "metrics": metrics}


def _cost_more_a_week(
    reference: Reference, policy: MonitoringPolicy, back: Sequence[Day], clusters: Sequence[Part]
) -> Estimate | None:
    """What wrong answers cost a week more than they would in the reference; None where nothing has a price.

    The cost of a labelled row is estimated as the metrics are, by the same clusters, in the reference by its windows;
    the interval of the difference is made of both (MOVER; Donner & Zou, 2012, Stat. Methods Med. Res. 21, 347), times
    the rows of a week.
    """
    costs = Costs(policy.cost_of_error, policy.cost_of_missed, policy.cost_threshold)
    if not costs.given:
        return None
    now, then = (_cost_of_a_row(reference, costs, parts) for parts in (clusters, reference.windows))
    if now is None or then is None:
        return None
    weeks = (back[-1].end - back[0].start) / timedelta(days=7)
    rows = sum(one.part.n for one in back) / weeks
    more = now.value - then.value
    low = more - math.hypot(now.value - now.low, then.high - then.value)
    high = more + math.hypot(now.high - now.value, then.value - then.low)
    if why := why_no_interval(reference.cluster, clusters) if reference.is_grouped else "":
        low = high = math.nan
    estimate = replace(now, value=rows * more, low=rows * low, high=rows * high, reason=why or now.reason)
    return replace(Estimate.of(estimate), n_days=len(back))


def _cost_of_a_row(reference: Reference, costs: Costs, parts: Sequence[Part]) -> MetricEstimate | None:
    scale, days = reference.layout.scale, [part.labelled for part in parts if part.n_labelled]
    if not days:
        return None
    sums = np.array([[cost_of(day, scale, costs), day.n] for day in days], dtype=np.float64)
    return cluster_estimate(
        sums, lambda s: ratio(s[..., 0], s[..., 1]), n=int(sums[:, 1].sum()), level=LEVEL, unit="days"
    )
