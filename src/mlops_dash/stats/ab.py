"""How much does the outcome of one arm differ from the control's, read once at the end fixed before the start?

Means, proportions, ratios and quantiles, with clusters, a covariate measured before (CUPED) and the relative lift.
Reading again and again is in `sequential_ab`; which verdict follows is decided in `domain.ab_tests`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from scipy.special import betainc, betaincinv, ndtr, stdtr, stdtrit

from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints, as_complete, check_between
from mlops_dash.stats.intervals import MIN_CLUSTERS, ratio

FIELLER_BELOW: Final = 10.0  # |control| in standard errors; above it the delta method on the log is as good
QUANTILE_MASS: Final = 0.1  # of those ranks, that one value may hold: beside a mass point a quantile jumps
QUANTILE_VALUES: Final = 10  # different values among the ranks that make a quantile's standard error
_GRID: Final = 4_000

Sums = Callable[[Floats], Floats]  # maps column sums float[..., q] to the statistic float[...]


@dataclass(frozen=True, slots=True)
class ArmValue:
    """The outcome of one arm.

    Attributes:
        n: Units with an outcome.
        value: Mean, share, ratio or quantile; NaN without units.
        sd: Standard deviation between units (of a ratio: of its linearised units).
        variance: Variance of `value`; NaN when it cannot be estimated.
        reason: Why it cannot; "" where that is plain.
    """

    n: int
    value: float
    sd: float
    variance: float
    reason: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Effect:
    """Arm 1 minus control (arm 0).

    Attributes:
        value_1: The outcome of arm 1.
        value_0: The outcome of the control.
        variance_1: Variance of `value_1`.
        variance_0: Variance of `value_0`.
        covariance: Covariance of the two; not 0 only where clusters hold units of both arms.
        df: Degrees of freedom of the standard error.
        n_1: Units of arm 1.
        n_0: Units of the control.
        n_clusters: Clusters, None where units are taken as independent.
        method: How the standard error was made.
        reason: Why there is no standard error, or what it takes for granted; empty when all is well.
    """

    value_1: float
    value_0: float
    variance_1: float
    variance_0: float
    covariance: float
    df: float
    n_1: int
    n_0: int
    n_clusters: int | None
    method: str
    reason: str = ""

    @property
    def difference(self) -> float:
        """Arm 1 minus control."""
        return self.value_1 - self.value_0

    @property
    def se(self) -> float:
        """Standard error of the difference; NaN when it cannot be estimated."""
        variance = self.variance_1 + self.variance_0 - 2.0 * self.covariance
        return math.sqrt(variance) if variance >= 0 else math.nan

    @property
    def computable(self) -> bool:
        """Whether there is a difference with a standard error above 0."""
        return math.isfinite(self.difference) and self.se > 0

    def interval(self, alpha: float) -> tuple[float, float]:
        """Interval of the difference at coverage 1 - alpha, for one look; (NaN, NaN) when not computable."""
        check_between(alpha, 0.0, 1.0, name="alpha")
        if not self.computable:
            return math.nan, math.nan
        half = float(stdtrit(self.df, 1.0 - alpha / 2.0)) * self.se
        return self.difference - half, self.difference + half

    @property
    def p_value(self) -> float:
        """Two-sided p of no difference, for one look; NaN when not computable."""
        return 2.0 * float(stdtr(self.df, -abs(self.difference) / self.se)) if self.computable else math.nan

    def relative(self, factor: float) -> tuple[float, float, float]:
        """Relative lift value_1 / value_0 - 1 with its interval, `factor` standard errors wide on each side.

        Fieller's set where the control lies within 10 standard errors of 0 (or the sign changes), else the delta method
        on the log. An unbounded set gives (lift, NaN, NaN): the control is not told from 0.

        References:
            - E. C. Fieller, JRSS B 16 (1954).

        >>> effect = welch(ArmValue(100, 1.1, 1., .01), ArmValue(100, 1., 1., .01))
        >>> [round(one, 3) for one in effect.relative(1.96)]
        [0.1, -0.156, 0.434]
        """
        if not self.computable or self.value_0 == 0:
            return math.nan, math.nan, math.nan
        rho = self.value_1 / self.value_0
        if rho > 0 and abs(self.value_0) >= FIELLER_BELOW * math.sqrt(self.variance_0):
            spread = self.variance_1 / self.value_1**2 + self.variance_0 / self.value_0**2
            half = factor * math.sqrt(max(spread - 2.0 * self.covariance / (self.value_1 * self.value_0), 0.0))
            return rho - 1.0, rho * math.exp(-half) - 1.0, rho * math.exp(half) - 1.0
        low, high = self._fieller(factor)
        return rho - 1.0, low - 1.0, high - 1.0

    def _fieller(self, factor: float) -> tuple[float, float]:
        """All rho with |value_1 - rho value_0| <= factor * its standard error; (NaN, NaN) when unbounded."""
        a = self.value_0**2 - factor**2 * self.variance_0
        b = -2.0 * (self.value_1 * self.value_0 - factor**2 * self.covariance)
        c = self.value_1**2 - factor**2 * self.variance_1
        inside = b * b - 4.0 * a * c
        if a <= 0 or inside < 0:
            return math.nan, math.nan
        root = math.sqrt(inside)
        return (-b - root) / (2.0 * a), (-b + root) / (2.0 * a)


# --- one arm ----------------------------------------------------------------------------------------------------------


def mean_of(values: ArrayLike) -> ArmValue:
    """Summarise a mean, or a share when the values are 0 and 1.

    >>> mean_of([1., 2., 3.])
    ArmValue(n=3, value=2.0, sd=1.0, variance=0.3333333333333333)
    """
    y = as_complete(values, name="outcomes")
    if y.size < 2:
        return ArmValue(int(y.size), float(y.mean()) if y.size else math.nan, math.nan, math.nan)
    sd = float(y.std(ddof=1))
    return ArmValue(int(y.size), float(y.mean()), sd, sd * sd / y.size)


def quantile_of(values: ArrayLike, q: float) -> ArmValue:
    """Summarise the q-quantile; its standard error from the order statistics at ranks n q -+ 1.96 sqrt(n q (1 - q)).

    >>> found = quantile_of(np.arange(1., 1001.), .5)
    >>> found.value, round(found.variance**.5, 1)
    (500.5, 15.8)
    """
    check_between(q, 0.0, 1.0, name="q")
    return quantile_of_ordered(np.sort(as_complete(values, name="outcomes")), q)


def quantile_of_ordered(y: Floats, q: float) -> ArmValue:
    """Summarise the q-quantile of ascending values, as `quantile_of` does.

    Where the ranks that make its standard error hold fewer than `QUANTILE_VALUES` different values, the quantile jumps
    between them and no standard error tells by how much: the variance is NaN. Counts of 20 a unit would else call 12
    to 41 % of equal arms different.
    """
    n = y.size
    sd = float(y.std(ddof=1)) if n > 1 else math.nan
    value = float(np.quantile(y, q)) if n else math.nan
    reach = 1.96 * math.sqrt(n * q * (1.0 - q))
    low, high = math.floor(n * q - reach) - 1, math.ceil(n * q + reach) - 1
    if n == 0 or low < 0 or high >= n:
        few = f"not computable: {n} units in an arm are too few for the {q:g}-quantile"
        return ArmValue(int(n), value, sd, math.nan, few)
    around = y[low : high + 1]
    if (different := 1 + int(np.count_nonzero(np.diff(around)))) < QUANTILE_VALUES:
        said = f"not computable: only {different} different values around the {q:g}-quantile, {QUANTILE_VALUES} needed"
        return ArmValue(int(n), value, sd, math.nan, said)
    if (most := _longest_run(around)) > QUANTILE_MASS * len(around):
        said = f"not computable: {most} units around the {q:g}-quantile have one value, so that it jumps"
        return ArmValue(int(n), value, sd, math.nan, said)
    return ArmValue(int(n), value, sd, float((y[high] - y[low]) / (2.0 * 1.96)) ** 2)


# --- two arms ---------------------------------------------------------------------------------------------------------


def welch(arm: ArmValue, control: ArmValue) -> Effect:
    """Compare two independent arms: unpooled variance, Welch-Satterthwaite degrees of freedom.

    >>> effect = welch(mean_of([1., 2., 3.]), mean_of([0., 1., 2.]))
    >>> effect.difference, round(effect.df, 1), round(effect.p_value, 4)
    (1.0, 4.0, 0.2879)
    """
    df = _satterthwaite(arm.variance, arm.n - 1, control.variance, control.n - 1)
    why = arm.reason or control.reason or _why_no_error(arm.value, control.value, min(arm.n, control.n))
    reason = "" if math.isfinite(df) else why
    return Effect(
        arm.value, control.value, arm.variance, control.variance, 0.0, df, arm.n, control.n, None,
        "Welch, units taken as independent", reason,
    )  # fmt: skip


def clustered(statistic: Sums, arm: Floats, control: Floats, *, n_1: int, n_0: int) -> Effect:
    """Compare two arms whose units are alike within clusters, leaving each cluster out once.

    Where every cluster lies in one arm the variance is made per arm; where clusters hold units of both arms the
    difference itself is made anew without each cluster, because per-arm variances would ignore their covariance.

    Args:
        statistic: Maps column sums float[..., q] to the outcome float[...]; NaN where undefined.
        arm: Column sums of arm 1, float[G, q], one row a cluster, zeros where it has no units.
        control: The same clusters of the control.
        n_1: Units of arm 1.
        n_0: Units of the control.

    References:
        - B. Efron & C. Stein, Annals of Statistics 9 (1981), eq. 1.4.

    >>> sums = np.array([[1., 1.], [2., 1.], [3., 1.], [5., 1.], [4., 1.]])
    >>> effect = clustered(lambda s: ratio(s[..., 0], s[..., 1]), sums + [.5, 0], sums, n_1=5, n_0=5)
    >>> effect.difference, round(effect.se, 9), round(effect.variance_1, 2), effect.n_clusters
    (0.5, 0.0, 0.5, 5)
    """
    in_1, in_0 = arm.any(axis=1), control.any(axis=1)
    value_1, value_0 = float(statistic(arm.sum(axis=0))), float(statistic(control.sum(axis=0)))
    apart = not bool((in_1 & in_0).any())
    groups = (int(in_1.sum()), int(in_0.sum())) if apart else (int((in_1 | in_0).sum()),) * 2
    made = Effect(value_1, value_0, math.nan, math.nan, 0.0, math.nan, n_1, n_0, int((in_1 | in_0).sum()), "")
    if min(groups) < MIN_CLUSTERS:
        return replace(made, reason=f"not computable: {min(groups)} clusters in an arm, at least {MIN_CLUSTERS} needed")
    if apart:
        left_1, left_0 = _without(statistic, arm[in_1]), _without(statistic, control[in_0])
        v_1, v_0 = _jackknife(left_1, left_1), _jackknife(left_0, left_0)
        df = _satterthwaite(v_1, groups[0] - 1, v_0, groups[1] - 1)
        reason = "" if math.isfinite(df) else _why_no_error(value_1, value_0, min(groups))
        how = "jackknife over the clusters of each arm"
        return replace(made, variance_1=v_1, variance_0=v_0, df=df, method=how, reason=reason)
    held = in_1 | in_0
    left_1, left_0 = _without(statistic, arm[held]), _without(statistic, control[held])
    return replace(
        made,
        variance_1=_jackknife(left_1, left_1),
        variance_0=_jackknife(left_0, left_0),
        covariance=_jackknife(left_1, left_0),
        df=groups[0] - 1.0,
        method="jackknife of the difference over clusters that hold both arms",
    )


def permutation_p(values: Floats, weights: Floats, treated: Bools, *, draws: int, rng: np.random.Generator) -> float:
    """Return the two-sided p of no difference over clusters, each in one arm: labels permuted, studentised.

    For under 10 clusters in an arm, where t is too bold.

    Args:
        values: Sum of the outcome of each cluster, float[G].
        weights: Units of each cluster, float[G].
        treated: Whether the cluster is in arm 1.
        draws: Random relabellings.
        rng: Source of the relabellings.

    >>> permutation_p(np.arange(10.), np.ones(10), np.arange(10) > 4, draws=2000, rng=np.random.default_rng(1)) < .02
    True
    """
    seen = abs(_studentised(values, weights, treated[None, :])[0])
    drawn = rng.permuted(np.tile(treated, (draws, 1)), axis=1)
    beyond = int(np.count_nonzero(np.abs(_studentised(values, weights, drawn)) >= seen - 1e-12))
    return (beyond + 1.0) / (draws + 1.0)


def base_rate_free(prior: float) -> Sums:
    """Return the statistic of sums [loss | y=1, n_1, loss | y=0, n_0]: the loss at a fixed base rate.

    >>> float(base_rate_free(.25)(np.array([2., 2., 1., 4.])))
    0.4375
    """
    check_between(prior, 0.0, 1.0, name="prior")
    return lambda s: prior * ratio(s[..., 0], s[..., 1]) + (1.0 - prior) * ratio(s[..., 2], s[..., 3])


def probability_greater(effect: Effect, *, successes: tuple[int, int] | None = None) -> float:
    """Return P(arm 1 is greater than control) under a flat prior; not peek-safe.

    Args:
        effect: Normal posterior of the difference, unless `successes` are given.
        successes: Ones of arm 1 and control: Beta(1, 1) priors on both shares.

    >>> round(probability_greater(welch(mean_of([1., 2., 3.]), mean_of([0., 1., 2.]))), 3)
    0.89
    """
    if successes is None:
        return float(ndtr(effect.difference / effect.se)) if effect.computable else math.nan
    if min(effect.n_1, effect.n_0) == 0:
        return math.nan
    middle = (np.arange(_GRID) + 0.5) / _GRID
    draws = betaincinv(1 + successes[0], 1 + effect.n_1 - successes[0], middle)
    return float(betainc(1 + successes[1], 1 + effect.n_0 - successes[1], draws).mean())


def expected_loss(effect: Effect, *, lower_is_better: bool) -> float:
    """Return how much is lost on average by taking arm 1, counting only where it is worse; flat prior, not peek-safe.

    With how much worse it is ~ Normal(m, se): m Phi(m / se) + se phi(m / se), in the unit of the outcome.

    >>> round(expected_loss(welch(mean_of([1., 2., 3.]), mean_of([0., 1., 2.])), lower_is_better=False), 4)
    0.0435
    """
    if not effect.computable:
        return math.nan
    worse = effect.difference if lower_is_better else -effect.difference
    z = worse / effect.se
    return float(worse * ndtr(z) + effect.se * math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi))


def difference_of_effects(later: Effect, earlier: Effect) -> Effect:
    """Return how much more arm 1 does later than earlier: the two effects rest on other units, so they are independent.

    >>> early, late = welch(mean_of([1., 2., 3.]), mean_of([0., 1., 2.])), welch(mean_of([5., 6., 7.]), mean_of([0., 1.,
    ...                     2.]))
    >>> both = difference_of_effects(late, early)
    >>> both.difference, round(both.se, 3), both.df
    (4.0, 1.155, 8.0)
    """
    reason = later.reason or earlier.reason
    df = math.nan
    if later.computable and earlier.computable:
        df = _satterthwaite(later.se**2, later.df, earlier.se**2, earlier.df)
    return Effect(
        later.difference, earlier.difference, later.se**2, earlier.se**2, 0.0, df, later.n_1 + later.n_0,
        earlier.n_1 + earlier.n_0, None, "difference of two effects on other units", reason,
    )  # fmt: skip


# --- inside -----------------------------------------------------------------------------------------------------------


def _longest_run(ordered: Floats) -> int:
    """How often the most frequent of ascending values is there."""
    ends = np.flatnonzero(np.append(np.diff(ordered) != 0, True))
    return int(np.diff(ends, prepend=-1).max()) if ordered.size else 0


def _satterthwaite(v_1: float, df_1: float, v_0: float, df_0: float) -> float:
    if not (v_1 + v_0 > 0 and df_1 > 0 and df_0 > 0):
        return math.nan
    return (v_1 + v_0) ** 2 / (v_1**2 / df_1 + v_0**2 / df_0)


def _why_no_error(value: float, control: float, fewest: int) -> str:
    """Why a difference has no standard error: too few to tell, or no spread in either arm."""
    if fewest < 2 or not (math.isfinite(value) and math.isfinite(control)):
        return f"not computable: {fewest} units in an arm"
    if value == control:
        return f"not computable: {value:g} in every unit of both arms"
    return (
        f"different by construction: {value:g} in every unit of one arm, {control:g} in every unit of the control; "
        "without any spread no interval can be computed"
    )


def _without(statistic: Sums, sums: Floats) -> Floats:
    return np.asarray(statistic(sums.sum(axis=0) - sums), dtype=np.float64)


def _jackknife(left: Floats, right: Floats) -> float:
    g = left.size
    return (g - 1) / g * float(((left - left.mean()) * (right - right.mean())).sum())


def _studentised(values: Floats, weights: Floats, treated: Bools) -> Floats:
    """Difference of weighted means over its standard error, for each row of labels."""
    means, variances = [], []
    for arm in (treated, ~treated):
        total, size = (arm * values).sum(axis=1), (arm * weights).sum(axis=1)
        mean = total / size
        groups: Ints = arm.sum(axis=1)
        residual = arm * (values - mean[:, None] * weights)
        means.append(mean)
        variances.append(groups / (groups - 1) * (residual**2).sum(axis=1) / size**2)
    spread = np.sqrt(variances[0] + variances[1])
    return np.asarray((means[0] - means[1]) / np.where(spread > 0, spread, 1e-300), dtype=np.float64)
