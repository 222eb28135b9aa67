"""How good are probabilities of several classes: their log-loss, and how well each class is ranked against the rest.

Rows and clusters in, a number and its value without each cluster out; intervals are made in `estimates` and
`comparison`. A day is reduced to the moments of its losses and to one table of cells x label a class, which add up.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_codes, as_complete, check_same_length, sums_by
from mlops_dash.stats.classes import LONGEST_UNIT
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate, jackknifed_estimate
from mlops_dash.stats.intervals import Scale, of_sums, ratio
from mlops_dash.stats.losses import LOG_LOSS_CLIP
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.ranking import auc_of_rows, auc_of_table, auc_without_each_cluster
from mlops_dash.stats.sequential import HarmUnit
from mlops_dash.stats.summaries import SCORE_CELLS, score_edges, score_tables_by

SUM_TOLERANCE: Final = 1e-3  # probabilities written with three decimals do not sum to 1 exactly
MOST_CELLS: Final = 2_000  # of all classes of a day together
_LOGITS: Final = 7.0  # cells without rows to cut them by: log-odds from -7 to 7
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
    loss = true_class_losses(labels, p, clip=clip)
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in (loss, np.ones(labels.size))])
    return of_sums(lambda s: ratio(s[..., 0], s[..., 1]), sums)


def true_class_losses(labels: Ints, p: Floats, *, clip: float) -> Floats:
    """Return -ln P(true class) of each row, at most `clip`.

    >>> true_class_losses(np.array([0, 1]), np.array([[.5, .5], [1., 0.]]), clip=7.0).round(4).tolist()
    [0.6931, 7.0]
    """
    said = p[np.arange(labels.size), labels]
    return np.asarray(np.minimum(-np.log(np.maximum(said, math.exp(-clip))), clip), dtype=np.float64)


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


def class_edges(p: Floats | None, n_classes: int) -> tuple[tuple[float, ...], ...]:
    """Return the inner cuts of the cells of each class's probability: equal mass of the reference's rows.

    Up to ten classes have 200 cells each, more share `MOST_CELLS`. Without rows the cuts are equal steps of log-odds.

    Args:
        p: float[n, k] of the reference, complete; None or no row where it tells no probabilities.
        n_classes: k.

    >>> len(class_edges(None, 3)[0]), len(class_edges(None, 50)[0])
    (199, 39)
    >>> class_edges(np.array([[.25, .75], [.5, .5]]), 2)
    ((0.25,), (0.5,))
    """
    cells = min(SCORE_CELLS, MOST_CELLS // n_classes)
    if p is None or not len(p):
        cuts = 1.0 / (1.0 + np.exp(-np.linspace(-_LOGITS, _LOGITS, cells - 1)))
        return (tuple(cuts.tolist()),) * n_classes
    return tuple(score_edges(p[:, number], cells=cells) for number in range(n_classes))


def class_tables_by(
    edges: Sequence[Sequence[float]], labels: Ints, p: Floats, groups: Ints, *, n_groups: int
) -> tuple[Ints, ...]:
    """Count rows of every group (a day) by cell of each class's probability and by whether the class is the true one.

    Args:
        edges: Of every class, from `class_edges`.
        labels: Number of the true class, int64[n].
        p: float[n, k], complete.
        groups: Group of each row, 0..n_groups-1.
        n_groups: How many groups, empty ones included.

    Returns:
        Of every class int64[n_groups, cells, 2], columns (another class, this class).
    """
    return tuple(
        score_tables_by(tuple(cuts), labels == number, p[:, number], groups, n_groups=n_groups)
        for number, cuts in enumerate(edges)
    )


def auc_ovr_of_tables(tables: Sequence[Ints], *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate what `auc_ovr` does from tables, rows of one cell as ties; clusters without rows are left out.

    Args:
        tables: Of every class int64[clusters, cells, 2], from `class_tables_by`.
        level: Coverage, e.g. 0.95.
        unit: What a cluster is, for the method text.

    >>> day = [np.array([[[3, 0], [0, 2]]])] * 2
    >>> auc_ovr_of_tables([np.repeat(one, 8, axis=0) for one in day], level=.95).value
    1.0
    """
    held = tables[0].sum(axis=(1, 2)) > 0
    values, weights, without, weights_without = [], [], [], []
    for table in tables:
        kept = table[held]
        total, true = kept.sum(axis=0), kept[:, :, 1].sum(axis=1)
        values.append(auc_of_table(total))
        weights.append(float(true.sum()))
        without.append(auc_of_table(total - kept))
        weights_without.append(true.sum() - true)
    value = float(_weighted(np.array(values, dtype=np.float64), np.array(weights)))
    left_out = _weighted(np.column_stack(without), np.column_stack(weights_without).astype(np.float64))
    n = int(tables[0].sum())
    return jackknifed_estimate(value, left_out, n=n, level=level, scale=_SCALES["auc_ovr"], unit=unit)


