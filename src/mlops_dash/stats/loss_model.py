"""How large will the error of each answer be? A model of the loss, for answers whose labels have not come.

Direct loss estimation (DLE): trees learn the loss of a row from its inputs and its answer, on labelled rows. It rests
on the loss of such a row being the same now: it cannot see that the relation between inputs and outcome changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import norm
from threadpoolctl import threadpool_limits

from mlops_dash.stats.arrays import Floats, Ints

MIN_ROWS, MIN_DAYS = 500, 5
_FOLDS: Final = 5
_SEED: Final = 20_130_101


@dataclass(frozen=True)
class LossModel:
    """Fitted trees, and how far their means are off on days that they did not see.

    Attributes:
        trees: scikit-learn's regressor, of the loss; None with a reason.
        lean: Mean of loss minus prediction on rows not seen.
        between: Variance of that mean between days, beyond what rows explain.
        within: Variance of a row's loss around its prediction.
        error: Variance of `lean`.
        n: Labelled rows.
        reason: Why there is no model; "" when there is one.
    """

    trees: Any
    lean: float
    between: float
    within: float
    error: float
    n: int
    reason: str = ""

    def estimate(self, x: Floats, days: Ints, *, level: float = 0.95) -> tuple[float, float, float] | None:
        """Mean loss of rows with its interval; None without rows or model.

        Args:
            x: Shape (n, columns), as the model was fitted on.
            days: Day of each row.
            level: Coverage.
        """
        if not len(x) or self.reason:
            return None
        with threadpool_limits(1):
            value = float(self.trees.predict(x).mean()) + self.lean
        variance = self.between / np.unique(days).size + self.within / len(x) + self.error
        reach = float(norm.ppf((1.0 + level) / 2)) * math.sqrt(variance)
        return value, max(0.0, value - reach), value + reach


def fit_loss(x: Floats, losses: Floats, days: Ints) -> LossModel:
    """Learn the loss of a row; how far that is off is measured on days that were left out.

    Args:
        x: Shape (n, columns): inputs and the answer; a missing value is NaN, a level its number.
        losses: Loss of each row, never negative.
        days: Day of each row, any integers: rows of one day are alike.
    """
    names, of_row = np.unique(days, return_inverse=True)
    n = losses.size
    if n < MIN_ROWS or names.size < MIN_DAYS:
        why = f"{n:,} labelled rows on {names.size} days to learn from, {MIN_ROWS} on {MIN_DAYS} are needed"
        return LossModel(None, math.nan, math.nan, math.nan, math.nan, n, why)
    fold = np.random.default_rng(_SEED).permutation(names.size)[of_row] % _FOLDS
    off = np.empty(n)
    for at in range(_FOLDS):
        held = fold == at
        off[held] = losses[held] - _fitted(x[~held], losses[~held], x[held])
    size = np.bincount(of_row).astype(np.float64)
    means = np.bincount(of_row, off) / size
    within = float(np.average((np.bincount(of_row, off**2) / size) - means**2, weights=size))
    of_days = float(means.var(ddof=1))
    between = max(0.0, of_days - within * float((1.0 / size).mean()))
    return LossModel(_trees().fit(x, losses), float(off.mean()), between, within, of_days / names.size, n)


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=30, l2_regularization=1.0, early_stopping=False,
        random_state=_SEED,
    )  # fmt: skip


def _fitted(x: Floats, losses: Floats, asked: Floats) -> Floats:
    with threadpool_limits(1):
        return np.asarray(_trees().fit(x, losses).predict(asked), dtype=np.float64)
