"""Regression errors from mergeable summaries: what the rows give, merged exactly, with days as clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import mean_absolute_error, mean_squared_error

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.comparison import HIGHER, LOWER, paired_difference
from mlops_dash.stats.performance import regression_metrics
from mlops_dash.stats.regression import ErrorSummary, errors_by, regression_from_summaries

NUMBERS = st.floats(-1e4, 1e4, allow_nan=False)
ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 5)), min_size=1, max_size=60)


def minutes(n: int, *, seed: int, days: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    day = np.sort(rng.integers(0, days, n))
    truth = rng.gamma(4.0, 40.0, n)
    return truth, truth + rng.normal(0.0, 12.0, n) + rng.normal(0.0, 4.0, days)[day], day


def test_a_summary_says_what_scikit_learn_says_of_the_rows() -> None:
    truth, predicted, _ = minutes(700, seed=1)
    found = ErrorSummary.of(truth, predicted)
    assert found.n == 700
    assert found.mae == pytest.approx(mean_absolute_error(truth, predicted), rel=1e-12)
    assert found.rmse == pytest.approx(np.sqrt(mean_squared_error(truth, predicted)), rel=1e-12)
    assert found.bias == pytest.approx((predicted - truth).mean(), rel=1e-9)
    assert found.absolute.variance == pytest.approx(np.abs(predicted - truth).var(ddof=1), rel=1e-9)
    assert found.label.mean == pytest.approx(truth.mean())


@given(ROWS)
def test_merging_the_days_gives_the_summary_of_all_rows(rows: list[tuple[float, float, int]]) -> None:
    truth, predicted, day = (np.asarray(column) for column in zip(*rows, strict=True))
    days = errors_by(truth, predicted, day.astype(np.int64), n_groups=6)
    merged, whole = sum(days, start=ErrorSummary.empty()), ErrorSummary.of(truth, predicted)
    scale = 1.0 + float(np.abs(truth).max() + np.abs(predicted).max())
    for ours, theirs in ((merged.absolute, whole.absolute), (merged.signed, whole.signed), (merged.label, whole.label)):
        assert ours.n == theirs.n
        assert ours.mean == pytest.approx(theirs.mean, abs=1e-9 * scale)
        assert ours.m2 == pytest.approx(theirs.m2, rel=1e-9, abs=1e-9 * scale**2)
        assert ours.m3 == pytest.approx(theirs.m3, rel=1e-7, abs=1e-7 * scale**3)


def test_estimates_from_days_are_those_from_rows_with_days_as_clusters() -> None:
    truth, predicted, day = minutes(900, seed=2)
    from_rows = regression_metrics(truth, predicted, level=0.95, clusters=day)
    from_days = regression_from_summaries(errors_by(truth, predicted, day, n_groups=13), level=0.95)
    for name, rows in from_rows.items():
        ours = from_days[name]
        assert (ours.n, ours.n_clusters) == (rows.n, rows.n_clusters)
        assert (ours.value, ours.low, ours.high) == pytest.approx((rows.value, rows.low, rows.high), rel=1e-9)
        assert ours.method == "jackknife over days"


def test_the_interval_of_the_mae_is_the_jackknife_done_by_hand() -> None:
    truth, predicted, day = minutes(500, seed=3, days=9)
    found = regression_from_summaries(errors_by(truth, predicted, day, n_groups=9), level=0.9)["mae"]
    without = np.array([np.abs(predicted - truth)[day != one].mean() for one in range(9)])
    se = np.sqrt(8 / 9 * ((without - without.mean()) ** 2).sum())
    half = scipy_stats.t.ppf(0.95, 8) * se
    assert found.low == pytest.approx(found.value - half)
    assert found.high == pytest.approx(found.value + half)


def test_without_rows_or_with_few_days_the_reason_is_said() -> None:
    none = regression_from_summaries([ErrorSummary.empty()] * 9, level=0.95)
    assert np.isnan(none["mae"].value)
    assert none["mae"].reason == "not computable: no rows"
    few = regression_from_summaries([ErrorSummary.of([1, 2], [2, 2])] * 3, level=0.95)
    assert few["mae"].value == 0.5
    assert np.isnan(few["mae"].low)
    assert "3 days, at least 5 needed" in few["mae"].reason
    assert np.isnan(ErrorSummary.empty().mae)
    assert np.isnan(ErrorSummary.empty().rmse)
    assert np.isnan(ErrorSummary.empty().bias)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_missing_and_infinite_values_are_refused(broken: float) -> None:
    with pytest.raises(InvalidInput, match="missing or infinite"):
        ErrorSummary.of([1.0, broken], [1.0, 2.0])
    with pytest.raises(InvalidInput, match="missing or infinite"):
        ErrorSummary.of([1.0, 2.0], [1.0, broken])
    with pytest.raises(InvalidInput, match="differ in length"):
        ErrorSummary.of([1.0, 2.0], [1.0])


@pytest.mark.parametrize("metric", ["mae", "rmse"])
def test_the_paired_difference_of_errors_is_the_jackknife_over_days_done_by_hand(metric: str) -> None:
    truth, a, day = minutes(600, seed=4)
    b = a + np.random.default_rng(5).normal(0.0, 6.0, 600)

    def measured(prediction: np.ndarray, keep: np.ndarray) -> float:
        error = (prediction - truth)[keep]
        return float(np.abs(error).mean() if metric == "mae" else np.sqrt((error**2).mean()))

    every = np.ones(600, dtype=bool)
    found = paired_difference(truth, a, b, day, metric=metric, direction=LOWER, level=0.95)
    without = np.array([measured(b, day != one) - measured(a, day != one) for one in np.unique(day)])
    g = without.size
    half = scipy_stats.t.ppf(0.975, g - 1) * np.sqrt((g - 1) / g * ((without - without.mean()) ** 2).sum())
    assert found.value == pytest.approx(measured(b, every) - measured(a, every))
    assert (found.value_a, found.value_b) == pytest.approx((measured(a, every), measured(b, every)))
    assert (found.low, found.high) == pytest.approx((found.value - half, found.value + half))
    assert (found.n, found.n_clusters, found.reason) == (600, g, "")


def test_errors_have_one_direction_and_complete_rows() -> None:
    truth, a, day = minutes(100, seed=6)
    with pytest.raises(InvalidInput, match="must be 'lower_is_better'"):
        paired_difference(truth, a, a, day, metric="mae", direction=HIGHER, level=0.95)
    with pytest.raises(InvalidInput, match="missing or infinite"):
        paired_difference(truth, np.full(100, np.nan), a, day, metric="mae", direction=LOWER, level=0.95)
    nothing = paired_difference([], [], [], [], metric="mae", direction=LOWER, level=0.95)
    assert nothing.reason == "not computable: no rows"


@pytest.mark.slow
def test_the_interval_of_the_mae_covers_the_truth_about_as_often_as_it_says() -> None:
    rng, hits, runs = np.random.default_rng(7), 0, 2_000
    for _ in range(runs):
        day = np.repeat(np.arange(28), 40)
        error = rng.normal(0.0, 10.0, day.size) * np.exp(rng.normal(0.0, 0.3, 28))[day]
        found = regression_from_summaries(errors_by(np.zeros(day.size), error, day, n_groups=28), level=0.95)["mae"]
        truth = 10.0 * np.sqrt(2 / np.pi) * np.exp(0.3**2 / 2)
        hits += found.low <= truth <= found.high
    assert hits / runs == pytest.approx(0.95, abs=0.025)
