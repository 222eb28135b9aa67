"""What the ripe units of a test say: each counts once, with its own outcome, in the arm that was drawn for it.

Nothing of an outcome leaves this module while the test is blind.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np
import pandas as pd

from mlops_dash.domain.ab_tests.analysis import finite
from mlops_dash.domain.ab_tests.assigning import ENTITY
from mlops_dash.domain.ab_tests.outcomes import is_of_events, quantile_in
from mlops_dash.domain.ab_tests.readings import (
    MISMATCH_LOG_E,
    ArmCount,
    Lasting,
    Look,
    Measured,
    Reading,
    Segment,
)
from mlops_dash.domain.ab_tests.rules import ALWAYS_VALID, ABTest, Design
from mlops_dash.services.ab_tests.beside import belief_in, lasting_of
from mlops_dash.services.ab_tests.reading import bounds, hidden, interval, measured, relative
from mlops_dash.services.ab_tests.unit_table import Columns, UnitTable, unit_table
from mlops_dash.stats.ab import Effect, base_rate_free, clustered, quantile_of, welch
from mlops_dash.stats.ab_replay import of_quantiles, of_units, units_of_quantile
from mlops_dash.stats.arrays import Bools
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.pair_sums import MIN_CUPED, Adjustment, PairSums
from mlops_dash.stats.sequential_ab import always_valid, sample_ratio_log_e, units_before_first_look

FEWEST: Final = 100  # units of a value that is read apart
MOST_VALUES: Final = 12  # of a column, those with most units


def read_units(test: ABTest, rows: pd.DataFrame, events: pd.DataFrame, *, now: datetime, over: bool) -> Reading:
    """The reading of a test now.

    Args:
        test: The test; it has started.
        rows: As `unit_table` takes them.
        events: As `unit_table` takes them.
        now: Which days are ripe.
        over: Whether this is the last reading.
    """
    design = test.design
    table = unit_table(design, rows, events, now=now, test=test)
    effects = {metric: effect_of(columns, table.arm, metric, design) for metric, columns in table.outcomes.items()}
    log_e = sample_ratio_log_e(_counts(table.treated), [design.share, 1.0 - design.share])
    needed, blind = _first_look(design, table, over=over)
    segments = _segments(design, table)
    if log_e >= MISMATCH_LOG_E or any(one.log_e >= MISMATCH_LOG_E + math.log(len(segments)) for one in segments):
        blind = "The effects are hidden: the arms were not filled as planned."
    elif not blind and not effects[design.outcome].computable:
        blind = f"No look yet: {effects[design.outcome].reason or 'no effect can be computed'}."
    primary, guardrails, others = _now(design, effects)
    return Reading(
        challenger=_count(table, design, challenger=True),
        control=_count(table, design, challenger=False),
        days=len(table.days),
        mismatch_log_e=log_e,
        units_needed=needed,
        blind=blind,
        primary=hidden(primary, blind) if blind else primary,
        guardrails=tuple(hidden(one, blind) if blind else one for one in guardrails),
        looks=() if blind else _looks(design, table),
        paired=None,
        paired_rows=0,
        last_day=table.days[-1] if table.days else None,
        method=_method(design, effects[design.outcome], table.outcomes[design.outcome]),
        digest=_digest(table),
        others=tuple(hidden(one, blind) if blind else one for one in others),
        gain=None if blind else _gain(table.outcomes[design.outcome], table.arm, design),
        notes=(*table.notes, *_without_segment(design, table)),
        segments=tuple(replace(one, primary=hidden(one.primary, blind)) if blind else one for one in segments),
        belief=None if blind else belief_in(effects[design.outcome], design),
        lasting=None if blind else _lasting(design, table),
    )


def effect_of(columns: Columns, arm: Bools, metric: str, design: Design) -> Effect:
    """Challenger minus control of ripe units, which are independent of each other.

    Args:
        columns: The outcome of each unit.
        arm: Whether it is the challenger's.
        metric: Which outcome.
        design: What the base-rate-free loss is stated at.
    """
    if columns.parts is not None:
        used = with_outcome(columns, metric)
        parts, mine = columns.parts[used], arm[used]
        challenger, control = parts * mine[:, None], parts * ~mine[:, None]
        statistic = base_rate_free(design.prior)
        return clustered(statistic, challenger, control, n_1=int(mine.sum()), n_0=int((~mine).sum()))
    if (q := quantile_in(metric)) is not None:
        return welch(quantile_of(columns.y[arm], q), quantile_of(columns.y[~arm], q))
    if columns.z is not None:
        top, bottom = columns.y, columns.z
        used = with_outcome(columns, metric)
        pairs = [PairSums.of(top[used & side], bottom[used & side]) for side in (arm, ~arm)]
        return welch(pairs[0].ratio_of(), pairs[1].ratio_of())
    sums = [PairSums.of(columns.y[side], None if columns.x is None else columns.x[side]) for side in (arm, ~arm)]
    if columns.x is None or min(one.n for one in sums) < MIN_CUPED:
        return welch(sums[0].mean_of(), sums[1].mean_of())
    fit = Adjustment.of(sums)
    return welch(fit.adjusted(sums[0]).mean_of(), fit.adjusted(sums[1]).mean_of())


def with_outcome(columns: Columns, metric: str) -> Bools:
    """Which units have the outcome: of a loss those with a labelled row; of events all, as no event is an outcome."""
    if columns.z is None or is_of_events(metric):
        return np.ones(len(columns.y), dtype=np.bool_)
    return np.asarray(columns.z != 0, dtype=np.bool_)


def linear(columns: Columns, metric: str) -> np.ndarray:  # type: ignore[type-arg]
    """A number a unit whose skew is that of the outcome: itself, of a ratio its linearised units.

    Of a quantile it is whether the unit lies above it, which is what its spread is made of.
    """
    if (q := quantile_in(metric)) is not None and len(columns.y):
        above: np.ndarray = (columns.y > np.quantile(columns.y, q)).astype(np.float64)  # type: ignore[type-arg]
        return above
    if columns.z is None or not columns.z.sum():
        return columns.y
    linearised: np.ndarray = columns.y - columns.y.sum() / columns.z.sum() * columns.z  # type: ignore[type-arg]
    return linearised


def _counts(treated: Bools) -> list[int]:
    return [int(treated.sum()), int((~treated).sum())]


def _count(table: UnitTable, design: Design, *, challenger: bool) -> ArmCount:
    mine = table.arm == challenger
    told = int(np.count_nonzero(mine & with_outcome(table.outcomes[design.outcome], design.outcome)))
    return ArmCount(int(np.count_nonzero(table.treated == challenger)), int(np.count_nonzero(mine)), told)


def _first_look(design: Design, table: UnitTable, *, over: bool) -> tuple[int, str]:
    """Units an arm needs before the first look, and why there is none yet."""
    if design.reading != ALWAYS_VALID and not over:
        return design.min_units, "One look at the end was chosen at design; nothing is shown before."
    told = with_outcome(table.outcomes[design.outcome], design.outcome)
    values, arm = linear(rows_of(table.outcomes[design.outcome], told), design.outcome), table.arm[told]
    q = quantile_in(design.outcome)
    least = design.min_units if q is None else max(design.min_units, units_of_quantile(q))
    needed = max(least, units_before_first_look(Moments.of(values[arm]), Moments.of(values[~arm])))
    smaller = min(_counts(arm))
    if smaller < needed:
        what = "ripe units" if told.all() else "ripe units with an outcome"
        return needed, f"No look yet: {smaller:,} of {needed:,} {what} in the smaller arm."
    if len(table.days) < design.min_days:
        return needed, f"No look yet: {len(table.days)} of {design.min_days} ripe days."
    return needed, ""


def _now(design: Design, effects: dict[str, Effect]) -> tuple[Measured, list[Measured], list[Measured]]:
    primary = effects[design.outcome]
    low, high, reach = interval(primary, design, design.alpha)
    first = measured(design.outcome, primary, low, high, relative=relative(primary, reach))
    held = [
        measured(one.metric, effects[one.metric], *bounds(effects[one.metric], design), margin=one.margin)
        for one in design.guardrails
    ]
    each = design.alpha / max(len(design.others), 1)  # Bonferroni: the intervals hold for all of them together
    others = []
    for metric in design.others:
        low, high, reach = interval(effects[metric], design, each)
        others.append(measured(metric, effects[metric], low, high, relative=relative(effects[metric], reach)))
    return first, held, others


def _segments(design: Design, table: UnitTable) -> tuple[Segment, ...]:
    """Every value with enough units: its arms, and its effect with an interval that holds for all values together."""
    found = []
    for column, values in table.segments.items():
        names, counts = np.unique(values.astype(str), return_counts=True)
        often = [str(names[at]) for at in np.argsort(-counts, kind="stable") if names[at] and counts[at] >= FEWEST]
        found += [(column, one, values == one) for one in often[:MOST_VALUES]]
    columns, made = table.outcomes[design.outcome], []
    for column, value, here in found:
        mine, control = _counts(table.treated[here])
        ripe = here[table.order]
        effect = effect_of(rows_of(columns, ripe), table.arm[ripe], design.outcome, design)
        low, high, _ = interval(effect, design, design.alpha / len(found))
        if min(effect.n_1, effect.n_0) < MIN_CUPED:
            low = high = math.nan
            effect = replace(effect, reason=f"fewer than {MIN_CUPED} ripe units in an arm")
        made.append(
            Segment(
                column, value, mine, control,
                sample_ratio_log_e([mine, control], [design.share, 1.0 - design.share]),
                measured(design.outcome, effect, low, high),
            )
        )  # fmt: skip
    return tuple(made)


def _lasting(design: Design, table: UnitTable) -> Lasting:
    """Units that entered in the later half of the ripe days against those of the earlier half."""
    columns = table.outcomes[design.outcome]

    def effect(first: int, end: int) -> Effect:
        here = (table.day >= first) & (table.day < end)
        return effect_of(rows_of(columns, here), table.arm[here], design.outcome, design)

    return lasting_of(len(table.days), effect, design)


def _without_segment(design: Design, table: UnitTable) -> tuple[str, ...]:
    return tuple(
        f"No row has the column {column}, so it makes no segments." for column in design.segments
        if not (table.segments[column] != "").any()
    )  # fmt: skip


def rows_of(columns: Columns, which: Bools) -> Columns:
    """The outcome of some units."""
    z, x, parts = (None if one is None else one[which] for one in (columns.z, columns.x, columns.parts))
    return Columns(columns.y[which], z=z, x=x, parts=parts)


def _looks(design: Design, table: UnitTable) -> tuple[Look, ...]:
    """The reading of every ripe day from the first look on; p is the smallest so far."""
    if design.reading != ALWAYS_VALID:
        return ()
    columns, found, smallest = table.outcomes[design.outcome], list[Look](), 1.0
    for number, (needed, effect) in enumerate(_effects(design, table, columns), start=1):
        if min(effect.n_1, effect.n_0) < needed or number < design.min_days or not effect.computable:
            continue
        look = always_valid(effect, planned_units=design.planned_units, alpha=design.alpha)
        smallest = min(smallest, look.p)
        day = table.days[number - 1]
        found.append(Look(day, effect.n_1, effect.n_0, effect.difference, look.low, look.high, smallest))
    return tuple(found)


def _effects(design: Design, table: UnitTable, columns: Columns) -> Iterator[tuple[int, Effect]]:
    """After every ripe day the units that an arm needs, and the effect: from sums, so that long tests stay quick."""
    if (q := quantile_in(design.outcome)) is not None:
        yield from of_quantiles(columns.y, q, table.day, least=design.min_units, days=len(table.days))(table.arm)
        return
    if columns.parts is None:
        y, z, x, day, arm = columns.y, columns.z, columns.x, table.day, table.arm
        used = with_outcome(columns, design.outcome)  # a unit without a labelled row says nothing
        if z is not None:
            y, z, day, arm = y[used], z[used], day[used], arm[used]
        yield from of_units(y, z, x, day, least=design.min_units, days=len(table.days))(arm)
        return
    for end in np.searchsorted(table.day, np.arange(len(table.days)), side="right").tolist():
        yield design.min_units, effect_of(first_units(columns, end), table.arm[:end], design.outcome, design)


def first_units(columns: Columns, end: int) -> Columns:
    """The outcome of the first so many units."""
    z, x, parts = (None if one is None else one[:end] for one in (columns.z, columns.x, columns.parts))
    return Columns(columns.y[:end], z=z, x=x, parts=parts)


def _gain(columns: Columns, arm: Bools, design: Design) -> float | None:
    if columns.x is None:
        return None
    plain = effect_of(Columns(columns.y), arm, design.outcome, design)
    after = effect_of(columns, arm, design.outcome, design)
    return finite(1.0 - (after.se / plain.se) ** 2) if plain.computable and after.computable else math.nan


def _method(design: Design, effect: Effect, columns: Columns) -> str:
    how = "always-valid interval" if design.reading == ALWAYS_VALID else "t interval, one look"
    unit = design.entity if design.unit == ENTITY else "row"
    adjusted = "; adjusted by the same of the unit before (CUPED)" if columns.x is not None else ""
    kind = "delta method for the ratio of sums a unit" if columns.z is not None else effect.method
    if quantile_in(design.outcome) is not None:
        kind = "standard error of a quantile by its order statistics, Welch"
    return f"{how}; {kind or 'no standard error'}; units: {unit}, each counted once after its exposure{adjusted}"


def _digest(table: UnitTable) -> str:
    made = hashlib.sha256(np.ascontiguousarray(table.arm).tobytes())
    for columns in table.outcomes.values():
        for one in (columns.y, columns.z, columns.x, columns.parts):
            made.update(b"-" if one is None else np.ascontiguousarray(one).tobytes())
    return made.hexdigest()
