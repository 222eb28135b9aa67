"""Drift of a column: what it says, when it refuses, and how often it is wrong."""

import math
import time

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from mlops_dash.errors import InvalidInput
from mlops_dash.stats import distances
from mlops_dash.stats.drift import benjamini_hochberg, column_drift, psi_series, usual_swing
from mlops_dash.stats.summaries import CategoryCells, Histogram, NumericCells, count, count_by


def drift_of(reference, current, cells=None):
    cells = cells or NumericCells.of("x", reference)
    return column_drift(cells, count(cells, reference), count(cells, current))


def test_a_shifted_column_has_an_excess_an_interval_and_a_small_p():
    rng = np.random.default_rng(8)
    found = drift_of(rng.normal(size=10_000), np.r_[rng.normal(0.5, 1, size=2_000), [np.nan] * 500])
    true_psi = 0.25
    assert found.computable
    assert found.psi_low < true_psi < found.psi_high
    assert found.excess == pytest.approx(found.psi - found.noise_floor)
    assert found.noise_floor == pytest.approx(19 * (1 / 10_000 + 1 / 2_000))
    assert found.p_value < 1e-20
    assert found.ks == pytest.approx(2 * scipy.stats.norm.cdf(0.25) - 1, abs=0.03)
    assert found.wasserstein == pytest.approx(0.5 / (2 * 1.645), abs=0.02)
    assert (found.missing_reference, found.missing_current) == (0, 0.2)
    assert (found.k, found.n_reference, found.n_current, found.kind) == (20, 10_000, 2_000, "numeric")


def test_the_p_value_of_numbers_is_twice_the_smaller_of_two_tests():
    rng = np.random.default_rng(9)
    old, new = rng.normal(size=5_000), rng.normal(0.05, 1, size=1_000)
    cells = NumericCells.of("x", old)
    left, right = count(cells, old), count(cells, new)
    chi = scipy.stats.chi2_contingency(np.array([left.counts, right.counts]), correction=False).pvalue
    ks = distances.ks_p(distances.ks_distance(left.counts, right.counts), c=1 / 5_000 + 1 / 1_000)
    assert column_drift(cells, left, right).p_value == pytest.approx(min(1, 2 * min(chi, ks)))


def test_a_category_has_no_order_and_its_unseen_share_stands_apart():
    reference = ["a"] * 600 + ["b"] * 380 + [f"rare {i}" for i in range(20)]
    cells = CategoryCells.of("carrier", reference)
    current = ["a"] * 300 + ["b"] * 190 + ["never seen"] * 10
    found = drift_of(reference, current, cells)
    assert (found.ks, found.wasserstein, found.kind) == (None, None, "category")
    assert found.unseen == 0.02
    assert found.unseen_expected == 0.02
    assert found.excess < 0.01
    assert found.p_value == pytest.approx(1)


def test_a_missing_share_alone_is_not_drift():
    rng = np.random.default_rng(10)
    values = rng.normal(size=4_000)
    found = drift_of(values, np.r_[values, np.full(4_000, np.nan)])
    assert found.psi == pytest.approx(0, abs=1e-12)
    assert found.missing_current == 0.5


@pytest.mark.parametrize(
    ("reference", "current", "reason"),
    [
        (np.arange(1000.0), [], "the window holds no value"),
        (np.arange(1000.0), [np.nan] * 5, "the window holds no value"),
        (np.arange(1000.0), np.arange(15.0), "fewer than 2 cells expect 10 rows"),
        (np.ones(1000), np.ones(1000), "fewer than 2 cells expect 10 rows"),
    ],
)
def test_what_cannot_be_computed_is_nan_with_a_reason(reference, current, reason):
    found = drift_of(reference, current)
    assert not found.computable
    assert found.reason.startswith(reason)
    assert all(math.isnan(value) for value in (found.psi, found.excess, found.psi_low, found.js, found.p_value))


