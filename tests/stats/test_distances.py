"""Distances of two histograms agree with scipy."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from mlops_dash.stats import distances
from mlops_dash.stats.summaries import NumericCells, count

histogram = st.lists(st.integers(0, 500), min_size=2, max_size=20).filter(lambda rows: sum(rows) > 0)


@given(histogram, st.integers(1, 2000), st.booleans())
def test_merged_cells_expect_enough_rows_and_lose_none(reference, n_small, ordered):
    counts = np.asarray(reference)
    to_cell = distances.merged_cells(counts, n_small=n_small, ordered=ordered)
    k = to_cell.max() + 1
    merged = np.bincount(to_cell, weights=counts, minlength=k)
    assert set(to_cell.tolist()) == set(range(k))
    if k > 1:
        assert (merged * n_small / counts.sum() >= 10 - 1e-9).all()
    if ordered:
        assert (np.diff(to_cell) >= 0).all()


def test_equal_mass_cells_are_merged_no_more_than_needed():
    counts = np.full(20, 500)
    assert distances.merged_cells(counts, n_small=10_000, ordered=True).max() + 1 == 20
    assert distances.merged_cells(counts, n_small=200, ordered=True).max() + 1 == 20
    assert distances.merged_cells(counts, n_small=199, ordered=True).max() + 1 == 10
    assert distances.merged_cells(counts, n_small=10, ordered=True).max() + 1 == 1


def test_the_smallest_levels_are_merged_and_the_large_ones_stand_alone():
    to_cell = distances.merged_cells(np.array([3, 900, 2, 80, 15]), n_small=1000, ordered=False)
    assert to_cell.tolist() == [2, 0, 2, 1, 2]


@given(histogram)
def test_a_window_equal_to_its_reference_has_no_distance(rows):
    counts = np.asarray(rows)
    same = counts.astype(float)
    assert float(distances.population_stability(same, same)) == pytest.approx(0, abs=1e-12)
    assert distances.js_distance(same, same) == pytest.approx(0, abs=1e-6)
    assert distances.ks_distance(counts, counts) == 0
    assert distances.chi_square_p(same, same) == pytest.approx(1)


@given(histogram.filter(lambda rows: len(rows) == 6), histogram.filter(lambda rows: len(rows) == 6))
def test_psi_is_symmetric_for_windows_of_equal_size(left, right):
    a, b = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    assert float(distances.population_stability(a, b)) == pytest.approx(float(distances.population_stability(b, a)))
    assert float(distances.population_stability(a, b)) >= 0


def test_psi_agrees_with_its_definition():
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.3, 0.3, 0.4])
    psi = distances.population_stability(1e9 * p, 1e9 * q)
    assert float(psi) == pytest.approx(sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True)), rel=1e-6)


def test_chi_square_agrees_with_scipy():
    old, new = np.array([50.0, 80.0, 30.0, 0.0]), np.array([20.0, 25.0, 30.0, 0.0])
    expected = scipy.stats.chi2_contingency(np.array([old[:3], new[:3]]), correction=False).pvalue
    assert distances.chi_square_p(old, new) == pytest.approx(expected, rel=1e-12)


def test_jensen_shannon_agrees_with_scipy():
    old, new = np.array([50.0, 80.0, 30.0, 0.0]), np.array([20.0, 25.0, 0.0, 4.0])
    assert distances.js_distance(old, new) == pytest.approx(jensenshannon(old, new, base=2), rel=1e-12)


def test_ks_on_fine_cells_agrees_with_scipy():
    rng = np.random.default_rng(6)
    old, new = rng.normal(size=900), rng.normal(0.15, 1, size=700)
    cells = NumericCells.of("x", np.r_[old, new], cells=2000)
    found = distances.ks_distance(count(cells, old).counts, count(cells, new).counts)
    exact = scipy.stats.ks_2samp(old, new, method="asymp")
    assert found == pytest.approx(exact.statistic, abs=1e-12)
    assert distances.ks_p(found, c=1 / 900 + 1 / 700) == pytest.approx(exact.pvalue, rel=0.15)


@pytest.mark.parametrize("x", [12.0, 60.0, 800.0, 30_000.0, 1e6])
@pytest.mark.parametrize("k", [2, 10, 20, 50])
def test_psi_interval_inverts_the_noncentral_chi_square(x, k):
    low, high = distances.psi_interval(x * 0.001, k=k, c=0.001, level=0.9)
    if scipy.stats.chi2.cdf(x, k - 1) > 0.95:
        assert scipy.stats.ncx2.cdf(x, k - 1, low / 0.001) == pytest.approx(0.95, abs=1e-6)
    else:
        assert low == 0
    if scipy.stats.chi2.cdf(x, k - 1) > 0.05:
        assert scipy.stats.ncx2.cdf(x, k - 1, high / 0.001) == pytest.approx(0.05, abs=1e-6)
    else:
        assert high == 0


def test_wasserstein_agrees_with_scipy_within_a_cell():
    rng = np.random.default_rng(7)
    old, new = rng.normal(size=5000), rng.normal(0.5, 1, size=3000)
    cells = NumericCells.of("x", old)
    found = distances.wasserstein(cells, count(cells, old).counts, count(cells, new).counts)
    assert found == pytest.approx(scipy.stats.wasserstein_distance(old, new) / cells.spread, rel=0.05)


def test_one_far_value_in_the_reference_does_not_stretch_wasserstein():
    rng = np.random.default_rng(7)
    old, new = np.r_[rng.normal(size=5000), 1e6], rng.normal(0.5, 1, size=3000)
    with_it, without = (NumericCells.of("x", values) for values in (old, old[:-1]))
    near, far = (distances.wasserstein(c, count(c, old).counts, count(c, new).counts) for c in (without, with_it))
    assert near == pytest.approx(0.155, abs=0.01)
    assert far < 2 * scipy.stats.wasserstein_distance(old, new) / with_it.spread


def test_wasserstein_is_exact_where_rows_are_even_within_cells():
    cells = NumericCells.of("x", np.arange(0, 1001) / 1000, cells=4)
    old = np.array([250, 250, 250, 250])
    crossing = np.array([200, 300, 300, 200])
    grid = np.linspace(0, 1, 200_001)
    assert cells.reach == pytest.approx((0, 1), abs=0.003)
    gap = np.interp(grid, cells.edges, np.r_[0, old.cumsum() / 1000]) - np.interp(
        grid, cells.edges, np.r_[0, crossing.cumsum() / 1000]
    )
    expected = np.abs(gap).mean() / cells.spread
    assert distances.wasserstein(cells, old, crossing) == pytest.approx(expected, rel=5e-3)


def test_wasserstein_has_no_unit_where_the_reference_has_no_spread():
    cells = NumericCells.of("x", [0.0] * 99 + [5.0])
    assert distances.wasserstein(cells, np.array([99, 1]), np.array([50, 50])) is None
