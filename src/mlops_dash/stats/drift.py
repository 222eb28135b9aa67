"""How far has a column moved from its reference, and is it more than noise or its usual swing?

Works on histograms alone. It measures: which excess is a drift, at which q and against which usual swing is decided
in `domain`. Cells are merged before the current window is looked at, so the test does not select on the data.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import ArrayLike, Floats, Ints, as_floats, check_between, sums_by
from mlops_dash.stats.cells import Cells, NumericCells
from mlops_dash.stats.constants import NEARLY_EMPTY, Others, Risen, others_of, risen_of
from mlops_dash.stats.counting import Histogram
from mlops_dash.stats.distances import (
    MIN_EXPECTED,
    chi_square_p,
    js_distance,
    ks_distance,
    ks_p,
    merged_cells,
    population_stability,
    psi_interval,
    wasserstein,
)


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How far one column moved; every number is NaN (or None) with a reason when it cannot be computed.

    Attributes:
        name: Column.
        kind: "numeric" or "category".
        psi: Population stability index over k merged cells.
        noise_floor: PSI expected without any change, (k-1)(1/n_reference + 1/n_current).
        excess: psi - noise_floor, the headline effect; may be slightly negative.
        psi_low: Lower end of the interval of the true PSI.
        psi_high: Upper end of the interval of the true PSI.
        js: Jensen-Shannon distance, base 2, 0 to 1.
        ks: Kolmogorov-Smirnov distance over the unmerged cells; None for categories.
        wasserstein: Wasserstein distance in units of the reference's p95 - p05; None for categories and where that
            spread is 0.
        p_value: Test of any change; see `column_drift`.
        missing_reference: Share of reference rows without a value.
        missing_current: Share of current rows without a value.
        unseen: Share of current values whose level the reference never saw.
        unseen_expected: That share expected without change (Good-Turing).
        out_of_range: Share of current values beyond the reference's range.
        k: Cells after merging.
        n_reference: Reference rows with a value.
        n_current: Current rows with a value.
        others: Rows besides the reference's value, where it has (nearly) one or none, so that there is no PSI.
        risen: The cell whose share grew most.
        reason: Why it could not be computed; empty when it could.
    """

    name: str
    kind: str
    psi: float
    noise_floor: float
    excess: float
    psi_low: float
    psi_high: float
    js: float
    ks: float | None
    wasserstein: float | None
    p_value: float
    missing_reference: float
    missing_current: float
    unseen: float
    unseen_expected: float
    out_of_range: float
    k: int
    n_reference: int
    n_current: int
    others: Others | None = None
    risen: Risen | None = None
    reason: str = ""

    @property
    def computable(self) -> bool:
        """Whether the PSI could be computed."""
        return not self.reason