def test_an_empty_reference_histogram_is_a_reason():
    cells = NumericCells.of("x", np.arange(100.0))
    found = column_drift(cells, count(cells, []), count(cells, np.arange(100.0)))
    assert found.reason == "the reference holds no value"


def test_a_histogram_of_other_cells_is_refused():
    cells = NumericCells.of("x", np.arange(100.0))
    with pytest.raises(InvalidInput, match="'x' has 20 cells, a histogram 2"):
        column_drift(cells, count(cells, [1.0]), Histogram.from_row(np.zeros(5, dtype=np.int64)))


@given(st.lists(st.floats(0, 1), max_size=20))
def test_q_values_agree_with_scipy(p):
    expected = false_discovery_control(p) if p else np.zeros(0)
    assert benjamini_hochberg(p) == pytest.approx(expected)


def test_unknown_p_values_neither_count_nor_vanish():
    assert benjamini_hochberg([0.02, math.nan, 0.5]) == pytest.approx([0.04, math.nan, 0.5], nan_ok=True)
    assert np.isnan(benjamini_hochberg([math.nan])).all()


def test_psi_over_time_is_the_psi_of_each_window():
    rng = np.random.default_rng(11)
    reference, current = rng.normal(size=3_000), rng.normal(0.3, 1, size=2_000)
    cells = NumericCells.of("x", reference)
    days = count_by(cells, current, rng.integers(0, 4, 2_000), 5)
    old = count(cells, reference)
    psi, floor = psi_series(cells, old, days)
    for day in range(4):
        alone = column_drift(cells, old, Histogram.from_row(days[day]))
        assert (psi[day], floor[day]) == pytest.approx((alone.psi, alone.noise_floor))
    assert np.isnan(psi[4])


def windows_of(rng, *, k_windows, columns, sd, n=300):
    """Days whose columns move from day to day by `sd`, with the cells of all of them."""
    moves = rng.normal(0, sd, size=(columns, k_windows))
    values = rng.normal(size=(columns, k_windows, n)) + moves[:, :, None]
    cells, windows = {}, {}
    groups = np.repeat(np.arange(k_windows), n)
    for column in range(columns):
        name = f"x{column}"
        cells[name] = NumericCells.of(name, values[column].ravel())
        windows[name] = count_by(cells[name], values[column].ravel(), groups, k_windows)
    return cells, windows


def test_usual_swing_agrees_with_its_definition():
    cells, windows = windows_of(np.random.default_rng(12), k_windows=6, columns=3, sd=0.3)
    swing = usual_swing(cells, windows)
    r = np.zeros((3, 6))
    floor = np.zeros(3)
    for f, name in enumerate(cells):
        whole = windows[name].sum(axis=0)
        for w in range(6):
            rest, window = Histogram.from_row(whole - windows[name][w]), Histogram.from_row(windows[name][w])
            found = column_drift(cells[name], rest, window)
            r[f, w], floor[f] = found.psi, found.noise_floor
    expected = [max(r[f, w] / max(np.delete(r[f], w).mean(), floor[f]) for f in range(3)) for w in range(6)]
    assert swing.maxima == pytest.approx(sorted(expected))
    assert swing.k_windows == 6
    for f, name in enumerate(cells):
        assert swing.usual_psi[name] == pytest.approx(max(r[f].mean(), floor[f]))
        assert swing.ratio(name, 0.5) == pytest.approx(0.5 / swing.usual_psi[name])


def test_the_ratio_limit_is_a_rank_and_infinite_below_19_windows():
    cells, windows = windows_of(np.random.default_rng(13), k_windows=28, columns=2, sd=0.2, n=100)
    swing = usual_swing(cells, windows)
    assert swing.ratio_limit(level=0.95) == swing.maxima[27]
    assert swing.ratio_limit(level=0.9) == swing.maxima[26]
    few = usual_swing(cells, {name: rows[:18] for name, rows in windows.items()})
    assert few.ratio_limit(level=0.95) == math.inf
    assert usual_swing(cells, {name: rows[:19] for name, rows in windows.items()}).ratio_limit() < math.inf


