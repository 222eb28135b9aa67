"""Metrics of several classes: scikit-learn on the rows says the same; days add up; the alarm keeps its promise."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.classes import (
    accuracy_of,
    class_units,
    confusion_by,
    error_units,
    macro_f1_of,
    recall_of,
    share_of,
    shares_and_recalls,
    surely_lower,
)
from mlops_dash.stats.estimates import MetricEstimate
from mlops_dash.stats.moments import Moments
from mlops_dash.stats.sequential import base_rate_free_units, harm_alarm, harm_reference

LEVEL = 0.95
# Adelie, Chinstrap, Gentoo: of 100 labels so many of each, and how often each is told right
SHARES, RECALLS = np.array([0.44, 0.20, 0.36]), np.array([0.90, 0.70, 0.95])


def island(
    rng: np.random.Generator,
    days: int,
    per_day: int = 120,
    *,
    shares: npt.NDArray[np.float64] = SHARES,
    recalls: npt.NDArray[np.float64] = RECALLS,
) -> npt.NDArray[np.int64]:
    """Penguins of some days; a wrong answer is the next class."""
    n = days * per_day
    label = rng.choice(shares.size, n, p=shares)
    said = np.where(rng.random(n) < recalls[label], label, (label + 1) % shares.size)
    return confusion_by(label, said, np.repeat(np.arange(days), per_day), n_classes=shares.size, n_groups=days)


classes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=60)


@given(classes)
def test_values_are_those_of_scikit_learn_on_the_rows(rows: list[tuple[int, int, int]]) -> None:
    label, said, day = (np.array(of) for of in zip(*rows, strict=True))
    tables = confusion_by(label, said, day, n_classes=4, n_groups=7)
    assert tables.sum(axis=0).tolist() == confusion_matrix(label, said, labels=range(4)).tolist()
    assert accuracy_of(tables, level=LEVEL).value == pytest.approx(accuracy_score(label, said))
    assert macro_f1_of(tables, level=LEVEL).value == pytest.approx(f1_score(label, said, average="macro"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that never occurs
        recalls = recall_score(label, said, labels=range(4), average=None, zero_division=np.nan)
    for number, recall in enumerate(recalls):
        found = recall_of(tables, number, level=LEVEL)
        assert found.value == pytest.approx(recall, nan_ok=True)
        assert found.n == int((label == number).sum())
        assert share_of(tables, number, level=LEVEL).value == pytest.approx(float((label == number).mean()))


def test_a_class_that_never_occurs_is_not_computable_and_never_0() -> None:
    tables = island(np.random.default_rng(1), 12)
    tables[:, 1, :] = 0
    found = recall_of(tables, 1, level=LEVEL)
    assert (np.isnan(found.value), found.n, "not computable" in found.reason) == (True, 0, True)
    assert 0 < macro_f1_of(tables, level=LEVEL).value < 1


def test_no_days_are_not_computable() -> None:
    none = np.zeros((0, 3, 3), dtype=np.int64)
    assert all("no rows" in of(none, level=LEVEL).reason for of in (accuracy_of, macro_f1_of))
    assert class_units(none, shares=[0.5, 0.5, 0.0], recalls=[1.0, 1.0, 0.0], min_labels=50) == ()
    with pytest.raises(InvalidInput, match="2 shares"):
        class_units(none, shares=[0.5, 0.5], recalls=[1.0, 1.0], min_labels=50)


def test_intervals_take_the_day_as_the_cluster() -> None:
    rng = np.random.default_rng(2)
    good, bad = island(rng, 15), island(rng, 15, recalls=RECALLS - 0.4)
    mixed = accuracy_of(np.concatenate([good, bad]), level=LEVEL)
    alike = accuracy_of(island(rng, 30, recalls=RECALLS - 0.2), level=LEVEL)
    assert mixed.n == alike.n == 30 * 120
    assert mixed.high - mixed.low > 3 * (alike.high - alike.low)
    assert "days" in mixed.method


@pytest.mark.slow
def test_intervals_cover_the_truth() -> None:
    rng = np.random.default_rng(3)
    truth = {"accuracy": float(SHARES @ RECALLS), "recall": float(RECALLS[1])}
    inside = dict.fromkeys(truth, 0)
    for _ in range(400):
        tables = island(rng, 28, 60)
        found = {"accuracy": accuracy_of(tables, level=LEVEL), "recall": recall_of(tables, 1, level=LEVEL)}
        for name, one in found.items():
            inside[name] += one.low <= truth[name] <= one.high
    assert all(0.91 <= n / 400 <= 0.99 for n in inside.values()), inside


def test_labels_that_are_no_class_are_refused() -> None:
    for bad in ([3.0], [-1.0], [0.5], [np.nan]):
        with pytest.raises(InvalidInput):
            confusion_by(bad, [0.0], np.zeros(1, dtype=np.int64), n_classes=3, n_groups=1)


# --- the harm alarm's units -------------------------------------------------------------------------------------------


def test_two_classes_are_the_base_rate_free_loss_exactly() -> None:
    tables = island(np.random.default_rng(4), 40, 50, shares=np.array([0.7, 0.3]), recalls=np.array([0.9, 0.6]))
    prior = 0.3

    def losses(number: int) -> list[Moments]:
        wrong = [[0.0] * int(t[number, number]) + [1.0] * int(t[number, 1 - number]) for t in tables]
        return [Moments.of(of_day) if of_day else Moments.empty() for of_day in wrong]

    theirs = base_rate_free_units(losses(1), losses(0), prior=prior, min_labels=20)
    ours = class_units(tables, shares=[0.7, 0.3], recalls=[0.9, 0.6], min_labels=20)
    both = [(a, b) for a in ours for b in theirs if (a.first, a.last) == (b.first, b.last)]
    assert len(both) > 20
    for a, b in both:
        assert (a.mean, a.n, a.variance) == pytest.approx((b.mean, b.n, b.variance))


def test_a_shift_of_the_classes_alone_moves_the_error_rate_and_not_the_error_at_reference_shares() -> None:
    rng = np.random.default_rng(5)
    live = island(rng, 60, shares=np.array([0.2, 0.6, 0.2]))
    shares, recalls = shares_and_recalls(island(rng, 60).sum(axis=0))
    at_reference = np.mean([u.mean for u in class_units(live, shares=shares, recalls=recalls, min_labels=50)])
    raw = np.mean([unit.mean for unit in error_units(live, min_labels=50)])
    assert at_reference == pytest.approx(1 - float(SHARES @ RECALLS), abs=0.01)
    assert raw > at_reference + 0.08


def test_a_class_that_stays_away_counts_as_it_was_and_holds_no_unit_up_for_ever() -> None:
    rng = np.random.default_rng(6)
    live = island(rng, 30, shares=np.array([0.55, 0.0, 0.45]))
    units = class_units(live, shares=SHARES.tolist(), recalls=RECALLS.tolist(), min_labels=50)
    assert [unit.last - unit.first + 1 for unit in units] == [7] * 4
    assert np.mean([unit.mean for unit in units]) == pytest.approx(1 - float(SHARES @ RECALLS), abs=0.02)


def alarms(live: npt.NDArray[np.int64], past: npt.NDArray[np.int64]) -> bool:
    shares, recalls = shares_and_recalls(past.sum(axis=0))
    units = [class_units(of, shares=shares, recalls=recalls, min_labels=50) for of in (past, live)]
    normal = harm_reference(units[0], tolerance=0.01, alpha=0.05)
    return harm_alarm(normal, units[1]).alarm_index is not None


def test_the_alarm_is_quiet_when_nothing_changes_and_finds_one_class_that_got_worse() -> None:
    """Quiet: 5 % + 3 Monte-Carlo errors, 150 runs of 200 days. Found: a fifth of the labels falls by 35 points."""
    rng = np.random.default_rng(7)
    false = sum(alarms(island(rng, 200), island(rng, 40)) for _ in range(150))
    assert false / 150 <= 0.05 + 3 * (0.05 * 0.95 / 150) ** 0.5
    worse = RECALLS - np.array([0.0, 0.35, 0.0])
    found = sum(alarms(island(rng, 40, recalls=worse), island(rng, 40)) for _ in range(30))
    assert found >= 29


def test_the_alarm_is_quiet_when_only_the_shares_move() -> None:
    rng = np.random.default_rng(8)
    moved = np.array([0.30, 0.40, 0.30])
    false = sum(alarms(island(rng, 100, shares=moved), island(rng, 40)) for _ in range(100))
    assert false / 100 <= 0.05 + 3 * (0.05 * 0.95 / 100) ** 0.5


def test_a_fall_is_sure_only_where_it_is_beyond_the_doubt_of_all_comparisons() -> None:
    rng = np.random.default_rng(9)
    named = 0
    for _ in range(200):
        before, now = island(rng, 28, 40), island(rng, 28, 40)
        pairs = [(recall_of(now, k, level=LEVEL), recall_of(before, k, level=LEVEL)) for k in range(3)]
        named += any(surely_lower(a, b, of=3, level=LEVEL) for a, b in pairs)
    assert named / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
    nothing = MetricEstimate(np.nan, np.nan, np.nan, 0, 0, "")
    assert not surely_lower(nothing, nothing, of=2, level=LEVEL)