def column_drift(
    cells: Cells,
    reference: Histogram,
    current: Histogram,
    *,
    level: float = 0.95,
    min_expected: float = MIN_EXPECTED,
) -> ColumnDrift:
    """Measure how far a column moved.

    The p-value is the chi-square's on the merged cells for categories; for numbers it is min(1, 2 min(p of that, p of
    KS on the unmerged cells)), because the two fail in different places.

    Args:
        cells: Cells of the column, from the reference.
        reference: Reference rows counted into them.
        current: Rows of the window counted into them.
        level: Coverage of the PSI interval.
        min_expected: Cells are merged until the smaller window expects so many rows in each.

    Raises:
        InvalidInput: If a histogram has another number of cells.

    References:
        - B. Yurdakul, "Statistical properties of population stability index" (2018): PSI/c is non-central chi-square.
        - C. Potgieter et al., arXiv 2307.11878.
        - M. Stephens, JRSS B 32 (1970): the finite-sample Kolmogorov law.

    >>> cells = NumericCells.of("x", np.arange(1000.), cells=2)
    >>> old, new = Histogram.from_row(np.array([500, 500, 0, 0, 0])), Histogram.from_row(np.array([250, 750, 0, 0, 0]))
    >>> moved = column_drift(cells, old, new)
    >>> round(moved.psi, 3), round(moved.noise_floor, 3), moved.ks, moved.p_value < 1e-20
    (0.274, 0.002, 0.25, True)
    """
    _check_width(cells, reference.counts.size, current.counts.size)
    n_ref, n_cur = reference.present, current.present
    n_small = min(n_ref, n_cur)
    to_cell = merged_cells(reference.counts, n_small=n_small, ordered=_ordered(cells), min_expected=min_expected)
    k = int(to_cell.max()) + 1
    reason = _reason(n_ref, n_cur, k, min_expected)
    if reason:
        others = others_of(cells, reference, current) if k < 2 or n_ref <= NEARLY_EMPTY * reference.n else None
        made = _not_computable(cells, reference, current, k=k, reason=reason)
        return replace(made, others=others, risen=risen_of(cells, reference, current))
    old = sums_by(reference.counts, to_cell, k)
    new = sums_by(current.counts, to_cell, k)
    c = 1.0 / n_ref + 1.0 / n_cur
    psi = float(population_stability(old, new))
    low, high = psi_interval(psi, k=k, c=c, level=level)
    p_value, ks = chi_square_p(old, new), None
    if isinstance(cells, NumericCells):
        ks = ks_distance(reference.counts, current.counts)
        p_value = min(1.0, 2.0 * min(p_value, ks_p(ks, c=c)))
    return ColumnDrift(
        name=cells.name,
        kind=cells.kind,
        psi=psi,
        noise_floor=(k - 1) * c,
        excess=psi - (k - 1) * c,
        psi_low=low,
        psi_high=high,
        js=js_distance(old, new),
        ks=ks,
        wasserstein=wasserstein(cells, reference.counts, current.counts) if isinstance(cells, NumericCells) else None,
        p_value=p_value,
        missing_reference=_share(reference.missing, reference.n),
        missing_current=_share(current.missing, current.n),
        unseen=_share(current.unseen, n_cur),
        unseen_expected=cells.unseen_expected,
        out_of_range=_share(current.outside, n_cur),
        k=k,
        n_reference=n_ref,
        n_current=n_cur,
        risen=risen_of(cells, reference, current),
    )


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """Return q-values, the false-discovery rate at which each p would be flagged; NaN stay NaN and do not count.

    References:
        - Y. Benjamini & Y. Hochberg, JRSS B 57 (1995).

    >>> benjamini_hochberg([.01, .04, .03, float("nan")])
    array([0.03, 0.04, 0.04,  nan])
    """
    values = as_floats(p, name="p-values")
    q = np.full(values.size, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if known.size:
        order = known[np.argsort(values[known])]
        scaled = values[order] * known.size / np.arange(1, known.size + 1)
        q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return q


@dataclass(frozen=True, slots=True)
class UsualSwing:
    """How far the reference's own windows lie from the rest of the reference.

    Attributes:
        k_windows: How many reference windows (K); 20 are the least that can bound anything at 95 %.
        usual_psi: Per column, mean PSI of a window against the rest, not below its noise floor; NaN where no window
            could be computed.
        maxima: Ascending, per window the largest PSI of any column in units of that column's usual PSI without it.

    >>> UsualSwing(3, {"x": .1}, (1.0, 1.2, 3.0)).ratio_limit(level=.5)
    1.2
    >>> UsualSwing(3, {"x": .1}, (1.0, 1.2, 3.0)).ratio_limit(level=.95)
    inf
    """

    k_windows: int
    usual_psi: Mapping[str, float]
    maxima: tuple[float, ...]

    def ratio_limit(self, *, level: float = 0.95) -> float:
        """Return the ratio PSI / usual PSI that a normal window exceeds in any column with probability <= 1 - level.

        It is the ceil(level (K+1))-th smallest maximum; infinite when K is too small to tell.
        """
        rank = math.ceil(check_between(level, 0.0, 1.0, name="level") * (len(self.maxima) + 1) - 1e-9)
        return self.maxima[rank - 1] if rank <= len(self.maxima) else math.inf

    def ratio(self, name: str, psi: float) -> float:
        """Return PSI / usual PSI of a column; NaN where its usual PSI is unknown."""
        return psi / self.usual_psi.get(name, math.nan)


def usual_swing(
    cells_by_column: Mapping[str, Cells], windows: Mapping[str, Ints], *, min_expected: float = MIN_EXPECTED
) -> UsualSwing:
    """Measure the swing of the reference's own windows (statistics.md, "Rows are not independent").

    Args:
        cells_by_column: Cells of each column.
        windows: Per column int64[K, k+3], the rows of `count_by` over K reference windows as long as those to judge.
        min_expected: As in `column_drift`.

    Raises:
        InvalidInput: If columns have different numbers of windows, or a width does not fit its cells.

    >>> cells = {"x": NumericCells.of("x", np.arange(1000.), cells=2)}
    >>> days = np.array([[50, 50, 0, 0, 0], [60, 40, 0, 0, 0], [40, 60, 0, 0, 0]])
    >>> swing = usual_swing(cells, {"x": days})
    >>> swing.k_windows, round(swing.usual_psi["x"], 4), [round(m, 2) for m in swing.maxima]
    (3, 0.0596, [0.0, 2.0, 2.0])
    """
    counts = {int(rows.shape[0]) for rows in windows.values()}
    if len(counts) > 1:
        raise InvalidInput(f"Columns have {sorted(counts)} windows.", hint="Count all columns over the same windows.")
    k_windows = counts.pop() if counts else 0
    usual: dict[str, float] = {}
    ratios = np.full((len(windows), k_windows), np.nan)
    for f, (name, rows) in enumerate(windows.items()):
        psi, floor = _against_the_rest(cells_by_column[name], rows, min_expected)
        known = ~np.isnan(psi)
        n = int(known.sum())
        if n < 2:
            usual[name] = math.nan
            continue
        noise = float(floor[known].mean())
        usual[name] = max(float(psi[known].mean()), noise)
        without = np.maximum((psi[known].sum() - psi[known]) / (n - 1), noise)
        ratios[f, known] = psi[known] / without
    judged = ratios[:, ~np.isnan(ratios).all(axis=0)] if ratios.size else ratios[:, :0]
    maxima = tuple(sorted(np.nanmax(judged, axis=0).tolist())) if judged.size else ()
    return UsualSwing(len(maxima), usual, maxima)


def psi_series(
    cells: Cells, reference: Histogram, windows: Ints, *, min_expected: float = MIN_EXPECTED
) -> tuple[Floats, Floats]:
    """Return PSI and noise floor of every window int64[W, k+3] against one reference; NaN where not computable.

    >>> cells = NumericCells.of("x", np.arange(1000.), cells=2)
    >>> old = Histogram.from_row(np.array([500, 500, 0, 0, 0]))
    >>> psi, floor = psi_series(cells, old, np.array([[25, 75, 0, 0, 0], [0, 0, 9, 0, 0]]))
    >>> psi.round(3), floor.round(3)
    (array([0.269,   nan]), array([0.011,   nan]))
    """
    _check_width(cells, reference.counts.size, windows.shape[1] - 3)
    pairs = [_psi_and_floor(cells, reference.counts, row[:-3], min_expected) for row in windows]
    both = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _against_the_rest(cells: Cells, rows: Ints, min_expected: float) -> tuple[Floats, Floats]:
    _check_width(cells, rows.shape[1] - 3)
    counts = rows[:, :-3]
    total = counts.sum(axis=0)
    pairs = [_psi_and_floor(cells, total - window, window, min_expected) for window in counts]
    both = np.asarray(pairs, dtype=np.float64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _psi_and_floor(cells: Cells, reference: Ints, current: Ints, min_expected: float) -> tuple[float, float]:
    n_ref, n_cur = int(reference.sum()), int(current.sum())
    n_small = min(n_ref, n_cur)
    if n_small == 0:
        return math.nan, math.nan
    to_cell = merged_cells(reference, n_small=n_small, ordered=_ordered(cells), min_expected=min_expected)
    k = int(to_cell.max()) + 1
    if k < 2:
        return math.nan, math.nan
    old = sums_by(reference, to_cell, k)
    new = sums_by(current, to_cell, k)
    return float(population_stability(old, new)), (k - 1) * (1.0 / n_ref + 1.0 / n_cur)


def _ordered(cells: Cells) -> bool:
    return isinstance(cells, NumericCells)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _check_width(cells: Cells, *widths: int) -> None:
    for width in widths:
        if width != cells.k:
            raise InvalidInput(
                f"Column {cells.name!r} has {cells.k} cells, a histogram {width}.",
                hint="Count the window into the cells of this reference.",
            )


def _reason(n_ref: int, n_cur: int, k: int, min_expected: float) -> str:
    if n_ref == 0:
        return "the reference holds no value"
    if n_cur == 0:
        return "the window holds no value"
    if k < 2:
        return f"fewer than 2 cells expect {min_expected:g} rows: too few rows, or one value only"
    return ""


def _not_computable(cells: Cells, reference: Histogram, current: Histogram, *, k: int, reason: str) -> ColumnDrift:
    nan = math.nan
    return ColumnDrift(
        name=cells.name,
        kind=cells.kind,
        psi=nan,
        noise_floor=nan,
        excess=nan,
        psi_low=nan,
        psi_high=nan,
        js=nan,
        ks=None,
        wasserstein=None,
        p_value=nan,
        missing_reference=_share(reference.missing, reference.n),
        missing_current=_share(current.missing, current.n),
        unseen=_share(current.unseen, current.present),
        unseen_expected=cells.unseen_expected,
        out_of_range=_share(current.outside, current.present),
        k=k,
        n_reference=reference.present,
        n_current=current.present,
        reason=reason,
    )
