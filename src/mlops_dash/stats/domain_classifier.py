"""Can a classifier tell the rows of now from those of then? Drift of all columns together, also where none moves alone.

It is fitted on one half and judged on the other: scores of a cross-validation are not independent, and a normal p-value
on them rejects 10 to 12 % of unchanged windows at 5 %. Halves are whole clusters (days), since rows of a day are alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Bools, Floats, Ints
from mlops_dash.stats.performance import auc_estimate
from mlops_dash.stats.ranking import auc_of_rows, delong_variance_of_rows

MOST_ROWS: Final = 20_000  # a side; more rows only make smaller changes significant
LEAST_ROWS: Final = 50  # a side in either half
_ROUNDS: Final = 40
_SEED: Final = 20_130_101


@dataclass(frozen=True, slots=True)
class DomainClassifier:
    """How well current rows are told from reference rows; numbers are NaN with a reason when it cannot be computed.

    Attributes:
        auc: On the half that was not fitted; .5 = not at all.
        low: Lower end of the DeLong interval, on the logit scale.
        high: Its upper end.
        p_value: One-sided, of an AUC above .5.
        n_reference: Reference rows of the judged half.
        n_current: Current rows of the judged half.
        by_cluster: Whether halves are whole clusters on both sides; else rows were drawn one by one.
        reason: Why there is no answer; empty when there is one.
        drops: By column, how much of the AUC goes when the judged half's values are shuffled; empty unless asked for.
    """

    auc: float
    low: float
    high: float
    p_value: float
    n_reference: int
    n_current: int
    by_cluster: bool
    reason: str = ""
    drops: tuple[float, ...] = ()

    @property
    def computable(self) -> bool:
        """Whether there is an answer."""
        return not self.reason


def domain_classifier(
    reference: Floats,
    current: Floats,
    reference_clusters: Ints,
    current_clusters: Ints,
    *,
    level: float = 0.95,
    most: int = MOST_ROWS,
    seed: int = _SEED,
    by_column: bool = False,
) -> DomainClassifier:
    """Fit boosted trees on one half of both sides and rank the other half with them.

    Each class weighs the same while fitting. The same input gives the same numbers.

    Args:
        reference: Shape (n, columns); a missing value is NaN, a level its number.
        current: Shape (m, columns).
        reference_clusters: Cluster (day) of each reference row, any integers.
        current_clusters: The same of the current rows.
        level: Coverage of the interval.
        most: Rows a side at most; more are drawn at random.
        seed: Of the halves, of that draw and of the trees.
        by_column: Whether to measure `drops`.

    Raises:
        InvalidInput: The two have different columns.

    References:
        - D. Lopez-Paz & M. Oquab, ICLR 2017: classifier two-sample tests.
        - E. DeLong et al., Biometrics 44 (1988).

    >>> rng = np.random.default_rng(1)
    >>> x, y = rng.normal(size=(800, 2)), rng.normal(size=(400, 2))
    >>> y[:, 1] = y[:, 0]  # no column moved, their relation did
    >>> found = domain_classifier(x, y, np.arange(800) // 100, np.arange(400) // 100)
    >>> bool(found.low > .8), found.by_cluster
    (True, True)
    """
    if reference.shape[1] != current.shape[1]:
        raise InvalidInput(f"{reference.shape[1]} reference columns, {current.shape[1]} current ones.")
    rng = np.random.default_rng(seed)
    whole = [_halves(rows, held, most, rng) for rows, held in
             ((reference, reference_clusters), (current, current_clusters))]  # fmt: skip
    by_cluster = all(one.by_cluster for one in whole)
    least = min(min(one.fit.shape[0], one.judge.shape[0]) for one in whole)
    sizes = (whole[0].judge.shape[0], whole[1].judge.shape[0])
    if least < LEAST_ROWS or not reference.shape[1]:
        why = f"{least} rows in one half, at least {LEAST_ROWS}" if reference.shape[1] else "no column to tell rows by"
        return DomainClassifier(math.nan, math.nan, math.nan, math.nan, *sizes, by_cluster, why)
    return _told_apart(whole[0], whole[1], by_cluster=by_cluster, level=level, seed=seed, by_column=by_column)


@dataclass(frozen=True)
class _Halves:
    fit: Floats
    judge: Floats
    by_cluster: bool


def _halves(rows: Floats, clusters: Ints, most: int, rng: np.random.Generator) -> _Halves:
    """Clusters drawn into two halves; with fewer than two of them, rows."""
    if rows.shape[0] > most:
        kept = np.sort(rng.choice(rows.shape[0], most, replace=False))
        rows, clusters = rows[kept], clusters[kept]
    names, of_row = np.unique(clusters, return_inverse=True)
    if names.size < 2:
        first: Bools = rng.permutation(rows.shape[0]) % 2 == 0
        return _Halves(rows[first], rows[~first], by_cluster=False)
    held: Bools = (rng.permutation(names.size) % 2 == 0)[of_row]
    return _Halves(rows[held], rows[~held], by_cluster=True)


def _told_apart(
    old: _Halves, new: _Halves, *, by_cluster: bool, level: float, seed: int, by_column: bool
) -> DomainClassifier:
    from sklearn.ensemble import HistGradientBoostingClassifier

    fitted = HistGradientBoostingClassifier(
        max_iter=_ROUNDS, max_leaf_nodes=15, min_samples_leaf=20, l2_regularization=1.0, class_weight="balanced",
        early_stopping=False, random_state=seed % 2**31,
    )  # fmt: skip
    with threadpool_limits(1):  # trees so small wait for each other's threads: 40 times slower on a busy machine
        fitted.fit(np.vstack([old.fit, new.fit]), _sides(old.fit, new.fit))
    rows, labels = np.vstack([old.judge, new.judge]), _sides(old.judge, new.judge)
    score = _scored(fitted, rows)
    found = auc_estimate(labels, score, level=level)
    low, high, reason = found.low, found.high, found.reason
    error = math.sqrt(max(delong_variance_of_rows(labels > 0, score), 0.0))
    p_value = float(norm.sf((found.value - 0.5) / error)) if error > 0 else float(found.value <= 0.5)
    if found.value == 1.0:  # told apart without one mistake: the rule of three bounds the share of mistakes
        low, high, reason = 1.0 - 3.0 / min(old.judge.shape[0], new.judge.shape[0]), 1.0, ""
    drops = _drops(fitted, rows, labels, found.value, seed) if by_column and not reason else ()
    sizes = (old.judge.shape[0], new.judge.shape[0])
    return DomainClassifier(found.value, low, high, p_value, *sizes, by_cluster, reason, drops)


def _scored(fitted: object, rows: Floats) -> Floats:
    with threadpool_limits(1):
        return np.asarray(fitted.decision_function(rows), dtype=np.float64)  # type: ignore[attr-defined]


def _drops(fitted: object, rows: Floats, labels: Floats, auc: float, seed: int) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    found = []
    for column in range(rows.shape[1]):
        mixed = rows.copy()
        mixed[:, column] = rows[rng.permutation(rows.shape[0]), column]
        found.append(auc - auc_of_rows(labels > 0, _scored(fitted, mixed)))
    return tuple(found)


def _sides(old: Floats, new: Floats) -> Floats:
    return np.concatenate([np.zeros(old.shape[0]), np.ones(new.shape[0])])


def usual_aucs(windows: Sequence[Floats], *, most: int = MOST_ROWS, days: Sequence[Ints]) -> tuple[float, ...]:
    """AUC of each reference window against the rest of the reference, ascending: how unlike its own weeks are.

    Args:
        windows: Rows of each window, as those that will be judged.
        most: As in `domain_classifier`.
        days: Cluster of each row, by window.
    """
    found = []
    for at, rows in enumerate(windows):
        rest = [one for place, one in enumerate(windows) if place != at]
        theirs = [one for place, one in enumerate(days) if place != at]
        if not rest:
            return ()
        told = domain_classifier(np.vstack(rest), rows, np.concatenate(theirs), days[at], most=most)
        found += [told.auc] if told.computable else []
    return tuple(sorted(found))
