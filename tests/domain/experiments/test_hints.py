"""An example that finds some of these very runs, and the key that may have been meant."""

from __future__ import annotations

import math

import pytest

from mlops_dash.domain.experiments.filter import Clause, parse
from mlops_dash.domain.experiments.frame import RunFrame, matching
from mlops_dash.domain.experiments.hints import example, meant
from tests.domain.experiments.test_groups import frame


@pytest.fixture
def runs() -> RunFrame:
    return frame(
        [{"depth": "3"}, {"depth": "6"}, {"depth": "9"}],
        metrics={'minutes off (it\'s the "fast" one)': [4.2, 3.9, math.nan], "test_auc": [0.6, 0.71, 0.69]},
    )


@pytest.mark.parametrize("metric", ["test_auc", 'minutes off (it\'s the "fast" one)'])
def test_the_example_is_of_these_runs_and_finds_some_of_them(runs: RunFrame, metric: str) -> None:
    clauses = parse(example(runs, [metric]))
    assert isinstance(clauses, tuple)
    assert isinstance(clauses[0], Clause)
    assert (clauses[0].kind, clauses[0].key) == ("metrics", metric)
    assert 0 < matching(runs, clauses).sum() <= len(runs)


def test_without_a_number_there_is_no_example(runs: RunFrame) -> None:
    assert example(runs, []) == ""
    assert example(frame([{"a": "1"}], metrics={"x": [math.nan]}), ["x"]) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("metrics.auc > 0.65", "No run has metrics.auc. Try metrics.test_auc."),
        ("params.depht = '3'", "No run has params.depht. Try params.depth."),
        ("metrics.depth > 3", "No run has metrics.depth. Try params.depth."),
        ("params.depth = '3' and metrics.test_auc > 1", ""),
        ("status = 'FAILED'", ""),
        ("metrics.auc >", ""),
        ("", ""),
    ],
)
def test_a_key_that_no_run_has_is_named_with_what_may_be_meant(runs: RunFrame, text: str, said: str) -> None:
    assert meant(text, runs) == said
