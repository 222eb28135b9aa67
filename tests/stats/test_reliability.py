"""Reliability by hand and against scikit-learn, and how often a calibrated model is called wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_auc_score, roc_curve

from mlops_dash.stats.reliability import BANDS, bands, discrimination
from mlops_dash.stats.summaries import score_edges, score_tables_by

DAYS, ROWS = 30, 400


def drawn(seed: int, *, wrong: float = 0.0, swing: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores and days of a model that is right about its probabilities, or too sure by a factor."""
    rng = np.random.default_rng(seed)
    days = np.repeat(np.arange(DAYS), ROWS)
    logit = rng.normal(-1.0, 1.2, days.size)
    truth = logit * (1 - wrong) + swing * rng.standard_normal(DAYS)[days]
    labels = (rng.random(days.size) < 1 / (1 + np.exp(-truth))).astype(float)
    return labels, 1 / (1 + np.exp(-logit)), days


def tables_of(labels: np.ndarray, scores: np.ndarray, days: np.ndarray, edges: tuple[float, ...]) -> np.ndarray:
    return score_tables_by(edges, labels, scores, days, n_groups=DAYS)


def test_shares_are_those_of_scikit_learn() -> None:
    labels, scores, days = drawn(1)
    edges = score_edges(scores)
    found = bands(tables_of(labels, scores, days, edges), edges, level=0.95)
    expected, mean = calibration_curve(labels, scores, n_bins=BANDS, strategy="quantile")
    assert [one.share.value for one in found] == pytest.approx(expected, abs=0.004)  # a row may lie at the border
    assert all(one.low <= score <= one.high for one, score in zip(found, mean, strict=True))
    assert sum(one.share.n for one in found) == labels.size
    assert [one.high for one in found[:-1]] == [one.low for one in found[1:]]


def test_gini_and_kolmogorov_smirnov_are_those_of_scikit_learn() -> None:
    labels, scores, days = drawn(2)
    found = discrimination(tables_of(labels, scores, days, score_edges(scores, cells=2_000)), level=0.95)
    false, true, _ = roc_curve(labels, scores)
    assert found.gini.value == pytest.approx(2 * roc_auc_score(labels, scores) - 1, abs=1e-3)
    assert found.ks.value == pytest.approx((true - false).max(), abs=2e-3)
    assert found.gini.low < found.gini.value < found.gini.high
    assert 0 <= found.ks.low < found.ks.value < found.ks.high <= 1


def test_a_band_without_rows_or_with_one_class_says_why_it_knows_nothing() -> None:
    none = np.zeros((6, 4, 2), dtype=np.int64)
    found = bands(none, [0.2, 0.5, 0.9], level=0.95)
    assert [(one.side, math.isnan(one.share.value), bool(one.share.reason)) for one in found] == [(0, True, True)] * 4
    assert math.isnan(discrimination(none, level=0.95).ks.value)
    few = np.stack([np.array([[9, 1], [1, 9]])] * 3)
    assert all(one.side == 0 and "3 days" in one.share.reason for one in bands(few, [0.5], level=0.95))
    assert discrimination(few, level=0.95).ks.value == pytest.approx(0.8)


def test_one_cell_is_one_band() -> None:
    (only,) = bands(np.stack([np.array([[30, 10]])] * 8), [], level=0.95)
    assert (only.low, only.high, only.share.value) == (0.0, 1.0, 0.25)


@pytest.mark.slow
@pytest.mark.parametrize("swing", [0.0, 0.15])
def test_a_calibrated_model_is_rarely_called_wrong_in_any_band_and_one_that_is_too_sure_is_found(swing: float) -> None:
    """Measured, 200 runs: no month with any band wrong at swings of 0, .15 and .3; too sure by 30 % found in 100 %."""
    runs = 100
    edges = score_edges(drawn(0)[1])
    wrong = [bands(tables_of(*drawn(seed, swing=swing), edges), edges, level=0.95) for seed in range(1, runs + 1)]
    assert np.mean([any(one.side for one in month) for month in wrong]) <= 0.05 + 3 * (0.05 * 0.95 / runs) ** 0.5
    found = [bands(tables_of(*drawn(seed, wrong=0.3), edges), edges, level=0.95) for seed in range(20)]
    assert all(any(one.side for one in month) for month in found)
