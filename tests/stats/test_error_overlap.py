"""The four parts of the rows of two models: they are all rows, and their intervals go by days."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.stats.error_overlap import PARTS, error_overlap


def test_parts_sum_to_one_and_are_what_they_are_called() -> None:
    rng = np.random.default_rng(3)
    a, b, day = rng.random(900) < 0.3, rng.random(900) < 0.2, np.repeat(np.arange(30), 30)
    made = error_overlap(a, b, day, level=0.95, unit="days")
    assert tuple(made) == PARTS
    assert sum(one.value for one in made.values()) == pytest.approx(1.0)
    assert made["only_a_wrong"].value == (a & ~b).mean()
    assert made["only_b_wrong"].value == (b & ~a).mean()
    assert made["both_wrong"].low < 0.06 < made["both_wrong"].high
    assert made["both_right"].method == "jackknife over days"
    assert made["both_right"].n_clusters == 30
