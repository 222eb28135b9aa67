"""Which windows of a version are judged, which of them are ripe, and when must they be looked at again?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.cadence import SETTLED
from mlops_dash.domain.calendar import day_of, day_start, days_between, zone_of
from mlops_dash.domain.policies import MonitoringPolicy, PolicyKind
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring.counting import mark_of
from mlops_dash.services.monitoring.course import Day
from mlops_dash.store import policies
from mlops_dash.store.db import reading
from mlops_dash.store.monitoring import readings as store
from mlops_dash.store.monitoring import references
from mlops_dash.store.monitoring.parts import total, unpack
from mlops_dash.store.monitoring.profiles import Piece
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import from_us

MOST_EMPTY = 60  # windows of a silence that are shown as empty: days, and hours where those are windows
_HOUR, _MOMENT = timedelta(hours=1), timedelta(microseconds=1)


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


def next_look(days: Sequence[Day], stored: Sequence[Piece], policy: MonitoringPolicy, now: datetime) -> datetime:
    """When something changes although no row comes: a window ends, or the first unripe window gets old enough."""
    waiting = [from_us(one.last_us) + SETTLED for one in stored if one.batch and not policy.cadence.rows]
    ends = (
        _hour_of(now) + _HOUR
        if policy.cadence.is_hourly
        else (day_start(day_of(now, policy.zone) + timedelta(days=1), policy.zone))
    )
    settles = [one for one in waiting if one > now]
    return min([ends, *settles, *(day.ripens for day in days if not day.ripe and day.ripens > now)])


@dataclass(frozen=True)
class _Span:
    """A window that is over, before its rows are put together: `held` has its pieces under the name of their day."""

    said: str
    start: datetime
    end: datetime
    held: Sequence[tuple[str, Piece]]
    last: datetime  # from when on its labels' delay counts
    batch: str = ""


def days_of(
    reference: Reference, stored: Sequence[Piece], policy: MonitoringPolicy, *, until: datetime
) -> tuple[Day, ...]:
    """The complete windows up to `until`, ripe up to the first that still waits for labels.

    A week or month that still runs counts once a whole day has passed without a row: its batch has come, and it is
    judged again should more rows follow. Windows without rows are included, but of a longer silence only the first
    `MOST_EMPTY` days or hours: one row of twenty years ago must not make seven thousand windows of nothing.
    """
    delay, layout = timedelta(hours=policy.label_delay_hours), reference.layout
    cadence = policy.cadence
    batched = _counted if cadence.rows else _batches
    cut = batched if cadence.is_batch else _hours if cadence.is_hourly else _calendar
    days: list[Day] = []
    waiting = False
    for span in cut(stored, policy, until):
        clusters = tuple((name, part) for name, one in span.held if (part := unpack(layout, one.packed)).n)
        part = total(layout, [part for _, part in clusters])
        ripens = span.last + delay
        covered = part.n > 0 and part.n_labelled >= policy.ripe_coverage * part.n
        waiting = waiting or not (ripens <= until or covered)
        days.append(
            Day(len(days), span.said, span.start, span.end, part, clusters,
                _mark([one for _, one in span.held]), ripens, not waiting, span.batch)
        )  # fmt: skip
    return tuple(days)


def _calendar(stored: Sequence[Piece], policy: MonitoringPolicy, until: datetime) -> Iterator[_Span]:
    """Days, weeks and months of the zone."""
    zone, today = policy.zone, day_of(until, policy.zone)
    by_day = {day_of(from_us(piece.at_us), zone): piece for piece in stored}
    for first, held in groupby(_dates(stored, zone, until), policy.cadence.first_day):
        after = policy.cadence.next_day(first)
        found = [(day, by_day[day]) for day in held if day in by_day]
        if after > today and not _has_come(today, by_day, [one for _, one in found]):
            return
        last = max((day for day, one in found if one.n), default=None)
        yield _Span(
            first.isoformat(), day_start(first, zone), day_start(min(after, today), zone),
            [(day.isoformat(), one) for day, one in found],
            day_start(after if last is None else last + timedelta(days=1), zone),
        )  # fmt: skip


def _hours(stored: Sequence[Piece], policy: MonitoringPolicy, until: datetime) -> Iterator[_Span]:
    """Whole hours of the clock; an hour that the zone's midnight cuts is put together again."""
    zone, by_hour = zone_of(policy.zone), dict[datetime, list[Piece]]()
    for piece in stored:
        if piece.n:
            by_hour.setdefault(_hour_of(from_us(piece.at_us)), []).append(piece)
    over = [hour for hour in sorted(by_hour) if hour + _HOUR <= until]
    for hour, following in pairwise([*over, None]):
        if hour is None:
            return
        gap = ((following or _hour_of(until)) - hour) // _HOUR
        for start in [hour + n * _HOUR for n in range(min(gap, MOST_EMPTY + 1))]:
            held = [(day_of(from_us(one.at_us), policy.zone).isoformat(), one) for one in by_hour.get(start, ())]
            yield _Span(start.astimezone(zone).isoformat(timespec="minutes"), start, start + _HOUR, held, start + _HOUR)


