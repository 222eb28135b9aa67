"""Why did the loss change: did other inputs come, or do the same inputs have other outcomes?

Both sides are weighted to the inputs that they share, so that their losses there can be compared (DISDE).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.intervals import t_quantile

MIN_ROWS, MOST_ROWS = 1_000, 5_000  # a side
LEAST_OVERLAP, THIN_OVERLAP = 0.30, 0.50
LEAST_EFFECTIVE: Final = 200
MOST_IMBALANCE: Final = 0.10  # standard deviations of an input between the two weighted sides
SEEDS: Final = (1, 2, 3)
MIN_DAYS: Final = 5  # a side: fewer do not say how far days differ by themselves
_FOLDS: Final = 5
_CLIP: Final = 0.01
Term = tuple[float, float, float]  # value, low, high


@dataclass(frozen=True, slots=True)
class LossSplit:
    """A change of the mean loss in three parts that add up to it exactly; numbers are NaN where it is refused.

    Attributes:
        change: Mean loss now minus then.
        harder: Inputs moved toward cases that were harder already.
        relation: The same inputs have other outcomes; this includes every input that the model was not given.
        new: Inputs that were new or rare then.
        overlap: How much the inputs of both sides have in common, 0 to 1.
        n: Rows a side.
        sure: Which of harder, relation and new differ from 0: by their whole interval, for each of three seeds.
        reason: Why it is refused; "" when it is not.
    """

    change: float
    harder: Term
    relation: Term
    new: Term
    overlap: float
    n: int
    sure: tuple[bool, bool, bool]
    reason: str = ""


def loss_split(
    then: Floats, then_loss: Floats, now: Floats, now_loss: Floats, *, days: tuple[Ints, Ints], level: float = 0.95
) -> LossSplit:  # fmt: skip
    """Split the change of the mean loss between two sets of labelled rows.

    Cai, Namkoong & Yadlowsky (arXiv 2303.02011): P(now | inputs) is fitted on other folds and cut to .01 and .99; rows
    of then are weighted by it, rows of now by its complement, and both then describe the shared inputs. The split is
    the median of three seeds; its intervals leave out one day after another (jackknife, Student's t with the days of
    the shorter side), as rows of one day are alike, and take the weights as known.

    Args:
        then: Shape (n, columns); a missing value is NaN, a level its number.
        then_loss: Loss of each of them.
        now: Shape (m, columns).
        now_loss: Loss of each of them.
        days: Day of each row of then and of now, any integers.
        level: Coverage of the intervals.
    """
    n = min(len(then), len(now), MOST_ROWS)
    change = float(now_loss.mean() - then_loss.mean()) if n else math.nan
    if n < MIN_ROWS:
        return _refused(change, n, math.nan, f"{n:,} labelled rows on one side, {MIN_ROWS:,} are needed")
    fewest = min(np.unique(of).size for of in days)
    if fewest < MIN_DAYS:
        return _refused(change, n, math.nan, f"labelled rows of {fewest} days on one side, {MIN_DAYS} days are needed")
    made = [_once(then, then_loss, now, now_loss, n, days, seed, level) for seed in SEEDS]
    refused = next((one for one in made if one.reason), None)
    if refused is not None:
        return refused
    middle = sorted(made, key=lambda one: one.relation[0])[len(made) // 2]
    terms = [[getattr(one, name) for one in made] for name in ("harder", "relation", "new")]
    sure = [all(low > 0 for _, low, _ in of) or all(high < 0 for _, _, high in of) for of in terms]
    return LossSplit(middle.change, middle.harder, middle.relation, middle.new, middle.overlap, n,
                     (sure[0], sure[1], sure[2]))  # fmt: skip


def _once(
    then: Floats, then_loss: Floats, now: Floats, now_loss: Floats, n: int, days: tuple[Ints, Ints], seed: int,
    level: float,
) -> LossSplit:  # fmt: skip
    rng = np.random.default_rng(seed)
    a, b = (rng.choice(len(side), n, replace=False) for side in (then, now))
    x, side = np.vstack([then[a], now[b]]), np.r_[np.zeros(n), np.ones(n)]
    pi = np.clip(_cross_fitted(x, side, seed), _CLIP, 1.0 - _CLIP)
    of_then, of_now = pi[:n], 1.0 - pi[n:]
    before, after = then_loss[a], now_loss[b]
    overlap = float(of_then.mean() + of_now.mean())
    change = float(after.mean() - before.mean())
    why = _why_not(x[:n], x[n:], of_then, of_now, overlap)
    if why:
        return _refused(change, n, overlap, why)
    sums = [_by_day(before, of_then, days[0][a]), _by_day(after, of_now, days[1][b])]
    whole = [one.sum(axis=0) for one in sums]
    value = _terms(whole[0], whole[1])
    left_out = [_terms(whole[0] - sums[0], whole[1]), _terms(whole[0], whole[1] - sums[1])]
    spread = np.sqrt(sum((len(one) - 1) * one.var(axis=0) for one in left_out))
    half = t_quantile(level, min(len(one) for one in sums) - 1) * spread
    found = [(float(value[at]), float(value[at] - half[at]), float(value[at] + half[at])) for at in range(3)]
    return LossSplit(change, found[0], found[1], found[2], overlap, n, (False, False, False))


def _by_day(loss: Floats, weights: Floats, days: Ints) -> Floats:
    """Rows, their loss, their weight, and their weighted loss, summed by day: shape (days, 4)."""
    _, of_row = np.unique(days, return_inverse=True)
    return np.column_stack([np.bincount(of_row, of) for of in (np.ones(loss.size), loss, weights, weights * loss)])


def _terms(then: Floats, now: Floats) -> Floats:
    """The three parts, from sums as `_by_day` has them, whole or each with a day left out."""
    (mean_then, shared_then), (mean_now, shared_now) = (
        (one[..., 1] / one[..., 0], one[..., 3] / one[..., 2]) for one in (then, now)
    )
    parts = np.broadcast_arrays(shared_then - mean_then, shared_now - shared_then, mean_now - shared_now)
    return np.stack(parts, axis=-1)


def _cross_fitted(x: Floats, side: Floats, seed: int) -> Floats:
    """P(now | inputs) of each row, by trees that did not see it, float[rows]."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold

    pi = np.empty(side.size)
    for fit, judge in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(x, side):
        trees = HistGradientBoostingClassifier(
            max_iter=40, max_leaf_nodes=15, min_samples_leaf=40, l2_regularization=1.0, early_stopping=False,
            random_state=seed,
        )  # fmt: skip
        with threadpool_limits(1):
            pi[judge] = trees.fit(x[fit], side[fit]).predict_proba(x[judge])[:, 1]
    return pi