def test_empty_windows_do_not_count_as_reference_windows():
    cells, windows = windows_of(np.random.default_rng(14), k_windows=5, columns=2, sd=0.2)
    with_a_gap = {name: np.vstack([rows, np.zeros_like(rows[:1])]) for name, rows in windows.items()}
    assert usual_swing(cells, with_a_gap) == usual_swing(cells, windows)


def test_a_column_without_rows_has_no_usual_swing():
    cells, windows = windows_of(np.random.default_rng(15), k_windows=5, columns=2, sd=0.2)
    windows["x1"] = np.zeros_like(windows["x1"])
    swing = usual_swing(cells, windows)
    assert math.isnan(swing.usual_psi["x1"])
    assert math.isnan(swing.ratio("x1", 0.5))
    assert swing.k_windows == 5
    assert usual_swing({}, {}).ratio_limit() == math.inf


def test_columns_need_the_same_windows():
    cells, windows = windows_of(np.random.default_rng(16), k_windows=3, columns=2, sd=0.2)
    windows["x1"] = windows["x1"][:2]
    with pytest.raises(InvalidInput, match=r"Columns have \[2, 3\] windows"):
        usual_swing(cells, windows)


def test_15_columns_are_compared_in_milliseconds():
    rng = np.random.default_rng(17)
    cells = NumericCells.of("x", rng.normal(size=10_000))
    old, new = count(cells, rng.normal(size=10_000)), count(cells, rng.normal(0.2, 1, size=5_000))
    took = []
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(15):
            column_drift(cells, old, new)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.02


# --- calibration -----------------------------------------------------------------------------------------------


def mixed_columns(rng, n):
    """Draw 20 columns as real ones are: smooth, tied, zero-inflated, skewed, rare and high-cardinality levels."""
    numbers = [rng.normal(size=n) for _ in range(6)]
    numbers += [np.round(rng.normal(size=n) * 3) for _ in range(3)]
    numbers += [np.where(rng.random(n) < 0.7, 0.0, rng.exponential(size=n)) for _ in range(3)]
    numbers += [rng.lognormal(sigma=1.5, size=n) for _ in range(2)]
    levels = [rng.integers(0, 5, n) for _ in range(2)]
    levels += [rng.binomial(1, 0.01, n) for _ in range(2)]
    share = 1 / (np.arange(1_000) + 5.0)
    levels += [np.searchsorted(np.cumsum(share / share.sum()), rng.random(n)) for _ in range(2)]
    return numbers, levels


@pytest.mark.slow
@pytest.mark.parametrize("n_current", [100, 300, 1_000])
@pytest.mark.parametrize("n_reference", [1_000, 10_000])
def test_no_change_is_flagged_in_at_most_5_percent_of_windows(n_reference, n_current):
    rng = np.random.default_rng(n_reference + n_current)
    any_flag = watch = 0
    # Windows that share a small reference share its noise: a thousand rows serve one window only.
    each = 1 if n_reference == 1_000 else 5
    references = 250 // each
    for _ in range(references):
        numbers, levels = mixed_columns(rng, n_reference)
        cells = [NumericCells.of("x", values) for values in numbers]
        cells += [CategoryCells.of("c", values) for values in levels]
        old = [count(cell, values) for cell, values in zip(cells, numbers + levels, strict=True)]
        for _ in range(each):
            fresh = [values for kind in mixed_columns(rng, n_current) for values in kind]
            found = [
                column_drift(cell, reference, count(cell, values))
                for cell, reference, values in zip(cells, old, fresh, strict=True)
            ]
            q = benjamini_hochberg([drift.p_value for drift in found])
            any_flag += bool((q < 0.05).any())
            watch += any(value < 0.05 and drift.excess >= 0.1 for value, drift in zip(q, found, strict=True))
    runs = references * each
    bar = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert any_flag / runs <= bar
    assert watch / runs <= bar


