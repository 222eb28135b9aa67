"""AUC and its doubt agree with sklearn and with brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mlops_dash.stats import ranking

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), st.integers(0, 3)), min_size=2, max_size=40
)


def columns(drawn):
    y, score, cluster = zip(*drawn, strict=True)
    return np.asarray(y), np.asarray(score), np.asarray(cluster, dtype=np.int64)


def sklearn_auc(y, score):
    return roc_auc_score(y, score) if 0 < y.sum() < y.size else math.nan


@given(rows)
def test_auc_agrees_with_sklearn_with_ties(drawn):
    y, score, _ = columns(drawn)
    assert ranking.auc_of_rows(y, score) == pytest.approx(sklearn_auc(y, score), nan_ok=True)


@given(rows)
def test_swapping_the_labels_mirrors_the_auc(drawn):
    y, score, _ = columns(drawn)
    assert ranking.auc_of_rows(y, score) == pytest.approx(1 - ranking.auc_of_rows(~y, score), nan_ok=True)


@given(rows)
def test_auc_without_each_cluster_is_the_auc_of_the_other_rows(drawn):
    y, score, cluster = columns(drawn)
    found = ranking.auc_without_each_cluster(y, score, cluster, n_clusters=4)
    expected = [sklearn_auc(y[cluster != g], score[cluster != g]) for g in range(4)]
    assert found == pytest.approx(np.asarray(expected), nan_ok=True)


@given(rows)
def test_a_table_of_all_distinct_scores_gives_the_exact_auc_and_variance(drawn):
    y, score, _ = columns(drawn)
    cells = np.unique(score, return_inverse=True)[1]
    table = np.zeros((cells.max() + 1, 2), dtype=np.int64)
    np.add.at(table, (cells, y.astype(int)), 1)
    assert ranking.auc_of_table(table) == pytest.approx(ranking.auc_of_rows(y, score), nan_ok=True)
    assert ranking.delong_variance_of_table(table) == pytest.approx(
        ranking.delong_variance_of_rows(y, score), nan_ok=True, abs=1e-12
    )


def test_delong_variance_agrees_with_the_covariance_of_all_pairs():
    rng = np.random.default_rng(4)
    y = rng.random(120) < 0.3
    score = np.round(rng.normal(y * 0.8), 1)
    wins = (score[y][:, None] > score[~y]) + 0.5 * (score[y][:, None] == score[~y])
    expected = wins.mean(axis=1).var(ddof=1) / y.sum() + wins.mean(axis=0).var(ddof=1) / (~y).sum()
    assert ranking.delong_variance_of_rows(y, score) == pytest.approx(expected, rel=1e-12)


def test_no_rows_have_no_auc():
    nothing = np.zeros(0)
    assert math.isnan(ranking.auc_of_rows(nothing.astype(bool), nothing))
    assert math.isnan(ranking.delong_variance_of_rows(nothing.astype(bool), nothing))