def _why_not(then: Floats, now: Floats, of_then: Floats, of_now: Floats, overlap: float) -> str:
    if overlap < LEAST_OVERLAP:
        return f"the inputs have too little in common: overlap {overlap:.2f}, {LEAST_OVERLAP:.2f} is needed"
    least = min(float(w.sum() ** 2 / (w**2).sum()) for w in (of_then, of_now))
    if least < LEAST_EFFECTIVE:
        return f"too few rows carry the comparison: {least:.0f}, {LEAST_EFFECTIVE} are needed"
    for column in range(then.shape[1]):
        whole = np.r_[then[:, column], now[:, column]]
        spread = float(np.nanstd(whole)) if np.isfinite(whole).any() else 0.0
        if spread <= 0:
            continue
        means = []
        for values, weights in ((then[:, column], of_then), (now[:, column], of_now)):
            known = np.isfinite(values)
            means.append(np.average(values[known], weights=weights[known]) if known.any() else math.nan)
        if abs(means[0] - means[1]) > MOST_IMBALANCE * spread:
            return f"weighting does not make input {column + 1} alike on both sides"
    return ""


def _refused(change: float, n: int, overlap: float, why: str) -> LossSplit:
    none = (math.nan, math.nan, math.nan)
    return LossSplit(change, none, none, none, overlap, n, (False, False, False), why)
