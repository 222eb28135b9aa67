"""Permutation importance: the truth is found, chance is not, and repeats do not flatter the forest."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.stats.importance import MIN_GROUPS, MIN_R2, permutation_importance


def test_columns_that_matter_stand_above_chance_in_their_order() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 6))
    y = 3 * x[:, 2] + x[:, 4] + 0.3 * rng.normal(size=200)
    made = permutation_importance(x, y, np.arange(200))
    assert made.reason == ""
    assert made.r2 > 0.7
    assert np.argsort(-made.value)[:2].tolist() == [2, 4]
    assert made.value[4] > made.chance
    assert (made.low <= made.value).all()
    assert (made.value <= made.high).all()


def test_noise_is_not_ranked() -> None:
    told = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        made = permutation_importance(rng.normal(size=(60, 5)), rng.normal(size=60), np.arange(60))
        told += made.reason == ""
    assert told == 0


def test_repeats_of_a_configuration_never_predict_each_other() -> None:
    """Noise per configuration, five equal repeats: runs split at random would look predictable."""
    rng = np.random.default_rng(5)
    x, y = np.repeat(rng.normal(size=(30, 3)), 5, axis=0), np.repeat(rng.normal(size=30), 5)
    flattered = permutation_importance(x, y, np.arange(150))
    honest = permutation_importance(x, y, np.repeat(np.arange(30), 5))
    assert flattered.r2 > 0.7
    assert honest.r2 < MIN_R2
    assert "explain too little" in honest.reason
    assert (honest.n, honest.n_groups) == (150, 30)


def test_the_same_runs_give_the_same_numbers() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=(40, 3))
    first, again = (permutation_importance(x, x[:, 0], np.arange(40)) for _ in range(2))
    assert first.value.tolist() == again.value.tolist()


@pytest.mark.parametrize(
    ("n", "constant", "columns", "why"),
    [(MIN_GROUPS - 1, False, 2, "too few"), (30, True, 2, "the same in all"), (30, False, 0, "no parameter differs")],
)
def test_what_cannot_be_ranked_says_why(n: int, constant: bool, columns: int, why: str) -> None:
    rng = np.random.default_rng(1)
    made = permutation_importance(
        rng.normal(size=(n, columns)), np.ones(n) if constant else rng.normal(size=n), np.arange(n)
    )
    assert why in made.reason
    assert np.isnan(made.value).all()
