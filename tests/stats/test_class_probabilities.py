"""Log-loss and one-against-the-rest AUC of several classes: scikit-learn has the same, and two classes their own."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import log_loss as their_log_loss
from sklearn.metrics import roc_auc_score

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.arrays import Ints
from mlops_dash.stats.class_probabilities import (
    MOST_CELLS,
    OF_PROBABILITIES,
    as_probabilities,
    auc_ovr_of_tables,
    class_edges,
    class_loss_units,
    class_tables_by,
    log_loss_of_moments,
    probability_metrics,
    true_class_losses,
)
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.stats.estimates import MetricEstimate
from mlops_dash.stats.moments import Moments, moments_by
from mlops_dash.stats.performance import auc_estimate
from mlops_dash.stats.sequential import base_rate_free_units


def rows(seed: int, n: int = 600, k: int = 4, *, sharp: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities that know something of them, and thirty days."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(k, n, p=np.r_[0.5, np.full(k - 1, 0.5 / (k - 1))])
    weights = rng.gamma(2.0, 1.0, (n, k)) + sharp * np.eye(k)[labels]
    return labels, np.round(weights / weights.sum(axis=1, keepdims=True), 6), np.arange(n) % 30


def test_both_are_as_scikit_learn_has_them() -> None:
    labels, p, days = rows(3)
    truth, p = as_probabilities(labels, p)
    found = probability_metrics(labels, p, days, level=0.95)
    assert found["log_loss"].value == pytest.approx(their_log_loss(truth, p, labels=range(4)))
    theirs = roc_auc_score(truth, p, multi_class="ovr", average="weighted")
    assert found["auc_ovr"].value == pytest.approx(theirs)
    assert all(one.low < one.value < one.high and one.n_clusters == 30 for one in found.values())


@pytest.mark.parametrize("metric", sorted(OF_PROBABILITIES))
def test_without_a_cluster_it_is_as_if_its_rows_were_not_there(metric: str) -> None:
    labels, p, days = rows(5, n=200)
    truth, p = as_probabilities(labels, p)
    _, without = OF_PROBABILITIES[metric](truth, p, days, 30)
    for day in (0, 17):
        left = days != day
        again = np.unique(days[left], return_inverse=True)[1]
        assert without[day] == pytest.approx(OF_PROBABILITIES[metric](truth[left], p[left], again, 29)[0])


def test_two_classes_give_the_auc_of_one_score() -> None:
    labels, p, days = rows(7, k=2)
    ours = probability_metrics(labels, p, days, level=0.95)["auc_ovr"]
    theirs = auc_estimate(labels, as_probabilities(labels, p)[1][:, 1], level=0.95, clusters=days)
    assert (ours.value, ours.low, ours.high) == pytest.approx((theirs.value, theirs.low, theirs.high))


def test_a_class_that_never_occurs_has_no_weight() -> None:
    labels, p, days = rows(9)
    known = labels < 3
    found = probability_metrics(labels[known], p[known], days[known], level=0.95)["auc_ovr"]
    weights = [np.mean(labels[known] == one) for one in range(3)]
    theirs = [roc_auc_score(labels[known] == one, as_probabilities(labels, p)[1][known, one]) for one in range(3)]
    assert found.value == pytest.approx(np.average(theirs, weights=weights))


def test_one_class_alone_has_no_auc_and_a_certain_mistake_is_cut() -> None:
    p = np.tile([1.0, 0.0], (40, 1))
    found = probability_metrics(np.zeros(40), p, np.arange(40) % 8, level=0.95)
    assert (found["auc_ovr"].computable, found["log_loss"].value) == (False, 0.0)
    wrong = probability_metrics(np.ones(40), p, np.arange(40) % 8, level=0.95)["log_loss"]
    assert wrong.value == pytest.approx(-np.log(0.01))


@pytest.mark.parametrize(("metric", "direction"), [("log_loss", "lower_is_better"), ("auc_ovr", "higher_is_better")])
def test_a_sharper_version_is_better_pair_by_pair(metric: str, direction: str) -> None:
    labels, dull, days = rows(11, sharp=0.3)
    _, sharp, _ = rows(11, sharp=3.0)
    found = paired_difference(labels, sharp, dull, days, metric=metric, direction=direction, level=0.95)
    ours, theirs = (probability_metrics(labels, p, days, level=0.95)[metric].value for p in (sharp, dull))
    assert (found.value_a, found.value_b) == pytest.approx((ours, theirs))
    assert found.value == pytest.approx(abs(ours - theirs))
    assert found.low > 0
    none = paired_difference(labels, dull, dull, days, metric=metric, direction=direction, level=0.95)
    assert none.value == 0.0


@pytest.mark.parametrize(
    ("labels", "p", "said"),
    [
        ([0], [[0.5, 0.6]], "do not sum to 1"),
        ([0], [[-0.1, 1.1]], "not a number from 0 to 1"),
        ([0], [[np.nan, 1.0]], "not a number from 0 to 1"),
        ([2], [[0.5, 0.5]], "no number of one of 2 classes"),
        ([0], [0.5], "cannot have probabilities of shape"),
        ([0], [[1.0]], "cannot have probabilities of shape"),
    ],
)
def test_what_are_no_probabilities_is_refused(labels: list[int], p: list[object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        as_probabilities(labels, p)


def of_days(labels: Ints, p: np.ndarray, days: Ints, edges: tuple[tuple[float, ...], ...]) -> dict[str, MetricEstimate]:
    """Both metrics of what days are reduced to."""
    tables = class_tables_by(edges, labels, p, days, n_groups=30)
    losses = moments_by(true_class_losses(labels, p, clip=30.0), days, n_groups=30)
    return {"auc_ovr": auc_ovr_of_tables(tables, level=0.95), "log_loss": log_loss_of_moments(losses, level=0.95)}


def test_three_rows_by_hand() -> None:
    labels, p = np.array([0, 1, 0]), np.array([[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]])
    groups = np.zeros(3, dtype=np.int64)
    losses = moments_by(true_class_losses(labels, p, clip=1.0), groups, n_groups=1)
    assert log_loss_of_moments(losses, level=0.95).value == pytest.approx((np.log(2) + 1.0 + 1.0) / 3)  # 1.39 is cut
    tables = class_tables_by(class_edges(p, 2), labels, p, groups, n_groups=1)
    assert auc_ovr_of_tables(tables, level=0.95).value == 0.0  # class 1 ranks below both others


@pytest.mark.parametrize("seed", range(5))
def test_days_give_what_their_rows_give(seed: int) -> None:
    labels, p, days = rows(seed, n=900)
    p = np.round(p, 2)  # so few values that no two share a cell
    truth, p = as_probabilities(labels, p / p.sum(axis=1, keepdims=True))
    p = np.round(p, 2)
    edges = tuple(tuple(np.unique(p[:, number])[:-1].tolist()) for number in range(4))
    found = of_days(truth, p, days, edges)
    _, without = OF_PROBABILITIES["auc_ovr"](truth, p, days, 30)
    assert found["auc_ovr"].value == pytest.approx(OF_PROBABILITIES["auc_ovr"](truth, p, days, 30)[0])
    theirs = [roc_auc_score(truth == one, p[:, one]) for one in range(4)]
    assert found["auc_ovr"].value == pytest.approx(np.average(theirs, weights=np.bincount(truth)))
    assert np.isfinite(without).all()
    assert (found["auc_ovr"].n, found["auc_ovr"].n_clusters) == (900, 30)
    loss = true_class_losses(truth, p, clip=30.0)
    assert found["log_loss"].value == pytest.approx(loss.mean())


def test_cells_of_the_reference_cost_next_to_nothing() -> None:
    labels, p, days = rows(21, n=3000)
    truth, p = as_probabilities(labels, p)
    exact = probability_metrics(labels, p, days, level=0.95)
    found = of_days(truth, p, days, class_edges(p[:1000], 4))
    assert found["auc_ovr"].value == pytest.approx(exact["auc_ovr"].value, abs=2e-4)
    assert found["auc_ovr"].low == pytest.approx(exact["auc_ovr"].low, abs=1e-3)
    for side in ("value", "low", "high"):
        assert getattr(found["log_loss"], side) == pytest.approx(getattr(exact["log_loss"], side))
    blind = of_days(truth, p, days, class_edges(None, 4))
    assert blind["auc_ovr"].value == pytest.approx(exact["auc_ovr"].value, abs=2e-3)


def test_days_without_rows_and_classes_that_never_occur_count_for_nothing() -> None:
    labels, p, days = rows(9)
    kept = (labels < 3) & (days < 20)
    truth, p = as_probabilities(labels, p)
    found = of_days(truth[kept], p[kept], days[kept], class_edges(p, 4))["auc_ovr"]
    exact = probability_metrics(truth[kept], p[kept], days[kept], level=0.95)["auc_ovr"]
    assert (found.n_clusters, found.n) == (exact.n_clusters, exact.n)
    assert found.value == pytest.approx(exact.value, abs=1e-3)


@pytest.mark.parametrize("k", [2, 10, 11, 50])
def test_many_classes_share_the_cells(k: int) -> None:
    p = np.random.default_rng(k).dirichlet(np.ones(k), 4000)
    for edges in (class_edges(p, k), class_edges(None, k)):
        assert len(edges) == k
        assert sum(len(cuts) + 1 for cuts in edges) <= max(MOST_CELLS, 200 * k if k <= 10 else 0)


def losses_by_day(labels: np.ndarray, p: np.ndarray, days: np.ndarray) -> list[list[Moments]]:
    """Of every day the moments of the losses of each true class."""
    loss = true_class_losses(labels, p, clip=5.0)
    of_class = [moments_by(loss[labels == one], days[labels == one], n_groups=30) for one in range(p.shape[1])]
    return [list(day) for day in zip(*of_class, strict=True)]


def test_two_classes_give_the_units_of_the_base_rate_free_log_loss() -> None:
    labels, p, days = rows(5, n=6_000, k=2)
    by_day = losses_by_day(*as_probabilities(labels, p), days)
    found = class_loss_units(by_day, shares=[0.5, 0.5], usual=[0.7, 0.7], min_labels=50)
    theirs = base_rate_free_units([day[1] for day in by_day], [day[0] for day in by_day], prior=0.5, min_labels=50)
    assert len(found) == 30
    for ours, their in zip(found, theirs, strict=True):
        assert (ours.first, ours.last, ours.n) == (their.first, their.last, pytest.approx(their.n))
        assert (ours.mean, ours.variance) == (pytest.approx(their.mean), pytest.approx(their.variance))


def test_the_loss_at_shares_does_not_follow_the_shares_and_a_class_that_is_not_seen_counts_as_before() -> None:
    labels, p, days = rows(8, n=6_000, k=3)
    truth, p = as_probabilities(labels, p)
    shares = (np.bincount(truth) / truth.size).tolist()
    usual = [float(true_class_losses(truth, p, clip=5.0)[truth == one].mean()) for one in range(3)]
    (whole,) = class_loss_units([[Moments.total(of) for of in zip(*losses_by_day(truth, p, days), strict=True)]],
                                shares=shares, usual=usual, min_labels=100)  # fmt: skip
    assert whole.mean == pytest.approx(their_log_loss(truth, p))
    more = np.r_[np.arange(truth.size), np.repeat(np.flatnonzero(truth == 2), 3)]  # the third class four times as often
    (other,) = class_loss_units([[Moments.total(of) for of in zip(*losses_by_day(truth[more], p[more], days[more]),
                                                                  strict=True)]],
                                shares=shares, usual=usual, min_labels=100)  # fmt: skip
    assert other.mean == pytest.approx(whole.mean)
    seen = truth != 1
    gone = class_loss_units(losses_by_day(truth[seen], p[seen], days[seen]), shares=shares, usual=usual, min_labels=50)
    assert {unit.last - unit.first + 1 for unit in gone} == {7}  # it waits a week for the class that is missing
    assert np.mean([unit.mean for unit in gone]) == pytest.approx(whole.mean, rel=0.02)


def test_a_class_whose_reference_rows_tell_nothing_has_no_weight() -> None:
    day = [Moments.of([0.2] * 30), Moments.of([0.4] * 30), Moments.of([4.0] * 30)]
    (unit,) = class_loss_units([day], shares=[0.4, 0.4, 0.2], usual=[0.2, 0.4, None], min_labels=50)
    assert unit.mean == pytest.approx(0.3)
    with pytest.raises(InvalidInput, match="2 shares, 2 losses and days of"):
        class_loss_units([day], shares=[0.5, 0.5], usual=[0.2, 0.4], min_labels=50)
