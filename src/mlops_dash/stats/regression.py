"""How far were the predicted numbers from what turned out true, counted so that days add up to months?

`ErrorSummary` is the regression's counterpart of score table and class-wise losses: everything above it (MAE, RMSE,
bias, their intervals over days, the harm alarm's units) is a function of these sums and looks at no row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_complete, check_same_length
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio
from mlops_dash.stats.moments import Moments, moments_by

_Column = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class ErrorSummary:
    """Labelled rows of a regression, in the unit of the label; merges exactly (up to rounding).

    Attributes:
        absolute: Moments of |prediction - label|: its mean is the MAE.
        signed: Moments of prediction - label: its mean is the bias, and its sum of squares gives the RMSE.
        label: Moments of the label.

    >>> day = ErrorSummary.of([1, 2, 3], [1, 4, 2])
    >>> day.n, day.mae, day.bias, round(day.rmse, 4)
    (3, 1.0, 0.3333333333333333, 1.291)
    >>> day + ErrorSummary.empty() == day
    True
    """

    absolute: Moments
    signed: Moments
    label: Moments

    @classmethod
    def of(cls, labels: ArrayLike, predictions: ArrayLike) -> ErrorSummary:
        """Summarise labelled predictions.

        Raises:
            InvalidInput: If a value is missing or infinite, or lengths differ.
        """
        groups = np.zeros(np.shape(np.asarray(labels))[0], dtype=np.int64)
        return errors_by(labels, predictions, groups, n_groups=1)[0]

    @classmethod
    def empty(cls) -> ErrorSummary:
        """Return the summary of no rows, the neutral element of merging."""
        return cls(Moments.empty(), Moments.empty(), Moments.empty())

    @property
    def n(self) -> int:
        """Labelled rows."""
        return self.signed.n

    @property
    def sum_of_squares(self) -> float:
        """Sum of squared errors."""
        return self.signed.m2 + self.signed.n * self.signed.mean**2

    @property
    def mae(self) -> float:
        """Mean absolute error; NaN without rows."""
        return self.absolute.mean if self.n else float("nan")

    @property
    def rmse(self) -> float:
        """Root of the mean squared error; NaN without rows."""
        return float(np.sqrt(self.sum_of_squares / self.n)) if self.n else float("nan")

    @property
    def bias(self) -> float:
        """Mean of prediction - label; NaN without rows."""
        return self.signed.mean if self.n else float("nan")

    def merge(self, other: ErrorSummary) -> ErrorSummary:
        """Return the summary of both windows together."""
        return ErrorSummary(self.absolute + other.absolute, self.signed + other.signed, self.label + other.label)

    def __add__(self, other: ErrorSummary) -> ErrorSummary:
        """Merge, so that windows can be added."""
        return self.merge(other)


def errors_by(labels: ArrayLike, predictions: ArrayLike, groups: Ints, *, n_groups: int) -> tuple[ErrorSummary, ...]:
    """Summarise the labelled rows of every group (an hour, a day) at once.

    Args:
        labels: What turned out true, float[n], complete.
        predictions: What was predicted, float[n], complete, in the same unit.
        groups: Group of each row, int64[n], 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Raises:
        InvalidInput: If a value is missing or infinite, lengths differ or a group is out of range.

    >>> [day.mae for day in errors_by([1, 2, 5], [2, 2, 1], np.array([0, 0, 1]), n_groups=2)]
    [0.5, 4.0]
    """
    truth, predicted = as_complete(labels, name="labels"), as_complete(predictions, name="predictions")
    check_same_length(labels=truth, predictions=predicted, groups=groups)
    error = predicted - truth
    columns = [moments_by(column, groups, n_groups=n_groups) for column in (np.abs(error), error, truth)]
    return tuple(ErrorSummary(*of_group) for of_group in zip(*columns, strict=True))


def regression_from_summaries(
    days: Sequence[ErrorSummary], *, level: float, unit: str = "days"
) -> dict[str, MetricEstimate]:
    """Estimate mae, rmse, bias and label_mean from the summaries of days, each day a cluster; as the rows give them.

    A day without labelled rows is left out.

    Args:
        days: One summary a day.
        level: Coverage, e.g. 0.95.
        unit: What a part is, for the method text.

    Returns:
        Estimates in the unit of the label; below 5 days values without an interval, without rows NaN, with the reason.

    >>> days = [ErrorSummary.of([10, 20], [10 + d, 20 - d]) for d in range(1, 7)]
    >>> found = regression_from_summaries(days, level=.95)
    >>> found["mae"].value, found["bias"].value, found["label_mean"].value, found["mae"].n
    (3.5, 0.0, 15.0, 12)
    """
    kept = [day for day in days if day.n]
    rows = [(day.n, day.absolute.sum, day.sum_of_squares, day.signed.sum, day.label.sum) for day in kept]
    sums = np.asarray(rows, dtype=np.float64).reshape(-1, 5)
    n = sum(day.n for day in kept)
    return {
        name: cluster_estimate(sums, statistic, n=n, level=level, unit=unit) for name, statistic in _FROM_SUMS.items()
    }


def _mean_of(column: int) -> _Column:
    return lambda sums: ratio(sums[..., column], sums[..., 0])


_FROM_SUMS: Final[dict[str, _Column]] = {
    "mae": _mean_of(1),
    "rmse": lambda sums: np.sqrt(np.maximum(ratio(sums[..., 2], sums[..., 0]), 0.0)),
    "bias": _mean_of(3),
    "label_mean": _mean_of(4),
}
