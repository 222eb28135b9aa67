"""Why did the loss change: did other inputs come, or do the same inputs have other outcomes?

Both sides are weighted to the inputs that they share, so that their losses there can be compared (DISDE).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from threadpoolctl import threadpool_limits

from mlops_dash.stats.arrays import Floats

MIN_ROWS, MOST_ROWS = 1_000, 5_000  # a side
LEAST_OVERLAP, THIN_OVERLAP = 0.30, 0.50
LEAST_EFFECTIVE: Final = 200
MOST_IMBALANCE: Final = 0.10  # standard deviations of an input between the two weighted sides
SEEDS: Final = (1, 2, 3)
DRAWS: Final = 300
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


def loss_split(then: Floats, then_loss: Floats, now: Floats, now_loss: Floats, *, level: float = 0.95) -> LossSplit:
    """Split the change of the mean loss between two sets of labelled rows.

    Cai, Namkoong & Yadlowsky (arXiv 2303.02011): P(now | inputs) is fitted on other folds and cut to .01 and .99; rows
    of then are weighted by it, rows of now by its complement, and both then describe the shared inputs. The split is
    the median of three seeds; its intervals resample rows with these weights fixed.

    Args:
        then: Shape (n, columns); a missing value is NaN, a level its number.
        then_loss: Loss of each of them.
        now: Shape (m, columns).
        now_loss: Loss of each of them.
        level: Coverage of the intervals.
    """
    n = min(len(then), len(now), MOST_ROWS)
    change = float(now_loss.mean() - then_loss.mean()) if n else math.nan
    if n < MIN_ROWS:
        return _refused(change, n, math.nan, f"{n:,} labelled rows on one side, {MIN_ROWS:,} are needed")
    made = [_once(then, then_loss, now, now_loss, n, seed, level) for seed in SEEDS]
    refused = next((one for one in made if one.reason), None)
    if refused is not None:
        return refused
    middle = sorted(made, key=lambda one: one.relation[0])[len(made) // 2]
    terms = [[getattr(one, name) for one in made] for name in ("harder", "relation", "new")]
    sure = [all(low > 0 for _, low, _ in of) or all(high < 0 for _, _, high in of) for of in terms]
    return LossSplit(middle.change, middle.harder, middle.relation, middle.new, middle.overlap, n,
                     (sure[0], sure[1], sure[2]))  # fmt: skip


def _once(
    then: Floats, then_loss: Floats, now: Floats, now_loss: Floats, n: int, seed: int, level: float
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
    value = _terms(before, after, of_then, of_now)
    drawn = np.array([
        _terms(before[i], after[j], of_then[i], of_now[j])
        for i, j in ((rng.integers(0, n, n), rng.integers(0, n, n)) for _ in range(DRAWS))
    ])  # fmt: skip
    low, high = np.quantile(drawn, [(1.0 - level) / 2, (1.0 + level) / 2], axis=0)
    found = [(float(value[at]), float(low[at]), float(high[at])) for at in range(3)]
    return LossSplit(change, found[0], found[1], found[2], overlap, n, (False, False, False))


def _terms(before: Floats, after: Floats, of_then: Floats, of_now: Floats) -> Floats:
    shared_then, shared_now = np.average(before, weights=of_then), np.average(after, weights=of_now)
    return np.array([shared_then - before.mean(), shared_now - shared_then, after.mean() - shared_now])


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
