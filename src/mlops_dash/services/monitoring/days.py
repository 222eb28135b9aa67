"""Which days of a version are judged, which of them are ripe, and when must they be looked at again?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.calendar import day_of, day_start, days_between
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring.course import Day
from mlops_dash.store import policies
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.parts import empty, unpack
from mlops_dash.store.monitoring.profiles import DayProfile
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import from_us, to_us

MOST_EMPTY_DAYS = 60


class Outlook:
    """When a model has to be judged again, although no row came."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.SYSTEM)
    def grounds(self, actor: Actor) -> dict[str, str]:
        """Model -> what its judgement rests on besides rows and time: version served, reference, policy, restarts.

        A constant number of statements, whatever there is.
        """
        with reading(self.context.databases.app) as session:
            served, restarts = store.served(session), store.all_restarts(session)
            known = references.latest_ids(session)
            in_force = policies.in_force(session, PolicyKind.MONITORING, self.context.clock.now())
        found = {}
        for model, policy in in_force.items():
            version_id = served.get(model, "")
            reference_id = known.get(model, {}).get(version_id, "")
            found[model] = f"{version_id} {reference_id} {policy.digest} {len(restarts.get(version_id, ()))}"
        return found


def next_look(days: Sequence[Day], policy: MonitoringPolicy, now: datetime) -> datetime:
    """When something changes although no row comes: the day ends, or the first unripe window gets old enough."""
    tomorrow = day_start(day_of(now, policy.zone) + timedelta(days=1), policy.zone)
    delay = timedelta(hours=policy.label_delay_hours)
    return min([tomorrow, *(day.end + delay for day in days if not day.ripe and day.end + delay > now)])


def days_of(
    reference: Reference, stored: Sequence[DayProfile], policy: MonitoringPolicy, *, until: datetime
) -> tuple[Day, ...]:
    """The complete days up to `until`, ripe up to the first that still waits for labels.

    Days without rows are included, but of a longer silence only the first 60: one row of twenty years ago must not
    make seven thousand windows of nothing.
    """
    by_start = {profile.day_us: profile for profile in stored}
    layout, none = reference.layout, empty(reference.layout)
    days: list[Day] = []
    waiting = False
    for number, day in enumerate(_dates(stored, policy.zone, until)):
        start, end = day_start(day, policy.zone), day_start(day + timedelta(days=1), policy.zone)
        profile = by_start.get(to_us(start))
        part = none if profile is None else unpack(layout, profile.packed)
        aged = end + timedelta(hours=policy.label_delay_hours) <= until
        covered = part.n > 0 and part.n_labelled >= policy.ripe_coverage * part.n
        waiting = waiting or not (aged or covered)
        days.append(
            Day(number, day, start, end, part, 0 if profile is None else zlib.crc32(profile.packed), not waiting)
        )
    return tuple(days)


def _dates(stored: Sequence[DayProfile], zone: str, until: datetime) -> Iterator[date]:
    yesterday = day_of(until, zone) - timedelta(days=1)
    with_rows = [day_of(from_us(profile.day_us), zone) for profile in stored if profile.n]
    for day, after in pairwise([*(day for day in with_rows if day <= yesterday), None]):
        if day is not None:
            last = day + timedelta(days=MOST_EMPTY_DAYS)
            yield from days_between(day, min(last, yesterday if after is None else after - timedelta(days=1)))
