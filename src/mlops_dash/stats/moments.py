"""How do mean, variance and skew of many parts add up to those of the whole?

`Moments` merges exactly (up to rounding), so days can be summed to months without the rows.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Ints, as_floats, check_groups, check_same_length, sums_by


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and central sums of powers of a set of numbers.

    Attributes:
        n: How many numbers.
        mean: Their mean; 0 when n is 0.
        m2: Sum of (x - mean)^2.
        m3: Sum of (x - mean)^3.

    References:
        - P. Pebay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
          statistical moments", Sandia report SAND2008-6212 (2008), eq. 2.1 to 2.3.

    >>> Moments.of([1, 2, 6])
    Moments(n=3, mean=3.0, m2=14.0, m3=18.0)
    >>> Moments.of([1]) + Moments.of([2, 6]) == Moments.of([1, 2, 6])
    True
    """

    n: int
    mean: float
    m2: float
    m3: float

    @classmethod
    def of(cls, values: ArrayLike) -> "Moments":
        """Summarise numbers; NaN are left out, infinities are refused.

        Raises:
            InvalidInput: If a value is infinite or not a number at all.
        """
        array = as_floats(values)
        return moments_by(array, np.zeros(array.size, dtype=np.int64), n_groups=1)[0]

    @classmethod
    def empty(cls) -> "Moments":
        """Return the summary of no numbers, the neutral element of merging."""
        return cls(0, 0.0, 0.0, 0.0)

    @classmethod
    def total(cls, parts: Iterable["Moments"]) -> "Moments":
        """Merge any number of parts; none gives the empty summary."""
        whole = cls.empty()
        for part in parts:
            whole = whole.merge(part)
        return whole

    def merge(self, other: "Moments") -> "Moments":
        """Return the summary of both sets together."""
        if self.n == 0:
            return other
        if other.n == 0:
            return self
        n = self.n + other.n
        delta = other.mean - self.mean
        product = self.n * other.n / n
        return Moments(
            n=n,
            mean=self.mean + delta * other.n / n,
            m2=self.m2 + other.m2 + delta**2 * product,
            m3=self.m3
            + other.m3
            + delta**3 * product * (self.n - other.n) / n
            + 3.0 * delta * (self.n * other.m2 - other.n * self.m2) / n,
        )

    def __add__(self, other: "Moments") -> "Moments":
        """Merge, so that parts can be added."""
        return self.merge(other)

    @property
    def sum(self) -> float:
        """Sum of the numbers."""
        return self.n * self.mean

    @property
    def variance(self) -> float:
        """Sample variance (divisor n - 1); NaN below two numbers."""
        return self.m2 / (self.n - 1) if self.n > 1 else math.nan

    @property
    def skew(self) -> float:
        """Skewness g1 = sqrt(n) m3 / m2^1.5; NaN when all numbers are equal or n is 0."""
        return math.sqrt(self.n) * self.m3 / self.m2**1.5 if self.m2 > 0 else math.nan

    def to_dict(self) -> dict[str, float]:
        """Return a JSON-able mapping."""
        return {"n": self.n, "mean": self.mean, "m2": self.m2, "m3": self.m3}

    @classmethod
    def from_dict(cls, stored: Mapping[str, float]) -> "Moments":
        """Read what `to_dict` wrote."""
        return cls(int(stored["n"]), float(stored["mean"]), float(stored["m2"]), float(stored["m3"]))


def moments_by(values: ArrayLike, groups: Ints, *, n_groups: int) -> tuple[Moments, ...]:
    """Summarise each group of rows at once; NaN are left out, an absent group is empty.

    Args:
        values: Numbers, float[n].
        groups: Group of each row, int64[n], 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Raises:
        InvalidInput: If a value is infinite, lengths differ or a group number is out of range.

    >>> [part.mean for part in moments_by([1, 3, 8], np.array([0, 0, 2]), n_groups=3)]
    [2.0, 0.0, 8.0]
    """
    array = as_floats(values)
    check_same_length(values=array, groups=groups)
    check_groups(groups, n_groups)
    if bool(np.isinf(array).any()):
        raise InvalidInput("Values hold infinities; their mean is undefined.", hint="Count them apart and drop them.")
    kept = ~np.isnan(array)
    array, groups = array[kept], groups[kept]
    n = np.bincount(groups, minlength=n_groups)
    mean = sums_by(array, groups, n_groups) / np.maximum(n, 1)
    centred = array - mean[groups]
    m2 = sums_by(centred**2, groups, n_groups)
    m3 = sums_by(centred**3, groups, n_groups)
    return tuple(Moments(*row) for row in zip(n.tolist(), mean.tolist(), m2.tolist(), m3.tolist(), strict=True))
