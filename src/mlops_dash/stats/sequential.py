"""Has the loss become worse, looking every day and never crying wolf in more than a share alpha of all times?

The harm alarm of statistics.md: a bet is started on every possible day (Shin, Ramdas & Rinaldo, "E-detectors", 2024;
Podkopaev & Ramdas, arXiv 2110.06177), so a change after 200 good days is found as fast as one on the first day.
The promise rests on near-normal unit means, on the reference's variance and on the tolerance: measured, not proven.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats, check_between
from mlops_dash.stats.intervals import t_quantile
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.ranking import auc_of_table

BETS: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
MIN_REFERENCE_UNITS: Final = 4
DEPENDENCE_UNITS: Final = 14


@dataclass(frozen=True, slots=True)
class HarmUnit:
    """One unit of ripe labels, usually a day: its mean loss and how many labels that rests on.

    Attributes:
        first: Number of its first day.
        last: Number of its last day.
        mean: Mean loss (for the base-rate-free loss: weighted by the reference prior).
        n: Labels it rests on (for the base-rate-free loss: the smaller effective count).
        variance: Variance of the loss between the rows of the unit.
    """

    first: int
    last: int
    mean: float
    n: float
    variance: float


@dataclass(frozen=True, slots=True)
class HarmReference:
    """What is normal, learned from K units that the model was never trained on.

    Attributes:
        k_units: K, reference units.
        mean: m, mean of the unit means.
        between: s^2, variance between unit means.
        within: v, variance of the loss between rows of a unit, weighted by the rows.
        autocorrelation: r, lag-1, raised by 1/K and cut to 0..0.9.
        inflation: f = (1 + r) / (1 - r); 1 below 14 units.
        unit_variance: V = max(s^2 f, v / n).
        tolerance: How much worse is still accepted, in units of the loss.
        alpha: Share of false alarms accepted.
        bound: b = m + t sqrt(V / K) + tolerance; a unit mean above it is a loss for the model.
        binary: Whether the loss is 0/1, so that its row variance at the bound is b (1 - b).
        reason: Why there is no bound, or what the bound takes for granted; empty when all is well.
    """

    k_units: int
    mean: float
    between: float
    within: float
    autocorrelation: float
    inflation: float
    unit_variance: float
    tolerance: float
    alpha: float
    bound: float
    binary: bool
    reason: str = ""

    @property
    def computable(self) -> bool:
        """Whether there is a bound."""
        return math.isfinite(self.bound)


@dataclass(frozen=True, slots=True)
class HarmState:
    """Where the alarm stands after the last unit.

    Attributes:
        series: M_d after each unit: evidence against "not worse than the bound"; at most 1e300.
        z: Standardised distance of each unit mean from the bound.
        threshold: 2 / alpha; M_d at or above it is an alarm.
        bound: The bound of the reference.
        alarm_index: Number of the first unit with an alarm; None without one.
        since_index: Unit on which the strongest bet was started, "worse since about"; None without an alarm.
        reason: Why there is no series, or what it takes for granted; empty when all is well.
    """

    series: tuple[float, ...]
    z: tuple[float, ...]
    threshold: float
    bound: float
    alarm_index: int | None
    since_index: int | None
    reason: str = ""

    @property
    def harmed(self) -> bool:
        """Whether there was an alarm."""
        return self.alarm_index is not None

    @property
    def level(self) -> float:
        """Evidence now as a share of the threshold; NaN without units."""
        return self.series[-1] / self.threshold if self.series else math.nan


def loss_units(days: Sequence[Moments], *, min_labels: float, days_per_unit: int = 1) -> tuple[HarmUnit, ...]:
    """Merge days of losses into units of enough labels; a last unit that is too small waits.

    Args:
        days: Moments of the loss, one a day, days without labels empty.
        min_labels: Labels a unit needs, 50 (200 when the loss rate is under 5 %).
        days_per_unit: Days a unit needs, 7 where the reference shows a weekday pattern.

    >>> units = loss_units([Moments.of([0, 1]), Moments.empty(), Moments.of([1, 1, 1])], min_labels=3)
    >>> [(unit.first, unit.last, unit.mean, unit.n) for unit in units]
    [(0, 2, 0.8, 5)]
    """
    units, first, held = [], 0, Moments.empty()
    for day, moments in enumerate(days):
        held = held.merge(moments)
        if held.n >= max(min_labels, 1) and day - first + 1 >= days_per_unit:
            units.append(HarmUnit(first, day, held.mean, held.n, held.m2 / held.n))
            first, held = day + 1, Moments.empty()
    return tuple(units)


def base_rate_free_units(
    positive: Sequence[Moments], negative: Sequence[Moments], *, prior: float, min_labels: float, days_per_unit: int = 1
) -> tuple[HarmUnit, ...]:
    """Merge days of class-wise losses into units of the base-rate-free loss.

    The mean is prior * mean(loss | y=1) + (1 - prior) * mean(loss | y=0). n is the smaller effective count,
    min(n_1 / prior, n_0 / (1 - prior)): rows at the reference's base rate that would be no more certain. With
    variance = prior v_1 + (1 - prior) v_0, variance / n is never below the true variance of the mean.

    Args:
        positive: Moments of the loss of label-1 rows, one a day, empty where there are none.
        negative: Moments of the loss of label-0 rows, the same days.
        prior: Share of label 1 in the reference.
        min_labels: Effective count a unit needs.
        days_per_unit: Days a unit needs.

    Raises:
        InvalidInput: If the two sequences differ in length or the prior is not inside (0, 1).

    >>> unit, = base_rate_free_units([Moments.of([.5, .7])], [Moments.of([.1, .3, .2])], prior=.25, min_labels=4)
    >>> round(unit.mean, 4), unit.n
    (0.3, 4.0)
    """
    check_between(prior, 0.0, 1.0, name="prior")
    if len(positive) != len(negative):
        raise InvalidInput(
            f"{len(positive)} days of label 1 and {len(negative)} of label 0.", hint="Pass an empty day, not none."
        )
    units, first, ones, zeros = [], 0, Moments.empty(), Moments.empty()
    for day, (one, zero) in enumerate(zip(positive, negative, strict=True)):
        ones, zeros = ones.merge(one), zeros.merge(zero)
        n = min(ones.n / prior, zeros.n / (1.0 - prior))
        if n > 0 and n >= min_labels and day - first + 1 >= days_per_unit:
            mean = prior * ones.mean + (1.0 - prior) * zeros.mean
            variance = prior * ones.m2 / ones.n + (1.0 - prior) * zeros.m2 / zeros.n
            units.append(HarmUnit(first, day, mean, n, variance))
            first, ones, zeros = day + 1, Moments.empty(), Moments.empty()
    return tuple(units)


def ranking_units(tables: ArrayLike, *, min_class: int) -> tuple[HarmUnit, ...]:
    """Turn days into units of 1 - AUC *within* the day: how badly the day's two outcomes are told apart.

    It compares rows of one day only, so neither the base rate nor what whole days have in common (a storm) moves it;
    on the 2013 flights it finds the fading model that the loss of the day, with its large day-to-day swing, cannot.
    A day with fewer than `min_class` rows of a class is left out: merging days would bring the days' own level back in.
    The row variance of a unit is a (1 - a) on n = min(n_1, n_0) rows, which is not below DeLong's for a > 1/2.

    Args:
        tables: int64[days, cells, 2], score cell x label, columns (label 0, label 1).
        min_class: Rows of each class that a day needs.

    Raises:
        InvalidInput: If min_class is below 2.

    >>> unit, = ranking_units([[[2, 1], [0, 1]], [[1, 0], [0, 0]]], min_class=2)
    >>> unit.first, unit.mean, unit.n
    (0, 0.25, 2)
    """
    if min_class < 2:
        raise InvalidInput(f"min_class is {min_class}; at least 2 are needed for a variance.", hint="Use 5.")
    units = []
    for day, table in enumerate(np.asarray(tables, dtype=np.int64)):
        n = int(table.sum(axis=0).min())
        if n >= min_class:
            loss = 1.0 - float(auc_of_table(table))
            units.append(HarmUnit(day, day, loss, n, loss * (1.0 - loss)))
    return tuple(units)


def harm_reference(
    units: Sequence[HarmUnit], *, tolerance: float, alpha: float, binary: bool = False, of_rows: bool = False
) -> HarmReference:
    """Learn what is normal from reference units.

    Args:
        units: K >= 28 is good; below 14 days are taken as alike, below 4 there is no bound.
        tolerance: How much worse is still accepted, in units of the loss; 0 is allowed and makes false alarms.
        alpha: Share of false alarms accepted, e.g. 0.05.
        binary: Whether the loss is 0/1.
        of_rows: Whether below 4 units the rows are taken as independent, so that there is a bound: then the tolerance
            is what keeps the alarm quiet, as nothing is known of how far units lie apart.

    Raises:
        InvalidInput: If tolerance is negative or alpha is not inside (0, 1).

    >>> units = [HarmUnit(d, d, .2 + .01 * (-1)**d, 1000, .16) for d in range(28)]
    >>> normal = harm_reference(units, tolerance=.01, alpha=.05, binary=True)
    >>> round(normal.mean, 3), round(normal.inflation, 2), round(normal.bound, 4)
    (0.2, 1.0, 0.2149)
    """
    check_between(alpha, 0.0, 1.0, name="alpha")
    if tolerance < 0:
        raise InvalidInput(f"Tolerance is {tolerance}; it must not be negative.", hint="Use 0.01 for 1 point.")
    k = len(units)
    if 0 < k < MIN_REFERENCE_UNITS and of_rows:
        return _reference_of_rows(units, tolerance=tolerance, alpha=alpha, binary=binary)
    if k < MIN_REFERENCE_UNITS:
        reason = f"not computable: {k} reference units, at least {MIN_REFERENCE_UNITS} needed"
        nan = math.nan
        return HarmReference(k, nan, nan, nan, nan, nan, nan, tolerance, alpha, nan, binary, reason)
    means = np.asarray([unit.mean for unit in units])
    n = np.asarray([unit.n for unit in units], dtype=np.float64)
    mean, between = float(means.mean()), float(means.var(ddof=1))
    within = float((n * [unit.variance for unit in units]).sum() / n.sum())
    r = min(0.9, max(0.0, _lag_one(means) + 1.0 / k))
    few = k < DEPENDENCE_UNITS
    inflation = 1.0 if few else (1.0 + r) / (1.0 - r)
    unit_variance = max(between * inflation, within * float((1.0 / n).mean()))
    bound = mean + t_quantile(1.0 - alpha, k - 1) * math.sqrt(unit_variance / k) + tolerance
    reason = f"{k} reference units: days taken as alike" if few else ""
    return HarmReference(k, mean, between, within, r, inflation, unit_variance, tolerance, alpha, bound, binary, reason)


def _reference_of_rows(units: Sequence[HarmUnit], *, tolerance: float, alpha: float, binary: bool) -> HarmReference:
    """What is normal, where there are too few units to say how far they lie apart.

    Rows alone would make any difference of a large batch certain: with 5,000 rows a batch and a swing between batches
    of 5 % of the loss, 16 to 23 % of models were alarmed falsely. Half the tolerance stands for the unknown swing.
    """
    k, n = len(units), np.asarray([unit.n for unit in units], dtype=np.float64)
    mean = float((n * [unit.mean for unit in units]).sum() / n.sum())
    within = float((n * [unit.variance for unit in units]).sum() / n.sum())
    between = (tolerance / 2.0) ** 2
    unit_variance = max(between, within * float((1.0 / n).mean()))
    bound = mean + t_quantile(1.0 - alpha, float(n.sum())) * math.sqrt(unit_variance / k) + tolerance
    reason = f"{k} reference units: rows taken as independent"
    return HarmReference(k, mean, between, within, 0.0, 1.0, unit_variance, tolerance, alpha, bound, binary, reason)


def harm_alarm(reference: HarmReference, units: Sequence[HarmUnit]) -> HarmState:
    """Follow the evidence that the loss is above the bound, unit by unit, and say when it became an alarm.

    For each bet L: A <- (A + 1/(d(d+1))) exp(L z - L^2/2). M_d = mean of A over the bets + 1/(d+1).
    After an acknowledged alarm pass only the units since then: that restarts it.

    Args:
        reference: From `harm_reference`.
        units: Units since the start or the last restart, in order.

    >>> old = [HarmUnit(d, d, .2 + .01 * (-1)**d, 1000, .16) for d in range(28)]
    >>> normal = harm_reference(old, tolerance=.01, alpha=.05, binary=True)
    >>> new = [HarmUnit(d, d, .2 if d < 10 else .25, 1000, .16) for d in range(20)]
    >>> state = harm_alarm(normal, new)
    >>> state.alarm_index, state.since_index, state.threshold
    (13, 10, 40.0)
    """
    threshold = 2.0 / reference.alpha
    if not reference.computable:
        return HarmState((), (), threshold, reference.bound, None, None, reference.reason)
    z = _standardised(reference, units)
    series = _evidence(z)
    alarm = next((index for index, m in enumerate(series.tolist()) if m >= threshold), None)
    since = None if alarm is None else _since(z[: alarm + 1])
    return HarmState(
        tuple(series.tolist()), tuple(z.tolist()), threshold, reference.bound, alarm, since, reference.reason
    )


def _evidence(z: Floats) -> Floats:
    """Return M_d after each unit; the recursion of A in closed form, on the log scale where it cannot overflow."""
    if z.size == 0:
        return z
    d = np.arange(1, z.size + 1)
    bets = np.asarray(BETS)[:, None]
    so_far = np.cumsum(bets * z - bets**2 / 2.0, axis=1)
    before = np.concatenate([np.zeros((len(BETS), 1)), so_far[:, :-1]], axis=1)
    log_a = so_far + np.logaddexp.accumulate(-np.log(d * (d + 1.0)) - before, axis=1)
    return np.asarray(np.exp(np.minimum(log_a, 690.0)).mean(axis=0) + 1.0 / (d + 1), dtype=np.float64)


def _standardised(reference: HarmReference, units: Sequence[HarmUnit]) -> Floats:
    means = np.asarray([unit.mean for unit in units], dtype=np.float64)
    n = np.asarray([unit.n for unit in units], dtype=np.float64)
    bound, k = reference.bound, reference.k_units
    within = max(0.0, bound * (1.0 - bound)) if reference.binary else reference.within
    variance = np.maximum(reference.between * reference.inflation, within / n)
    # The variance is itself estimated from K units: (K-1)/(K-3) is the variance of Student's t.
    spread = np.sqrt(variance * ((k - 1) / (k - 3) if k >= MIN_REFERENCE_UNITS else 1.0))
    return np.asarray((means - bound) / np.where(spread > 0, spread, 1e-12), dtype=np.float64)


def _since(z: Floats) -> int:
    """Return the unit whose bets hold the largest share of the evidence at the end."""
    start = np.arange(1, z.size + 1)
    after = np.cumsum(z[::-1])[::-1]
    length = z.size - start + 1
    bets = np.asarray(BETS)[:, None]
    log_share = -np.log(start * (start + 1.0)) + bets * after - bets**2 / 2.0 * length
    return int(np.argmax(np.logaddexp.reduce(log_share, axis=0)))


def _lag_one(values: Floats) -> float:
    centred = values - values.mean()
    total = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum()) / total if total > 0 else 0.0
