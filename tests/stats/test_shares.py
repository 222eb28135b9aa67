"""Two shares at the edge: published intervals, an exact test, nothing undefined."""

from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from mlops_dash.stats.shares import exact_p, newcombe


@pytest.mark.parametrize(("ones", "n"), [((56, 48), (70, 80)), ((9, 3), (10, 10)), ((0, 10), (10, 20))])
def test_the_interval_is_newcombes(ones: tuple[int, int], n: tuple[int, int]) -> None:
    theirs = confint_proportions_2indep(ones[0], n[0], ones[1], n[1], method="newcomb")
    assert newcombe(ones, n, level=0.95) == pytest.approx(theirs, abs=1e-12)


def test_all_against_none_is_clear_and_none_against_none_is_narrow() -> None:
    low, high = newcombe((500, 0), (500, 500), level=0.95)
    assert 0.98 < low < high == 1
    assert exact_p((500, 0), (500, 500)) < 1e-290
    low, high = newcombe((0, 0), (500, 500), level=0.95)
    assert -0.01 < low < 0 < high < 0.01
    assert exact_p((0, 0), (500, 500)) == 1
