"""In which part of the rows does a model err more? Parts are found on one half of the days and judged on the other.

What is searched and judged on the same rows looks worse than it is. So a shallow tree of the losses proposes parts from
one half of the clusters (days), and an interval over the clusters of the other half says whether they are worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import stdtr
from threadpoolctl import threadpool_limits

from mlops_dash.stats.arrays import Bools, Floats, Ints, sums_by
from mlops_dash.stats.estimates import MetricEstimate, cluster_estimate
from mlops_dash.stats.intervals import ratio, t_quantile

MIN_ROWS: Final = 100  # of a part, and of the rows beside it
MIN_CLUSTERS: Final = 10  # of which five are searched and five judge
_DEPTH: Final = 3
_ALIKE: Final = 0.8  # two parts that share so much of their rows are one
_SEED: Final = 20_130_101


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row needs in one column; a missing value never has it.

    Attributes:
        column: Its place.
        low: The value lies above it.
        high: And not above this.
        levels: Of a column of levels: those that count, by number; empty of a column of numbers.
    """

    column: int
    low: float = -math.inf
    high: float = math.inf
    levels: tuple[int, ...] = ()


Rule = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class SliceEstimate:
    """The mean loss of a part of the rows, that of the others, and how far they lie apart.

    Attributes:
        inside: Of the part.
        outside: Of the other rows.
        more: Inside minus outside; of the same clusters, so what a day does to both is no difference.
        p_value: Two-sided, of no difference; NaN where no interval could be made.
    """

    inside: MetricEstimate
    outside: MetricEstimate
    more: MetricEstimate
    p_value: float


def members(rule: Rule, values: Floats) -> Bools:
    """Which rows a rule holds for, bool[rows].

    >>> members((Condition(0, low=1.0), Condition(1, levels=(0, 2))), np.array([[2., 0.], [2., 1.], [1., 2.]])).tolist()
    [True, False, False]
    """
    held = np.ones(len(values), dtype=np.bool_)
    for one in rule:
        column = values[:, one.column]
        held &= np.isin(column, one.levels) if one.levels else (column > one.low) & (column <= one.high)
    return held


def searched_clusters(n_clusters: int, *, seed: int = _SEED) -> Bools:
    """Which clusters parts are looked for in; the others judge. About one half each, bool[clusters].

    >>> int(searched_clusters(11).sum())
    5
    """
    chosen = np.random.default_rng(seed).permutation(n_clusters)[: n_clusters // 2]
    found = np.zeros(n_clusters, dtype=np.bool_)
    found[chosen] = True
    return found


def found_rules(
    values: Floats, losses: Floats, is_levels: Sequence[bool], *, least: float, most: int = 6, floor: int = MIN_ROWS
) -> tuple[Rule, ...]:
    """Parts of some rows whose mean loss is larger than that of the others: nodes of a shallow tree, worst first.

    Args:
        values: Shape (rows, columns); a missing value is NaN, a level its number.
        losses: Of each row.
        is_levels: Which columns hold levels.
        least: How much larger it must be.
        most: How many parts at most.
        floor: Rows that a part needs, and the others too.

    >>> x = np.linspace(0.0, 1.0, 400)
    >>> rule, *_ = found_rules(x[:, None], (x > .7) * 1.0, [False], least=.1)
    >>> round(rule[0].low, 2), rule[0].high
    (0.7, inf)
    """
    if len(losses) < 2 * floor or not values.shape[1]:
        return ()
    ranks = [_by_loss(values[:, at], losses) if of else None for at, of in enumerate(is_levels)]
    told = np.column_stack([_ranked(values[:, at], rank) for at, rank in enumerate(ranks)])
    kept: list[tuple[float, Rule, Bools]] = []
    for low, high in _boxes(told, losses, floor):
        rule = _rule(low, high, ranks)
        held = members(rule, values)
        n = int(held.sum())
        if not rule or n < floor or len(losses) - n < floor:
            continue
        more = float(losses[held].mean() - losses[~held].mean())
        if more < least or more <= 0:
            continue
        spread = math.sqrt(losses[held].var() / n + losses[~held].var() / (len(losses) - n))
        kept.append((more / spread if spread > 0 else math.inf, rule, held))
    chosen: list[tuple[Rule, Bools]] = []
    for _, rule, held in sorted(kept, key=lambda one: -one[0]):
        alike = any(_is_alike(held, other, losses, least) for _, other in chosen)
        if not alike and len(chosen) < most:
            chosen.append((rule, held))
    return tuple(rule for rule, _ in chosen)


def _is_alike(held: Bools, other: Bools, losses: Floats, least: float) -> bool:
    """Whether a part says nothing new beside another: nearly the same rows, or inside it and not worse than it."""
    shared = int((held & other).sum())
    if shared > _ALIKE * int((held | other).sum()):
        return True
    return shared == int(held.sum()) and float(losses[held].mean()) < float(losses[other].mean()) + least


def slice_estimate(
    losses: Floats, held: Bools, codes: Ints, n_clusters: int, *, level: float = 0.95, unit: str = "days"
) -> SliceEstimate:
    """Mean loss of a part and of the other rows, and their difference with one cluster after another left out.

    Args:
        losses: Of each row.
        held: Which rows are the part.
        codes: Cluster of each row, 0 to n_clusters - 1.
        n_clusters: How many.
        level: Coverage of the intervals.
        unit: What a cluster is, for the method text.

    >>> day = np.repeat(np.arange(10), 4)
    >>> made = slice_estimate(np.tile([3., 1., 1., 1.], 10), np.tile([True, False, False, False], 10), day, 10)
    >>> made.inside.value, made.more.value, made.more.n
    (3.0, 2.0, 10)
    """
    columns = [losses * held, held.astype(np.float64), losses * ~held, (~held).astype(np.float64)]
    sums = np.column_stack([sums_by(column, codes, n_clusters) for column in columns])
    n = int(held.sum())
    own = cluster_estimate(sums[:, :2], _mean, n=n, level=level, unit=unit)
    rest = cluster_estimate(sums[:, 2:], _mean, n=int(held.size) - n, level=level, unit=unit)
    more = cluster_estimate(sums, _difference, n=n, level=level, unit=unit)
    return SliceEstimate(own, rest, more, p_value(more, level=level))


def p_value(found: MetricEstimate, *, level: float) -> float:
    """Two-sided p of no difference, from the t interval of an estimate; NaN without one."""
    if not found.computable or found.n_clusters < 2:
        return math.nan
    error = (found.high - found.low) / 2 / t_quantile(level, found.n_clusters - 1)
    if error == 0:
        return 1.0 if found.value == 0 else 0.0
    return float(2 * stdtr(found.n_clusters - 1, -abs(found.value) / error))


def _mean(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1])


