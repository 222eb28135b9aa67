"""Which windows of a version are judged, which of them are ripe, and when must they be looked at again?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.calendar import day_of, day_start, days_between
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring.course import Day
from mlops_dash.store import policies
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.parts import total, unpack
from mlops_dash.store.monitoring.profiles import DayProfile
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import from_us

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
    """When something changes although no row comes: a day ends, or the first unripe window gets old enough."""
    tomorrow = day_start(day_of(now, policy.zone) + timedelta(days=1), policy.zone)
    return min([tomorrow, *(day.ripens for day in days if not day.ripe and day.ripens > now)])


def days_of(
    reference: Reference, stored: Sequence[DayProfile], policy: MonitoringPolicy, *, until: datetime
) -> tuple[Day, ...]:
    """The complete windows up to `until`, ripe up to the first that still waits for labels.

    A week or month that still runs counts once a whole day has passed without a row: its batch has come, and it is
    judged again should more rows follow. Windows without rows are included, but of a longer silence only the first 60
    days: one row of twenty years ago must not make seven thousand windows of nothing.
    """
    zone, delay = policy.zone, timedelta(hours=policy.label_delay_hours)
    by_day = {day_of(from_us(profile.day_us), zone): profile for profile in stored}
    layout, today = reference.layout, day_of(until, zone)
    days: list[Day] = []
    waiting = False
    for first, held in groupby(_dates(stored, zone, until), policy.cadence.first_day):
        after = policy.cadence.next_day(first)
        found = [(day, by_day[day]) for day in held if day in by_day]
        if after > today and not _has_come(today, by_day, [one for _, one in found]):
            break
        clusters = tuple(part for part in (unpack(layout, one.packed) for _, one in found) if part.n)
        part, last = total(layout, clusters), max((day for day, one in found if one.n), default=None)
        ripens = day_start(after if last is None else last + timedelta(days=1), zone) + delay
        covered = part.n > 0 and part.n_labelled >= policy.ripe_coverage * part.n
        waiting = waiting or not (ripens <= until or covered)
        days.append(
            Day(len(days), first, day_start(first, zone), day_start(min(after, today), zone), part, clusters,
                _mark([one for _, one in found]), ripens, not waiting)
        )  # fmt: skip
    return tuple(days)


def _has_come(today: date, by_day: Mapping[date, DayProfile], held: Sequence[DayProfile]) -> bool:
    """Whether the batch of a window that still runs has come: it has rows, and none today or the day before."""
    recent = [by_day[day] for day in (today, today - timedelta(days=1)) if day in by_day]
    return any(one.n for one in held) and not any(one.n for one in recent)


def _mark(profiles: Sequence[DayProfile]) -> int:
    """What the content of these days is told apart by; of one day the checksum of its profile alone."""
    mark = 0
    for one in profiles:
        mark = zlib.crc32(one.packed, mark)
    return mark


def _dates(stored: Sequence[DayProfile], zone: str, until: datetime) -> Iterator[date]:
    yesterday = day_of(until, zone) - timedelta(days=1)
    with_rows = [day_of(from_us(profile.day_us), zone) for profile in stored if profile.n]
    for day, after in pairwise([*(day for day in with_rows if day <= yesterday), None]):
        if day is not None:
            last = day + timedelta(days=MOST_EMPTY_DAYS)
            yield from days_between(day, min(last, yesterday if after is None else after - timedelta(days=1)))
