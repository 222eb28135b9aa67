"""Challenger against champion: paired, by day, and honest about few days."""

import math

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st

from mlops_dash.errors import InvalidInput
from mlops_dash.stats.comparison import paired_difference
from mlops_dash.stats.losses import base_rate_free_loss

HIGHER, LOWER = "higher_is_better", "lower_is_better"
METRICS = [("auc", HIGHER), ("brier", LOWER), ("log_loss", LOWER), ("base_rate_free_loss", LOWER)]


def two_models(rng, *, days=30, per_day=60, better=0.3, day_sd=0.5):
    """Draw rows of days that differ, scored by a model that sees more (A) and one that sees less (B)."""
    day = np.repeat(np.arange(days), per_day)
    seen, more = rng.normal(size=(2, day.size))
    swing = rng.normal(0, day_sd, days)[day]
    y = rng.random(day.size) < 1 / (1 + np.exp(-(seen + better * more - 1 + swing)))
    return y, 1 / (1 + np.exp(-(seen + better * more - 1))), 1 / (1 + np.exp(-(seen - 1))), day


@pytest.fixture(scope="module")
def scored():
    return two_models(np.random.default_rng(1))


def compared(scored, metric, direction, **changed):
    y, a, b, day = scored
    return paired_difference(y, a, b, day, metric=metric, direction=direction, level=0.95, prior=0.3, **changed)


@pytest.mark.parametrize(("metric", "direction"), METRICS)
def test_the_difference_is_that_of_the_two_metrics_and_positive_when_a_is_better(scored, metric, direction):
    y, a, b, _ = scored
    of = {
        "auc": lambda p: sk.roc_auc_score(y, p),
        "brier": lambda p: sk.brier_score_loss(y, p),
        "log_loss": lambda p: sk.log_loss(y, p),
        "base_rate_free_loss": lambda p: base_rate_free_loss(y, p, 0.3, 50.0),
    }[metric]
    found = compared(scored, metric, direction, clip=50.0)
    assert (found.value_a, found.value_b) == pytest.approx((of(a), of(b)))
    sign = 1 if direction == HIGHER else -1
    assert found.value == pytest.approx(sign * (of(a) - of(b)))
    assert found.value > 0
    assert found.low < found.value < found.high
    assert (found.n, found.n_clusters, found.reason, found.computable) == (y.size, 30, "", True)


@pytest.mark.parametrize(("metric", "direction"), METRICS)
def test_swapping_the_models_mirrors_the_interval(scored, metric, direction):
    y, a, b, day = scored
    there, back = compared(scored, metric, direction), compared((y, b, a, day), metric, direction)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


