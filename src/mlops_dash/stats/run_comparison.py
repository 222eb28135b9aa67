"""By how much do two sides of runs differ, and how sure is that under each design?

Rows and runs are two sources of doubt: `of_rows` counts both, `of_runs` the runs alone, `of_resamples` what repeated
splits of the same data share. Nothing here judges, and nothing knows a margin but as an argument.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit
from scipy.stats import binom

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Bools, Floats, Ints, as_codes, as_complete, as_labels, sums_by
from mlops_dash.stats.experiments import MIN_REPEATS, seed_difference
from mlops_dash.stats.intervals import MIN_CLUSTERS, cluster_reason, ratio
from mlops_dash.stats.losses import LOG_LOSS_CLIP, as_scored, log_losses, squared_errors
from mlops_dash.stats.ranking import auc_of_rows, auc_without_each_cluster

RowMetric: TypeAlias = Literal["auc", "log_loss", "log_loss_raw", "brier", "accuracy", "mae", "mse", "rmse"]
ROW_METRICS: Final = ("auc", "log_loss", "log_loss_raw", "brier", "accuracy", "mae", "mse", "rmse")
THRESHOLD: Final = 0.5
UNCLIPPED: Final = -math.log(float(np.finfo(np.float64).eps))  # what scikit-learn's log_loss keeps a probability from


@dataclass(frozen=True, slots=True)
class RunDifference:
    """Mean of side A minus mean of side B of one metric, with its doubt.

    Attributes:
        value: A minus B, in units of the metric; NaN when a side has no finite value.
        error: Its standard error; NaN when it cannot be computed.
        df: Degrees of freedom of t.
        value_a: The metric of side A (mean over its runs).
        value_b: The same of B.
        error_units: The part that more rows (or, of resamples, more data) would shrink; 0 when not counted.
        error_runs: The part that more runs would shrink; 0 when not counted.
        n_runs: Runs (or splits) a side that entered; the smaller side's.
        n_pairs: Of them matched one to one; 0 = the sides were taken as independent.
        n_rows: Rows that entered; 0 when only run metrics did.
        n_clusters: Days (or other clusters) of those rows; `n_rows` when rows were taken as independent.
        reason: Why there is no error, or what makes it rough; empty when all is well.
    """

    value: float
    error: float
    df: float
    value_a: float
    value_b: float
    error_units: float = 0.0
    error_runs: float = 0.0
    n_runs: int = 0
    n_pairs: int = 0
    n_rows: int = 0
    n_clusters: int = 0
    reason: str = ""

    @property
    def computable(self) -> bool:
        """Whether there is a value with an error above 0."""
        return math.isfinite(self.value) and math.isfinite(self.error) and self.error > 0

    def interval(self, level: float) -> tuple[float, float]:
        """The t interval; NaN when there is no error.

        >>> low, high = RunDifference(1., .5, 9., 2., 1.).interval(.95)
        >>> round(low, 3), round(high, 3)
        (-0.131, 2.131)
        """
        if not self.computable:
            return math.nan, math.nan
        half = float(stdtrit(self.df, 0.5 + level / 2)) * self.error
        return self.value - half, self.value + half

    def p_value(self) -> float:
        """Two-sided p of no difference; NaN when there is no error.

        >>> round(RunDifference(1., .5, 9., 2., 1.).p_value(), 4)
        0.0766
        """
        return 2 * float(stdtr(self.df, -abs(self.value) / self.error)) if self.computable else math.nan

    def equal_p(self, margin: float) -> float:
        """The larger p of the two one-sided tests: under .05 exactly when the 90 % interval lies inside +-margin.

        >>> RunDifference(.0, .1, 1e9, 1., 1.).equal_p(.1645) < .05 < RunDifference(.0, .1, 1e9, 1., 1.).equal_p(.1644)
        True
        """
        return float(stdtr(self.df, (abs(self.value) - margin) / self.error)) if self.computable else math.nan

    def runs_needed(self, distance: float, *, tail: float, power: float = 0.8, most: int = 200) -> int | None:
        """Runs a side that would tell a distance from 0 with this power; None when `most` would not.

        Args:
            distance: From 0 (or from the margin), in units of the metric, above 0.
            tail: One-sided error of the test: .025 for a difference, .05 for practical equality.
            power: Probability of telling it.
            most: Runs a side that nobody makes more of.

        >>> RunDifference(1., .5, 9., 2., 1., error_runs=.5, n_runs=10, n_pairs=10).runs_needed(1., tail=.025)
        22
        """
        if not self.computable or self.error_runs <= 0 or distance <= 0:
            return None
        n = np.arange(max(2, self.n_runs), most + 1)
        part = self.error_runs * np.sqrt(self.n_runs / n)
        df = np.where(part > self.error_units, n - 1 if self.n_pairs else 2 * (n - 1), max(self.df, 2.0))
        return _first(n, np.hypot(part, self.error_units), df, distance, tail=tail, power=power)

    def units_needed(self, distance: float, *, tail: float, power: float = 0.8, times: int = 1_000) -> int | None:
        """Clusters (rows, where rows are independent) that would tell it; None when `times` as many would not.

        >>> RunDifference(1., .5, 9., 2., 1., error_units=.5, n_clusters=10).units_needed(1., tail=.025)
        22
        """
        if not self.computable or self.error_units <= 0 or distance <= 0 or not self.n_clusters:
            return None
        n = np.unique(np.ceil(self.n_clusters * np.geomspace(1, times, 2_000)))
        part = self.error_units * np.sqrt(self.n_clusters / n)
        df = np.where(part > self.error_runs, n - 1, max(self.df, 2.0))
        return _first(n, np.hypot(part, self.error_runs), df, distance, tail=tail, power=power)


def _first(n: ArrayLike, error: Floats, df: Floats, distance: float, *, tail: float, power: float) -> int | None:
    enough = error * (stdtrit(df, 1 - tail) + ndtri(power)) <= distance
    return int(np.asarray(n)[int(np.argmax(enough))]) if enough.any() else None


def of_runs(a: Floats, b: Floats, keys_a: Sequence[str | None], keys_b: Sequence[str | None]) -> RunDifference:
    """Compare run metrics by the noise of the runs alone: paired t over equal keys, else Welch; 3 runs a side or more.

    Args:
        a: One metric of the runs of A, float[runs]; NaN and infinite ones are left out.
        b: The same of B.
        keys_a: What pairs the runs of A with those of B: seed, or evaluation rows.
        keys_b: The same of B.

    >>> made = of_runs(np.array([2., 3., 5.]), np.array([1., 2., 3.]), "123", "123")
    >>> round(made.value, 3), round(made.error, 3), made.df, made.n_pairs
    (1.333, 0.333, 2.0, 3)
    """
    made = seed_difference(a, b, keys_a, keys_b)
    shared = set(keys_a) & set(keys_b) if made.n_pairs else set()
    values = [
        _mean([value for value, key in zip(side, keys, strict=True) if not made.n_pairs or key in shared])
        for side, keys in ((a, keys_a), (b, keys_b))
    ]
    return RunDifference(
        made.value, made.error, made.df, values[0], values[1], error_runs=made.error, n_runs=made.n_pairs or made.n,
        n_pairs=made.n_pairs, reason=made.reason,
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    finite = [one for one in values if math.isfinite(one)]
    return sum(finite) / len(finite) if finite else math.nan


def of_resamples(a: Floats, b: Floats, *, test_over_train: float) -> RunDifference:
    """Compare two recipes on J splits of the same data (folds of repeated k-fold, or random resplits).

    se^2 = s^2 (1/J + n_test/n_train) with J - 1 degrees of freedom: the splits share their rows, so the plain paired t
    errs in 6 to 55 % of equal recipes, the more the more repeats.

    Args:
        a: One metric of A on each split, float[J], complete.
        b: The same of B on the same splits.
        test_over_train: Rows of a test part over rows of its training part; 1/(k - 1) for k folds.

    Raises:
        InvalidInput: A value is missing, or the ratio is not above 0.

    References:
        - C. Nadeau & Y. Bengio, Inference for the Generalization Error, Machine Learning 52 (2003), eq. 4.

    >>> made = of_resamples(np.array([2., 3., 5.]), np.array([1., 2., 3.]), test_over_train=.25)
    >>> round(made.value, 3), round(made.error, 4)
    (1.333, 0.441)
    """
    if not test_over_train > 0:
        raise InvalidInput(f"n_test/n_train is {test_over_train}; it must be above 0.")
    first, second = as_complete(a, name="values of A"), as_complete(b, name="values of B")
    d = first - second
    n = int(d.size)
    base = RunDifference(_mean(d.tolist()), math.nan, math.nan, _mean(first.tolist()), _mean(second.tolist()),
                         n_runs=n, n_pairs=n)  # fmt: skip
    if n < MIN_REPEATS:
        return replace(base, reason=f"fewer than {MIN_REPEATS} splits: no test")
    s = float(d.std(ddof=1))
    if s <= 1e-12 * max(1.0, abs(base.value)):
        return replace(base, reason="the differences are identical: no noise to judge by")
    shared, own = s * math.sqrt(test_over_train), s / math.sqrt(n)
    return replace(base, error=math.hypot(shared, own), df=float(n - 1), error_units=shared, error_runs=own)


def of_rows(
    metric: str,
    labels: ArrayLike,
    a: Floats,
    b: Floats,
    clusters: ArrayLike | None,
    *,
    keys_a: Sequence[str | None],
    keys_b: Sequence[str | None],
    models_only: bool,
    min_clusters: int = MIN_CLUSTERS,
) -> RunDifference:
    """Compare the scores of runs on the same rows: se^2 = variance over rows (clusters) + variance over seeds / runs.

    The variance over rows is the delete-one-cluster jackknife of the mean over runs; degrees of freedom are those of
    the larger part. With `models_only` the runs are taken as they are: a claim about these models, not their recipe.

    Args:
        metric: One of `ROW_METRICS`.
        labels: One a row: 0/1, for mae, mse and rmse numbers.
        a: Scores of the runs of A, float[runs, rows].
        b: The same of B, the same rows.
        clusters: Cluster (day) of each row; None takes rows as independent.
        keys_a: Seeds of A; three or more that B has too are compared seed by seed.
        keys_b: Seeds of B.
        models_only: Leave the variance over seeds out.
        min_clusters: Fewer give no error.

    Raises:
        InvalidInput: The metric is unknown, or labels or scores are not fit for it.

    >>> y, day = [0, 1] * 10, np.repeat(np.arange(10), 2)
    >>> one, other = np.array([[.2, .8] * 10]), np.array([[.4, .6] * 9 + [.4, .7]])
    >>> made = of_rows("brier", y, one, other, day, keys_a=["1"], keys_b=["1"], models_only=True)
    >>> round(made.value, 4), round(made.error, 4), made.df, made.n_clusters
    (-0.1165, 0.0035, 9.0, 10)
    """
    if not models_only:
        a, b, keys_a, keys_b = _matched(a, b, keys_a, keys_b)
    codes, n_clusters = as_codes(np.arange(a.shape[1]) if clusters is None else clusters)
    made = [
        [_with_and_without(metric, labels, np.asarray(run, dtype=np.float64), codes, n_clusters) for run in side]
        for side in (a, b)
    ]
    means = [float(np.mean([value for value, _ in side])) for side in made]
    without = np.mean([one for _, one in made[0]], axis=0) - np.mean([one for _, one in made[1]], axis=0)
    unit = "rows" if clusters is None else "days"
    reason = cluster_reason(n_clusters, min_clusters=min_clusters, unit=unit)
    base = RunDifference(
        means[0] - means[1], math.nan, math.nan, means[0], means[1], n_runs=min(len(a), len(b)), n_rows=a.shape[1],
        n_clusters=n_clusters, reason=reason,
    )  # fmt: skip
    if not math.isfinite(base.value) or not np.isfinite(without).all():
        return replace(base, reason="not computable: one class is empty, or one day holds a whole class")
    if n_clusters < min_clusters:
        return base
    rows = math.sqrt((n_clusters - 1) / n_clusters * float(((without - without.mean()) ** 2).sum()))
    if models_only:
        return _summed(base, rows, n_clusters - 1.0, 0.0, math.nan)
    seeds = of_runs(np.array([v for v, _ in made[0]]), np.array([v for v, _ in made[1]]), keys_a, keys_b)
    part = seeds.error if math.isfinite(seeds.error) else 0.0
    short = base.n_runs < MIN_REPEATS
    base = replace(base, n_pairs=seeds.n_pairs, reason=seeds.reason if short else reason)
    return base if short else _summed(base, rows, n_clusters - 1.0, part, seeds.df)


def _summed(base: RunDifference, rows: float, df_rows: float, runs: float, df_runs: float) -> RunDifference:
    error = math.hypot(rows, runs)
    if error <= 1e-12 * max(1.0, abs(base.value)):
        return replace(base, reason="the scores are identical: no noise to judge by")
    return replace(base, error=error, df=df_runs if runs > rows else df_rows, error_units=rows, error_runs=runs)


def _matched(
    a: Floats, b: Floats, keys_a: Sequence[str | None], keys_b: Sequence[str | None]
) -> tuple[Floats, Floats, list[str | None], list[str | None]]:
    """Only seeds that both sides have, when they are three or more and each stands once."""
    shared = [key for key in keys_a if key is not None and key in keys_b]
    if len(shared) < MIN_REPEATS or any(list(keys).count(key) > 1 for keys in (keys_a, keys_b) for key in shared):
        return a, b, list(keys_a), list(keys_b)
    return (
        a[[list(keys_a).index(key) for key in shared]], b[[list(keys_b).index(key) for key in shared]], list(shared),
        list(shared),
    )  # fmt: skip


def metric_of_rows(metric: str, labels: ArrayLike, scores: Floats) -> float:
    """One metric of one run on rows; NaN where a class it needs is empty.

    >>> metric_of_rows("accuracy", [0, 1, 1], np.array([.2, .7, .4])).__round__(3)
    0.667
    """
    return _with_and_without(metric, labels, scores, np.zeros(scores.size, dtype=np.int64), 1)[0]


def losses_of_rows(metric: str, labels: ArrayLike, scores: Floats) -> Floats:
    """What each row adds to the mean that makes a metric, float[rows]; squared errors for rmse.

    Raises:
        InvalidInput: The metric has no row values (auc), is unknown, or labels or scores are not fit for it.
    """
    if metric in {"log_loss", "log_loss_raw", "brier"}:
        y, p = as_scored(labels, scores)
        return squared_errors(y, p) if metric == "brier" else log_losses(y, p, clip=_clip(metric))
    if metric == "accuracy":
        y = as_labels(labels)
        return np.asarray((as_complete(scores, name="scores") >= THRESHOLD) == y, dtype=np.float64)
    if metric in {"mae", "mse", "rmse"}:
        error = as_complete(scores, name="predictions") - as_complete(labels, name="labels")
        return np.asarray(np.abs(error) if metric == "mae" else error**2, dtype=np.float64)
    raise InvalidInput(f"Metric {metric!r} cannot be computed of rows.", hint=f"Known: {', '.join(ROW_METRICS)}.")


def _clip(metric: str) -> float:
    return LOG_LOSS_CLIP if metric == "log_loss" else UNCLIPPED


def _with_and_without(
    metric: str, labels: ArrayLike, scores: Floats, codes: Ints, n_clusters: int
) -> tuple[float, Floats]:
    if metric == "auc":
        y = as_labels(labels)
        return auc_of_rows(y, scores), auc_without_each_cluster(y, scores, codes, n_clusters=n_clusters)
    loss = losses_of_rows(metric, labels, scores)
    sums, n = sums_by(loss, codes, n_clusters), sums_by(np.ones(loss.size), codes, n_clusters)
    whole = loss.sum() / loss.size if loss.size else math.nan
    without = ratio(sums.sum() - sums, n.sum() - n)
    if metric == "rmse":
        return math.sqrt(whole), np.sqrt(np.maximum(without, 0.0))
    return float(whole), without


def mcnemar(only_a: int, only_b: int) -> float:
    """Mid-p of McNemar's test: rows that only A and only B got right; rows are taken as independent.

    References:
        - M. Fagerland, S. Lydersen & P. Laake, BMC Medical Research Methodology 13 (2013) 91.

    >>> round(mcnemar(1, 6), 4), mcnemar(0, 0)
    (0.0703, 1.0)
    """
    n, k = only_a + only_b, min(only_a, only_b)
    if n == 0:
        return 1.0
    return min(1.0, float(2 * binom.cdf(k, n, 0.5) - binom.pmf(k, n, 0.5)))


def noise_of_test_set(a: float, b: float, n: int) -> float:
    """Standard error of the difference of two accuracies on n rows taken as independent and unpaired: an upper bound.

    >>> round(noise_of_test_set(.8, .8, 100), 4)
    0.0566
    """
    return math.sqrt((a * (1 - a) + b * (1 - b)) / n)


def right_rows(labels: ArrayLike, scores: Floats, *, threshold: float = THRESHOLD) -> Bools:
    """Which rows a run decides rightly at a threshold of its score, bool[rows].

    >>> right_rows([0, 1], np.array([.4, .4])).tolist()
    [True, False]
    """
    return np.asarray((scores >= threshold) == as_labels(labels))