@pytest.mark.slow
def test_the_noise_floor_is_the_mean_psi_of_no_change_and_the_interval_covers():
    rng = np.random.default_rng(20)
    shift = 0.45
    ratios, covered = [], []
    cuts = scipy.stats.norm.ppf(np.arange(1, 20) / 20)
    q = np.diff(np.r_[0, scipy.stats.norm.cdf(cuts - shift), 1])
    true_psi = float(((q - 0.05) * np.log(q / 0.05)).sum())
    for _ in range(1000):
        reference = rng.normal(size=10_000)
        cells = NumericCells.of("x", reference)
        old = count(cells, reference)
        still = column_drift(cells, old, count(cells, rng.normal(size=1_000)))
        moved = column_drift(cells, old, count(cells, rng.normal(shift, 1, size=1_000)))
        ratios.append(still.psi / still.noise_floor)
        covered.append(moved.psi_low <= true_psi <= moved.psi_high)
    assert 0.84 <= np.mean(ratios) <= 1.06
    assert 0.91 - 3 * math.sqrt(0.09 * 0.91 / 1000) <= np.mean(covered) <= 0.99


@pytest.mark.slow
def test_a_psi_of_twice_the_floor_is_found_from_300_rows():
    rng = np.random.default_rng(21)
    numbers, levels = mixed_columns(rng, 10_000)
    cells = [NumericCells.of("x", values) for values in numbers] + [CategoryCells.of("c", values) for values in levels]
    old = [count(cell, values) for cell, values in zip(cells, numbers + levels, strict=True)]
    hits = 0
    for _ in range(200):
        fresh = [values for kind in mixed_columns(rng, 300) for values in kind]
        fresh[0] = fresh[0] + 0.45
        found = [column_drift(c, r, count(c, v)) for c, r, v in zip(cells, old, fresh, strict=True)]
        q = benjamini_hochberg([drift.p_value for drift in found])
        hits += bool(q[0] < 0.05 and found[0].excess >= 0.1)
    assert hits >= 180


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.0, 0.2, 0.5])
def test_days_that_swing_as_usual_are_flagged_in_at_most_5_percent(sd):
    rng = np.random.default_rng(int(100 * sd))
    runs, flagged = 250, 0
    for _ in range(runs):
        cells, windows = windows_of(rng, k_windows=29, columns=5, sd=sd, n=200)
        # The last day is the one to judge; it took no part in the swing, only in where the cells lie.
        swing = usual_swing(cells, {name: rows[:28] for name, rows in windows.items()})
        limit = swing.ratio_limit(level=0.95)
        found = {}
        for name, rows in windows.items():
            old, new = Histogram.from_row(rows[:28].sum(axis=0)), Histogram.from_row(rows[28])
            found[name] = column_drift(cells[name], old, new)
        q = benjamini_hochberg([drift.p_value for drift in found.values()])
        flagged += any(
            value < 0.05 and swing.ratio(name, drift.psi) > limit
            for value, (name, drift) in zip(q, found.items(), strict=True)
        )
    assert flagged / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_rows_beside_the_only_value_are_counted():
    for values, fresh, value in (
        (np.zeros(2_000), np.r_[np.ones(90), np.zeros(10)], "0"),
        (np.where(np.arange(2_000) == 7, 1.0, 0.0), np.r_[np.ones(90), np.zeros(10)], "0"),
    ):
        cells = NumericCells.of("flag", values)
        found = column_drift(cells, count(cells, values), count(cells, fresh))
        assert found.others is not None
        assert (found.others.value, found.others.reference) == (value, int(values.sum()))
        assert (found.others.current, found.others.n_current) == (90, 100)


def test_an_always_empty_column_counts_the_rows_with_a_value():
    cells = CategoryCells.empty("note")
    found = column_drift(cells, count(cells, [None] * 500), count(cells, ["x"] * 30 + [None] * 70))
    assert found.others is not None
    assert (found.others.reference, found.others.n_reference) == (0, 500)
    assert (found.others.current, found.others.n_current) == (30, 100)