@pytest.mark.parametrize(("metric", "direction"), METRICS)
def test_a_model_does_not_differ_from_itself(scored, metric, direction):
    y, a, _, day = scored
    found = compared((y, a, a, day), metric, direction)
    assert (found.value, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_answers_with_classes_are_compared_by_accuracy_and_macro_f1(metric):
    rng = np.random.default_rng(12)
    y = rng.choice(5, 1_500, p=[0.4, 0.3, 0.2, 0.1, 0.0])  # the last class never occurs
    a, b = (np.where(rng.random(y.size) < right, y, rng.integers(0, 4, y.size)) for right in (0.85, 0.7))
    day = np.repeat(np.arange(30), 50)
    found = paired_difference(y, a, b, day, metric=metric, direction=HIGHER, level=0.95)
    of = sk.accuracy_score if metric == "accuracy" else lambda truth, said: sk.f1_score(truth, said, average="macro")
    assert (found.value_a, found.value_b) == pytest.approx((of(y, a), of(y, b)))
    assert (found.value > 0, found.low < found.value < found.high) == (True, True)
    assert (found.n, found.n_clusters, found.reason) == (1_500, 30, "")
    none = paired_difference([], [], [], [], metric=metric, direction=HIGHER, level=0.95)
    assert none.reason == "not computable: no rows"


@given(st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter(seed):
    rows = two_models(np.random.default_rng(2), days=6, per_day=10)
    order = np.random.default_rng(seed).permutation(rows[0].size)
    for metric, direction in METRICS:
        there = compared(rows, metric, direction)
        back = compared(tuple(column[order] for column in rows), metric, direction)
        assert (back.value, back.low, back.high) == pytest.approx((there.value, there.low, there.high))


def test_pairing_makes_the_interval_narrower_than_two_single_ones(scored):
    from mlops_dash.stats.performance import auc_estimate

    y, a, b, day = scored
    alone = [auc_estimate(y, p, level=0.95, clusters=day) for p in (a, b)]
    found = compared(scored, "auc", HIGHER)
    assert found.high - found.low < max(one.high - one.low for one in alone)


def test_few_days_are_said_and_very_few_are_refused(scored):
    y, a, b, day = scored
    seven, four = day < 7, day < 4
    shaky = compared((y[seven], a[seven], b[seven], day[seven]), "brier", LOWER)
    assert shaky.computable
    assert shaky.reason == "few clusters: 7, the interval is rough below 10"
    none = compared((y[four], a[four], b[four], day[four]), "brier", LOWER)
    assert not none.computable
    assert math.isfinite(none.value)
    assert none.reason == "not computable: 4 clusters, at least 5 needed"


@pytest.mark.parametrize("metric", ["auc", "base_rate_free_loss"])
def test_one_class_alone_cannot_be_compared(scored, metric):
    y, a, b, day = scored
    found = compared((np.ones(y.size), a, b, day), metric, dict(METRICS)[metric])
    assert math.isnan(found.value)
    assert found.reason == "not computable: one class is empty"


def test_one_day_that_holds_all_positives_is_a_reason(scored):
    _, a, b, day = scored
    found = compared((day == 3, a, b, day), "auc", HIGHER)
    assert not found.computable
    assert found.reason == "not computable: one cluster holds a whole class"


def test_no_rows_are_a_reason():
    found = compared(([], [], [], []), "brier", LOWER)
    assert math.isnan(found.value)
    assert found.reason == "not computable: no rows"


@pytest.mark.parametrize(
    ("metric", "direction", "said"),
    [
        ("f1", HIGHER, "'f1' has no paired comparison"),
        ("auc", LOWER, "Direction of auc"),
        ("brier", "down", "Direction of brier is 'down'"),
    ],
)
def test_an_unknown_metric_or_direction_is_refused(scored, metric, direction, said):
    with pytest.raises(InvalidInput, match=said):
        compared(scored, metric, direction)


def test_base_rate_free_loss_needs_the_reference_prior(scored):
    y, a, b, day = scored
    with pytest.raises(InvalidInput, match="has no prior"):
        paired_difference(y, a, b, day, metric="base_rate_free_loss", direction=LOWER, level=0.95)


def test_models_must_have_scored_the_same_rows(scored):
    y, a, b, day = scored
    with pytest.raises(InvalidInput, match="differ in length"):
        compared((y, a, b[:-1], day), "auc", HIGHER)
    with pytest.raises(InvalidInput, match="differ in length"):
        compared((y, a, b, day[:-1]), "auc", HIGHER)


@pytest.mark.slow
@pytest.mark.parametrize("days", [10, 30])
def test_equal_models_are_called_different_in_about_5_percent(days):
    """Two models that see one different half each are equal in truth; days differ in which half matters."""
    rng = np.random.default_rng(days)
    runs, wrong = 1_000, dict.fromkeys([metric for metric, _ in METRICS], 0)
    for _ in range(runs):
        day = np.repeat(np.arange(days), 40)
        left, right = rng.normal(size=(2, day.size))
        lean = rng.normal(0, 0.5, days)[day]
        y = rng.random(day.size) < 1 / (1 + np.exp(-((1 + lean) * left + (1 - lean) * right)))
        rows = (y, 1 / (1 + np.exp(-left)), 1 / (1 + np.exp(-right)), day)
        for metric, direction in METRICS:
            found = compared(rows, metric, direction)
            wrong[metric] += not found.low <= 0 <= found.high
    bar = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert all(count / runs <= bar for count in wrong.values()), wrong
