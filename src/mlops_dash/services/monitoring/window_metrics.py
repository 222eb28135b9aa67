"""How good were the answers of each ripe window? Its own values, and estimates over the trailing ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from mlops_dash.domain.cadence import GROUP, Cadence
from mlops_dash.domain.monitoring.judging import LONG_DAYS, SHORT_DAYS
from mlops_dash.domain.monitoring.readings import COST, Estimate, estimate_to_row, known
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.tasks.costs import Costs, cost_of_a_row, costs_by_class, why_no_price
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
from mlops_dash.stats.arrays import Floats
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.store.monitoring.parts import Part
from mlops_dash.store.monitoring.references import Reference

RULES = 6  # grows when a rule in here, in judging or in domain.monitoring changes: every window is then judged again
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
        between = days[back[0].number : day.number + 1]
        marks = [one.mark for one in between]
        key = digest([RULES, reference.id, policy.digest, marks, spans])[:16]
        kept = held.get(day.number, {})
        if kept.get("metrics_key") == key:
            found[day.number] = {name: kept[name] for name in _METRIC_KEYS}
            continue
        body = _measured(reference, policy, between, past, groups)
        found[day.number] = {"metrics_key": key, **body}
    return found


def _measured(
    reference: Reference,
    policy: MonitoringPolicy,
    between: Sequence[Day],
    past: Mapping[Watch, Sequence[HarmUnit]],
    groups: WindowGroups | None,
) -> dict[str, Any]:
    back, cadence = _labelled(between), policy.cadence
    task, prior, number = reference.layout.task, reference.baseline["prior"], back[-1].number
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
        if key == LONG_DAYS and (more := _cost_more_a_week(reference, policy, between, clusters)) is not None:
            pooled = {**pooled, COST: more}
        metrics[str(key)] = {name: estimate_to_row(estimate) for name, estimate in {**pooled, **means}.items()}
    return {"day": alone, "metrics": metrics}


def _cost_more_a_week(
    reference: Reference, policy: MonitoringPolicy, between: Sequence[Day], clusters: Sequence[Part]
) -> Estimate | None:
    """What wrong answers cost a week more than they would in the reference; None where nothing has a price.

    The cost of a labelled row, at the reference's shares of the classes, is estimated as the metrics are, by the same
    clusters, in the reference by its windows; the interval of the difference is made of both (MOVER; Donner & Zou,
    2012, Stat. Methods Med. Res. 21, 347), times the rows of a week.

    Args:
        reference: What the model is compared with.
        policy: The prices.
        between: All windows from the first to the last that is estimated from, also those without labels.
        clusters: The labelled rows as they belong together.
    """
    costs = Costs(policy.cost_of_error, policy.cost_of_missed, policy.cost_threshold)
    task, scale = reference.layout.task, reference.layout.scale
    if not costs.given:
        return None
    weeks, n_days = weeks_of(policy.cadence, between), len(_labelled(between))
    why = why_no_price(task, scale, costs)
    if weeks is None:
        why = why or "rows of a week are not known before two batches that lie a day apart"
    if why:
        return Estimate(None, None, None, sum(one.n_labelled for one in clusters), n_days, reason=why)
    now, then = (
        np.array([np.hstack(costs_by_class(one.labelled, scale, costs)) for one in parts if one.n_labelled])
        for parts in (clusters, reference.windows)
    )
    if weeks is None or not now.size or not then.size:
        return None
    estimate = _more_than(now, then)
    rows = sum(one.part.n for one in between) / weeks
    low, high = rows * estimate.low, rows * estimate.high
    if reference.is_grouped and (why := why_no_interval(reference.cluster, clusters)):
        low = high = math.nan
    estimate = replace(estimate, value=rows * estimate.value, low=low, high=high, reason=why or estimate.reason)
    return replace(Estimate.of(estimate), n_days=n_days)


def weeks_of(cadence: Cadence, between: Sequence[Day]) -> float | None:
    """How many weeks lie in windows that follow each other; None where batches cannot tell.

    A batch ends with its last row, so from the begin of one to that of the next is what counts, and the last is taken
    to be as long as those before. A week or month that still runs counts whole.
    """
    week = timedelta(days=7)
    if cadence.is_batch:
        gaps, span = len(between) - 1, between[-1].start - between[0].start
        return None if span < timedelta(days=1) else span / week * len(between) / gaps
    if cadence.is_hourly:
        return len(between) * timedelta(hours=1) / week
    firsts = [date.fromisoformat(one.said) for one in between]
    return sum((cadence.next_day(first) - first for first in firsts), timedelta(0)) / week


def _more_than(now: Floats, then: Floats) -> MetricEstimate:
    """What a row costs more now than in the reference, both by their clusters: costs by class, then rows."""
    usual = then.sum(axis=0)
    k = usual.size // 2
    found, normal = (
        cluster_estimate(
            sums, lambda s: cost_of_a_row(s, usual), n=int(sums[:, k:].sum()), level=LEVEL, unit="days"
        )
        for sums in (now, then)
    )  # fmt: skip
    more = found.value - normal.value
    low = more - math.hypot(found.value - found.low, normal.high - normal.value)
    high = more + math.hypot(found.high - found.value, normal.value - normal.low)
    return replace(found, value=more, low=low, high=high)
