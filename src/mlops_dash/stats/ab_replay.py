"""How often would a test of this outcome say that two equal arms differ? The past is drawn into arms again and again.

Nothing was changed in the past, so every alarm is a false one. The same looks are taken as in the test.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from mlops_dash.stats.ab import Effect, Sums, clustered, quantile_of_ordered, welch
from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.intervals import wilson
from mlops_dash.stats.pair_sums import MIN_CUPED, Adjustment, PairSums
from mlops_dash.stats.sequential_ab import always_valid, units_needed

TAIL_UNITS: Final = 20  # beyond a quantile, that an arm needs for its standard error
DEPTH: Final = 0.95  # of the Monte-Carlo interval
Looks = Callable[
    [Bools], Iterator[tuple[int, Effect]]
]  # arms -> at each look: the units that each arm needs, the effect


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the replays said.

    Attributes:
        runs: How often the past was drawn into arms.
        looked: Of those, in how many there was any look.
        alarms: Runs in which any always-valid interval left 0.
        low: Lower end of the share of alarms, from the number of runs.
        high: Upper end.
        naive: Runs in which a t-test at every look would have said so.
    """

    runs: int
    looked: int
    alarms: int
    low: float
    high: float
    naive: int

    @property
    def share(self) -> float:
        """Share of false alarms among all runs."""
        return self.alarms / self.runs


def replay(
    looks: Looks, units: int, *, share: float, planned_units: float, alpha: float, runs: int, rng: np.random.Generator,
    first: int = 1, one_look: bool = False,
) -> Replayed:  # fmt: skip
    """Draw arms `runs` times and look as the test would.

    Args:
        looks: From `of_units` or `of_days`.
        units: How many units there are to be drawn.
        share: Of the challenger.
        planned_units: As in the test.
        alpha: As in the test.
        runs: How often.
        rng: Source of the arms.
        first: The first of the looks that the test takes, 1 for all; those before are blind.
        one_look: Whether only the last is taken, by a t-test.

    >>> rng = np.random.default_rng(1)
    >>> past = of_units(rng.normal(size=600), None, None, np.arange(600) // 60, least=100)
    >>> found = replay(past, 600, share=.5, planned_units=600, alpha=.05, runs=100, rng=rng)
    >>> found.alarms <= 5, found.naive > found.alarms, found.looked
    (True, True, 100)
    >>> end = replay(past, 600, share=.5, planned_units=600, alpha=.05, runs=100, rng=rng, one_look=True)
    >>> 0 < end.alarms < end.naive
    True
    """
    alarms = naive = looked = 0
    for _ in range(runs):
        said = bold = any_look = False
        for number, (needed, effect) in enumerate(looks(rng.random(units) < share), start=1):
            allowed = min(effect.n_1, effect.n_0) >= needed and number >= first and effect.computable
            if one_look:  # only the last stands
                any_look, said = allowed, allowed and effect.p_value <= alpha
            elif allowed:
                look = always_valid(effect, planned_units=planned_units, alpha=alpha)
                any_look, said = True, said or look.low > 0 or look.high < 0
            bold = bold or (allowed and effect.p_value <= alpha)
        looked, alarms, naive = looked + any_look, alarms + said, naive + bold
    low, high = wilson(alarms, runs, level=DEPTH)
    return Replayed(runs, looked, alarms, low, high, naive)


def of_units(y: Floats, z: Floats | None, x: Floats | None, day: Ints, *, least: int, days: int | None = None) -> Looks:
    """Looks at units that are independent: a mean, with z a ratio, with x a mean adjusted by it.

    Args:
        y: The outcome of each unit.
        z: Of a ratio the denominator.
        x: The same outcome before.
        day: Of each unit, 0..D-1 in time order.
        least: Units an arm needs at least.
        days: D; by default the last day with a unit.
    """
    days = (int(day.max()) + 1 if day.size else 0) if days is None else days
    other = z if z is not None else x
    values = y if z is None or not z.sum() else y - y.sum() / z.sum() * z
    skews = _skews(values, day, days)
    # Around their means, so that sums of squares lose no digits.
    centre, beside = float(y.mean()) if y.size else 0.0, 0.0 if other is None or not y.size else float(other.mean())
    off, away = y - centre, None if other is None else other - beside

    def sums(arm: Bools, which: bool) -> list[PairSums]:
        kept = arm if which else ~arm
        at, own = day[kept], off[kept]

        def total(weights: Floats) -> Floats:
            return np.cumsum(np.bincount(at, weights=weights, minlength=days))

        n = np.cumsum(np.bincount(at, minlength=days)).astype(np.float64)
        first, square = total(own), total(own**2)
        if away is None:
            return [_pair(*one, centre) for one in zip(n, first, square, strict=True)]
        two = away[kept]
        parts = (n, first, square, total(two), total(two**2), total(own * two))
        return [_pairs(*one, centre=centre, beside=beside) for one in zip(*parts, strict=True)]

    def looks(arm: Bools) -> Iterator[tuple[int, Effect]]:
        for mine, control, skew in zip(sums(arm, True), sums(arm, False), skews, strict=True):
            smaller, both = min(mine.n, control.n), mine.n + control.n
            yield max(least, units_needed(smaller, both, skew)), _effect(mine, control, ratio=z is not None)

    return looks


