"""Can rows of now be told from those of then? Where columns move together, alone, or not at all; halves are days."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.domain_classifier import DomainClassifier, domain_classifier, usual_aucs


def days(n: int, a_day: int = 100) -> Ints:
    return np.arange(n) // a_day


def told(old: Floats, new: Floats, **more: object) -> DomainClassifier:
    return domain_classifier(old, new, days(len(old)), days(len(new)), **more)  # type: ignore[arg-type]


def test_a_relation_between_columns_that_turned_is_seen_although_no_column_moved() -> None:
    rng = np.random.default_rng(3)
    old = rng.normal(size=(1_600, 4))
    old[:, 1] = 0.8 * old[:, 0] + 0.6 * old[:, 1]
    new = rng.normal(size=(800, 4))
    new[:, 1] = -0.8 * new[:, 0] + 0.6 * new[:, 1]
    found = told(old, new, by_column=True)
    assert found.low > 0.75
    assert found.p_value < 1e-6
    assert found.by_cluster
    assert set(np.argsort(found.drops)[-2:].tolist()) == {0, 1}


def test_the_same_input_gives_the_same_numbers_and_bad_input_is_refused() -> None:
    rng = np.random.default_rng(4)
    old, new = rng.normal(size=(700, 2)), rng.normal(0.5, 1.0, size=(400, 2))
    assert told(old, new) == told(old, new)
    with pytest.raises(InvalidInput, match="2 reference columns, 1 current"):
        told(old, new[:, :1])


def test_one_day_is_halved_by_rows_and_says_so_and_few_rows_are_not_judged() -> None:
    rng = np.random.default_rng(5)
    old, new = rng.normal(size=(700, 2)), rng.normal(size=(300, 2))
    assert not domain_classifier(old, new, days(700), np.zeros(300, dtype=np.int64)).by_cluster
    few = told(old, new[:80])
    assert math.isnan(few.auc)
    assert few.reason == "40 rows in one half, at least 50"


def test_rows_told_without_one_mistake_have_an_interval_and_gaps_are_values_too() -> None:
    rng = np.random.default_rng(6)
    old, new = rng.normal(size=(600, 2)), rng.normal(size=(600, 2))
    new[:, 1] = np.nan
    found = told(old, new)
    assert (found.auc, found.high, found.p_value, found.reason) == (1.0, 1.0, 0.0, "")
    assert 0.98 < found.low < 1.0


def test_weeks_of_one_kind_are_hardly_told_from_each_other() -> None:
    rng = np.random.default_rng(7)
    weeks = [rng.normal(size=(350, 3)) for _ in range(5)]
    found = usual_aucs(weeks, days=[days(350, 50)] * 5)
    assert len(found) == 5
    assert list(found) == sorted(found)
    assert max(found) < 0.65
    assert usual_aucs(weeks[:1], days=[days(350, 50)]) == ()


@pytest.mark.slow
def test_unchanged_windows_are_called_changed_in_5_percent() -> None:
    runs, rng = 300, np.random.default_rng(8)
    hits = 0
    for seed in range(runs):
        old, new = rng.normal(size=(600, 6)), rng.normal(size=(600, 6))
        hits += told(old, new, seed=seed).p_value < 0.05
    share = hits / runs
    print(f"A/A: {share:.1%} of {runs} windows below .05")
    assert share <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
