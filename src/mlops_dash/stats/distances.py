"""How far apart are two histograms of one column, and which cells may be compared at all?

Measures only; `drift` puts them together for a column and for the reference's own windows.
"""

import math

import numpy as np
from scipy.special import chdtrc, chndtr, chndtrinc, entr, kolmogorov

from mlops_dash.stats.arrays import Floats, Ints, check_between
from mlops_dash.stats.cells import NumericCells

MIN_EXPECTED = 10.0
PSEUDO_COUNT = 0.5


def merged_cells(reference: Ints, *, n_small: int, ordered: bool, min_expected: float = MIN_EXPECTED) -> Ints:
    """Say which cells are merged so that the smaller window expects enough rows in each; looks at the reference alone.

    Args:
        reference: int64[cells], reference rows in each cell.
        n_small: Rows of the smaller of the two windows.
        ordered: Whether neighbours are merged (numbers) or the smallest cells (categories).
        min_expected: Rows a merged cell must expect.

    Returns:
        int64[cells]: number of the merged cell of each cell, 0..k-1; all 0 when even two cells are too many.

    >>> merged_cells(np.array([50, 5, 45, 3]), n_small=103, ordered=True)
    array([0, 1, 1, 1])
    >>> merged_cells(np.array([50, 5, 45, 6]), n_small=106, ordered=False)
    array([0, 2, 1, 2])
    """
    total = int(reference.sum())
    if total == 0:
        return np.zeros(reference.size, dtype=np.int64)
    # In whole numbers, so that equal-mass cells do not merge by a rounding error.
    expected = [rows * n_small for rows in reference.tolist()]
    enough = min_expected * total
    order = list(range(len(expected))) if ordered else sorted(range(len(expected)), key=lambda i: (-expected[i], i))
    to_cell = np.zeros(len(expected), dtype=np.int64)
    if ordered:
        merged, held = 0, 0
        for i in order:
            if held >= enough:
                merged, held = merged + 1, 0
            to_cell[i] = merged
            held += expected[i]
        if held < enough and merged:
            to_cell[to_cell == merged] = merged - 1
        return to_cell
    merged, tail = 0, sum(expected)
    for i in order:
        to_cell[i] = merged
        tail -= expected[i]
        # A cell stands alone only if it is large enough and so is what is left after it.
        if expected[i] >= enough and tail >= enough:
            merged += 1
    return to_cell


def population_stability(reference: Floats, current: Floats) -> Floats:
    """Return the PSI of merged counts, with half a row added to every cell of both sides.

    Args:
        reference: float[..., k] counts.
        current: float[..., k] counts.

    >>> float(population_stability(np.array([9.5, 29.5]), np.array([19.5, 19.5]))).__round__(4)
    0.2747
    """
    k = reference.shape[-1]
    p = (reference + PSEUDO_COUNT) / (reference.sum(axis=-1, keepdims=True) + PSEUDO_COUNT * k)
    q = (current + PSEUDO_COUNT) / (current.sum(axis=-1, keepdims=True) + PSEUDO_COUNT * k)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1), dtype=np.float64)


def psi_interval(psi: float, *, k: int, c: float, level: float) -> tuple[float, float]:
    """Return the interval of the true PSI by inverting the non-central chi-square of PSI/c, k - 1 degrees of freedom.

    Args:
        psi: Observed PSI.
        k: Merged cells.
        c: 1/n_reference + 1/n_current.
        level: Coverage, e.g. 0.95.

    >>> low, high = psi_interval(.1, k=10, c=.002, level=.95)
    >>> round(low, 3), round(high, 3)
    (0.039, 0.145)
    """
    tail = (1.0 - check_between(level, 0.0, 1.0, name="level")) / 2.0
    x = psi / c
    low, high = (c * _noncentrality(x, k - 1, below) for below in (1.0 - tail, tail))
    return low, high


def chi_square_p(reference: Floats, current: Floats) -> float:
    """Return the p-value of the two-sample chi-square test on merged counts; 1 for a single cell.

    >>> round(chi_square_p(np.array([10., 20.]), np.array([20., 10.])), 4)
    0.0098
    """
    pooled = reference + current
    reference, current, pooled = reference[pooled > 0], current[pooled > 0], pooled[pooled > 0]
    if pooled.size < 2:
        return 1.0
    n_ref, n_cur = reference.sum(), current.sum()
    expected = pooled * (n_ref / (n_ref + n_cur))
    statistic = ((reference - expected) ** 2 / expected).sum() * (n_ref + n_cur) / n_cur
    return float(chdtrc(pooled.size - 1, statistic))


def ks_distance(reference: Ints, current: Ints) -> float:
    """Return the largest difference of the two distribution functions at the cell edges.

    >>> ks_distance(np.array([5, 5]), np.array([1, 9]))
    0.4
    """
    gap = np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()
    return float(np.abs(gap).max())


def ks_p(distance: float, *, c: float) -> float:
    """Return the p-value of a KS distance by Stephens' approximation; conservative on cells.

    >>> round(ks_p(.1, c=1/500 + 1/500), 3)
    0.012
    """
    root = math.sqrt(1.0 / c)
    return float(kolmogorov((root + 0.12 + 0.11 / root) * distance))


def js_distance(reference: Floats, current: Floats) -> float:
    """Return the Jensen-Shannon distance, base 2: 0 for equal shares, 1 for shares without overlap.

    >>> js_distance(np.array([3., 0.]), np.array([0., 7.]))
    1.0
    """
    p, q = reference / reference.sum(), current / current.sum()
    divergence = entr((p + q) / 2.0).sum() - (entr(p).sum() + entr(q).sum()) / 2.0
    return math.sqrt(max(0.0, float(divergence)) / math.log(2.0))


def wasserstein(cells: NumericCells, reference: Ints, current: Ints) -> float | None:
    """Return the Wasserstein distance in units of the reference's p95 - p05, None where that spread is 0.

    Rows are taken as even within a cell, the end cells ending at `NumericCells.reach`; values beyond count as lying
    there, so the result is a lower bound when many rows are out of range.

    >>> cells = NumericCells.of("x", np.arange(101.), cells=2)
    >>> round(wasserstein(cells, np.array([50, 50]), np.array([100, 0])), 3)
    0.278
    """
    if cells.spread <= 0:
        return None
    gap = np.r_[0.0, np.cumsum(reference) / reference.sum() - np.cumsum(current) / current.sum()]
    gap[-1] = 0.0
    left, right = gap[:-1], gap[1:]
    size = np.abs(left) + np.abs(right)
    edges = np.asarray([cells.reach[0], *cells.edges[1:-1], cells.reach[1]])
    # The gap runs straight through a cell; where it changes sign its area is two triangles.
    crossing = left * right < 0
    area = np.where(crossing, (left**2 + right**2) / np.where(size > 0, size, 1.0), size) / 2.0
    return float((area * np.diff(edges)).sum()) / cells.spread


def _noncentrality(x: float, df: int, below: float) -> float:
    """Return the non-centrality at which a share `below` of the law lies under x; 0 where even 0 gives less."""
    if float(chndtr(x, df, 0.0)) <= below:
        return 0.0
    return float(chndtrinc(x, df, below))
