"""Estimates without labels: exact where the relation holds, with intervals that cover; blind where it changed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from mlops_dash.stats.arrays import Floats, Ints
from mlops_dash.stats.cells import NumericCells
from mlops_dash.stats.counting import count
from mlops_dash.stats.label_free import LEAST_ROWS, ManyClasses, TwoClasses
from mlops_dash.stats.summaries import ScoreTable, score_edges

REFERENCE, WINDOW, RUNS = 10_000, 2_000, 60


def scores(rng: np.random.Generator, n: int, *, moved: float = 0.0) -> tuple[Floats, Floats]:
    """Scores that are too sure of themselves, and how often label 1 really comes."""
    x = rng.normal(moved, 1.0, n)
    return 1 / (1 + np.exp(-(2.2 * x - 1.2))), 1 / (1 + np.exp(-(1.5 * x - 1.0)))


def fitted(rng: np.random.Generator) -> tuple[TwoClasses, NumericCells]:
    p, true = scores(rng, REFERENCE)
    y = (rng.random(REFERENCE) < true).astype(float)
    cuts = np.asarray(score_edges(p))
    borders = np.r_[2 * cuts[0] - cuts[1], cuts, 2 * cuts[-1] - cuts[-2]].clip(0, 1)
    middle = (borders[:-1] + borders[1:]) / 2
    cells = NumericCells.of("p", p)
    counted = np.searchsorted(np.asarray(cells.edges[1:-1]), middle, side="left").astype(np.int64)
    return TwoClasses(ScoreTable.of(tuple(cuts), y, p).counts, middle, counted, float(y.mean()), 4.6), cells


def metrics_of(y: Floats, p: Floats) -> dict[str, float]:
    return {"auc": roc_auc_score(y, p), "brier": brier_score_loss(y, p), "log_loss": log_loss(y, p.clip(0.01, 0.99)),
            "label_rate": float(y.mean())}  # fmt: skip


def test_with_many_rows_the_estimate_is_what_scikit_learn_measures_on_the_labels() -> None:
    rng = np.random.default_rng(7)
    of, cells = fitted(rng)
    p, true = scores(rng, 200_000, moved=0.4)
    y = (rng.random(p.size) < true).astype(float)
    found = of.estimate(count(cells, p).counts, seed=1)
    for key, value in metrics_of(y, p).items():
        assert found[key][0] == pytest.approx(value, abs=0.012), key


@pytest.mark.slow
def test_intervals_cover_where_the_relation_holds_and_nothing_covers_where_it_changed() -> None:
    """Prints the coverage by case: no change, other inputs, another relation."""
    table = {}
    for case, moved, blind in (
        ("no change", 0.0, False),
        ("inputs moved", 0.5, False),
        ("relation changed", 0.0, True),
    ):
        inside = dict.fromkeys(("auc", "brier", "log_loss", "label_rate"), 0)
        gaps = dict.fromkeys(inside, 0.0)
        for run in range(RUNS):
            rng = np.random.default_rng(run)
            of, cells = fitted(rng)
            p, true = scores(rng, WINDOW, moved=moved)
            y = (rng.random(WINDOW) < (np.sort(true)[::-1] if blind else true)).astype(float)
            y = y if not blind else (rng.random(WINDOW) < np.full(WINDOW, true.mean())).astype(float)
            found = of.estimate(count(cells, p).counts, seed=run)
            for key, value in metrics_of(y, p).items():
                low, high = found[key][1:]
                inside[key] += low <= value <= high
                gaps[key] += (found[key][0] - value) / RUNS
        table[case] = {key: (inside[key] / RUNS, round(gaps[key], 3)) for key in inside}
    print("\n" + "\n".join(f"{case}: {row}" for case, row in table.items()))
    slack = 3 * np.sqrt(0.95 * 0.05 / RUNS)
    for case in ("no change", "inputs moved"):
        for key, (share, gap) in table[case].items():
            assert share >= 0.95 - slack, (case, key)
            assert abs(gap) < 0.01, (case, key)
    assert table["relation changed"]["auc"][0] == 0.0
    assert table["relation changed"]["auc"][1] > 0.2  # it stays at the reference's level: it cannot see it


def confusion() -> Ints:
    return np.array([[900, 60, 40], [30, 540, 30], [20, 60, 320]], dtype=np.int64)


def test_several_classes_are_estimated_by_how_often_each_answer_came_true() -> None:
    table = confusion()
    of = ManyClasses(table, [[0], [1, 2]], 0)
    counts = np.array([200, 100])
    value, low, high = of.estimate(counts, seed=3)["accuracy"]
    rest = table[:, 1:]
    right = 200 * table[0, 0] / table[:, 0].sum() + 100 * (rest[1, 0] + rest[2, 1]) / rest.sum()
    assert value == pytest.approx(right / 300)
    assert low < value < high
    assert of.estimate(counts, seed=3)["error_rate"][0] == pytest.approx(1 - value)
    rng, inside = np.random.default_rng(5), 0
    for run in range(200):
        came = rng.binomial(200, table[0, 0] / table[:, 0].sum()) + rng.binomial(
            100, (rest[1, 0] + rest[2, 1]) / rest.sum()
        )
        _, low, high = of.estimate(counts, seed=run)["accuracy"]
        inside += low <= came / 300 <= high
    assert inside / 200 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_what_cannot_be_estimated_is_not() -> None:
    few = np.array([[LEAST_ROWS, 3]])
    of = TwoClasses(few, np.array([0.5]), np.array([0]), 0.003, 4.6)
    assert "3 of the rarer class" in of.reason
    assert of.estimate(np.array([500]), seed=1) == {}
    never = ManyClasses(confusion(), [[0], [1], [2], []], 0)
    assert never.estimate(np.array([10, 10, 10, 1]), seed=1) == {}  # an answer that the reference never gave
    assert never.estimate(np.zeros(4, dtype=np.int64), seed=1) == {}
    assert ManyClasses(confusion() // 10, [[0]], 0).reason == "the reference has 200 labelled rows; 1,000 are needed"
