"""The units of a test, one line each: arm, day of the first row, and every outcome once its time is over.

A unit's outcome is what happened within the exposure after its first row and was known when its day became ripe. From
then on it never changes, whatever comes late: outcomes that grow would break every promise of looking again and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.assigning import ENTITY, draw, draw_of
from mlops_dash.domain.ab_tests.layers import OUTSIDE
from mlops_dash.domain.ab_tests.outcomes import COUNT, RATIO, SHARE, OfEvents, is_of_events, of_events
from mlops_dash.domain.ab_tests.rules import ABTest, Design
from mlops_dash.domain.events import unit_name
from mlops_dash.services.ab_tests.admitting import admitted
from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.losses import log_losses, squared_errors
from mlops_dash.store.prediction_log import to_us

_HOUR_US: Final = 3_600_000_000
_LEFT_OUT: Final = -2  # -1 is a unit without a row


@dataclass(frozen=True)
class Columns:
    """One outcome of the ripe units, by the day of their first row.

    Attributes:
        y: The outcome, or the numerator; float[units].
        z: Of a ratio the denominator; else None.
        x: The same outcome before the first row, where it adjusts; else None.
        parts: Of the base-rate-free loss [loss | y=1, n_1, loss | y=0, n_0], float[units, 4]; else None.
    """

    y: Floats
    z: Floats | None = None
    x: Floats | None = None
    parts: Floats | None = None


@dataclass(frozen=True)
class UnitTable:
    """All units of a test, and the outcomes of the ripe ones.

    Attributes:
        treated: Whether each unit is the challenger's, bool[all]; of rows as units whether it answered.
        ripe: Which are ripe, bool[all].
        days: Ripe days in order.
        day: Place in `days` of each ripe unit, ascending, int[ripe].
        arm: Whether each ripe unit was drawn to the challenger, bool[ripe].
        outcomes: Metric -> its columns of the ripe units.
        nameless: Rows without a unit; they count nowhere.
        crossed: Units that the other arm answered too, for example while the challenger failed; they stay in their arm.
        late: Events that came after their unit was ripe; they do not count.
        strange: Units with events that have no row in the test.
        joined: Units with events that have one.
    """

    treated: Bools
    ripe: Bools
    days: tuple[date, ...]
    day: Ints
    arm: Bools
    outcomes: Mapping[str, Columns]
    nameless: int
    crossed: int
    late: int
    strange: int
    joined: int
    order: Ints  # place of each ripe unit among all
    segments: Mapping[str, np.ndarray]  # type: ignore[type-arg]  # column -> value of each unit's first row, as text
    left_out: tuple[str, ...] = ()  # what is said of units that do not count

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out, in sentences."""
        said = (
            (self.nameless, "rows name no unit and count nowhere"),
            (self.crossed, "units were answered by the other arm too; they stay in the arm that was drawn"),
            (self.late, "events came after their unit was ripe and do not count"),
        )
        return (*(f"{n:,} {what}." for n, what in said if n), *self.left_out, *self._strangers)

    @property
    def _strangers(self) -> tuple[str, ...]:
        if not self.strange:
            return ()
        said = f"{self.strange:,} units with events have no row in this test"
        if self.strange <= self.joined:
            return (f"{said}; {self.joined:,} have.",)
        few = f"only {self.joined:,} have" if self.joined else "none has"
        return (f"Check the names: {said}, {few}. A unit whose events bear another name counts as one without any.",)


