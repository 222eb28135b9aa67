"""Metrics agree with sklearn; their intervals know that rows of a day are alike."""

import math
import time

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats import performance
from mlops_dash.stats.losses import LOG_LOSS_CLIP, base_rate_free_loss, log_losses, squared_errors
from mlops_dash.stats.summaries import ScoreTable, moments_by, score_edges, score_tables_by


def flights(rng, *, days=40, per_day=80, day_sd=0.6):
    """Draw rows whose base rate moves from day to day; the score knows only part of it."""
    day = np.repeat(np.arange(days), per_day)
    signal = rng.normal(size=day.size)
    y = rng.random(day.size) < 1 / (1 + np.exp(-(signal - 1 + rng.normal(0, day_sd, days)[day])))
    return y, 1 / (1 + np.exp(-(signal - 1))), day


@pytest.fixture(scope="module")
def scored():
    return flights(np.random.default_rng(1))


@pytest.mark.parametrize("clustered", [True, False])
def test_every_metric_agrees_with_sklearn(scored, clustered):
    y, p, day = scored
    found = performance.classification_metrics(
        y, p, threshold=0.4, level=0.95, clusters=day if clustered else None, clip=50.0
    )
    predicted = p >= 0.4
    expected = {
        "accuracy": sk.accuracy_score(y, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, predicted),
        "precision": sk.precision_score(y, predicted),
        "recall": sk.recall_score(y, predicted),
        "f1": sk.f1_score(y, predicted),
        "auc": sk.roc_auc_score(y, p),
        "log_loss": sk.log_loss(y, p),
        "brier": sk.brier_score_loss(y, p),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected)
    assert set(found) == {*expected, "calibration_error"}
    for name, estimate in found.items():
        assert estimate.computable, name
        assert estimate.low <= estimate.value <= estimate.high
        assert estimate.reason == ""
        assert ("independent" in estimate.method) is not clustered
        assert clustered is (estimate.n_clusters == 40)


def test_intervals_over_days_are_wider_where_days_differ(scored):
    y, p, day = scored
    by_row = performance.classification_metrics(y, p, threshold=0.4, level=0.95)
    by_day = performance.classification_metrics(y, p, threshold=0.4, level=0.95, clusters=day)
    for name in ("log_loss", "brier"):
        row, cluster = by_row[name], by_day[name]
        assert cluster.high - cluster.low > 1.5 * (row.high - row.low)


def test_calibration_error_is_the_mean_gap_over_equal_mass_cells(scored):
    y, p, day = scored
    found = performance.calibration_error(y, p, level=0.95, clusters=day, cells=10)
    order = np.argsort(p)
    gaps = [abs(p[part].sum() - y[part].sum()) for part in np.array_split(order, 10)]
    assert found.value == pytest.approx(sum(gaps) / y.size)
    assert 0 <= found.low < found.value < found.high


@given(st.integers(0, 2**32 - 1), st.integers(2, 60))
def test_base_rate_free_loss_ignores_how_many_of_each_class_there_are(seed, n):
    rng = np.random.default_rng(seed)
    y, p = np.r_[True, False, rng.random(n) < 0.5], rng.random(n + 2)
    twice = np.r_[np.flatnonzero(y), np.arange(n + 2)]
    once = base_rate_free_loss(y, p, prior=0.3)
    assert base_rate_free_loss(y[twice], p[twice], prior=0.3) == pytest.approx(once)
    assert once == pytest.approx(
        0.3 * sk.log_loss(np.ones(y.sum()), np.clip(p[y], 0.01, None), labels=[0, 1])
        + 0.7 * sk.log_loss(np.zeros((~y).sum()), 1 - np.clip(1 - p[~y], 0.01, None), labels=[0, 1])
    )


def test_base_rate_free_loss_at_the_observed_rate_is_the_log_loss(scored):
    y, p, _ = scored
    assert base_rate_free_loss(y, p, prior=y.mean()) == pytest.approx(log_losses(y, p).mean())


