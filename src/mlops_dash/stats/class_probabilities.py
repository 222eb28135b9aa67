"""How good are probabilities of several classes: their log-loss, and how well each class is ranked against the rest.

Rows and clusters in, a number and its value without each cluster out; intervals are made in `estimates` and
`comparison`.
"""

import math
from collections.abc import Callable
from typing import Final

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_codes, as_complete, check_same_length, sums_by
from mlops_dash.stats.estimates import MetricEstimate, jackknifed_estimate
from mlops_dash.stats.intervals import Scale, of_sums, ratio
from mlops_dash.stats.losses import LOG_LOSS_CLIP
from mlops_dash.stats.ranking import auc_of_rows, auc_without_each_cluster

SUM_TOLERANCE: Final = 1e-3  # probabilities written with three decimals do not sum to 1 exactly
WithAndWithout = tuple[float, Floats]


def as_probabilities(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Ints, Floats]:
    """Check rows of probabilities.

    Args:
        labels: Number of the true class, one a row, complete.
        probabilities: float[n, k], one a class, each in [0, 1]; a row sums to 1 within `SUM_TOLERANCE`.

    Returns:
        The labels as int64[n], and each row divided by its sum.

    Raises:
        InvalidInput: the shape, a value, a sum or a label is not as it must be.

    >>> as_probabilities([1], [[.25, .75]])[1].tolist()
    [[0.25, 0.75]]
    """
    truth, p = as_complete(labels, name="labels"), np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or p.shape[1] < 2 or p.shape[0] != truth.size:
        raise InvalidInput(
            f"{truth.size} labels cannot have probabilities of shape {p.shape}.", hint="One column a class."
        )
    if not np.all((p >= 0.0) & (p <= 1.0)):
        raise InvalidInput("A probability is not a number from 0 to 1.", hint="Leave its row out, or mend it.")
    sums = p.sum(axis=1, keepdims=True)
    if np.any(np.abs(sums - 1.0) > SUM_TOLERANCE):
        raise InvalidInput("The probabilities of a row do not sum to 1.", hint="Name the columns of all classes.")
    if not np.all((truth >= 0) & (truth < p.shape[1]) & (truth == np.floor(truth))):
        raise InvalidInput(f"A label is no number of one of {p.shape[1]} classes.")
    return truth.astype(np.int64), p / sums


def log_loss(labels: Ints, p: Floats, codes: Ints, n_clusters: int, *, clip: float = LOG_LOSS_CLIP) -> WithAndWithout:
    """Return the mean of -ln P(true class), at most `clip` a row, of all rows and without each cluster.

    >>> loss, _ = log_loss(np.array([0, 1]), np.array([[.5, .5], [.5, .5]]), np.array([0, 1]), 2)
    >>> round(loss, 4)
    0.6931
    """
    said = p[np.arange(labels.size), labels]
    loss = np.minimum(-np.log(np.maximum(said, math.exp(-clip))), clip)
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in (loss, np.ones(labels.size))])
    return of_sums(lambda s: ratio(s[..., 0], s[..., 1]), sums)


def auc_ovr(labels: Ints, p: Floats, codes: Ints, n_clusters: int) -> WithAndWithout:
    """Return the mean ROC AUC of each class against the rest, weighted by its share, and that without each cluster.

    A class that never occurs, or alone occurs, has no AUC and no weight; NaN where none is left.

    References:
        - F. Provost & P. Domingos, "Well-trained PETs" (2001): the weighted mean of one-against-the-rest AUCs.

    >>> labels, p = np.array([0, 1, 2]), np.array([[.8, .1, .1], [.2, .7, .1], [.3, .3, .4]])
    >>> auc_ovr(labels, p, np.arange(3), 3)[0]
    1.0
    """
    k = p.shape[1]
    values, weights = np.full(k, np.nan), np.zeros(k)
    without, weights_without = np.full((n_clusters, k), np.nan), np.zeros((n_clusters, k))
    for number in range(k):
        positive = labels == number
        share = sums_by(positive.astype(np.float64), codes, n_clusters)
        weights[number], weights_without[:, number] = share.sum(), share.sum() - share
        if 0 < weights[number] < labels.size:
            values[number] = auc_of_rows(positive, p[:, number])
            without[:, number] = auc_without_each_cluster(positive, p[:, number], codes, n_clusters=n_clusters)
    return float(_weighted(values, weights)), _weighted(without, weights_without)


OF_PROBABILITIES: Final[dict[str, Callable[[Ints, Floats, Ints, int], WithAndWithout]]] = {
    "log_loss": log_loss, "auc_ovr": auc_ovr,
}  # fmt: skip
_SCALES: Final[dict[str, Scale]] = {"log_loss": "plain", "auc_ovr": "logit"}


def probability_metrics(
    labels: ArrayLike, probabilities: ArrayLike, clusters: ArrayLike, *, level: float
) -> dict[str, MetricEstimate]:
    """Estimate log-loss and one-against-the-rest AUC with a delete-one-cluster jackknife.

    Args:
        labels: Number of the true class, one a row.
        probabilities: float[n, k], as `as_probabilities` takes them.
        clusters: Cluster (day) of each row.
        level: Coverage, e.g. 0.95.

    Raises:
        InvalidInput: rows are not as they must be.

    >>> p = np.tile([[.8, .1, .1], [.2, .7, .1], [.3, .3, .4]], (10, 1))
    >>> found = probability_metrics([0, 1, 2] * 10, p, np.repeat(np.arange(10), 3), level=.95)
    >>> round(found["log_loss"].value, 4), found["auc_ovr"].value, found["auc_ovr"].n_clusters
    (0.4987, 1.0, 10)
    """
    truth, p = as_probabilities(labels, probabilities)
    codes, n_clusters = as_codes(clusters)
    check_same_length(labels=truth, clusters=codes)
    found = {}
    for name, measure in OF_PROBABILITIES.items():
        value, without = measure(truth, p, codes, n_clusters)
        found[name] = jackknifed_estimate(
            value, without, n=truth.size, level=level, scale=_SCALES[name], unit="clusters"
        )
    return found


def _weighted(values: Floats, weights: Floats) -> Floats:
    known = np.isfinite(values)
    return ratio(np.where(known, values * weights, 0.0).sum(axis=-1), np.where(known, weights, 0.0).sum(axis=-1))