def unit_table(
    design: Design, rows: pd.DataFrame, events: pd.DataFrame, *, now: datetime, test: ABTest | None = None
) -> UnitTable:
    """Gather rows and events by unit.

    Args:
        design: What is measured, and when a unit is ripe.
        rows: Columns `unit` (as `unit_key` makes it, or the row's id; "" = none), `at`, `score`, `label` (NaN = none
            yet), `label_received_at`, `challenger`: every row answered in the test's window.
        events: Columns `unit` (its name), `name`, `value`, `at_us`, `received_at_us`.
        now: Which days are ripe.
        test: Whose units must have had their whole time in their arm (`admitting`); None takes every unit.
    """
    others = int((rows["unit"] == OUTSIDE).sum())
    named = rows[(rows["unit"] != "") & (rows["unit"] != OUTSIDE)]
    codes, units = pd.factorize(named["unit"].to_numpy(dtype=object))
    at = _us(named["at"])
    first = np.full(len(units), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, codes, at)
    place = np.arange(len(units))
    counts, left_out = (np.ones(len(units), dtype=np.bool_), ()) if test is None else admitted(test, first)
    if not counts.all():
        place = np.where(counts, np.cumsum(counts) - 1, _LEFT_OUT)
        kept_rows = counts[codes]
        named, codes, at, first = named[kept_rows], place[codes[kept_rows]], at[kept_rows], first[counts]
    everyone, units = units, units[counts]
    answered = named["challenger"].to_numpy(dtype=np.bool_)
    drawn = _drawn(design, units)
    treated = drawn if design.unit == ENTITY else _answered(len(units), codes, answered)
    day_of, ends = _cohorts(first, design)
    exposure = int(design.exposure_hours * _HOUR_US)
    ripe_at = ends + exposure + int(design.label_delay_hours * _HOUR_US)
    ripe: Bools = ripe_at <= to_us(now)
    order = np.flatnonzero(ripe)[np.argsort(day_of[ripe], kind="stable")]
    known_days, day = np.unique(day_of[order], return_inverse=True)
    known_at = _us(named["label_received_at"].fillna(pd.Timestamp(0, tz="UTC")))
    in_time = (at - first[codes] < exposure) & (known_at <= ripe_at[codes])
    kept = _kept_events(design, (everyone, place), events, first, ripe_at)
    outcomes = {
        metric: _of_events(of_events(metric), kept, len(units), order, cuped=design.cuped)
        if is_of_events(metric)
        else _of_rows(metric, named, codes, in_time, len(units), order)
        for metric in design.metrics
    }
    crossed = int(np.unique(codes[answered != drawn[codes]]).size)
    return UnitTable(
        treated=treated,
        ripe=ripe,
        days=tuple(date.fromordinal(int(one)) for one in known_days),
        day=np.asarray(day, dtype=np.int64),
        arm=drawn[order],
        outcomes=outcomes,
        nameless=int((rows["unit"] == "").sum()),
        crossed=crossed,
        late=kept.late,
        strange=kept.strange,
        joined=kept.joined,
        order=order,
        segments={name: _first_values(named, name, codes, at, len(units)) for name in design.segments},
        left_out=(*left_out, *_outside(design, others)),
    )


def _outside(design: Design, rows: int) -> tuple[str, ...]:
    if not rows or design.layer is None:
        return ()
    return (f"{rows:,} rows are of units outside its part of layer {design.layer.name}; the control answers them.",)


@dataclass(frozen=True)
class _Kept:
    """Events that count: of which unit, which, how much, and whether they lie before its first row."""

    unit: Ints
    name: np.ndarray[tuple[int], np.dtype[np.object_]]
    value: Floats
    before: Bools
    late: int
    strange: int
    joined: int


def _drawn(design: Design, units: np.ndarray) -> Bools:  # type: ignore[type-arg]
    """Each unit's arm as it was drawn, whoever answered: what fails on hard rows must not move them to one arm."""
    names = units.tolist()
    numbers = [draw_of(one) for one in names] if design.unit == ENTITY else [draw(design.key, one) for one in names]
    return np.array([one < design.share for one in numbers], dtype=np.bool_)


def _answered(n: int, codes: Ints, answered: Bools) -> Bools:
    found: Bools = np.zeros(n, dtype=np.bool_)
    found[codes] = answered
    return found


def _first_values(rows: pd.DataFrame, column: str, codes: Ints, at: Ints, n: int) -> np.ndarray:  # type: ignore[type-arg]
    """A column's value in the first row of each unit; "" where it has none."""
    found = np.full(n, "", dtype=object)
    if column in rows:
        late_first = np.argsort(-at, kind="stable")  # the earliest is written last
        values = np.array([unit_name(one) for one in rows[column].tolist()], dtype=object)
        found[codes[late_first]] = values[late_first]
    return found