def test_base_rate_free_loss_is_clipped():
    assert base_rate_free_loss([1, 0], [0.0, 0.0], prior=0.5) == pytest.approx(LOG_LOSS_CLIP / 2)
    assert base_rate_free_loss([1, 0], [0.0, 0.0], prior=0.5, clip=2.0) == pytest.approx(1.0)


def test_moments_of_days_give_the_same_estimate_as_the_rows(scored):
    y, p, day = scored
    loss = log_losses(y, p)
    by_rows = performance.base_rate_free_estimate(y, p, prior=0.25, level=0.95, clusters=day)
    ones = moments_by(loss[y], day[y], n_groups=40)
    zeros = moments_by(loss[~y], day[~y], n_groups=40)
    by_days = performance.base_rate_free_from_moments(ones, zeros, prior=0.25, level=0.95)
    assert (by_days.value, by_days.low, by_days.high) == pytest.approx((by_rows.value, by_rows.low, by_rows.high))
    assert (by_days.n, by_days.n_clusters, by_days.method) == (y.size, 40, "jackknife over days")
    assert by_rows.value == pytest.approx(base_rate_free_loss(y, p, prior=0.25))


def test_score_tables_of_days_give_nearly_the_auc_of_the_rows(scored):
    y, p, day = scored
    exact = performance.auc_estimate(y, p, level=0.95, clusters=day)
    tables = score_tables_by(score_edges(p), y, p, day, n_groups=45)
    found = performance.auc_from_tables(tables, level=0.95, unit="days")
    assert (found.value, found.low, found.high) == pytest.approx((exact.value, exact.low, exact.high), abs=5e-4)
    assert (found.n, found.n_clusters) == (y.size, 40)
    assert ScoreTable(score_edges(p), tables.sum(axis=0)).auc() == found.value


def test_auc_does_not_depend_on_the_scale_of_the_score(scored):
    y, p, day = scored
    on_p = performance.auc_estimate(y, p, level=0.95, clusters=day)
    on_logit = performance.auc_estimate(y, np.log(p / (1 - p)) * 7, level=0.95, clusters=day)
    assert (on_p.value, on_p.low, on_p.high) == pytest.approx((on_logit.value, on_logit.low, on_logit.high))


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(10), 10)])
def test_auc_needs_20_of_each_class(clusters):
    y = np.r_[np.ones(19), np.zeros(81)]
    found = performance.auc_estimate(y, np.linspace(0, 1, 100), level=0.95, clusters=clusters)
    assert found.value == 0.0
    assert not found.computable
    assert found.reason == "not enough of each class: 19 positives, 81 negatives, at least 20 needed"


def test_tables_with_too_few_of_a_class_say_so():
    found = performance.auc_from_tables(np.ones((6, 3, 2), dtype=np.int64), level=0.95)
    assert (found.value, found.computable) == (0.5, False)
    assert found.reason.startswith("not enough of each class: 18 positives")


def test_a_perfect_ranking_has_no_delong_interval():
    found = performance.auc_estimate(np.r_[np.zeros(30), np.ones(30)], np.arange(60), level=0.95)
    assert (found.value, found.computable) == (1.0, False)
    assert "every positive ranks" in found.reason


def test_fewer_than_5_days_have_a_value_but_no_interval(scored):
    y, p, day = scored
    some = day < 4
    found = performance.classification_metrics(y[some], p[some], threshold=0.4, level=0.95, clusters=day[some])
    for estimate in found.values():
        assert math.isfinite(estimate.value)
        assert math.isnan(estimate.low)
        assert math.isnan(estimate.high)
        assert estimate.reason == "not computable: 4 clusters, at least 5 needed"