def units_of_quantile(q: float) -> int:
    """How many units an arm needs at least before its q-quantile is read: 20 beyond it.

    >>> units_of_quantile(0.5), units_of_quantile(0.9), units_of_quantile(0.99)
    (40, 200, 2000)
    """
    return math.ceil(round(TAIL_UNITS / min(q, 1.0 - q), 6))


def of_quantiles(y: Floats, q: float, day: Ints, *, least: int, days: int | None = None) -> Looks:
    """Looks at the q-quantile of units that are independent.

    How many units an arm needs follows the skew of "above the quantile", which is what a quantile's spread is made of.

    Args:
        y: The outcome of each unit.
        q: Between 0 and 1.
        day: Of each unit, 0..D-1 in time order.
        least: Units an arm needs at least.
        days: D; by default the last day with a unit.
    """
    days = (int(day.max()) + 1 if day.size else 0) if days is None else days
    order = np.argsort(y, kind="stable")
    values, on = y[order], day[order]
    skew = (1.0 - 2.0 * q) / math.sqrt(q * (1.0 - q))
    least = max(least, units_of_quantile(q))

    def looks(arm: Bools) -> Iterator[tuple[int, Effect]]:
        sides = [(values[one], on[one]) for one in (arm[order], ~arm[order])]
        for end in range(days):
            mine, control = (quantile_of_ordered(own[at <= end], q) for own, at in sides)
            needed = units_needed(min(mine.n, control.n), mine.n + control.n, skew)
            yield max(least, needed), welch(mine, control)

    return looks


def of_days(sums: Floats, day: Ints, statistic: Sums, *, least: int) -> Looks:
    """Looks at rows of days, each of which holds both arms: the days are the clusters.

    Args:
        sums: What `statistic` needs of each row, float[rows, q].
        day: Of each row, 0..D-1 in time order.
        statistic: Maps column sums to the outcome.
        least: Rows an arm needs at least.
    """
    days = int(day.max()) + 1 if day.size else 0

    def by_day(rows: Bools) -> Floats:
        columns = [np.bincount(day[rows], weights=sums[rows, at], minlength=days) for at in range(sums.shape[1])]
        return np.column_stack(columns)

    def looks(arm: Bools) -> Iterator[tuple[int, Effect]]:
        mine, control = by_day(arm), by_day(~arm)
        n_1 = np.cumsum(np.bincount(day[arm], minlength=days))
        n_0 = np.cumsum(np.bincount(day[~arm], minlength=days))
        for end in range(1, days + 1):
            yield least, clustered(statistic, mine[:end], control[:end], n_1=int(n_1[end - 1]), n_0=int(n_0[end - 1]))

    return looks


def _effect(mine: PairSums, control: PairSums, *, ratio: bool) -> Effect:
    if ratio:
        return welch(mine.ratio_of(), control.ratio_of())
    adjustable = min(mine.pairs, control.pairs) >= MIN_CUPED and mine.zz + control.zz > 0
    if not adjustable:
        return welch(mine.mean_of(), control.mean_of())
    fit = Adjustment.of([mine, control])
    return welch(fit.adjusted(mine).mean_of(), fit.adjusted(control).mean_of())


def _pair(n: float, first: float, square: float, centre: float) -> PairSums:
    if not n:
        return PairSums(0, math.nan, 0.0)
    return PairSums(int(n), centre + first / n, max(square - first**2 / n, 0.0))


def _pairs(
    n: float, first: float, square: float, other: float, others: float, both: float, *, centre: float, beside: float
) -> PairSums:
    if not n:
        return PairSums(0, math.nan, 0.0)
    mean = centre + first / n
    zz, yz = max(others - other**2 / n, 0.0), both - first * other / n
    return PairSums(int(n), mean, max(square - first**2 / n, 0.0), int(n), mean, beside + other / n, zz, yz)


def _skews(values: Floats, day: Ints, days: int) -> list[float]:
    """The skew of all units up to each day; NaN where they are all equal."""
    away = values - values.mean() if values.size else values
    n = np.maximum(np.cumsum(np.bincount(day, minlength=days)), 1)
    first, second, third = (np.cumsum(np.bincount(day, weights=away**k, minlength=days)) / n for k in (1, 2, 3))
    spread = second - first**2
    middle = third - 3.0 * first * second + 2.0 * first**3
    return [float(m / v**1.5) if v > 0 else math.nan for m, v in zip(middle, spread, strict=True)]
