"""What must be known of an arm so that its rows are no longer needed: counts, means and central sums of two columns.

A mean needs the outcome alone, a ratio its numerator and denominator, CUPED the outcome and its covariate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import ArmValue
from mlops_dash.stats.arrays import Floats

MIN_CUPED: Final = 100


@dataclass(frozen=True, slots=True)
class PairSums:
    """The rows of one arm with an outcome y, some of them with a second number z.

    Attributes:
        n: Rows with y.
        mean: Mean of y; NaN without rows.
        yy: Sum of (y - mean)^2 over those rows.
        pairs: Rows with y and z.
        pair_y: Mean of y over the pairs.
        pair_z: Mean of z over the pairs.
        zz: Sum of (z - pair_z)^2 over the pairs.
        yz: Sum of (y - pair_y)(z - pair_z) over the pairs.
    """

    n: int
    mean: float
    yy: float
    pairs: int = 0
    pair_y: float = math.nan
    pair_z: float = math.nan
    zz: float = math.nan
    yz: float = math.nan

    @classmethod
    def of(cls, y: Floats, z: Floats | None = None) -> "PairSums":
        """Summarise rows that all have y, and z where it is given.

        >>> import numpy as np
        >>> PairSums.of(np.array([1., 3.]), np.array([1., 2.]))
        PairSums(n=2, mean=2.0, yy=2.0, pairs=2, pair_y=2.0, pair_z=1.5, zz=0.5, yz=1.0)
        """
        n = int(y.size)
        if not n:
            return cls(0, math.nan, 0.0)
        mean = float(y.mean())
        away = y - mean
        if z is None:
            return cls(n, mean, float(away @ away))
        centre = float(z.mean())
        off = z - centre
        return cls(n, mean, float(away @ away), n, mean, centre, float(off @ off), float(away @ off))

    def mean_of(self) -> ArmValue:
        """The mean of y, or its share where it is 0 and 1.

        >>> PairSums(3, 2.0, 2.0).mean_of()
        ArmValue(n=3, value=2.0, sd=1.0, variance=0.3333333333333333)
        """
        return _value(self.n, self.mean, self.yy)

    def ratio_of(self) -> ArmValue:
        """The sum of y over the sum of z by the delta method: the variance of (y - R z) / mean(z); all rows are pairs.

        >>> found = PairSums(2, 2.0, 2.0, 2, 2.0, 1.5, 0.5, 1.0).ratio_of()
        >>> round(found.value, 4), round(found.sd, 4)
        (1.3333, 0.3143)
        """
        if self.pairs < 2 or self.pair_z == 0:
            return ArmValue(self.pairs, math.nan, math.nan, math.nan)
        value = self.pair_y / self.pair_z
        squares = self.yy - 2.0 * value * self.yz + value**2 * self.zz
        sd = math.sqrt(max(squares, 0.0) / (self.pairs - 1)) / abs(self.pair_z)
        return ArmValue(self.pairs, value, sd, sd * sd / self.pairs)


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What a covariate explains of the outcome over all arms together: y - theta (z - centre).

    Attributes:
        theta: cov(y, z) / var(z); rows without z count with the centre.
        centre: Mean of z.
        missing: Share of the rows with y that lack z.

    References:
        - A. Deng et al., "Improving the sensitivity of online controlled experiments", WSDM 2013.
    """

    theta: float
    centre: float
    missing: float

    @classmethod
    def of(cls, arms: Sequence[PairSums]) -> "Adjustment":
        """Fit it on the rows of all arms.

        Raises:
            InvalidInput: If no z is known or all are equal.
        """
        pairs, n = sum(arm.pairs for arm in arms), sum(arm.n for arm in arms)
        held = [arm for arm in arms if arm.pairs]
        centre = math.fsum(arm.pairs * arm.pair_z for arm in held) / pairs if pairs else math.nan
        whole = math.fsum(arm.n * arm.mean for arm in arms if arm.n) / n if n else math.nan
        squares, products = 0.0, 0.0
        for arm in held:
            away = arm.pair_z - centre
            squares += arm.zz + arm.pairs * away**2
            products += arm.yz + arm.pairs * (arm.pair_y - whole) * away
        if not squares > 0:
            raise InvalidInput("The covariate is missing or the same everywhere.", hint="Name another column, or none.")
        return cls(products / squares, centre, 1.0 - pairs / n)

    def adjusted(self, arm: PairSums) -> PairSums:
        """The arm's outcome without what the covariate explains.

        >>> arm = PairSums(3, 2.0, 2.0, 3, 2.0, 1.0, 2.0, 2.0)
        >>> after = Adjustment.of([arm]).adjusted(arm)
        >>> after.mean, after.yy
        (2.0, 0.0)
        """
        if not arm.pairs:
            return PairSums(arm.n, arm.mean, arm.yy)
        away = arm.pair_z - self.centre
        shift = arm.pairs * away / arm.n
        zz = arm.zz + arm.pairs * away**2 - arm.n * shift**2
        yz = arm.yz + arm.pairs * (arm.pair_y - arm.mean) * away
        yy = arm.yy - 2.0 * self.theta * yz + self.theta**2 * zz
        return PairSums(arm.n, arm.mean - self.theta * shift, max(yy, 0.0))


def _value(n: int, mean: float, squares: float) -> ArmValue:
    if n < 2:
        return ArmValue(n, mean if n else math.nan, math.nan, math.nan)
    sd = math.sqrt(squares / (n - 1))
    return ArmValue(n, mean, sd, sd * sd / n)