def test_a_share_of_one_still_has_doubt():
    y = np.ones(60)
    found = performance.classification_metrics(
        y, np.full(60, 0.9), threshold=0.5, level=0.95, clusters=np.repeat(np.arange(12), 5)
    )
    accuracy = found["accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low == pytest.approx(0.757, abs=0.001)
    assert math.isnan(found["balanced_accuracy"].value)
    assert found["balanced_accuracy"].reason == "not computable: a class the metric needs is empty"


def test_no_rows_are_a_reason_not_a_zero():
    found = performance.classification_metrics([], [], threshold=0.5, level=0.95)
    found |= performance.regression_metrics([], [], level=0.95)
    for name, estimate in found.items():
        assert math.isnan(estimate.value), name
        assert estimate.reason
        assert estimate.n == 0


@pytest.mark.parametrize("p", [[0.2, 1.2], [-0.1, 0.5], [0.2, math.nan], [0.2]])
def test_probabilities_outside_0_to_1_missing_or_too_few_are_refused(p):
    with pytest.raises(InvalidInput):
        performance.classification_metrics([0, 1], p, threshold=0.5, level=0.95)


def test_regression_metrics_agree_with_sklearn():
    rng = np.random.default_rng(3)
    y, day = rng.normal(10, 30, 2_000), np.repeat(np.arange(20), 100)
    predicted = y + rng.normal(2, 10, 2_000) + rng.normal(0, 5, 20)[day]
    found = performance.regression_metrics(y, predicted, level=0.95, clusters=day)
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(y, predicted))
    assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(y, predicted))
    assert found["bias"].value == pytest.approx((predicted - y).mean())
    alone = performance.regression_metrics(y, predicted, level=0.95)
    for name in found:
        assert found[name].high - found[name].low > alone[name].high - alone[name].low > 0


def test_a_month_of_rows_is_judged_in_well_under_a_second():
    y, p, day = flights(np.random.default_rng(5), days=30, per_day=1_000)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        performance.classification_metrics(y, p, threshold=0.5, level=0.95, clusters=day)
        took.append(time.perf_counter() - started)
    assert min(took) < 0.3


@pytest.mark.slow
def test_cluster_intervals_cover_as_promised():
    rng = np.random.default_rng(6)
    runs = 300
    big_y, big_p, _ = flights(rng, days=20_000, per_day=50)
    truth = {
        "auc": sk.roc_auc_score(big_y, big_p),
        "log_loss": log_losses(big_y, big_p).mean(),
        "brier": squared_errors(big_y, big_p).mean(),
        "f1": sk.f1_score(big_y, big_p >= 0.4),
        "accuracy": sk.accuracy_score(big_y, big_p >= 0.4),
    }
    free = base_rate_free_loss(big_y, big_p, prior=0.3)
    covered = dict.fromkeys([*truth, "base_rate_free_loss"], 0)
    for _ in range(runs):
        y, p, day = flights(rng, days=30, per_day=50)
        found = performance.classification_metrics(y, p, threshold=0.4, level=0.95, clusters=day)
        for name, value in truth.items():
            covered[name] += found[name].low <= value <= found[name].high
        estimate = performance.base_rate_free_estimate(y, p, prior=0.3, level=0.95, clusters=day)
        covered["base_rate_free_loss"] += estimate.low <= free <= estimate.high
    error = 3 * math.sqrt(0.05 * 0.95 / runs)
    for name, hits in covered.items():
        assert 0.95 - error <= hits / runs, (name, hits / runs)


@pytest.mark.slow
@pytest.mark.parametrize(("positives", "bar"), [(20, 0.90), (50, 0.94)])
def test_delong_on_the_logit_scale_covers_with_few_positives(positives, bar):
    rng = np.random.default_rng(positives)
    runs, hits = 1_500, 0
    shift = math.sqrt(2) * 1.7507
    y = np.r_[np.ones(positives), np.zeros(500)]
    for _ in range(runs):
        found = performance.auc_estimate(y, rng.normal(y * shift), level=0.95)
        hits += found.low <= 0.96 <= found.high
    assert hits / runs >= bar - 3 * math.sqrt(bar * (1 - bar) / runs)
