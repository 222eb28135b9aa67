"""How often is each of several classes told right, and which is it taken for? Counted so that days add up to months.

A day is its confusion table, int64[k, k]: rows are the true class, columns the answer. Everything above it (accuracy,
macro F1, recall of a class, the harm alarm's units) is a function of these counts and looks at no row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_complete, check_groups, check_same_length
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import Statistic, normal_quantile, ratio
from mlops_dash.stats.sequential import HarmUnit

LONGEST_UNIT: Final = 7  # days after which a unit waits no longer for rare classes


def confusion_by(
    labels: ArrayLike, answers: ArrayLike, groups: Ints, *, n_classes: int, n_groups: int
) -> npt.NDArray[np.int64]:
    """Count the labelled answers of every group (a day) at once.

    Args:
        labels: Number of the true class, one a row, complete.
        answers: Number of the class that was answered, the same rows.
        groups: Group of each row, int64[n], 0..n_groups-1.
        n_classes: How many classes there are.
        n_groups: How many groups, empty ones included.

    Returns:
        int64[n_groups, n_classes, n_classes]: true class x answer.

    Raises:
        InvalidInput: a value is no number of a class, lengths differ or a group is out of range.

    >>> confusion_by([0, 1, 2], [0, 2, 2], np.array([0, 0, 1]), n_classes=3, n_groups=2)[0].tolist()
    [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    """
    true, said = (_numbers(of, n_classes, name) for of, name in ((labels, "labels"), (answers, "answers")))
    check_same_length(labels=true, answers=said, groups=groups)
    check_groups(groups, n_groups)
    cell = (groups * n_classes + true) * n_classes + said
    counted = np.bincount(cell, minlength=n_groups * n_classes * n_classes)
    return counted.reshape(n_groups, n_classes, n_classes).astype(np.int64, copy=False)


def accuracy_of(tables: Ints, *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate the share of right answers, each table a cluster.

    >>> accuracy_of(np.stack([[[3, 1], [1, 5]]] * 10), level=.95).value
    0.8
    """
    return _estimate(tables, ACCURACY, level=level, unit=unit)


def macro_f1_of(tables: Ints, *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate the mean F1 of the classes that occur as label or as answer, as scikit-learn takes it.

    >>> round(macro_f1_of(np.stack([[[3, 1, 0], [1, 5, 0], [0, 0, 0]]] * 10), level=.95).value, 4)
    0.7917
    """
    return _estimate(tables, MACRO_F1, level=level, unit=unit)


def recall_of(tables: Ints, number: int, *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate how often one class is told right where it is true; not computable where it never occurs.

    >>> recall_of(np.stack([[[3, 1], [1, 5]]] * 10), 0, level=.95).value
    0.75
    """
    n = int(tables[:, number].sum())

    def recall(sums: Floats) -> Floats:
        square = _square(sums)
        return ratio(square[..., number, number], square[..., number, :].sum(axis=-1))

    return _estimate(tables, recall, level=level, unit=unit, n=n)


def share_of(tables: Ints, number: int, *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate the share of labels that are one class.

    >>> share_of(np.stack([[[3, 1], [1, 5]]] * 10), 0, level=.95).value
    0.4
    """

    def share(sums: Floats) -> Floats:
        return ratio(_square(sums)[..., number, :].sum(axis=-1), sums.sum(axis=-1))

    return _estimate(tables, share, level=level, unit=unit)


def accuracy(sums: Floats) -> Floats:
    """The share of right answers of flattened tables, float[..., k * k]; NaN of no rows."""
    return ratio(np.trace(_square(sums), axis1=-2, axis2=-1), sums.sum(axis=-1))


def macro_f1(sums: Floats) -> Floats:
    """The mean F1 of flattened tables, float[..., k * k], over the classes that occur; NaN of no rows."""
    square = _square(sums)
    right = np.diagonal(square, axis1=-2, axis2=-1)
    occurs = square.sum(axis=-1) + square.sum(axis=-2)
    of_class = np.where(occurs > 0, 2.0 * right / np.where(occurs > 0, occurs, 1.0), 0.0)
    return ratio(of_class.sum(axis=-1), (occurs > 0).sum(axis=-1).astype(np.float64))


ACCURACY: Final[Statistic] = accuracy
MACRO_F1: Final[Statistic] = macro_f1


def shares_and_recalls(table: Ints) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The share of labels of each class, and how often each is told right (0 where it never occurs).

    >>> shares_and_recalls(np.array([[3, 1], [0, 0]]))
    ((1.0, 0.0), (0.75, 0.0))
    """
    of_class = table.sum(axis=1).astype(np.float64)
    right = np.diagonal(table) / np.maximum(of_class, 1.0)
    return tuple((of_class / max(1.0, of_class.sum())).tolist()), tuple(right.tolist())


def class_units(
    tables: Ints, *, shares: Sequence[float], recalls: Sequence[float], min_labels: int,
    longest: int = LONGEST_UNIT,
) -> tuple[HarmUnit, ...]:  # fmt: skip
    """Merge days into units of the error at the reference's shares: sum of share * (1 - recall) over the classes.

    It follows the relation of label and answer within each class, so a shift of the labels alone does not move it. A
    class that a unit lacks counts with its recall in the reference: what is not seen is taken as unchanged. n is the
    smallest n_k / share_k of the classes seen; with variance = sum of share_k v_k, variance / n is never below the
    true variance of the mean. With two classes it is the base-rate-free 0/1 loss.

    Args:
        tables: int64[days, k, k], empty where a day has no labels.
        shares: Share of each class in the reference; a class without any is not watched.
        recalls: How often the reference's answers were right, by class.
        min_labels: Labels a unit needs, of every class its share of them (rounded down).
        longest: Days after which a unit is complete without its rare classes.

    Raises:
        InvalidInput: shares, recalls and tables are not of the same classes.

    >>> day = [[8, 2], [1, 9]]
    >>> unit, = class_units(np.array([day]), shares=[.5, .5], recalls=[.8, .9], min_labels=20)
    >>> round(unit.mean, 4), unit.n, round(unit.variance, 4)
    (0.15, 20.0, 0.125)
    """
    prior, usual = np.asarray(shares, dtype=np.float64), np.asarray(recalls, dtype=np.float64)
    if not tables.shape[1] == tables.shape[2] == prior.size == usual.size:
        raise InvalidInput(
            f"Tables of {tables.shape[1:]} with {prior.size} shares and {usual.size} recalls.",
            hint="Count days with the classes of one reference.",
        )
    needed = np.floor(prior * min_labels)
    units, first, held = [], 0, np.zeros(tables.shape[1:], dtype=np.int64)
    for day, table in enumerate(tables):
        held = held + table
        of_class = held.sum(axis=1)
        seen = (of_class > 0) & (prior > 0)
        enough = int(held.sum()) >= max(1, min_labels) and bool(seen.any())
        if enough and (bool((of_class >= needed).all()) or day - first + 1 >= longest):
            recall = np.where(seen, np.diagonal(held) / np.maximum(of_class, 1), usual)
            n = float((of_class[seen] / prior[seen]).min())
            variance = float((prior * recall * (1.0 - recall) * seen).sum())
            units.append(HarmUnit(first, day, float((prior * (1.0 - recall)).sum()), n, variance))
            first, held = day + 1, np.zeros_like(held)
    return tuple(units)


def error_units(tables: Ints, *, min_labels: int) -> tuple[HarmUnit, ...]:
    """Merge days into units of the share of wrong answers, which follows the labels' own shares.

    >>> round(error_units(np.array([[[8, 2], [1, 9]]]), min_labels=20)[0].mean, 4)
    0.15
    """
    units, first, held = [], 0, np.zeros(tables.shape[1:], dtype=np.int64)
    for day, table in enumerate(tables):
        held = held + table
        n = int(held.sum())
        if n >= max(1, min_labels):
            wrong = 1.0 - float(np.trace(held)) / n
            units.append(HarmUnit(first, day, wrong, float(n), wrong * (1.0 - wrong)))
            first, held = day + 1, np.zeros_like(held)
    return tuple(units)


def surely_lower(now: MetricEstimate, before: MetricEstimate, *, of: int, level: float) -> bool:
    """Whether one of several values fell for sure, so that all `of` comparisons together hold their level.

    The half-widths of both intervals are added in squares and widened from the level of one to that of all (Bonferroni,
    one-sided). Without two intervals nothing is sure.

    Args:
        now: The value now, with its interval.
        before: The value before.
        of: How many such comparisons are made.
        level: Coverage of both intervals, e.g. 0.95.

    >>> wide = MetricEstimate(.7, .5, .9, 100, 10, "")
    >>> surely_lower(wide, MetricEstimate(.8, .7, .9, 100, 10, ""), of=3, level=.95)
    False
    >>> surely_lower(MetricEstimate(.5, .45, .55, 100, 10, ""), wide, of=1, level=.95)
    True
    """
    if not (now.computable and before.computable):
        return False
    doubt = math.hypot(now.high - now.value, before.value - before.low)
    widened = normal_quantile(1.0 - 2.0 * (1.0 - level) / of)
    return before.value - now.value > doubt * widened / normal_quantile(level)


def _estimate(tables: Ints, statistic: Statistic, *, level: float, unit: str, n: int | None = None) -> MetricEstimate:
    sums = tables.reshape(tables.shape[0], tables.shape[1] ** 2).astype(np.float64)
    rows = int(tables.sum()) if n is None else n
    return cluster_estimate(sums, statistic, n=rows, level=level, scale="logit", unit=unit)


def _square(sums: Floats) -> Floats:
    k = math.isqrt(sums.shape[-1])
    return np.asarray(sums.reshape(*sums.shape[:-1], k, k), dtype=np.float64)


def _numbers(values: ArrayLike, n_classes: int, name: str) -> Ints:
    floats = as_complete(values, name=name)
    whole = floats.astype(np.int64)
    if ((whole != floats) | (whole < 0) | (whole >= n_classes)).any():
        raise InvalidInput(f"One of the {name} is no number of {n_classes} classes.", hint="Count from 0.")
    return whole
