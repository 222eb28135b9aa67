"""Replays of the past: the fast looks are the slow ones, and the promise holds for skewed outcomes and small shares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from mlops_dash.stats.ab import Effect, base_rate_free, clustered, mean_of, quantile_of, welch
from mlops_dash.stats.ab_replay import Replayed, of_days, of_quantiles, of_units, replay
from mlops_dash.stats.arrays import Bools, Floats
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.pair_sums import Adjustment, PairSums
from mlops_dash.stats.sequential_ab import units_before_first_look

N, DAYS = 3_000, 50


def past(kind: str, rng: np.random.Generator) -> tuple[Floats, Floats | None, Floats | None]:
    before = rng.gamma(0.5, 20.0, N)
    if kind == "share":
        return (rng.random(N) < 0.05).astype(float), None, None
    if kind == "ratio":
        visits = rng.integers(1, 9, N).astype(float)
        return visits * rng.gamma(0.5, 4.0, N), visits, None
    spend = (rng.random(N) < 0.3) * rng.lognormal(1.0, 1.2, N)
    return (0.5 * before + spend, None, before) if kind == "cuped" else (spend, None, None)


@pytest.mark.parametrize("kind", ["mean", "share", "ratio", "cuped"])
def test_looks_from_sums_are_those_from_all_units(kind: str) -> None:
    rng = np.random.default_rng(5)
    y, z, x = past(kind, rng)
    day, arm = np.sort(rng.integers(0, DAYS, N)), rng.random(N) < 0.4
    for number, (_, effect) in enumerate(of_units(y, z, x, day, least=100)(arm)):
        if number not in {20, DAYS - 1}:
            continue
        sides = [side & (day <= number) for side in (arm, ~arm)]
        if kind == "ratio":
            assert z is not None
            slow = welch(*(PairSums.of(y[side], z[side]).ratio_of() for side in sides))
        elif kind == "cuped":
            assert x is not None
            sums = [PairSums.of(y[side], x[side]) for side in sides]
            fit = Adjustment.of(sums)
            slow = welch(*(fit.adjusted(one).mean_of() for one in sums))
        else:
            slow = welch(*(mean_of(y[side]) for side in sides))
        assert (effect.difference, effect.se) == pytest.approx((slow.difference, slow.se), rel=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("kind", ["mean", "share", "ratio", "cuped"])
def test_fifty_looks_keep_the_promise_where_a_daily_t_test_does_not(kind: str, share: float) -> None:
    rng = np.random.default_rng([ord(kind[0]), int(10 * share)])
    day = np.sort(rng.integers(0, DAYS, N))
    looks = of_units(*past(kind, rng), day, least=100)
    found = replay(looks, N, share=share, planned_units=N, alpha=0.05, runs=300, rng=rng)
    assert found.share <= 0.05 + 3 * (0.05 * 0.95 / found.runs) ** 0.5
    assert found.low <= found.share <= found.high
    if share == 0.5:
        assert (found.looked, found.naive / found.runs > 0.15) == (found.runs, True)


@pytest.mark.parametrize("share", [0.5, 0.1])
@pytest.mark.parametrize("q", [0.5, 0.9, 0.95])
def test_fifty_looks_at_a_quantile_keep_the_promise(q: float, share: float) -> None:
    rng = np.random.default_rng([int(100 * q), int(10 * share)])
    day = np.sort(rng.integers(0, DAYS, 2 * N))
    y = (rng.random(2 * N) < 0.8) * rng.lognormal(1.0, 1.2, 2 * N)
    found = replay(of_quantiles(y, q, day, least=100), 2 * N, share=share, planned_units=2 * N, alpha=0.05, runs=200,
                   rng=rng)  # fmt: skip
    assert found.share <= 0.05 + 3 * (0.05 * 0.95 / found.runs) ** 0.5
    assert found.looked == found.runs
    if share == 0.5:
        assert found.naive / found.runs > 0.1


def test_looks_at_a_quantile_are_those_of_sorted_units_and_coarse_values_say_nothing() -> None:
    rng = np.random.default_rng(2)
    day, arm = np.sort(rng.integers(0, 10, N)), rng.random(N) < 0.4
    y = rng.lognormal(0, 1, N)
    for number, (needed, effect) in enumerate(of_quantiles(y, 0.9, day, least=100)(arm)):
        sides = [quantile_of(y[side & (day <= number)], 0.9) for side in (arm, ~arm)]
        assert effect == welch(*sides)
        assert needed == 200  # 20 beyond the quantile
    half = np.where(rng.random(N) < 0.9, 0.0, y)  # nine in ten spend nothing: the 0.9-quantile lies beside their 0
    assert "have one value" in [effect for _, effect in of_quantiles(half, 0.9, day, least=100)(arm)][-1].reason
    counts = rng.poisson(20, N).astype(float)  # of 300 such A/A tests, 12 to 41 % of looks would call them different
    effects = [effect for _, effect in of_quantiles(counts, 0.9, day, least=100)(arm)]
    assert not any(one.computable for one in effects)
    assert "different values around the 0.9-quantile" in effects[-1].reason


def test_the_units_that_an_arm_needs_follow_the_skew_so_far() -> None:
    rng = np.random.default_rng(3)
    y, day = rng.lognormal(0, 1, N), np.sort(rng.integers(0, DAYS, N))
    arm = rng.random(N) < 0.1
    for number, (needed, _) in enumerate(of_units(y, None, None, day, least=100)(arm)):
        seen = day <= number
        slow = units_before_first_look(Moments.of(y[seen & arm]), Moments.of(y[seen & ~arm]))
        assert abs(needed - max(100, slow)) <= 1


def test_days_that_differ_are_clusters() -> None:
    rng = np.random.default_rng(8)
    day = np.repeat(np.arange(20), 150)
    late = (rng.random(day.size) < 0.3).astype(float)
    loss = rng.gamma(2.0, 0.2, day.size) + 0.3 * rng.random(20)[day]
    sums = np.column_stack([loss * late, late, loss * (1 - late), 1 - late])
    looks, arm = of_days(sums, day, base_rate_free(0.3), least=100), rng.random(day.size) < 0.5
    last = list(looks(arm))[-1][1]
    by_day = [np.array([sums[side & (day == one)].sum(axis=0) for one in range(20)]) for side in (arm, ~arm)]
    slow = clustered(base_rate_free(0.3), *by_day, n_1=int(arm.sum()), n_0=int((~arm).sum()))
    assert last == slow
    found = replay(looks, day.size, share=0.5, planned_units=day.size, alpha=0.05, runs=100, rng=rng)
    assert found.alarms <= 5 + 3 * 2.2


def test_a_minimum_that_is_never_reached_is_no_look_and_no_alarm() -> None:
    def looks(_arm: Bools) -> Iterator[tuple[int, Effect]]:
        yield 100, welch(mean_of([1.0, 2.0]), mean_of([3.0, 4.0]))

    found = replay(looks, 4, share=0.5, planned_units=100, alpha=0.05, runs=50, rng=np.random.default_rng(1))
    assert found == Replayed(50, 0, 0, found.low, found.high, 0)
