"""Which columns matter for a result? Permutation importance on rows that the trees of a random forest did not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from mlops_dash.stats.arrays import Bools, Floats, Ints

MIN_GROUPS: Final = 20  # fewer different configurations rank nothing
MIN_R2: Final = 0.1  # a forest that explains less has no opinion worth ranking
_SHADOWS: Final = 5
_PARTS: Final = 10
_SEED: Final = 20_130_101


@dataclass(frozen=True, slots=True)
class ForestImportance:
    """Importance of each column; arrays of shape (columns,).

    Attributes:
        value: Mean rise of the squared error on rows a tree did not see when the column is shuffled, as a share of the
            variance of y.
        low: 10 % quantile of that over ten parts of the forest.
        high: 90 % quantile.
        chance: The largest value of the random columns that were added (shuffled copies, as in Boruta).
        r2: 1 - error / variance on rows not seen (out of bag); NaN when there was no forest.
        n: Rows.
        n_groups: Groups of rows that only enter or leave a tree together.
        reason: Why there is no ranking; empty when there is one.
    """

    value: Floats
    low: Floats
    high: Floats
    chance: float
    r2: float
    n: int
    n_groups: int
    reason: str = ""


def permutation_importance(x: Floats, y: Floats, groups: Ints, *, trees: int = 100) -> ForestImportance:
    """Grow a forest on bootstrap draws of groups and shuffle one column after another in what each tree left out.

    Repeats of one configuration (seeds) share a group: otherwise a tree would have seen what it is asked to predict.
    Breiman (2001), Random Forests; the random columns are those of Kursa and Rudnicki (2010), Boruta. The same input
    gives the same numbers.

    Args:
        x: Shape (rows, columns), finite; categories as codes.
        y: Shape (rows,), finite.
        groups: The group of each row, 0 to the number of groups - 1.
        trees: How many.

    >>> rng = np.random.default_rng(1)
    >>> x = rng.normal(size=(60, 2))
    >>> made = permutation_importance(x, 3 * x[:, 0], np.arange(60))
    >>> bool(made.value[0] > 1 > .1 > made.value[1]), bool(made.r2 > .7), made.n_groups
    (True, True, 60)
    """
    n, p = x.shape
    n_groups = int(groups.max(initial=-1)) + 1
    spread = float(y.var()) if n else 0.0
    none = np.full(p, np.nan)
    if n_groups < MIN_GROUPS:
        why = f"{n_groups} different configurations are too few to rank parameters: {MIN_GROUPS} at least"
        return ForestImportance(none, none, none, np.nan, np.nan, n, n_groups, why)
    if spread <= 0 or not p:
        why = "the metric is the same in all of them" if spread <= 0 else "no parameter differs between them"
        return ForestImportance(none, none, none, np.nan, np.nan, n, n_groups, why)
    rises, r2 = _grow(x, y, groups, trees)
    rises = rises / spread
    value = rises.mean(axis=0)
    parts = np.array([part.mean(axis=0) for part in np.array_split(rises, _PARTS)])
    low, high = np.quantile(parts, [0.1, 0.9], axis=0)
    why = "" if r2 >= MIN_R2 else "the parameters explain too little of the metric in runs the forest did not see"
    return ForestImportance(value[:p], low[:p], high[:p], float(value[p:].max()), r2, n, n_groups, why)


def _grow(x: Floats, y: Floats, groups: Ints, trees: int) -> tuple[Floats, float]:
    """Rise of the error by tree and column (the random ones last), and the out-of-bag R2."""
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(_SEED)
    n, p = x.shape
    shadows = np.column_stack([rng.permutation(x[:, at % p]) for at in range(_SHADOWS)])
    wide = np.column_stack([x, shadows])
    n_groups, columns = int(groups.max()) + 1, wide.shape[1]
    rises, total, seen = [], np.zeros(n), np.zeros(n)
    for at in range(trees):
        drawn = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups)[groups]
        outside: Bools = drawn == 0
        if not outside.any():
            continue
        tree = DecisionTreeRegressor(max_features=max(1, -(-columns // 3)), min_samples_leaf=2, random_state=at)
        tree.fit(wide[~outside], y[~outside], sample_weight=drawn[~outside].astype(float))
        rows, truth = wide[outside], y[outside]
        said = tree.predict(rows)
        total[outside] += said
        seen[outside] += 1
        rises.append(_rises(tree, rows, truth, said, rng))
    told = seen > 0
    error = float(((total[told] / seen[told] - y[told]) ** 2).mean())
    return np.array(rises), 1 - error / float(y[told].var())


def _rises(tree: object, rows: Floats, truth: Floats, said: Floats, rng: np.random.Generator) -> Floats:
    """How much the error grows when each column of the rows is shuffled; all columns in one prediction."""
    n, p = rows.shape
    stacked = np.repeat(rows[None], p, axis=0)
    for column in range(p):
        stacked[column, :, column] = rows[rng.permutation(n), column]
    again = tree.predict(stacked.reshape(p * n, p)).reshape(p, n)  # type: ignore[attr-defined]
    return np.asarray(((again - truth) ** 2).mean(axis=1) - ((said - truth) ** 2).mean())
