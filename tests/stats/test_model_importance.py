"""Importance by shuffling: what is needed counts, what is not does not, and few days are rows."""

from __future__ import annotations

import numpy as np
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.model_importance import Losses, loss_rises


def losses_of(x: Floats, y: Floats, weights: Floats) -> Losses:
    def losses(column: int | None, order: Ints | None) -> Floats:
        seen = x.copy()
        if column is not None:
            seen[:, column] = x[order, column]
        return np.asarray((y - seen @ weights) ** 2)

    return losses


def test_the_rises_are_those_of_scikit_learn_within_their_intervals() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(2_000, 3))
    y = x @ np.array([3.0, 1.0, 0.0]) + rng.normal(size=2_000)
    fitted = LinearRegression(fit_intercept=False).fit(x, y)
    usual, rises = loss_rises(losses_of(x, y, fitted.coef_), 3, np.arange(2_000) // 100)
    theirs = permutation_importance(fitted, x, y, scoring="neg_mean_squared_error", n_repeats=20, random_state=1)
    assert abs(usual.value - ((y - fitted.predict(x)) ** 2).mean()) < 1e-9
    for one, mean in zip(rises[:2], theirs.importances_mean[:2], strict=True):
        assert one.low < mean < one.high
    assert rises[0].low > rises[1].high > rises[1].low > abs(rises[2].value)
    assert "days" in usual.method


def test_with_few_days_rows_are_taken_as_independent_and_it_is_said() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(300, 1))
    usual, (rise,) = loss_rises(losses_of(x, x[:, 0], np.ones(1)), 1, np.arange(300) // 150)
    assert usual.value == 0.0
    assert rise.low > 1.0
    assert "rows" in rise.method


def test_the_same_rows_give_the_same_numbers() -> None:
    x = np.random.default_rng(4).normal(size=(200, 2))
    asked = losses_of(x, x[:, 0], np.array([1.0, 0.2]))
    assert loss_rises(asked, 2, np.arange(200) // 20) == loss_rises(asked, 2, np.arange(200) // 20)