def log_loss_of_moments(days: Sequence[Moments], *, level: float, unit: str = "days") -> MetricEstimate:
    """Estimate the mean of the losses of some days, each a cluster.

    >>> log_loss_of_moments([Moments.of([.2, .4])] * 10, level=.95).n
    20
    """
    sums = np.array([[day.sum, day.n] for day in days], dtype=np.float64).reshape(-1, 2)
    n = int(sums[:, 1].sum())
    return cluster_estimate(sums, lambda s: ratio(s[..., 0], s[..., 1]), n=n, level=level, unit=unit)


def class_loss_units(
    days: Sequence[Sequence[Moments]], *, shares: Sequence[float], usual: Sequence[float | None], min_labels: int,
    longest: int = LONGEST_UNIT,
) -> tuple[HarmUnit, ...]:  # fmt: skip
    """Merge days into units of the log-loss at the reference's shares: sum of share * mean loss over the classes.

    As `class_units` does with recall: a shift of the labels alone does not move it, a class that a unit lacks counts
    with its loss in the reference, n is the smallest n_k / share_k of the classes seen, and variance = sum of
    share_k v_k. A class whose rows in the reference tell no probabilities has no weight. With two classes it is the
    base-rate-free log-loss.

    Args:
        days: Of every day the moments of the losses of the rows of each true class.
        shares: Share of each class in the reference; a class without any is not watched.
        usual: Mean loss of each class in the reference; None where it is not known.
        min_labels: Rows a unit needs, of every class its share of them (rounded down).
        longest: Days after which a unit is complete without its rare classes.

    Raises:
        InvalidInput: shares, losses and days are not of the same classes.

    >>> day = [Moments.of([.1, .3, .2]), Moments.of([.5, .7])]
    >>> unit, = class_loss_units([day], shares=[.75, .25], usual=[.2, .6], min_labels=4)
    >>> round(unit.mean, 4), unit.n
    (0.3, 4.0)
    """
    prior = np.asarray([0.0 if loss is None else share for share, loss in zip(shares, usual, strict=False)])
    if not len(shares) == len(usual) or any(len(day) != len(shares) for day in days):
        raise InvalidInput(
            f"{len(shares)} shares, {len(usual)} losses and days of {sorted({len(day) for day in days})} classes.",
            hint="Count days with the classes of one reference.",
        )
    prior = prior / max(prior.sum(), 1e-12)
    known = np.asarray([0.0 if loss is None else loss for loss in usual])
    needed = np.floor(prior * min_labels)
    units, first, held = [], 0, [Moments.empty()] * len(shares)
    for number, day in enumerate(days):
        held = [of + more for of, more in zip(held, day, strict=True)]
        of_class = np.asarray([of.n for of in held])
        seen = (of_class > 0) & (prior > 0)
        enough = int(of_class.sum()) >= max(1, min_labels) and bool(seen.any())
        if enough and (bool((of_class >= needed).all()) or number - first + 1 >= longest):
            mean = np.where(seen, [of.mean for of in held], known)
            n = float((of_class[seen] / prior[seen]).min())
            spread = np.asarray([of.m2 / max(of.n, 1) for of in held])
            units.append(HarmUnit(first, number, float((prior * mean).sum()), n, float((prior * spread * seen).sum())))
            first, held = number + 1, [Moments.empty()] * len(shares)
    return tuple(units)


def _weighted(values: Floats, weights: Floats) -> Floats:
    known = np.isfinite(values)
    return ratio(np.where(known, values * weights, 0.0).sum(axis=-1), np.where(known, weights, 0.0).sum(axis=-1))
