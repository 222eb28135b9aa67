"""The windows since which a version is worse, as its alarm says it."""

from __future__ import annotations

from collections.abc import Sequence

from mlops_dash.domain.calendar import day_of, zone_of
from mlops_dash.domain.monitoring.readings import Reading
from mlops_dash.domain.monitoring.words import headline_watch, task_of
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.services.monitoring.days import said_of_counted


def harm_stretch(own: Sequence[Reading], policy: MonitoringPolicy) -> list[Reading]:
    """The windows from the one since which it is worse to the last one that says so; empty without harm now."""
    ripe = [one for one in own if one.ripe and one.n_labelled]
    if not ripe:
        return []
    last = ripe[-1]
    harm = last.body["harm"]
    if not any(harm.get(watch.key, {}).get("alarmed") for watch in task_of(last).harm_watches):
        return []
    since = harm[headline_watch(last).key].get("since")
    first = next((one.start for one in own if _said(one, policy) == since), last.start)
    return [one for one in own if first <= one.start <= last.start]


def _said(one: Reading, policy: MonitoringPolicy) -> str:
    """How a window is written in the alarm's "since"; the name of a window of so many rows is its place alone."""
    if policy.cadence.rows:
        return said_of_counted(one.start, policy.zone)
    if one.batch:
        return one.batch
    if policy.cadence.is_hourly:
        return one.start.astimezone(zone_of(policy.zone)).isoformat(timespec="minutes")
    return day_of(one.start, policy.zone).isoformat()
