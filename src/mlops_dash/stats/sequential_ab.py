"""What may be said of a running test, looking as often as one likes?

Always-valid intervals (Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence sequences",
arXiv 2103.06476), the rule for the first look, and the sample-ratio check at every look (Lindon & Malek).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammaln, ndtri, stdtrit

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import Effect
from mlops_dash.stats.arrays import check_between
from mlops_dash.stats.moments import Moments

BALANCED: Final = 1.0 / 3.0  # smallest arm's share of a pair
MIN_UNITS: Final = 100
SKEW_UNITS: Final = 20.0
CONCENTRATION: Final = 1_000.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a running test.

    Attributes:
        low: Lower end, always valid; NaN when not computable.
        high: Upper end.
        p: P-value of this look alone; the page shows the running minimum.
        factor: How many standard errors the interval reaches to each side.
    """

    low: float
    high: float
    p: float
    factor: float


def tightest(planned_units: float, alpha: float) -> float:
    """Return rho^2, which makes the interval tightest at half the planned units N*, fixed at design.

    rho^2 = (-2 ln a + ln(1 - 2 ln a)) / N*.

    Raises:
        InvalidInput: If no units are planned or alpha is not inside (0, 1).

    >>> round(tightest(2_000, .05) * 1_000, 4)
    7.9362
    """
    check_between(alpha, 0.0, 1.0, name="alpha")
    if planned_units <= 0:
        raise InvalidInput(f"{planned_units} planned units.", hint="Plan how many units the test shall have.")
    return (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / (planned_units / 2.0)


def always_valid(effect: Effect, *, planned_units: float, alpha: float) -> Look:
    """Return the two-sided interval of the difference at this look, valid at all looks together.

    d +- se sqrt( 2 (N rho2 + 1) / (N rho2) ln( sqrt(N rho2 + 1) / a ) ), N = units so far. With clusters the standard
    error is widened by t / z of its degrees of freedom, because few clusters do not know their own spread.

    Args:
        effect: The difference so far.
        planned_units: Units of both arms planned at design; the interval is tightest at half of them.
        alpha: Share of tests that may ever exclude the truth.

    >>> from mlops_dash.stats.ab import ArmValue, welch
    >>> effect = welch(ArmValue(1000, 1., 1., .001), ArmValue(1000, 1., 1., .001))
    >>> look = always_valid(effect, planned_units=2000, alpha=.05)
    >>> round(look.factor, 3), look.p
    (3.061, 1.0)
    """
    rho2 = tightest(planned_units, alpha)
    spent = (effect.n_1 + effect.n_0) * rho2
    if not effect.computable or spent <= 0:
        return Look(math.nan, math.nan, math.nan, math.nan)
    wide = _widening(effect, alpha)
    factor = wide * math.sqrt(2.0 * (spent + 1.0) / spent * math.log(math.sqrt(spent + 1.0) / alpha))
    log_e = spent * (effect.difference / (wide * effect.se)) ** 2 / (2.0 * (spent + 1.0)) - 0.5 * math.log1p(spent)
    half = factor * effect.se
    return Look(effect.difference - half, effect.difference + half, min(1.0, math.exp(-log_e)), factor)


def one_sided(effect: Effect, *, planned_units: float, alpha: float) -> tuple[float, float]:
    """Return (low, high): each alone is a one-sided always-valid bound of the difference, for guardrails.

    The reach is sqrt( 2 (N rho2 + 1) / (N rho2) ln( 1 + sqrt(N rho2 + 1) / (2 a) ) ) standard errors.

    >>> from mlops_dash.stats.ab import ArmValue, welch
    >>> effect = welch(ArmValue(1000, 1., 1., .001), ArmValue(1000, 1., 1., .001))
    >>> round(one_sided(effect, planned_units=2000, alpha=.05)[1] / effect.se, 3)
    2.82
    """
    spent = (effect.n_1 + effect.n_0) * tightest(planned_units, alpha)
    if not effect.computable or spent <= 0:
        return math.nan, math.nan
    reach = math.sqrt(2.0 * (spent + 1.0) / spent * math.log(1.0 + math.sqrt(spent + 1.0) / (2.0 * alpha)))
    half = _widening(effect, 2.0 * alpha) * reach * effect.se
    return effect.difference - half, effect.difference + half


def units_before_first_look(arm: Moments, control: Moments) -> int:
    """Return how many units every arm needs before anything may be read.

    100, and where the smaller arm holds less than a third of the pair max(100, 20 skew^2), skew of both arms together:
    without it a rate of 2 % split 90/10 gave 19 % false positives.

    >>> units_before_first_look(Moments.of([0, 1] * 50), Moments.of([0, 1] * 50))
    100
    >>> rare = [1] + [0] * 99
    >>> units_before_first_look(Moments.of(rare), Moments.of(rare * 9))
    1941
    """
    both = arm + control
    return units_needed(min(arm.n, control.n), both.n, both.skew)


def units_needed(smaller: int, both: int, skew: float) -> int:
    """Return the same from the units of the smaller arm, those of both, and their skew (NaN: not known).

    >>> units_needed(50, 500, 2.0), units_needed(50, 500, 3.0), units_needed(250, 500, 9.0)
    (100, 180, 100)
    """
    if both == 0 or smaller >= BALANCED * both:
        return MIN_UNITS
    return MIN_UNITS if math.isnan(skew) else max(MIN_UNITS, math.ceil(SKEW_UNITS * skew**2))


def sample_ratio_log_e(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return ln E against the planned shares: evidence of a sample-ratio mismatch, valid at every look.

    ln E = lnG(c) - lnG(c + n) + sum_i [lnG(c p_i + x_i) - lnG(c p_i) - x_i ln p_i], c = 1,000; stop when E >= 100.

    Raises:
        InvalidInput: If a share is not above 0, or there are not as many shares as counts.

    References:
        - M. Lindon & A. Malek, "Anytime-valid inference for multinomial count data", arXiv 2011.03567.

    >>> round(sample_ratio_log_e([500, 500], [.5, .5]), 3)
    -0.347
    >>> sample_ratio_log_e([5200, 4800], [.5, .5]) > math.log(100)
    True
    """
    x, p = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if x.shape != p.shape or not bool((p > 0).all()):
        raise InvalidInput(f"{x.size} counts and shares {p.tolist()}.", hint="Give one share above 0 for each arm.")
    p = p / p.sum()
    c = CONCENTRATION
    terms = gammaln(c * p + x) - gammaln(c * p) - x * np.log(p)
    return float(gammaln(c) - gammaln(c + x.sum()) + terms.sum())


def _widening(effect: Effect, alpha: float) -> float:
    if effect.n_clusters is None:
        return 1.0
    return float(stdtrit(effect.df, 1.0 - alpha / 2.0) / ndtri(1.0 - alpha / 2.0))