def _difference(sums: Floats) -> Floats:
    return ratio(sums[..., 0], sums[..., 1]) - ratio(sums[..., 2], sums[..., 3])


def _by_loss(column: Floats, losses: Floats) -> dict[int, int]:
    """Levels in the order of their mean loss, so that a cut of a tree can take the worst of them: level -> rank."""
    known = np.isfinite(column)
    levels, codes = np.unique(column[known].astype(np.int64), return_inverse=True)
    if not levels.size:
        return {}
    means = np.bincount(codes, weights=losses[known]) / np.bincount(codes)
    return {int(levels[place]): rank for rank, place in enumerate(np.argsort(means, kind="stable"))}


def _ranked(column: Floats, rank: dict[int, int] | None) -> Floats:
    """A column as the tree reads it, without a hole: what is missing lies in the middle, and is in no part."""
    if rank is None:
        known = np.isfinite(column)
        return np.where(known, column, np.median(column[known]) if known.any() else 0.0)
    return np.array([rank.get(int(one), 0) if math.isfinite(one) else 0 for one in column], dtype=np.float64)


def _boxes(told: Floats, losses: Floats, floor: int) -> list[tuple[dict[int, float], dict[int, float]]]:
    """Every node of the tree below its root: by column above what, and not above what."""
    from sklearn.tree import DecisionTreeRegressor  # most of a second to import

    with threadpool_limits(1):
        tree = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=floor, random_state=0).fit(told, losses).tree_
    found: list[tuple[dict[int, float], dict[int, float]]] = []
    waiting: list[tuple[int, dict[int, float], dict[int, float]]] = [(0, {}, {})]
    while waiting:
        node, low, high = waiting.pop()
        if node:
            found.append((low, high))
        if tree.children_left[node] != tree.children_right[node]:
            column, cut = int(tree.feature[node]), float(tree.threshold[node])
            waiting.append((int(tree.children_left[node]), low, {**high, column: cut}))
            waiting.append((int(tree.children_right[node]), {**low, column: cut}, high))
    return found


def _rule(low: dict[int, float], high: dict[int, float], ranks: Sequence[dict[int, int] | None]) -> Rule:
    conditions = []
    for column in sorted({*low, *high}):
        above, until, rank = low.get(column, -math.inf), high.get(column, math.inf), ranks[column]
        if rank is None:
            conditions.append(Condition(column, above, until))
        else:
            levels = tuple(sorted(one for one, place in rank.items() if above < place <= until))
            conditions.append(Condition(column, levels=levels))
    return tuple(conditions)
