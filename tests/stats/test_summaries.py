"""Score tables add up and stand in for the rows."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ranking import delong_variance_of_rows, delong_variance_of_table
from mlops_dash.stats.summaries import ScoreTable, score_edges, score_tables_by


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(5)
    y = rng.random(100_000) < 0.3
    return y, 1 / (1 + np.exp(-rng.normal(y * 1.0 - 1.0)))


def test_a_score_table_gives_the_auc_and_its_error_of_100_000_rows(scored):
    y, score = scored
    table = ScoreTable.of(score_edges(score), y, score)
    assert table.counts.shape == (200, 2)
    assert table.auc() == pytest.approx(roc_auc_score(y, score), abs=2e-5)
    variance = delong_variance_of_table(table.counts)
    assert math.sqrt(variance) == pytest.approx(math.sqrt(delong_variance_of_rows(y, score)), rel=2e-4)
    assert (table.n, table.positives, table.negatives) == (y.size, y.sum(), (~y).sum())


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1), st.integers(0, 2)), max_size=40))
def test_merged_days_are_the_table_of_all_rows(drawn):
    edges = (0.2, 0.5, 0.9)
    y = [label for label, _, _ in drawn]
    score = [value for _, value, _ in drawn]
    day = np.asarray([group for _, _, group in drawn], dtype=np.int64)
    days = [ScoreTable(edges, counts) for counts in score_tables_by(edges, y, score, day, n_groups=3)]
    assert sum(days, ScoreTable.empty(edges)) == ScoreTable.of(edges, y, score)


def test_tables_of_different_edges_do_not_merge():
    with pytest.raises(InvalidInput, match="different edges"):
        ScoreTable.empty((0.5,)).merge(ScoreTable.empty((0.4,)))


def test_an_empty_table_has_no_auc():
    table = ScoreTable.empty((0.5,))
    assert math.isnan(table.auc())


def test_a_table_survives_json(scored):
    y, score = scored
    table = ScoreTable.of(score_edges(score, cells=10), y, score)
    assert ScoreTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table


@pytest.mark.parametrize("scores", [[], [0.1, math.nan]])
def test_edges_need_complete_scores(scores):
    with pytest.raises(InvalidInput):
        score_edges(scores)


def test_equal_scores_make_one_cell():
    assert score_edges([0.3] * 10) == ()
