"""What is live traffic reduced to? Marked hours become profiles of hours and days; what cannot be counted is set aside.

Only the marked hours of the versions that answered in them are read, a bounded number of rows at a time. One model's
hours are never read for another's sake: callers profile model by model, so that one that fails stops no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from mlops_dash.domain.access import Actor, Permission
from mlops_dash.domain.calendar import day_of, day_start
from mlops_dash.domain.policies import PolicyKind
from mlops_dash.domain.schema import EARLIEST, LATEST
from mlops_dash.domain.sifting import Unfit
from mlops_dash.services.command import Context, record
from mlops_dash.services.monitoring import counting
from mlops_dash.services.monitoring.batching import Names, batch_parts, names_of
from mlops_dash.services.monitoring.grouping import group_parts
from mlops_dash.services.monitoring.sifting import sift
from mlops_dash.stats.arrays import Ints
from mlops_dash.store import policies, prediction_log
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring import groups, profiles, references
from mlops_dash.store.monitoring.groups import GroupPart
from mlops_dash.store.monitoring.parts import Part, count_rows, empty, total
from mlops_dash.store.monitoring.profiles import BatchPart
from mlops_dash.store.monitoring.references import Reference
from mlops_dash.store.prediction_log import HOUR_US, DirtyHour, SetAside, from_us, to_us

ROWS_AT_ONCE = 20_000  # in memory; an hour that has more is read as a whole
WRITE_HOURS = 48  # hours in one write transaction: well under 50 ms
RECUT_DAYS = 60
_HOUR = timedelta(hours=1)
_OUTSIDE = f"lies outside {EARLIEST:%Y} to {LATEST:%Y}"


@dataclass(frozen=True)
class Profiled:
    """What one call of `profile_dirty_hours` did, and how many hours still wait."""

    hours: int
    rows: int
    left: int
    set_aside: int = 0  # rows that cannot be counted


@dataclass(frozen=True)
class _Counted:
    """Rows of some hours of one version, counted: parts by slot (an hour, or what a day's begin cuts of it)."""

    hours: tuple[int, ...]
    slots: Mapping[int, Part]
    unfit: tuple[SetAside, ...]
    batches: tuple[BatchPart, ...] = ()
    groups: tuple[GroupPart, ...] = ()


class Profiling:
    """Profiles of hours and days."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @record(Permission.SYSTEM)
    def models_to_profile(self, actor: Actor) -> tuple[str, ...]:
        """Models with a reference whose hours wait, or whose days are cut in another zone than their policy says.

        A constant number of statements, whatever there is; no reference's cells or profiles are read.
        """
        with reading(self.context.databases.log) as session:
            waiting, cut = prediction_log.hours_waiting(session), profiles.zones(session)
        if not waiting and not cut:
            return ()
        with reading(self.context.databases.app) as session:
            known = references.latest_ids(session)
            in_force = policies.in_force(session, PolicyKind.MONITORING, self.context.clock.now())
        found = []
        for model, of_model in known.items():
            if model not in in_force:  # archived: its hours wait until it is restored
                continue
            zone = in_force[model].monitoring.zone
            if model in waiting or any(cut.get(one, zone) != zone for one in of_model.values()):
                found.append(model)
        return tuple(sorted(found))

    @record(Permission.SYSTEM)
    def profile_dirty_hours(self, actor: Actor, *, model: str = "", limit: int = 24 * 60) -> Profiled:
        """Count the rows of up to `limit` marked hours per model into profiles of hours and days.

        Only models with a reference; marks of others stay. A mark that is renewed meanwhile stays too.

        Args:
            actor: A process of ours.
            model: Whose hours; "" = those of all models, one after the other.
            limit: Hours per model.
        """
        now = self.context.clock.now()
        with reading(self.context.databases.app) as session:
            known = references.latest_ids(session)
            in_force = policies.in_force(session, PolicyKind.MONITORING, now)
        names = [one for one in ([model] if model else sorted(known)) if one in known and one in in_force]
        hours = rows = aside = 0
        for name in names:
            done = self._profile(name, known[name], in_force[name].monitoring.zone, limit, now)
            hours, rows, aside = hours + done.hours, rows + done.rows, aside + done.set_aside
        with reading(self.context.databases.log) as session:
            return Profiled(hours, rows, profiles.n_dirty(session, names), aside)

    def _profile(self, model: str, of_model: Mapping[str, str], zone: str, limit: int, now: datetime) -> Profiled:
        """Profile marked hours for every version that answered in them, and only then forget the marks."""
        self._recut(model, of_model, zone, now)
        aside = self._set_aside_outside(model, now)
        with reading(self.context.databases.log) as session:
            dirty = prediction_log.dirty_hours(session, limit=limit, model=model)
            if not dirty:
                return Profiled(0, 0, 0, aside)
            answered = prediction_log.rows_by_hour(
                session, list(of_model), [one.hour for one in dirty], roles=profiles.SERIES_ROLES
            )
        with reading(self.context.databases.app) as session:
            made = references.by_ids(session, [of_model[version_id] for version_id in answered])
        rows = 0
        for reference in made:
            for hours in _chunks(answered[reference.version_id]):
                counted = self._count(reference, hours, zone, now)
                self._write(reference, counted, zone, now)
                self._cut(reference, zone, now)
                rows += sum(part.n for part in counted.slots.values())
                aside += len(counted.unfit)
        self._empty(of_model, answered, dirty, zone, now)
        with transaction(self.context.databases.log) as session:
            prediction_log.clear_dirty(session, dirty)
        return Profiled(len(dirty), rows, 0, aside)

    def _empty(
        self, of_model: Mapping[str, str], answered: Mapping[str, Mapping[datetime, int]],
        dirty: Sequence[DirtyHour], zone: str, now: datetime,
    ) -> None:  # fmt: skip
        """Hours whose last row was erased: what was counted of them goes."""
        with reading(self.context.databases.log) as session:
            held = profiles.hours_held(session, list(of_model.values()), [to_us(one.hour) for one in dirty])
        gone = {
            reference_id: tuple(hour for hour in sorted(held.get(reference_id, ()))
                                if from_us(hour) not in answered.get(version_id, {}))
            for version_id, reference_id in of_model.items()
        }  # fmt: skip
        wanted = [reference_id for reference_id, hours in gone.items() if hours]
        if not wanted:
            return
        with reading(self.context.databases.app) as session:
            made = references.by_ids(session, wanted)
        for reference in made:
            hours = gone[reference.id]
            slots = {slot: empty(reference.layout) for hour in hours for slot in slots_of(from_us(hour), zone)}
            self._write(reference, _Counted(hours, slots, ()), zone, now)

    def _set_aside_outside(self, model: str, now: datetime) -> int:
        """Rows of years that no profile knows: set aside, and their marks forgotten, or they would wait for ever."""
        first, end = to_us(EARLIEST), to_us(LATEST)
        with transaction(self.context.databases.log) as session:
            if not prediction_log.clear_outside(session, model, first, end):
                return 0
            rows = prediction_log.outside(session, model, first, end)
            noted = to_us(now)
            return prediction_log.set_aside(session, [one._replace(reason=_OUTSIDE, noted_at_us=noted) for one in rows])

    def _count(self, reference: Reference, hours: Sequence[datetime], zone: str, now: datetime) -> _Counted:
        with reading(self.context.databases.log) as session:
            frame = prediction_log.read_window(
                session,
                reference.version_id,
                hours[0],
                hours[-1] + _HOUR,
                roles=profiles.SERIES_ROLES,
                hours=hours,
                classes=reference.layout.classes,
            )
            windows = profiles.batches_held(session, reference.id) if reference.cadence.rows else ()
        slots = np.asarray([slot for hour in hours for slot in slots_of(hour, zone)], dtype=np.int64)
        kept, unfit = sift(reference.layout, frame, batch=reference.batch_column)
        at = kept["at"].dt.as_unit("us").astype("int64").to_numpy()
        place: Ints = np.searchsorted(slots, at, side="right").astype(np.int64) - 1
        parts = count_rows(reference.layout, kept, place, slots.size)
        aside = tuple(_set_aside(reference, frame, one, to_us(now)) for one in unfit)
        held = tuple(to_us(hour) for hour in hours)
        names: Names = np.full(len(kept), "", dtype=object)
        batches: tuple[BatchPart, ...] = ()
        if reference.cadence.is_batch and len(kept):
            names = names_of(reference, kept, at, windows, held)
            batches = batch_parts(reference, kept, at, names)
        by_group = group_parts(reference, kept, slots[place], names) if reference.is_grouped else ()
        return _Counted(held, dict(zip(slots.tolist(), parts, strict=True)), aside, batches, by_group)

    def _cut(self, reference: Reference, zone: str, now: datetime) -> None:
        """Windows of N rows that have too many of them: rows came after the N-th, or many came late.

        An hour is counted anew for each, as only its rows say where to cut.
        """
        every = reference.cadence.rows
        while every:
            with reading(self.context.databases.log) as session:
                found = counting.too_large(profiles.batches_held(session, reference.id), every)
                if found is None:
                    return
                hour = from_us(found.hour_us)
                frame = prediction_log.read_window(
                    session, reference.version_id, hour, hour + _HOUR, roles=profiles.SERIES_ROLES, hours=[hour],
                    classes=reference.layout.classes,
                )  # fmt: skip
                marks = counting.marks_of(profiles.batches_held(session, reference.id), every)
            kept, _ = sift(reference.layout, frame)
            at, ids = kept["at"].dt.as_unit("us").astype("int64").to_numpy(), kept["prediction_id"].to_numpy()
            own = counting.place(at, ids, marks) == marks.index(found.window)
            kept, at, ids = kept[own], at[own], ids[own]
            made = counting.cuts(at, ids, before=found.before, every=every, most=found.most)
            if not made:  # its rows are others by now: they are marked, and counted with the next call
                return
            parts = [found.window, *made]
            names = np.asarray([one.name for one in parts], dtype=object)[counting.place(at, ids, parts)]
            by_group = group_parts(reference, kept, at - at % HOUR_US, names) if reference.is_grouped else ()
            held = sorted(batch_parts(reference, kept, at, names), key=lambda one: counting.mark_of(one.batch))
            with transaction(self.context.databases.log) as session:
                profiles.split_batch(session, reference.id, reference.version_id, found.window.name, found.hour_us,
                                     held, computed_at_us=to_us(now))  # fmt: skip
                if reference.is_grouped:
                    groups.split(session, reference.id, found.window.name, found.hour_us, by_group, held[-1].batch,
                                 computed_at_us=to_us(now))  # fmt: skip

    def _write(self, reference: Reference, counted: _Counted, zone: str, now: datetime) -> None:
        """Replace what was known of these hours, a few at a time, then the days that hold them."""
        for first in range(0, len(counted.hours), WRITE_HOURS):
            hours = counted.hours[first : first + WRITE_HOURS]
            held = set(hours)
            slots = {slot: part for slot, part in counted.slots.items() if _hour_of(slot) in held}
            with transaction(self.context.databases.log) as session:
                profiles.forget_hours(session, reference.id, hours)
                profiles.save_hours(session, reference.id, reference.version_id, slots, computed_at_us=to_us(now))
                if reference.cadence.is_batch:
                    kept = [one for one in counted.batches if one.hour_us in held]
                    profiles.forget_batches(session, reference.id, hours)
                    profiles.save_batches(session, reference.id, reference.version_id, kept, computed_at_us=to_us(now))
                if reference.is_grouped:
                    of_hours = [one for one in counted.groups if _hour_of(one.hour_us) in held]
                    groups.forget(session, reference.id, hours)
                    groups.save(session, reference.id, of_hours, computed_at_us=to_us(now))
                prediction_log.forget_hours(session, reference.version_id, hours)
                prediction_log.set_aside(session, [one for one in counted.unfit if _hour_of(one.at_us) in held])
        days = {day_of(from_us(slot), zone) for slot in counted.slots}
        self._roll_up(reference, sorted(days), zone, now, counted.slots)

    def _roll_up(
        self, reference: Reference, days: Sequence[date], zone: str, now: datetime, counted: Mapping[int, Part]
    ) -> None:
        """Sum the hours of these days: those just counted, and those stored before; no other hour is read."""
        starts = {day: to_us(day_start(day, zone)) for day in days}
        ends = {day: to_us(day_start(day + timedelta(days=1), zone)) for day in days}
        slots = [slot for day in days for slot in _slots_within(starts[day], ends[day])]
        with reading(self.context.databases.log) as session:
            stored = profiles.hour_parts(
                session,
                reference.layout,
                reference.id,
                starts[days[0]],
                ends[days[-1]],
                known=counted,
                hours=slots,
            )
        rolled = {
            starts[day]: total(
                reference.layout,
                [stored[slot] for slot in _slots_within(starts[day], ends[day]) if slot in stored],
            )
            for day in days
        }
        with transaction(self.context.databases.log) as session:
            profiles.save_days(session, reference.id, reference.version_id, rolled, computed_at_us=to_us(now))
            profiles.note_zone(session, reference.id, model=reference.model, version_id=reference.version_id, zone=zone)

    def _recut(self, model: str, of_model: Mapping[str, str], zone: str, now: datetime) -> None:
        """Cut the days of a model anew where they were cut in another zone.

        Whole hours are there already and are only summed anew; where a day begins within an hour, in the old zone or
        the new one, the hours are marked, since their rows have to be told apart.
        """
        with reading(self.context.databases.log) as session:
            cut = profiles.zones(session)
        moved = [one for one in of_model.values() if cut.get(one, zone) != zone]
        if not moved:
            return
        with reading(self.context.databases.app) as session:
            made = references.by_ids(session, moved)
        for reference in made:
            with reading(self.context.databases.log) as session:
                hours = profiles.hours_of(session, reference.id)
            days = sorted({day_of(from_us(hour), zone) for hour in hours})
            with transaction(self.context.databases.log) as session:
                profiles.forget_days(session, reference.id)
                if any(_begins_within_an_hour(day, one) for day in days for one in (zone, cut[reference.id])):
                    profiles.mark_past_of(session, model, reference.version_id, marked_us=to_us(now))
            for first in range(0, len(days), RECUT_DAYS):
                self._roll_up(reference, days[first : first + RECUT_DAYS], zone, now, {})
            if not days:
                with transaction(self.context.databases.log) as session:
                    profiles.note_zone(session, reference.id, model=model, version_id=reference.version_id, zone=zone)


def slots_of(hour: datetime, zone: str) -> tuple[int, ...]:
    """Where an hour is cut: its begin, and the begin of the day that lies within it, in microseconds.

    >>> from datetime import UTC
    >>> hour = datetime(2026, 1, 1, 18, tzinfo=UTC)
    >>> [from_us(slot).strftime("%H:%M") for slot in slots_of(hour, "Asia/Kolkata")]
    ['18:00', '18:30']
    >>> [from_us(slot).strftime("%H:%M") for slot in slots_of(hour, "America/New_York")]
    ['18:00']
    """
    begin = to_us(hour)
    cut = to_us(day_start(day_of(hour + _HOUR - timedelta(microseconds=1), zone), zone))
    return (begin, cut) if begin < cut < begin + HOUR_US else (begin,)


def _slots_within(start: int, end: int) -> list[int]:
    """Every slot that a day can have: its begin, and the whole hours up to its end."""
    return [start, *range(start - start % HOUR_US + HOUR_US, end, HOUR_US)]


def _begins_within_an_hour(day: date, zone: str) -> bool:
    return to_us(day_start(day, zone)) % HOUR_US != 0


def _hour_of(us: int) -> int:
    return us - us % HOUR_US


def _chunks(rows: Mapping[datetime, int]) -> Iterator[tuple[datetime, ...]]:
    """Hours in order, together as long as their rows fit into memory."""
    held: list[datetime] = []
    n = 0
    for hour in sorted(rows):
        if held and n + rows[hour] > ROWS_AT_ONCE:
            yield tuple(held)
            held, n = [], 0
        held.append(hour)
        n += rows[hour]
    if held:
        yield tuple(held)


def _set_aside(reference: Reference, frame: pd.DataFrame, one: Unfit, noted_us: int) -> SetAside:
    row = frame.iloc[one.row]
    at_us = to_us(row["at"].to_pydatetime())
    return SetAside(
        reference.model, str(row["prediction_id"]), reference.version_id, one.column, one.reason, one.sample, True,
        at_us, noted_us,
    )  # fmt: skip
