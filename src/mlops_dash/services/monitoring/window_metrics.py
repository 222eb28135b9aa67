"""How good were the answers of each ripe window? Its own values, and estimates over the trailing ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mlops_dash.domain.cadence import GROUP, Cadence
from mlops_dash.domain.monitoring.judging import LONG_DAYS, SHORT_DAYS
from mlops_dash.domain.monitoring.readings import estimate_to_row, known
from mlops_dash.domain.policies import MonitoringPolicy
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
from mlops_dash.services.monitoring.measuring import by_day, clusters_of, measure, trailing_means, units_of
from mlops_dash.stats.sequential import HarmUnit
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
        found[day.number] = {"metrics_key": key, **_measured(reference, policy.cadence, back, past, groups)}
    return found


def _measured(
    reference: Reference,
    cadence: Cadence,
    back: Sequence[Day],
    past: Mapping[Watch, Sequence[HarmUnit]],
    groups: WindowGroups | None,
) -> dict[str, Any]:
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
        metrics[str(key)] = {name: estimate_to_row(estimate) for name, estimate in {**pooled, **means}.items()}
    return {"day": alone, "metrics": metrics}