def _batches(stored: Sequence[Piece], _: MonitoringPolicy, until: datetime) -> Iterator[_Span]:
    """Batches by their first row; those that begin at one instant a microsecond apart, each is a window of its own."""
    by_name: dict[str, list[Piece]] = {}
    for piece in stored:
        by_name.setdefault(piece.batch, []).append(piece)
    before: datetime | None = None
    for name, held in sorted(by_name.items(), key=lambda one: (one[1][0].at_us, one[0])):
        last = from_us(max(one.last_us for one in held))
        if last + SETTLED > until:
            continue  # more of it may come
        start = from_us(held[0].at_us)
        start = start if before is None or start > before else before + _MOMENT
        before = start
        yield _Span(name, start, max(last, start) + _MOMENT, [(name, one) for one in held], last, name)


def _counted(stored: Sequence[Piece], policy: MonitoringPolicy, until: datetime) -> Iterator[_Span]:
    """Windows of N rows by their place in the order of rows; the last one is over with its N-th row."""
    by_name = dict[str, list[Piece]]()
    for piece in stored:
        by_name.setdefault(piece.batch, []).append(piece)
    before: datetime | None = None
    for name in sorted(by_name, key=mark_of):
        held = by_name[name]
        last = from_us(max(one.last_us for one in held))
        is_open = name == max(by_name, key=mark_of) and sum(one.n for one in held) < policy.cadence.rows
        if is_open or last > until:
            return
        start = from_us(held[0].at_us)
        start = start if before is None or start > before else before + _MOMENT
        before = start
        days = [(day_of(from_us(one.at_us), policy.zone).isoformat(), one) for one in held]
        yield _Span(said_of_counted(start, policy.zone), start, max(last, start) + _MOMENT, days, last, name)


def said_of_counted(start: datetime, zone: str) -> str:
    """How a window of so many rows is written: its begin in the monitor's zone."""
    return start.astimezone(zone_of(zone)).isoformat(timespec="microseconds" if start.microsecond else "seconds")


def _hour_of(at: datetime) -> datetime:
    return at - timedelta(minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def _has_come(today: date, by_day: Mapping[date, Piece], held: Sequence[Piece]) -> bool:
    """Whether the batch of a window that still runs has come: it has rows, and none today or the day before."""
    recent = [by_day[day] for day in (today, today - timedelta(days=1)) if day in by_day]
    return any(one.n for one in held) and not any(one.n for one in recent)


def _mark(profiles: Sequence[Piece]) -> int:
    """What the content of these pieces is told apart by; of one day the checksum of its profile alone."""
    mark = 0
    for one in profiles:
        mark = zlib.crc32(one.packed, mark)
    return mark


def _dates(stored: Sequence[Piece], zone: str, until: datetime) -> Iterator[date]:
    yesterday = day_of(until, zone) - timedelta(days=1)
    with_rows = [day_of(from_us(piece.at_us), zone) for piece in stored if piece.n]
    for day, after in pairwise([*(day for day in with_rows if day <= yesterday), None]):
        if day is not None:
            last = day + timedelta(days=MOST_EMPTY)
            yield from days_between(day, min(last, yesterday if after is None else after - timedelta(days=1)))
