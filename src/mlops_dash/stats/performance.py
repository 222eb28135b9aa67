"""How good were the predictions, and how sure is that?

Every answer is a `MetricEstimate` with an interval over clusters (days), or over rows taken as independent when no
clusters are given. A metric that could not be computed is NaN with a reason, never 0.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from mlops_dash.stats.arrays import (
    ArrayLike,
    Floats,
    Ints,
    as_codes,
    as_complete,
    check_between,
    check_same_length,
    sums_by,
)
from mlops_dash.stats.estimates import (
    INDEPENDENT,
    MetricEstimate,
    cluster_estimate,
    jackknife_method,
    jackknifed_estimate,
    proportion,
)
from mlops_dash.stats.intervals import (
    Scale,
    Statistic,
    normal_quantile,
    ratio,
)
from mlops_dash.stats.losses import LOG_LOSS_CLIP, as_ranked, as_scored, base_rate_free_loss, log_losses, squared_errors
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.ranking import (
    auc_of_rows,
    auc_of_table,
    auc_without_each_cluster,
    delong_variance_of_rows,
)

__all__ = [
    "CALIBRATION_CELLS",
    "MIN_CLASS_ROWS",
    "MetricEstimate",
    "auc_estimate",
    "auc_from_tables",
    "base_rate_free_estimate",
    "base_rate_free_from_moments",
    "base_rate_free_loss",
    "calibration_error",
    "classification_metrics",
    "cluster_estimate",
    "proportion",
    "regression_metrics",
]

MIN_CLASS_ROWS = 20
CALIBRATION_CELLS = 20


def classification_metrics(
    y: ArrayLike,
    p: ArrayLike,
    *,
    threshold: float,
    level: float,
    clusters: ArrayLike | None = None,
    clip: float = LOG_LOSS_CLIP,
) -> dict[str, MetricEstimate]:
    """Estimate all classification metrics of one window.

    Args:
        y: Labels 0/1, one a row.
        p: Probability of label 1, one a row.
        threshold: Rows with p >= threshold are predicted 1.
        level: Coverage, e.g. 0.95.
        clusters: Cluster (day) of each row; None takes rows as independent.
        clip: Largest log-loss of a row.

    Returns:
        accuracy, balanced_accuracy, precision, recall, f1, auc, log_loss, brier, calibration_error.

    Raises:
        InvalidInput: If a label is not 0 or 1, a probability is missing or outside [0, 1], or lengths differ.

    >>> found = classification_metrics([0, 0, 1, 1], [.1, .6, .4, .8], threshold=.5, level=.95)
    >>> found["accuracy"].value, found["auc"].value, found["auc"].reason
    (0.5, 0.75, 'not enough of each class: 2 positives, 2 negatives, at least 20 needed')
    """
    labels, probability = as_scored(y, p)
    codes, n_clusters = _codes(clusters, labels.size)
    predicted = probability >= threshold
    columns = [
        labels & predicted,
        ~labels & predicted,
        labels & ~predicted,
        ~labels & ~predicted,
        log_losses(labels, probability, clip=clip),
        squared_errors(labels, probability),
    ]
    sums = _sums(columns, codes, n_clusters)
    found = {
        name: cluster_estimate(sums, statistic, n=labels.size, level=level, scale=scale, unit=_unit(clusters))
        for name, (statistic, scale) in _FROM_SUMS.items()
    }
    if clusters is None:
        total = sums.sum(axis=0)
        for name, (hits, of) in _SHARES.items():
            found[name] = proportion(int(total[hits].sum()), int(total[of].sum()), level=level)
    found["auc"] = auc_estimate(y, p, level=level, clusters=clusters)
    found["calibration_error"] = calibration_error(y, p, level=level, clusters=clusters)
    return found


def auc_estimate(
    y: ArrayLike,
    score: ArrayLike,
    *,
    level: float,
    clusters: ArrayLike | None = None,
    min_class_rows: int = MIN_CLASS_ROWS,
) -> MetricEstimate:
    """Estimate the ROC AUC: DeLong on the logit scale for independent rows, else a jackknife over clusters.

    References:
        - DeLong, DeLong & Clarke-Pearson, Biometrics 44 (1988).
        - M. Pepe, "The statistical evaluation of medical tests" (2003), section 5.2.5 (logit interval).

    >>> found = auc_estimate([0, 1] * 20, np.r_[np.arange(38), [38, 37]], level=.95)
    >>> round(found.value, 4), round(found.low, 3), round(found.high, 3)
    (0.5225, 0.344, 0.695)
    """
    labels, scores = as_ranked(y, score)
    codes, n_clusters = _codes(clusters, labels.size)
    method = "DeLong on the logit scale, " + INDEPENDENT if clusters is None else jackknife_method("clusters", "logit")
    value = auc_of_rows(labels, scores)
    reason = _class_reason(int(labels.sum()), int((~labels).sum()), min_class_rows)
    if reason:
        return MetricEstimate(value, math.nan, math.nan, labels.size, n_clusters, method, reason)
    if clusters is None:
        low, high = _delong_interval(value, delong_variance_of_rows(labels, scores), level=level)
        reason = "" if math.isfinite(low) else "no interval: every positive ranks on the same side"
        return MetricEstimate(value, low, high, labels.size, n_clusters, method, reason)
    without = auc_without_each_cluster(labels, scores, codes, n_clusters=n_clusters)
    return jackknifed_estimate(value, without, n=labels.size, level=level, scale="logit", unit="clusters")


def auc_from_tables(
    tables: Ints, *, level: float, min_class_rows: int = MIN_CLASS_ROWS, unit: str = "clusters"
) -> MetricEstimate:
    """Estimate the ROC AUC from one score table a cluster, int64[G, cells, 2], with a jackknife over clusters.

    Clusters without rows are left out.

    >>> day = np.array([[30, 10], [10, 30]])
    >>> auc_from_tables(np.stack([day] * 10), level=.95).value
    0.75
    """
    kept = tables[tables.sum(axis=(1, 2)) > 0]
    total = kept.sum(axis=0)
    n, n_clusters = int(total.sum()), int(kept.shape[0])
    value = float(auc_of_table(total))
    reason = _class_reason(int(total[:, 1].sum()), int(total[:, 0].sum()), min_class_rows)
    if reason:
        return MetricEstimate(value, math.nan, math.nan, n, n_clusters, jackknife_method(unit, "logit"), reason)
    return jackknifed_estimate(value, auc_of_table(total - kept), n=n, level=level, scale="logit", unit=unit)


def calibration_error(
    y: ArrayLike, p: ArrayLike, *, level: float, clusters: ArrayLike | None = None, cells: int = CALIBRATION_CELLS
) -> MetricEstimate:
    """Estimate the mean |predicted - observed share| over equal-mass cells of the probability.

    Noise alone makes it positive: with n rows in `cells` cells it is about sqrt(cells / n) / 3 for a perfect model.

    >>> calibration_error([0, 1, 0, 1], [.5, .5, .5, .5], level=.95, clusters=[1, 2, 3, 4]).value
    0.0
    """
    labels, probability = as_scored(y, p)
    codes, n_clusters = _codes(clusters, labels.size)
    if labels.size == 0:
        return MetricEstimate(math.nan, math.nan, math.nan, 0, 0, "", "not computable: no rows")
    cuts = np.unique(np.quantile(probability, np.arange(1, cells) / cells, method="inverted_cdf"))
    cell = np.searchsorted(cuts, probability, side="left")
    k = cuts.size + 1
    gaps = sums_by(probability - labels, codes * k + cell, n_clusters * k)
    total = gaps.reshape(n_clusters, k).sum(axis=0)
    rows = np.bincount(codes, minlength=n_clusters)
    value = float(np.abs(total).sum() / labels.size)
    remaining = (labels.size - rows).astype(np.float64)
    without = ratio(np.abs(total - gaps.reshape(n_clusters, k)).sum(axis=1), remaining)
    found = jackknifed_estimate(value, without, n=labels.size, level=level, scale="plain", unit=_unit(clusters))
    return replace(found, low=float(np.maximum(found.low, 0.0)))


def base_rate_free_estimate(
    y: ArrayLike,
    p: ArrayLike,
    *,
    prior: float,
    level: float,
    clusters: ArrayLike | None = None,
    clip: float = LOG_LOSS_CLIP,
) -> MetricEstimate:
    """Estimate prior * mean(loss | y=1) + (1 - prior) * mean(loss | y=0) of the clipped log-loss.

    >>> y, p, day = [0, 1] * 10, [.2, .6] * 10, np.repeat(np.arange(10), 2)
    >>> round(base_rate_free_estimate(y, p, prior=.5, level=.95, clusters=day).value, 4)
    0.367
    """
    check_between(prior, 0.0, 1.0, name="prior")
    labels, probability = as_scored(y, p)
    codes, n_clusters = _codes(clusters, labels.size)
    loss = log_losses(labels, probability, clip=clip)
    sums = _sums([labels * loss, labels, ~labels * loss, ~labels], codes, n_clusters)
    return cluster_estimate(sums, _base_rate_free(prior), n=labels.size, level=level, unit=_unit(clusters))


def base_rate_free_from_moments(
    positive: Sequence[Moments], negative: Sequence[Moments], *, prior: float, level: float, unit: str = "days"
) -> MetricEstimate:
    """Estimate the base-rate-free loss from the moments of each day's losses by class; gives what the rows give.

    Args:
        positive: Moments of the loss of label-1 rows, one a day.
        negative: Moments of the loss of label-0 rows, the same days.
        prior: Share of label 1 in the reference.
        level: Coverage, e.g. 0.95.
        unit: What a part is, for the method text.

    >>> ones, zeros = [Moments.of([.4, .6])] * 10, [Moments.of([.1])] * 10
    >>> round(base_rate_free_from_moments(ones, zeros, prior=.2, level=.95).value, 4)
    0.18
    """
    check_between(prior, 0.0, 1.0, name="prior")
    rows = [(one.sum, one.n, zero.sum, zero.n) for one, zero in zip(positive, negative, strict=True)]
    sums = np.asarray(rows, dtype=np.float64).reshape(-1, 4)
    n = int(sums[:, 1].sum() + sums[:, 3].sum())
    return cluster_estimate(sums, _base_rate_free(prior), n=n, level=level, unit=unit)


def regression_metrics(
    y: ArrayLike, prediction: ArrayLike, *, level: float, clusters: ArrayLike | None = None
) -> dict[str, MetricEstimate]:
    """Estimate mae, rmse and bias (mean of prediction - y), in the unit of y.

    Raises:
        InvalidInput: If a value is missing or infinite, or lengths differ.

    >>> found = regression_metrics([1, 2, 3, 4, 5], [1, 2, 3, 4, 10], level=.95)
    >>> found["mae"].value, round(found["rmse"].value, 3), found["bias"].value
    (1.0, 2.236, 1.0)
    """
    truth, predicted = as_complete(y, name="labels"), as_complete(prediction, name="predictions")
    check_same_length(labels=truth, predictions=predicted)
    codes, n_clusters = _codes(clusters, truth.size)
    error = predicted - truth
    sums = _sums([np.ones(truth.size), np.abs(error), error**2, error], codes, n_clusters)
    statistics: dict[str, Statistic] = {
        "mae": lambda s: ratio(s[..., 1], s[..., 0]),
        "rmse": lambda s: np.sqrt(np.maximum(ratio(s[..., 2], s[..., 0]), 0.0)),
        "bias": lambda s: ratio(s[..., 3], s[..., 0]),
    }
    return {
        name: cluster_estimate(sums, statistic, n=truth.size, level=level, unit=_unit(clusters))
        for name, statistic in statistics.items()
    }


_TP, _FP, _FN, _TN, _LOSS, _BRIER = range(6)


def _rows(sums: Floats) -> Floats:
    return np.asarray(sums[..., : _TN + 1].sum(axis=-1), dtype=np.float64)


def _balanced_accuracy(sums: Floats) -> Floats:
    of_positives = ratio(sums[..., _TP], sums[..., _TP] + sums[..., _FN])
    of_negatives = ratio(sums[..., _TN], sums[..., _TN] + sums[..., _FP])
    return (of_positives + of_negatives) / 2.0


_FROM_SUMS: Final[dict[str, tuple[Statistic, Scale]]] = {
    "accuracy": (lambda s: ratio(s[..., _TP] + s[..., _TN], _rows(s)), "logit"),
    "balanced_accuracy": (_balanced_accuracy, "logit"),
    "precision": (lambda s: ratio(s[..., _TP], s[..., _TP] + s[..., _FP]), "logit"),
    "recall": (lambda s: ratio(s[..., _TP], s[..., _TP] + s[..., _FN]), "logit"),
    "f1": (lambda s: ratio(2.0 * s[..., _TP], 2.0 * s[..., _TP] + s[..., _FP] + s[..., _FN]), "logit"),
    "log_loss": (lambda s: ratio(s[..., _LOSS], _rows(s)), "plain"),
    "brier": (lambda s: ratio(s[..., _BRIER], _rows(s)), "plain"),
}
_SHARES: Final[dict[str, tuple[list[int], list[int]]]] = {
    "accuracy": ([_TP, _TN], [_TP, _FP, _FN, _TN]),
    "precision": ([_TP], [_TP, _FP]),
    "recall": ([_TP], [_TP, _FN]),
}


def _base_rate_free(prior: float) -> Statistic:
    def loss(sums: Floats) -> Floats:
        return prior * ratio(sums[..., 0], sums[..., 1]) + (1.0 - prior) * ratio(sums[..., 2], sums[..., 3])

    return loss


def _unit(clusters: ArrayLike | None) -> str:
    return "rows" if clusters is None else "clusters"


def _codes(clusters: ArrayLike | None, n: int) -> tuple[Ints, int]:
    if clusters is None:
        return np.arange(n, dtype=np.int64), n
    codes, n_clusters = as_codes(clusters)
    check_same_length(labels=np.empty(n), clusters=codes)
    return codes, n_clusters


def _sums(columns: Sequence[npt.NDArray[Any]], codes: Ints, n_clusters: int) -> Floats:
    return np.column_stack([sums_by(column, codes, n_clusters) for column in columns])


def _class_reason(positives: int, negatives: int, needed: int) -> str:
    if min(positives, negatives) >= needed:
        return ""
    return f"not enough of each class: {positives} positives, {negatives} negatives, at least {needed} needed"


def _delong_interval(value: float, variance: float, *, level: float) -> tuple[float, float]:
    if not 0.0 < value < 1.0:
        return math.nan, math.nan
    half = normal_quantile(level) * math.sqrt(variance) / (value * (1.0 - value))
    centre = float(logit(value))
    return float(expit(centre - half)), float(expit(centre + half))
