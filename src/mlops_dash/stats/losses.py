"""What does one scored row cost? Row losses, and the loss that does not follow the base rate.

Clipping is part of the definition of a loss, so it is an argument and shown on the page.
"""

import math

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import (
    ArrayLike,
    Bools,
    Floats,
    as_complete,
    as_labels,
    check_between,
    check_same_length,
)

LOG_LOSS_CLIP = -math.log(0.01)


def as_scored(y: ArrayLike, p: ArrayLike) -> tuple[Bools, Floats]:
    """Return labels and probabilities as arrays of one length.

    Raises:
        InvalidInput: If a label is not 0 or 1, a probability is missing or outside [0, 1], or lengths differ.

    >>> as_scored([0, 1], [.25, .5])
    (array([False,  True]), array([0.25, 0.5 ]))
    """
    labels, probability = as_labels(y), as_complete(p, name="probabilities")
    check_same_length(labels=labels, probabilities=probability)
    wrong = int(np.count_nonzero((probability < 0) | (probability > 1)))
    if wrong:
        raise InvalidInput(
            f"{wrong} of {probability.size} probabilities lie outside 0 to 1.",
            hint="Check which output column of the model is the probability of the positive class.",
        )
    return labels, probability


def as_ranked(y: ArrayLike, score: ArrayLike) -> tuple[Bools, Floats]:
    """Return labels and scores of any range as arrays of one length.

    Raises:
        InvalidInput: If a label is not 0 or 1, a score is missing or infinite, or lengths differ.

    >>> as_ranked([0, 1], [-3, 7])[1]
    array([-3.,  7.])
    """
    labels, scores = as_labels(y), as_complete(score, name="scores")
    check_same_length(labels=labels, scores=scores)
    return labels, scores


def log_losses(y: Bools, p: Floats, *, clip: float = LOG_LOSS_CLIP) -> Floats:
    """Return -ln P(label) of each row, at most `clip` (default -ln .01 = 4.6).

    >>> log_losses(np.array([True, False]), np.array([1., 1.])).round(3)
    array([0.   , 4.605])
    """
    of_label = np.where(y, p, 1.0 - p)
    return np.asarray(-np.log(np.maximum(of_label, math.exp(-clip))) + 0.0, dtype=np.float64)


def squared_errors(y: Bools, p: Floats) -> Floats:
    """Return (p - y)^2 of each row, whose mean is the Brier score.

    >>> squared_errors(np.array([True, False]), np.array([1., .5]))
    array([0.  , 0.25])
    """
    return (p - y) ** 2


def base_rate_free_loss(y: ArrayLike, p: ArrayLike, prior: float, clip: float = LOG_LOSS_CLIP) -> float:
    """Return prior * mean(loss | y=1) + (1 - prior) * mean(loss | y=0), the loss at a fixed base rate.

    Args:
        y: Labels 0/1, one a row.
        p: Probability of label 1, one a row.
        prior: Share of label 1 in the reference.
        clip: Largest log-loss of a row.

    Returns:
        The loss in nats, 0 to clip; NaN when a class is empty.

    >>> round(base_rate_free_loss([1, 0, 0, 0], [.5, .5, .5, .5], prior=.2), 4)
    0.6931
    >>> base_rate_free_loss([1, 1], [.5, .5], prior=.2)
    nan
    """
    check_between(prior, 0.0, 1.0, name="prior")
    labels, probability = as_scored(y, p)
    if not 0 < np.count_nonzero(labels) < labels.size:
        return math.nan
    loss = log_losses(labels, probability, clip=clip)
    return float(prior * loss[labels].mean() + (1.0 - prior) * loss[~labels].mean())