def _us(moments: pd.Series) -> Ints:
    return np.asarray(moments.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[us]").astype("int64"))


def _cohorts(first: Ints, design: Design) -> tuple[Ints, Ints]:
    """The local day of each first row as an ordinal, and when it ends (microseconds)."""
    zone = ZoneInfo(design.zone)
    local = pd.to_datetime(pd.Series(first), unit="us", utc=True).dt.tz_convert(zone)
    days = local.dt.date.to_numpy(dtype=object) if len(first) else np.array([], dtype=object)
    ordinals: Ints = np.array([one.toordinal() for one in days], dtype=np.int64)
    end_of = {}
    for one in set(ordinals.tolist()):
        after = date.fromordinal(one) + timedelta(days=1)
        end_of[one] = to_us(datetime(after.year, after.month, after.day, tzinfo=zone))
    return ordinals, np.array([end_of[one] for one in ordinals.tolist()], dtype=np.int64)


def _kept_events(
    design: Design,
    everyone: tuple[np.ndarray, Ints],  # type: ignore[type-arg]
    events: pd.DataFrame,
    first: Ints,
    ripe_at: Ints,
) -> _Kept:
    """The events that count; `everyone`: all units with rows, and where each stands among those that count."""
    units, stands = everyone
    names = events["unit"].to_numpy(dtype=object)
    codes, known = pd.factorize(names)
    keys = [design.kept(one) for one in known.tolist()] if design.unit == ENTITY else known.tolist()
    place = np.asarray(pd.Index(units).get_indexer(pd.Index(keys, dtype=object)), dtype=np.int64)[codes]
    known_to_us = place >= 0
    place[known_to_us] = stands[place[known_to_us]]
    ours = place >= 0
    outside = np.array([one == OUTSIDE for one in keys], dtype=np.bool_)[codes]  # other tests of the layer have them
    strange, joined = int(np.unique(codes[~known_to_us & ~outside]).size), int(np.unique(codes[ours]).size)
    place, kept = place[ours], events[ours]
    at, received = kept["at_us"].to_numpy(dtype=np.int64), kept["received_at_us"].to_numpy(dtype=np.int64)
    exposure = int(design.exposure_hours * _HOUR_US)
    since = at - first[place]
    within, before = (since >= 0) & (since < exposure), (since < 0) & (since >= -exposure)
    in_time = received <= ripe_at[place]
    wanted = within | (before & design.cuped)  # what lies before only adjusts, and must be known as early
    late = int(np.count_nonzero(wanted & ~in_time))
    taken = wanted & in_time
    return _Kept(
        place[taken], kept["name"].to_numpy(dtype=object)[taken], kept["value"].to_numpy(dtype=np.float64)[taken],
        before[taken], late, strange, joined,
    )  # fmt: skip


def _of_events(metric: OfEvents, kept: _Kept, n: int, order: Ints, *, cuped: bool) -> Columns:
    def column(name: str, *, before: bool, counted: bool) -> Floats:
        chosen = (kept.name == name) & (kept.before == before)
        weights = None if counted else kept.value[chosen]
        return np.bincount(kept.unit[chosen], weights=weights, minlength=n).astype(np.float64)[order]

    if metric.kind == RATIO:
        return Columns(
            column(metric.name, before=False, counted=False), z=column(metric.per, before=False, counted=False)
        )
    counted = metric.kind in {COUNT, SHARE}
    after = column(metric.name, before=False, counted=counted)
    if metric.quantile is not None:  # what lies before adjusts means alone
        return Columns(after)
    past = column(metric.name, before=True, counted=counted) if cuped else None
    if metric.kind == SHARE:
        after, past = (after > 0).astype(np.float64), None if past is None else (past > 0).astype(np.float64)
    adjusts = past is not None and len(past) > 1 and float(past.std()) > 0
    return Columns(after, x=past if adjusts else None)


def _of_rows(metric: str, rows: pd.DataFrame, codes: Ints, in_time: Bools, n: int, order: Ints) -> Columns:
    """A loss of the answers: the sum over the labelled rows of a unit, over their number."""
    label, score = rows["label"].to_numpy(dtype=np.float64), rows["score"].to_numpy(dtype=np.float64)
    use = in_time & ~np.isnan(label)
    label, score, of = label[use], score[use], codes[use]

    def summed(values: Floats) -> Floats:
        return np.bincount(of, weights=values, minlength=n).astype(np.float64)[order]

    ones = np.ones(label.size)
    if metric == "mae":
        return Columns(summed(np.abs(score - label)), z=summed(ones))
    if metric == "accuracy":
        return Columns(summed((score == label).astype(np.float64)), z=summed(ones))
    late = label == 1.0
    loss = squared_errors(late, score) if metric == "brier" else log_losses(late, score)
    whole = Columns(summed(loss), z=summed(ones))
    if metric != "base_rate_free_loss":
        return whole
    parts = [summed(one) for one in (loss * late, late.astype(np.float64), loss * ~late, (~late).astype(np.float64))]
    return Columns(whole.y, z=whole.z, parts=np.column_stack(parts))
