"""Sums of an arm instead of its rows: ratios and covariates against tea-tasting and against the rows themselves."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.ab import welch
from mlops_dash.stats.pair_sums import Adjustment, PairSums

RNG = np.random.default_rng(11)
Y1, Y0 = RNG.gamma(2.0, 1.1, 400), RNG.gamma(2.0, 1.0, 700)
X1, X0 = Y1 + RNG.normal(0, 1, 400), Y0 + RNG.normal(0, 1, 700)


def of(y: np.ndarray, z: np.ndarray) -> PairSums:
    """The sums of rows, each as its definition says."""
    both = np.isfinite(z)
    a, b = y[both], z[both]
    mean, pair_y, pair_z = (float(one.mean()) if one.size else math.nan for one in (y, a, b))
    zz, yz = float(((b - pair_z) ** 2).sum()), float(((a - pair_y) * (b - pair_z)).sum())
    return PairSums(y.size, mean, float(((y - mean) ** 2).sum()), a.size, pair_y, pair_z, zz, yz)


def _tea_tasting(metric: object, **columns: np.ndarray) -> object:
    import pandas as pd
    import tea_tasting as tt

    frame = pd.DataFrame({"variant": np.repeat([1, 0], [Y1.size, Y0.size]), **columns})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, about narwhals
        return tt.Experiment(m=metric).analyze(frame, control=0)["m"]  # type: ignore[arg-type]


def test_a_ratio_is_that_of_tea_tasting() -> None:
    import tea_tasting as tt

    a, b = np.r_[Y1, Y0], np.r_[X1, X0] ** 2 + 1
    theirs = _tea_tasting(tt.RatioOfMeans("a", "b"), a=a, b=b)
    effect = welch(of(a[:400], b[:400]).ratio_of(), of(a[400:], b[400:]).ratio_of())
    assert effect.difference == pytest.approx(theirs.effect_size, rel=1e-9)  # type: ignore[attr-defined]
    assert effect.interval(0.05)[0] == pytest.approx(theirs.effect_size_ci_lower, rel=1e-6)  # type: ignore[attr-defined]
    assert effect.p_value == pytest.approx(theirs.pvalue, rel=1e-6)  # type: ignore[attr-defined]


def test_cuped_is_that_of_tea_tasting() -> None:
    import tea_tasting as tt

    y, x = np.r_[Y1, Y0], np.r_[X1, X0]
    theirs = _tea_tasting(tt.Mean("y", "x"), y=y, x=x)
    arms = [of(y[:400], x[:400]), of(y[400:], x[400:])]
    fit = Adjustment.of(arms)
    effect = welch(*(fit.adjusted(arm).mean_of() for arm in arms))
    assert fit.missing == 0.0
    assert effect.difference == pytest.approx(theirs.effect_size, rel=1e-9)  # type: ignore[attr-defined]
    assert effect.p_value == pytest.approx(theirs.pvalue, rel=1e-6)  # type: ignore[attr-defined]
    assert effect.se < welch(*(arm.mean_of() for arm in arms)).se


@given(st.integers(0, 10_000))
def test_an_adjusted_arm_is_that_of_adjusted_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y, x, arm = rng.gamma(2, 30, 60), rng.normal(1e4, 5, 60), np.arange(60) % 3
    x[rng.random(60) < 0.3 * (seed % 2)] = np.nan
    arms = [of(y[arm == at], x[arm == at]) for at in range(3)]
    fit = Adjustment.of(arms)
    away = np.where(np.isnan(x), 0.0, x - np.nanmean(x))
    theta = ((y - y.mean()) * away).sum() / (away**2).sum()
    assert (fit.theta, fit.centre, fit.missing) == pytest.approx((theta, np.nanmean(x), np.isnan(x).mean()))
    for at, one in enumerate(arms):
        rows = (y - theta * away)[arm == at]
        found = fit.adjusted(one).mean_of()
        assert (found.value, found.sd) == pytest.approx((rows.mean(), rows.std(ddof=1)))


def test_a_covariate_that_says_nothing_is_refused_and_an_arm_without_it_stays_as_it_is() -> None:
    y = np.array([1.0, 2.0, 5.0, 4.0])
    for useless in (np.ones(4), np.full(4, np.nan)):
        with pytest.raises(InvalidInput, match="the same everywhere"):
            Adjustment.of([of(y, useless)])
    without = of(y, np.full(4, np.nan))
    assert Adjustment.of([of(y, y), without]).adjusted(without).mean_of() == without.mean_of()


def test_a_ratio_of_no_rows_or_over_nothing_has_no_value() -> None:
    for arm in (of(np.array([]), np.array([])), of(np.array([1.0, 2.0]), np.array([1.0, -1.0]))):
        assert math.isnan(arm.ratio_of().value)
