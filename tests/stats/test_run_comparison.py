"""Differences between sides of runs: against scipy, against the paired comparison of versions, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.comparison import HIGHER, LOWER, paired_difference
from mlops_dash.stats.run_comparison import (
    RunDifference,
    mcnemar,
    metric_of_rows,
    of_resamples,
    of_rows,
    of_runs,
    right_rows,
)

RNG = np.random.default_rng(7)
N = 300
Y = (RNG.random(N) < 0.4).astype(float)
A = np.clip(0.3 * Y + 0.3 + 0.2 * RNG.standard_normal((4, N)), 0.01, 0.99)
B = np.clip(0.2 * Y + 0.3 + 0.2 * RNG.standard_normal((4, N)), 0.01, 0.99)
DAY = np.arange(N) % 15
KEYS: list[str | None] = ["1", "2", "3", "4"]


@pytest.mark.parametrize("metric", ["auc", "brier", "log_loss", "mae", "rmse"])
def test_one_model_a_side_is_the_paired_comparison_of_versions(metric: str) -> None:
    made = of_rows(metric, Y, A[:1], B[:1], DAY, keys_a=["1"], keys_b=["1"], models_only=True)
    direction = HIGHER if metric == "auc" else LOWER
    known = paired_difference(Y, A[0], B[0], DAY, metric=metric, direction=direction, level=0.95)
    sign = 1 if direction == HIGHER else -1
    assert made.value == pytest.approx(sign * known.value)
    assert sorted(sign * end for end in made.interval(0.95)) == pytest.approx([known.low, known.high])
    assert (made.n_rows, made.n_clusters) == (N, 15)


def test_seeds_add_their_spread_to_that_of_the_rows() -> None:
    whole = of_rows("brier", Y, A, B, DAY, keys_a=KEYS, keys_b=KEYS, models_only=False)
    fixed = of_rows("brier", Y, A, B, DAY, keys_a=KEYS, keys_b=KEYS, models_only=True)
    metrics = [[metric_of_rows("brier", Y, one) for one in side] for side in (A, B)]
    seeds = np.subtract(*metrics)
    assert whole.value == pytest.approx(fixed.value) == pytest.approx(seeds.mean())
    assert whole.error_runs == pytest.approx(seeds.std(ddof=1) / 2)
    assert whole.error == pytest.approx(math.hypot(fixed.error, whole.error_runs))
    assert whole.n_pairs == 4
    assert whole.df == (14 if whole.error_units > whole.error_runs else 3)


def test_rows_without_days_are_the_paired_t_of_row_losses() -> None:
    made = of_rows("brier", Y, A[:1], B[:1], None, keys_a=["1"], keys_b=["1"], models_only=True)
    known = stats.ttest_rel((A[0] - Y) ** 2, (B[0] - Y) ** 2)
    assert made.p_value() == pytest.approx(known.pvalue)


def test_only_seeds_of_both_sides_are_matched() -> None:
    made = of_rows("brier", Y, A, B[:3], DAY, keys_a=KEYS, keys_b=["2", "3", "4"], models_only=False)
    same = of_rows("brier", Y, A[1:], B[:3], DAY, keys_a=KEYS[1:], keys_b=KEYS[1:], models_only=False)
    assert (made.value, made.error, made.n_runs) == pytest.approx((same.value, same.error, 3))


def test_run_metrics_alone_are_scipys_t_tests() -> None:
    a, b = RNG.normal(1, 1, 6), RNG.normal(0, 2, 5)
    paired = of_runs(a[:5], b, [*KEYS, "5"], [*KEYS, "5"])
    assert paired.p_value() == pytest.approx(stats.ttest_rel(a[:5], b).pvalue)
    welch = of_runs(a, b, [None] * 6, [None] * 5)
    known = stats.ttest_ind(a, b, equal_var=False)
    assert welch.p_value() == pytest.approx(known.pvalue)
    assert welch.interval(0.95) == pytest.approx(tuple(known.confidence_interval(0.95)))


def test_splits_of_the_same_data_share_rows_and_cost_more() -> None:
    a, b = RNG.normal(1, 1, 10), RNG.normal(0, 1, 10)
    made = of_resamples(a, b, test_over_train=0.25)
    d = a - b
    assert made.error == pytest.approx(d.std(ddof=1) * math.sqrt(1 / 10 + 0.25))
    assert made.df == 9
    assert made.runs_needed(0.01, tail=0.025) is None  # further splits of the same data cannot tell that little


def test_what_cannot_be_computed_says_why() -> None:
    short = of_runs(np.array([1.0, 2.0]), np.array([1.0, 3.0]), KEYS[:2], KEYS[:2])
    assert (short.computable, short.reason) == (False, "fewer than 3 runs a side: no test")
    few = of_rows("brier", Y, A[:1], B[:1], DAY % 3, keys_a=["1"], keys_b=["1"], models_only=True)
    assert "3 days, at least 5 needed" in few.reason
    assert math.isnan(few.p_value())
    one_class = of_rows("auc", np.ones(N), A[:1], B[:1], DAY, keys_a=["1"], keys_b=["1"], models_only=True)
    assert "one class is empty" in one_class.reason
    same = of_rows("brier", Y, A[:1], A[:1], DAY, keys_a=["1"], keys_b=["1"], models_only=True)
    assert (same.computable, "identical" in same.reason) == (False, True)
    assert "identical" in of_resamples(np.arange(4.0), np.arange(4.0), test_over_train=0.2).reason
    with pytest.raises(InvalidInput, match="above 0"):
        of_resamples(np.arange(4.0), np.arange(4.0), test_over_train=0.0)
    with pytest.raises(InvalidInput, match="cannot be computed of rows"):
        metric_of_rows("f1", Y, A[0])


@given(st.floats(-2, 2), st.floats(0.01, 2), st.integers(2, 50), st.floats(0.01, 3))
def test_practical_equality_is_the_90_percent_interval_inside_the_margin(
    value: float, error: float, df: int, margin: float
) -> None:
    made = RunDifference(value, error, float(df), value, 0.0)
    low, high = made.interval(0.90)
    if min(abs(low + margin), abs(high - margin)) > 1e-9:
        assert (made.equal_p(margin) < 0.05) == (-margin < low and high < margin)


def test_the_runs_needed_are_the_fewest_with_80_percent_power() -> None:
    found = RunDifference(0.5, 0.5, 4.0, 1.0, 0.5, error_runs=0.5, n_runs=5, n_pairs=5)
    n = found.runs_needed(0.5, tail=0.025)
    assert n is not None
    sd = 0.5 * math.sqrt(5)

    def power(r: int) -> float:
        bound = stats.t.ppf(0.975, r - 1)
        return float(stats.nct.sf(bound, r - 1, 0.5 / (sd / math.sqrt(r))))

    assert power(n - 2) < 0.8 < power(n + 2)


def test_mcnemar_is_the_exact_binomial_test_less_half_of_its_last_term() -> None:
    for only_a, only_b in ((3, 12), (0, 5), (40, 41)):
        n, k = only_a + only_b, min(only_a, only_b)
        exact = stats.binomtest(k, n, 0.5).pvalue
        assert mcnemar(only_a, only_b) == pytest.approx(exact - stats.binom.pmf(k, n, 0.5))
    assert mcnemar(4, 4) <= 1


def test_a_row_is_right_when_its_score_is_on_the_labels_side() -> None:
    assert right_rows([0, 1, 1], np.array([0.5, 0.5, 0.2])).tolist() == [False, True, False]
    assert right_rows([0, 1, 1], np.array([0.5, 0.5, 0.2]), threshold=0.1).tolist() == [False, True, True]
