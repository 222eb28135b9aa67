"""Parts of a difference: they sum to the whole, pairs are credited by halves, intervals cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_dash.stats.run_comparison import of_rows
from mlops_dash.stats.run_slices import slice_parts

METRICS = ("auc", "log_loss", "brier", "accuracy", "mae", "rmse")


def draw(seed: int, n: int, runs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(seed)
    y = np.r_[0.0, 1.0, (rng.random(n - 2) < 0.4)]
    scores = np.round(np.clip(0.25 * y + 0.3 + 0.25 * rng.standard_normal((2, runs, n)), 0.01, 0.99), 2)
    return y, scores[0], scores[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 90), st.sampled_from(METRICS), st.integers(1, 5))
def test_the_parts_sum_to_the_difference(seed: int, n: int, metric: str, n_slices: int) -> None:
    y, a, b = draw(seed, n, 3)
    slices = np.random.default_rng(seed).integers(0, n_slices, n)
    parts = slice_parts(
        metric, y, a, b, slices, n_slices, None, keys_a="123", keys_b="123", models_only=False
    )  # fmt: skip
    whole = of_rows(metric, y, a, b, None, keys_a=list("123"), keys_b=list("123"), models_only=False)
    assert parts.value.sum() == pytest.approx(whole.value, abs=1e-12)
    assert parts.n.sum() == n


@pytest.mark.parametrize("metric", METRICS)
def test_one_slice_of_everything_is_as_sure_as_the_whole(metric: str) -> None:
    y, a, b = draw(3, 600, 3)
    day = [str(one) for one in np.arange(600) % 30]
    parts = slice_parts(metric, y, a, b, np.zeros(600, dtype=np.int64), 1, day, keys_a="123", keys_b="123",
                        models_only=False)  # fmt: skip
    whole = of_rows(metric, y, a, b, day, keys_a=list("123"), keys_b=list("123"), models_only=False)
    assert parts.error[0] == pytest.approx(whole.error, rel=0.06)  # influences against leaving days out
    assert (parts.value_a[0], parts.value_b[0]) == pytest.approx((whole.value_a, whole.value_b))


def test_each_row_of_a_ranked_pair_gets_half_of_its_credit() -> None:
    y = np.array([1.0, 1.0, 0.0, 0.0])
    a, b = (
        np.array([[0.9, 0.8, 0.1, 0.2]]),
        np.array([[0.9, 0.1, 0.2, 0.1]]),
    )  # b loses two pairs of row 1: 1 and a half
    slices = np.array([0, 1, 1, 1])
    parts = slice_parts("auc", y, a, b, slices, 2, None, keys_a="1", keys_b="1", models_only=True)
    assert parts.value.tolist() == pytest.approx([0.0, 1.5 / 4])
    moved = slice_parts("auc", y, a, b, np.array([0, 1, 0, 0]), 2, None, keys_a="1", keys_b="1", models_only=True)
    assert moved.value.tolist() == pytest.approx([0.75 / 4, 0.75 / 4])


def test_a_slice_of_one_class_has_a_part_but_no_auc_of_its_own() -> None:
    y, a, b = draw(5, 80, 1)
    parts = slice_parts("auc", y, a, b, y.astype(np.int64), 2, None, keys_a="1", keys_b="1", models_only=True)
    assert np.isfinite(parts.value).all()
    assert np.isnan(parts.value_a).all()


def test_intervals_of_auc_parts_cover_the_truth() -> None:
    rng = np.random.default_rng(11)
    truth = _part(*_pair(rng, 60_000))
    hits = []
    for _ in range(400):
        y, a, b, slices = _pair(rng, 240)
        parts = slice_parts("auc", y, a, b, slices, 2, None, keys_a="1", keys_b="1", models_only=True)
        low, high = parts.interval(0.95)
        hits.append((low <= truth) & (truth <= high))
    assert (np.abs(np.mean(hits, axis=0) - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 400) + 0.01).all()


def _pair(rng: np.random.Generator, n: int) -> tuple[np.ndarray, ...]:  # type: ignore[type-arg]
    y = (rng.random(n) < 0.4).astype(float)
    slices = rng.integers(0, 2, n)
    shared = rng.standard_normal(n)
    a = y * (0.5 + 0.8 * slices) + shared + 0.4 * rng.standard_normal(n)
    b = y * 0.5 + shared + 0.4 * rng.standard_normal(n)
    return y, a[None], b[None], slices


def _part(y: np.ndarray, a: np.ndarray, b: np.ndarray, slices: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return slice_parts("auc", y, a, b, slices, 2, None, keys_a="1", keys_b="1", models_only=True).value
