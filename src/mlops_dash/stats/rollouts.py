"""What is measured of a version that answers a share of the rows: failed calls, times, losses on the same rows.

Times are kept as counts in cells that grow by a quarter each, so that processes add theirs up and none keeps a list.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy.stats import beta, binom

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import Effect, clustered
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_floats, check_between
from mlops_dash.stats.intervals import MIN_CLUSTERS, ratio
from mlops_dash.stats.sequential_ab import MIN_UNITS, one_sided

FIRST_SECONDS: Final = 1e-4
GROWTH: Final = 1.25
CELLS: Final = 80
ROUNDING: Final = 1e-9  # bounds that lie closer, as a share, are apart by rounding alone
PLANNED_ROWS: Final = 2_000  # at half of them the bound of the loss is tightest


def exact(successes: int, n: int, *, level: float) -> tuple[float, float]:
    """Return the Clopper-Pearson interval of a proportion; (0, 1) for n = 0.

    Args:
        successes: How many of n.
        n: Independent trials.
        level: Coverage at least, e.g. 0.999.

    Raises:
        InvalidInput: If successes lie outside 0..n or level outside (0, 1).

    References:
        - C. J. Clopper & E. S. Pearson, Biometrika 26 (1934).

    >>> [round(one, 4) for one in exact(2, 10, level=.95)]
    [0.0252, 0.5561]
    """
    half = (1.0 - check_between(level, 0.0, 1.0, name="level")) / 2.0
    if n < 0 or not 0 <= successes <= n:
        raise InvalidInput(f"{successes} successes of {n} trials.", hint="Successes must lie between 0 and the trials.")
    low = 0.0 if successes == 0 else float(beta.ppf(half, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1.0 - half, successes + 1, n - successes))
    return low, high


def cell_of(seconds: float) -> int:
    """Return the cell of a time: cell k holds times up to 0.1 ms * 1.25^k.

    >>> cell_of(0.0), cell_of(.0001), cell_of(.000126), cell_of(1e9)
    (0, 0, 2, 79)
    """
    if seconds <= FIRST_SECONDS:
        return 0
    return min(CELLS - 1, math.ceil(math.log(seconds / FIRST_SECONDS) / math.log(GROWTH) - 1e-9))


def edges_of(cell: int) -> tuple[float, float]:
    """Return the bounds of a cell in seconds.

    >>> [round(one, 6) for one in edges_of(1)]
    [0.0001, 0.000125]
    """
    return (0.0 if cell == 0 else FIRST_SECONDS * GROWTH ** (cell - 1)), FIRST_SECONDS * GROWTH**cell


def quantile_of_cells(counts: Mapping[int, int], q: float, *, level: float) -> tuple[float, float, float]:
    """Return (value, low, high) of a quantile of times in seconds; NaN without one, an end that no rank reaches is inf.

    The ranks are those of the binomial law (distribution-free); the ends are widened to the bounds of their cells.

    Args:
        counts: Times in each cell.
        q: Which quantile, e.g. 0.95.
        level: Coverage at least, e.g. 0.999.

    >>> [round(one, 4) for one in quantile_of_cells({10: 900, 20: 100}, .5, level=.999)]
    [0.0009, 0.0007, 0.0009]
    """
    check_between(q, 0.0, 1.0, name="q")
    half = (1.0 - check_between(level, 0.0, 1.0, name="level")) / 2.0
    cells = sorted(cell for cell, count in counts.items() if count > 0)
    n = sum(counts[cell] for cell in cells)
    if n == 0:
        return math.nan, math.nan, math.nan
    ends = np.cumsum([counts[cell] for cell in cells])
    low_rank, high_rank = int(binom.ppf(half, n, q)), int(binom.ppf(1.0 - half, n, q)) + 1

    def at(rank: int) -> int:
        return cells[int(np.searchsorted(ends, rank))]

    value = edges_of(at(max(1, math.ceil(q * n))))[1]
    low = 0.0 if low_rank < 1 else edges_of(at(low_rank))[0]
    high = math.inf if high_rank > n else edges_of(at(high_rank))[1]
    return value, low, high


@dataclass(frozen=True, slots=True)
class LossRise:
    """How much worse one version answers than another on the same rows, as a share of the other's mean loss.

    Attributes:
        value: Mean loss of the new one over that of the old one, less 1; NaN when not computable. With `absolute` the
            mean loss of the new one, and the bounds are of the difference.
        low: One-sided bound below, valid at all looks together.
        high: The same above.
        n: Rows.
        n_clusters: Days; None where there are fewer than 5 and rows are taken as independent.
        reason: Why there is no bound; empty when there is one.
        left_out: Rows where a loss is not finite; they are no part of n.
        absolute: Whether the old one has no loss at all, so that no share of it can be told.
    """

    value: float
    low: float
    high: float
    n: int
    n_clusters: int | None
    reason: str = ""
    left_out: int = 0
    absolute: bool = False


def loss_rise(new: ArrayLike, old: ArrayLike, days: ArrayLike, *, margin: float, alpha: float) -> LossRise:
    """Return how much a version's loss is above another's on the same rows, with bounds that may be read at any time.

    The mean of new - (1 + margin) old is bounded by an asymptotic confidence sequence; the bounds are stated as a share
    of the old mean, so that low > margin says the same as its lower bound lying above 0. Where the old one never erred
    nothing is tolerated, and the bounds are of the mean of new - old itself. Where all rows or days say exactly the
    same, one more without a difference is added: it can only draw the bounds to 0.

    Args:
        new: Loss of each row, float[n].
        old: The other version's, float[n].
        days: The day of each row; clusters, where there are five at least.
        margin: What is tolerated, as a share of the old loss.
        alpha: Share of roll-outs whose bound may ever be wrong.

    References:
        - I. Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence sequences", 2103.06476.

    >>> rng = np.random.default_rng(0)
    >>> old = rng.random(2000)
    >>> found = loss_rise(old * 1.5 + rng.normal(0, .01, 2000), old, np.zeros(2000), margin=.05, alpha=.01)
    >>> found.low > .05, round(found.value, 2), found.n_clusters is None
    (True, 0.5, True)
    """
    a, b, at = as_floats(new), as_floats(old), np.asarray(days)
    told = np.isfinite(a) & np.isfinite(b)
    left_out = int(len(a) - told.sum())
    a, b, at = a[told], b[told], at[told]
    n, clusters = len(a), len(np.unique(at))
    grouped = clusters if clusters >= MIN_CLUSTERS else None
    unknown = LossRise(math.nan, math.nan, math.nan, n, grouped, left_out=left_out)
    if n < MIN_UNITS:
        return replace(unknown, reason=f"{n:,} of {MIN_UNITS} rows before the first look")
    if np.array_equal(a, b):
        return replace(unknown, value=0.0, reason="both answer these rows alike, so there is no spread")
    mean = float(b.mean())
    absolute = mean <= 0.0
    tolerated = b if absolute else b * (1.0 + margin)
    low, high = _bounds(a, tolerated, at, alpha=alpha)
    # Each row or day says the same, but for rounding: one more that says "no difference" gives spread.
    if not math.isfinite(low) or high - low <= ROUNDING * abs(high):
        more = max(1, n // clusters) if grouped else 1
        a_more, b_more = np.append(a, np.zeros(more)), np.append(tolerated, np.zeros(more))
        named = np.append(np.unique(at, return_inverse=True)[1], np.full(more, clusters if grouped else 0))
        low, high = _bounds(a_more, b_more, named, alpha=alpha)
    if absolute:
        return LossRise(float(a.mean()), low, high, n, grouped, left_out=left_out, absolute=True)
    value = float(a.mean()) / mean - 1.0
    return LossRise(value, low / mean + margin, high / mean + margin, n, grouped, left_out=left_out)


def _bounds(new: Floats, old: Floats, days: ArrayLike, *, alpha: float) -> tuple[float, float]:
    names, groups = np.unique(np.asarray(days), return_inverse=True)
    clusters = len(names)
    effect = _clustered(new, old, groups, clusters) if clusters >= MIN_CLUSTERS else _independent(new, old)
    return one_sided(effect, planned_units=PLANNED_ROWS, alpha=alpha)


def _independent(new: Floats, old: Floats) -> Effect:
    apart = new - old
    return Effect(
        float(new.mean()), float(old.mean()), float(apart.var(ddof=1)) / len(apart), 0.0, 0.0, len(apart) - 1.0,
        len(apart), 0, None, "rows taken as independent",
    )  # fmt: skip


def _clustered(new: Floats, old: Floats, groups: Ints, clusters: int) -> Effect:
    size = np.bincount(groups, minlength=clusters).astype(np.float64)
    arm, control = (np.column_stack([np.bincount(groups, weights=one, minlength=clusters), size]) for one in (new, old))
    found = clustered(lambda s: ratio(s[..., 0], s[..., 1]), arm, control, n_1=len(new), n_0=len(old))
    return replace(found, n_0=0)  # they are pairs: as many units as rows
