"""Is the challenger better than the champion on the same rows?

Both models score the same rows, so the difference is taken row by row and doubt is counted over clusters (days):
each cluster is left out once. The claim is about these two models on rows like these.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import (
    ArrayLike,
    Bools,
    Floats,
    Ints,
    as_codes,
    as_complete,
    check_between,
    check_same_length,
    sums_by,
)
from mlops_dash.stats.class_probabilities import OF_PROBABILITIES, as_probabilities
from mlops_dash.stats.classes import ACCURACY, MACRO_F1, confusion_by
from mlops_dash.stats.intervals import FEW_CLUSTERS, MIN_CLUSTERS, cluster_reason, jackknife, of_sums, ratio
from mlops_dash.stats.losses import LOG_LOSS_CLIP, as_ranked, as_scored, log_losses, squared_errors
from mlops_dash.stats.ranking import auc_of_rows, auc_without_each_cluster

PairedMetric: TypeAlias = Literal[
    "auc", "brier", "log_loss", "base_rate_free_loss", "mae", "rmse", "accuracy", "macro_f1", "auc_ovr"
]
HIGHER: Final = "higher_is_better"
LOWER: Final = "lower_is_better"
_DIRECTIONS: Final = {
    "auc": HIGHER,
    "brier": LOWER,
    "log_loss": LOWER,
    "base_rate_free_loss": LOWER,
    "mae": LOWER,
    "rmse": LOWER,
    "accuracy": HIGHER,
    "macro_f1": HIGHER,
    "auc_ovr": HIGHER,
}
_OF_NUMBERS: Final = ("mae", "rmse")  # of a regression: labels and predictions are numbers in one unit
_OF_CLASSES: Final = {"accuracy": ACCURACY, "macro_f1": MACRO_F1}  # labels and answers are numbers of classes


@dataclass(frozen=True, slots=True)
class PairedEstimate:
    """How much better model A is than model B on the same rows.

    Attributes:
        value: Improvement of A over B in units of the metric; **positive always means A is better**.
        low: Lower end of its interval; NaN when none could be computed.
        high: Upper end of its interval; NaN when none could be computed.
        value_a: The metric of A itself.
        value_b: The metric of B itself.
        n: Rows scored by both.
        n_clusters: Clusters (days) of those rows.
        method: How the interval was made.
        reason: Why the interval is missing or shaky; empty when all is well.
    """

    value: float
    low: float
    high: float
    value_a: float
    value_b: float
    n: int
    n_clusters: int
    method: str
    reason: str = ""

    @property
    def computable(self) -> bool:
        """Whether there is a value with an interval."""
        return math.isfinite(self.value) and math.isfinite(self.low) and math.isfinite(self.high)


def paired_difference(
    y: ArrayLike,
    p_a: ArrayLike,
    p_b: ArrayLike,
    clusters: ArrayLike,
    *,
    metric: str,
    direction: str,
    level: float,
    prior: float | None = None,
    clip: float = LOG_LOSS_CLIP,
    min_clusters: int = MIN_CLUSTERS,
    few_clusters: int = FEW_CLUSTERS,
) -> PairedEstimate:
    """Estimate the improvement of A (challenger) over B (champion) with a delete-one-cluster jackknife.

    Args:
        y: Labels, one a row: 0/1, for mae and rmse numbers, for accuracy and macro_f1 numbers of classes.
        p_a: What A said, one a row: probability of label 1, for mae and rmse the predicted number, for accuracy and
            macro_f1 the class that it answers, for auc_ovr and log_loss of several classes float[n, k] probabilities.
        p_b: What B said, the same rows.
        clusters: Cluster (day) of each row.
        metric: "auc", "brier", "log_loss" or "base_rate_free_loss"; "mae" or "rmse"; "accuracy" or "macro_f1".
        direction: "higher_is_better" or "lower_is_better"; must be the metric's own.
        level: Coverage, e.g. 0.95.
        prior: Share of label 1 in the reference; needed by base_rate_free_loss alone.
        clip: Largest log-loss of a row.
        min_clusters: Fewer give no interval.
        few_clusters: Fewer give an interval with a warning as reason.

    Raises:
        InvalidInput: If metric or direction is unknown, the prior is absent, or the arrays are not fit.

    >>> y, day = [0, 1] * 10, np.repeat(np.arange(10), 2)
    >>> found = paired_difference(y, [.2, .8] * 10, [.4, .6] * 10, day, metric="brier",
    ...                           direction="lower_is_better", level=.95)
    >>> round(found.value, 3), round(found.value_a, 3), round(found.value_b, 3), found.reason
    (0.12, 0.04, 0.16, '')
    """
    _check_metric(metric, direction, prior)
    codes, n_clusters = as_codes(clusters)
    if metric in _OF_NUMBERS:
        truth = as_complete(y, name="labels")
        a, b = as_complete(p_a, name="predictions"), as_complete(p_b, name="predictions")
        check_same_length(labels=truth, a=a, b=b, clusters=codes)
        n = int(truth.size)
        value_a, without_a = _error_with_and_without(metric, a - truth, codes, n_clusters)
        value_b, without_b = _error_with_and_without(metric, b - truth, codes, n_clusters)
    elif metric in OF_PROBABILITIES and np.ndim(p_a) == 2:
        (numbers, p), (_, q) = as_probabilities(y, p_a), as_probabilities(y, p_b)
        check_same_length(labels=numbers, clusters=codes)
        n = int(numbers.size)
        value_a, without_a = OF_PROBABILITIES[metric](numbers, p, codes, n_clusters)
        value_b, without_b = OF_PROBABILITIES[metric](numbers, q, codes, n_clusters)
    elif metric == "auc_ovr":
        raise InvalidInput("auc_ovr needs the probability of every class.", hint="Pass one column a class.")
    elif metric in _OF_CLASSES:
        truth = as_complete(y, name="labels")
        n = int(truth.size)
        value_a, without_a = _class_metric_with_and_without(metric, truth, p_a, codes, n_clusters)
        value_b, without_b = _class_metric_with_and_without(metric, truth, p_b, codes, n_clusters)
    else:
        labels, a = (as_ranked if metric == "auc" else as_scored)(y, p_a)
        _, b = (as_ranked if metric == "auc" else as_scored)(y, p_b)
        check_same_length(labels=labels, clusters=codes)
        n = int(labels.size)
        value_a, without_a = _with_and_without(metric, labels, a, codes, n_clusters, prior, clip)
        value_b, without_b = _with_and_without(metric, labels, b, codes, n_clusters, prior, clip)
    sign = 1.0 if direction == HIGHER else -1.0
    value, without = sign * (value_a - value_b), sign * (without_a - without_b)
    low, high, reason = (
        math.nan,
        math.nan,
        cluster_reason(n_clusters, min_clusters=min_clusters, few_clusters=few_clusters),
    )
    if not math.isfinite(value):
        reason = "not computable: no rows" if n == 0 else "not computable: one class is empty"
    elif n_clusters >= min_clusters:
        low, high = jackknife(value, without, level=level)
        reason = reason if math.isfinite(low) else "not computable: one cluster holds a whole class"
    return PairedEstimate(value, low, high, value_a, value_b, n, n_clusters, "paired jackknife over clusters", reason)


def _check_metric(metric: str, direction: str, prior: float | None) -> None:
    if metric not in _DIRECTIONS:
        known = ", ".join(_DIRECTIONS)
        raise InvalidInput(f"Metric {metric!r} has no paired comparison.", hint=f"Known: {known}.")
    if direction != _DIRECTIONS[metric]:
        raise InvalidInput(
            f"Direction of {metric} is {direction!r}; it must be {_DIRECTIONS[metric]!r}.",
            hint="Mend the direction in the policy.",
        )
    if metric == "base_rate_free_loss":
        if prior is None:
            raise InvalidInput("base_rate_free_loss has no prior.", hint="Pass the share of label 1 in the reference.")
        check_between(prior, 0.0, 1.0, name="prior")


def _with_and_without(
    metric: str, y: Bools, p: Floats, codes: Ints, n_clusters: int, prior: float | None, clip: float
) -> tuple[float, Floats]:
    """Return the metric on all rows, and without each cluster."""
    if metric == "auc":
        return auc_of_rows(y, p), auc_without_each_cluster(y, p, codes, n_clusters=n_clusters)
    loss = squared_errors(y, p) if metric == "brier" else log_losses(y, p, clip=clip)
    columns = [loss * y, y, loss * ~y, ~y]
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in columns])
    if metric == "base_rate_free_loss" and prior is not None:
        share = prior
        return of_sums(
            lambda s: share * ratio(s[..., 0], s[..., 1]) + (1.0 - share) * ratio(s[..., 2], s[..., 3]), sums
        )
    return of_sums(lambda s: ratio(s[..., 0] + s[..., 2], s[..., 1] + s[..., 3]), sums)


def _error_with_and_without(metric: str, error: Floats, codes: Ints, n_clusters: int) -> tuple[float, Floats]:
    """Return the mean absolute error, or the root of the mean squared one, on all rows and without each cluster."""
    loss = np.abs(error) if metric == "mae" else error**2
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in (loss, np.ones(error.size))])
    if metric == "mae":
        return of_sums(lambda s: ratio(s[..., 0], s[..., 1]), sums)
    return of_sums(lambda s: np.sqrt(np.maximum(ratio(s[..., 0], s[..., 1]), 0.0)), sums)


def _class_metric_with_and_without(
    metric: str, truth: Floats, answers: ArrayLike, codes: Ints, n_clusters: int
) -> tuple[float, Floats]:
    """Return accuracy or macro F1 on all rows and without each cluster."""
    said = as_complete(answers, name="answers")
    n_classes = int(max(truth.max(initial=0.0), said.max(initial=0.0))) + 1
    tables = confusion_by(truth, said, codes, n_classes=n_classes, n_groups=n_clusters)
    return of_sums(_OF_CLASSES[metric], tables.reshape(n_clusters, n_classes**2).astype(np.float64))
