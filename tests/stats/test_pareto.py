"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.stats.pareto import front


@pytest.mark.parametrize("columns", [2, 3])
def test_the_front_is_what_the_definition_says(columns: int) -> None:
    values = np.random.default_rng(columns).integers(0, 12, size=(300, columns)).astype(float)  # with many ties
    beaten = [bool(((values >= one).all(axis=1) & (values > one).any(axis=1)).any()) for one in values]
    assert front(values).tolist() == [not one for one in beaten]


def test_no_points_have_no_front() -> None:
    assert front(np.empty((0, 2))).tolist() == []
