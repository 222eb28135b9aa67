"""The harm alarm follows its recipe, wakes in time and seldom cries wolf."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.sequential import (
    HarmUnit,
    base_rate_free_units,
    harm_alarm,
    harm_reference,
    loss_units,
    ranking_units,
)
from mlops_dash.stats.summaries import Moments, ScoreTable, moments_by


def units_of(means, *, n=1_000, variance=0.16):
    return [HarmUnit(day, day, float(mean), n, variance) for day, mean in enumerate(means)]


@pytest.fixture
def normal():
    return harm_reference(
        units_of(np.random.default_rng(1).normal(0.2, 0.01, 28)), tolerance=0.01, alpha=0.05, binary=True
    )


def test_the_reference_follows_the_recipe():
    rng = np.random.default_rng(2)
    means, n = rng.normal(0.4, 0.03, 30), rng.integers(500, 900, 30)
    units = [HarmUnit(i, i, m, int(k), 0.2) for i, (m, k) in enumerate(zip(means, n, strict=True))]
    found = harm_reference(units, tolerance=0.02, alpha=0.05)
    centred = means - means.mean()
    r = min(0.9, max(0, (centred[1:] * centred[:-1]).sum() / (centred**2).sum() + 1 / 30))
    f = (1 + r) / (1 - r)
    v = max(means.var(ddof=1) * f, np.mean(0.2 / n))
    assert found.autocorrelation == pytest.approx(r)
    assert found.inflation == pytest.approx(f)
    assert found.unit_variance == pytest.approx(v)
    # 2.04523 is the 97.5 % point of Student's law with 29 degrees of freedom.
    assert found.bound == pytest.approx(means.mean() + 2.04523 * math.sqrt(v / 30) + 0.02, rel=1e-6)
    assert (found.k_units, found.reason) == (30, "")


def test_the_evidence_follows_the_recursion(normal):
    rng = np.random.default_rng(3)
    n = rng.integers(300, 2_000, 60)
    units = [
        HarmUnit(d, d, m, int(k), 0.16) for d, (m, k) in enumerate(zip(rng.normal(0.22, 0.02, 60), n, strict=True))
    ]
    state = harm_alarm(normal, units)
    a = dict.fromkeys((0.25, 0.5, 1, 2, 4), 0.0)
    b = normal.bound
    for d, unit in enumerate(units, start=1):
        v = max(normal.between * normal.inflation, b * (1 - b) / unit.n)
        z = (unit.mean - b) / math.sqrt(v * 27 / 25)
        for bet in a:
            a[bet] = (a[bet] + 1 / (d * (d + 1))) * math.exp(bet * z - bet**2 / 2)
        assert state.z[d - 1] == pytest.approx(z)
        assert state.series[d - 1] == pytest.approx(sum(a.values()) / 5 + 1 / (d + 1))


def test_a_loss_that_is_not_0_or_1_uses_the_row_variance_of_the_reference():
    old = units_of([0.5, 0.5, 0.5, 0.5] * 7, n=100, variance=0.09)
    reference = harm_reference(old, tolerance=0.0, alpha=0.05)
    state = harm_alarm(reference, units_of([0.6], n=50))
    assert state.z[0] == pytest.approx((0.6 - reference.bound) / math.sqrt(0.09 / 50 * 27 / 25))


def test_a_change_after_200_good_days_is_dated_and_found_soon(normal):
    rng = np.random.default_rng(4)
    means = np.r_[rng.normal(0.2, 0.01, 200), rng.normal(0.25, 0.01, 60)]
    state = harm_alarm(normal, units_of(means))
    assert state.harmed
    assert 200 <= state.alarm_index <= 215
    assert abs(state.since_index - 200) <= 3
    assert state.series[state.alarm_index] >= state.threshold == 40
    assert max(state.series[: state.alarm_index]) < 40
    assert state.level > 1


def test_steady_days_raise_no_alarm(normal):
    state = harm_alarm(normal, units_of(np.random.default_rng(5).normal(0.2, 0.01, 300)))
    assert not state.harmed
    assert (state.alarm_index, state.since_index, state.reason) == (None, None, "")
    assert state.level < 1


def test_a_disaster_does_not_overflow(normal):
    state = harm_alarm(normal, units_of([1.0] * 400))
    assert state.alarm_index == 0
    assert all(math.isfinite(m) for m in state.series)


def test_no_units_yet_are_no_alarm(normal):
    state = harm_alarm(normal, [])
    assert (state.series, state.harmed) == ((), False)
    assert math.isnan(state.level)


def test_a_loss_of_zero_everywhere_is_no_division_by_zero():
    reference = harm_reference(units_of([0.0] * 28, variance=0.0), tolerance=0.0, alpha=0.05, binary=True)
    assert not harm_alarm(reference, units_of([0.0] * 50, variance=0.0)).harmed
    assert harm_alarm(reference, units_of([0.1], variance=0.0)).harmed


def test_few_reference_units_take_days_as_alike_and_say_so():
    found = harm_reference(units_of([0.2, 0.3] * 5), tolerance=0.02, alpha=0.05)
    assert found.inflation == 1.0
    assert found.reason == "10 reference units: days taken as alike"
    assert harm_alarm(found, units_of([0.2])).reason == found.reason


def test_three_reference_units_give_no_bound():
    found = harm_reference(units_of([0.2] * 3), tolerance=0.02, alpha=0.05)
    assert not found.computable
    state = harm_alarm(found, units_of([0.9] * 10))
    assert (state.series, state.harmed) == ((), False)
    assert state.reason == "not computable: 3 reference units, at least 4 needed"


def test_a_negative_tolerance_and_an_alpha_of_one_are_refused():
    with pytest.raises(InvalidInput, match=r"Tolerance is -0\.01"):
        harm_reference(units_of([0.2] * 28), tolerance=-0.01, alpha=0.05)
    with pytest.raises(InvalidInput, match="alpha is 1"):
        harm_reference(units_of([0.2] * 28), tolerance=0.01, alpha=1)


def test_days_are_merged_until_there_are_enough_labels_and_the_last_waits():
    sizes = [30, 30, 0, 70, 10]
    days = [Moments.of(np.arange(size) % 2) for size in sizes]
    units = loss_units(days, min_labels=50)
    assert [(unit.first, unit.last, unit.n) for unit in units] == [(0, 1, 60), (2, 3, 70)]
    assert units[0].mean == pytest.approx(0.5)
    assert units[0].variance == pytest.approx(0.25)


def test_weeks_hold_seven_days():
    units = loss_units([Moments.of([0.0, 1.0] * 40)] * 15, min_labels=50, days_per_unit=7)
    assert [(unit.first, unit.last) for unit in units] == [(0, 6), (7, 13)]


def test_base_rate_free_units_never_claim_more_certainty_than_they_have():
    rng = np.random.default_rng(6)
    prior, days = 0.25, 12
    y = rng.random(2_400) < rng.uniform(0.1, 0.6, days).repeat(200)
    loss, day = rng.exponential(size=2_400), np.arange(days).repeat(200)
    ones, zeros = moments_by(loss[y], day[y], n_groups=days), moments_by(loss[~y], day[~y], n_groups=days)
    units = base_rate_free_units(ones, zeros, prior=prior, min_labels=20)
    assert len(units) == days
    for unit, one, zero in zip(units, ones, zeros, strict=True):
        assert unit.mean == pytest.approx(prior * one.mean + (1 - prior) * zero.mean)
        true = prior**2 * one.m2 / one.n / one.n + (1 - prior) ** 2 * zero.m2 / zero.n / zero.n
        assert unit.variance / unit.n >= true - 1e-12
        assert unit.n == pytest.approx(min(one.n / prior, zero.n / (1 - prior)))


def test_a_day_without_one_class_waits_for_it():
    some, none = Moments.of([0.5] * 40), Moments.empty()
    units = base_rate_free_units([none, some, none], [some, some, some], prior=0.5, min_labels=10)
    assert [(unit.first, unit.last, unit.n) for unit in units] == [(0, 1, 80)]


def test_days_of_both_classes_must_match():
    with pytest.raises(InvalidInput, match="1 days of label 1 and 2 of label 0"):
        base_rate_free_units([Moments.empty()], [Moments.empty()] * 2, prior=0.5, min_labels=10)


# --- calibration -----------------------------------------------------------------------------------------------


def error_rates(rng, days, *, sd=0.0, correlation=0.0, weekly=0.0, drop_on=None, drop=0.0):
    """Draw daily error rates of 1,000 labels around .20."""
    noise = rng.normal(size=days)
    for day in range(1, days):
        noise[day] = correlation * noise[day - 1] + math.sqrt(1 - correlation**2) * noise[day]
    p = 0.2 + sd * noise + weekly * np.sin(2 * np.pi * np.arange(days) / 7)
    if drop_on is not None:
        p[drop_on:] += drop
    return rng.binomial(1_000, np.clip(p, 0, 1)) / 1_000


def alarm_after(rng, *, k, looks, **kind):
    """Return the unit of the first alarm after a reference of k days, None without one."""
    rates = error_rates(rng, k + looks, **{**kind, "drop_on": k + kind["drop_on"] if "drop_on" in kind else None})
    reference = harm_reference(units_of(rates[:k]), tolerance=0.01, alpha=0.05, binary=True)
    return harm_alarm(reference, units_of(rates[k:])).alarm_index


@pytest.mark.slow
@pytest.mark.parametrize("k", [28, 56])
@pytest.mark.parametrize(
    "kind",
    [
        {},
        {"sd": 0.01},
        {"sd": 0.03},
        {"sd": 0.01, "correlation": 0.7},
        {"sd": 0.02, "correlation": 0.7},
        {"weekly": 0.02},
    ],
    ids=str,
)
def test_false_alarms_in_500_looks_stay_below_alpha(k, kind):
    rng = np.random.default_rng(k)
    runs = 400
    alarms = sum(alarm_after(rng, k=k, looks=500, **kind) is not None for _ in range(runs))
    assert alarms / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.0, 0.01])
def test_a_drop_of_5_points_on_day_200_is_found_within_12_days(sd):
    rng = np.random.default_rng(7)
    found = [alarm_after(rng, k=28, looks=500, sd=sd, drop_on=200, drop=0.05) for _ in range(300)]
    delays = [math.inf if alarm is None else alarm - 200 for alarm in found]
    assert np.median(delays) <= 12
    assert np.mean(np.isfinite(delays)) >= 0.95


@pytest.mark.slow
def test_clipped_log_loss_without_tolerance_seldom_alarms():
    rng = np.random.default_rng(8)
    runs, alarms = 150, 0
    for _ in range(runs):
        day = np.repeat(np.arange(328), 60)
        p = rng.beta(1, 4, day.size)
        y = rng.random(day.size) < p
        loss = np.minimum(-np.log(np.where(y, p, 1 - p)), -math.log(0.01))
        units = loss_units(moments_by(loss, day, n_groups=328), min_labels=50)
        reference = harm_reference(units[:28], tolerance=0.0, alpha=0.05)
        alarms += harm_alarm(reference, units[28:]).harmed
    assert alarms / runs <= 0.012 + 3 * math.sqrt(0.012 * 0.988 / runs)


def test_ranking_units_are_one_minus_auc_within_the_day_and_skip_days_of_one_outcome() -> None:
    rng = np.random.default_rng(3)
    edges = tuple(np.linspace(0.05, 0.95, 19))
    tables, expected = [], []
    for positives in (40, 0, 25):
        label = np.r_[np.ones(positives), np.zeros(60)]
        score = np.round(rng.beta(2 + label, 2), 1) * 0.9 + 0.03
        tables.append(ScoreTable.of(edges, label, score).counts)
        if positives:
            expected.append((1 - roc_auc_score(label, np.searchsorted(edges, score)), positives))

    units = ranking_units(np.stack(tables), min_class=5)

    assert [(unit.first, unit.last) for unit in units] == [(0, 0), (2, 2)]
    for unit, (loss, n) in zip(units, expected, strict=True):
        assert unit.mean == pytest.approx(loss, abs=1e-12)
        assert (unit.n, unit.variance) == (n, pytest.approx(loss * (1 - loss)))
