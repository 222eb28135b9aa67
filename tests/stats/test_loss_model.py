"""A model of the loss: exact where the relation holds, also where inputs moved, with intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest

from mlops_dash.stats.loss_model import LossModel, fit_loss


def days(rng: np.random.Generator, n_days: int, *, moved: float = 0.0, worse: float = 0.0):  # type: ignore[no-untyped-def]
    """Inputs with the answer, minutes of error that grow with the first input, and the day of each row."""
    n = n_days * 80
    day = np.repeat(np.arange(n_days), 80)
    x = rng.normal(size=(n, 3)) + np.array([moved, 0.0, 0.0])
    error = (4.0 + 3.0 / (1.0 + np.exp(-2 * x[:, 0]))) * np.abs(rng.normal(size=n)) + worse
    error = np.abs(error + np.repeat(rng.normal(0.0, 0.3, n_days), 80))
    return x, error, day


def fitted(rng: np.random.Generator) -> LossModel:
    return fit_loss(*days(rng, 40))


@pytest.mark.slow
def test_intervals_cover_where_the_relation_holds_and_not_where_it_changed() -> None:
    """Prints coverage of a day and of a week, and the mean error, by case."""
    table = {}
    for case, moved, worse in (("no change", 0.0, 0.0), ("inputs moved", 0.8, 0.0), ("relation changed", 0.0, 4.0)):
        inside, gaps = [], []
        for run in range(6):
            rng = np.random.default_rng(run)
            made = fitted(rng)
            for length in (1, 1, 1, 1, 7, 7):
                x, losses, day = days(rng, length, moved=moved, worse=worse)
                found = made.estimate(x, day)
                assert found is not None
                inside.append(found[1] <= losses.mean() <= found[2])
                gaps.append(found[0] - losses.mean())
        table[case] = (float(np.mean(inside)), float(np.mean(gaps)))
    print("\n" + "\n".join(f"{case}: {row}" for case, row in table.items()))
    slack = 3 * np.sqrt(0.95 * 0.05 / 36)
    assert table["no change"][0] >= 0.95 - slack
    assert table["inputs moved"][0] >= 0.95 - slack
    assert table["relation changed"][0] < 0.2
    assert table["relation changed"][1] < -2.0  # it stays at the level that it learned


def test_it_sees_that_harder_rows_came_and_gives_the_same_numbers_again() -> None:
    made = fitted(np.random.default_rng(1))
    x, losses, day = days(np.random.default_rng(2), 7, moved=1.0)
    usual, _, usual_day = days(np.random.default_rng(3), 7)
    harder, plain = made.estimate(x, day), made.estimate(usual, usual_day)
    assert harder is not None
    assert plain is not None
    assert harder[0] > plain[2]
    assert harder[1] < losses.mean() < harder[2]
    assert made.estimate(x, day) == harder


def test_too_few_rows_or_days_teach_nothing() -> None:
    x, losses, day = days(np.random.default_rng(4), 4)
    few = fit_loss(x, losses, day)
    assert few.reason == "320 labelled rows on 4 days to learn from, 500 on 5 are needed"
    assert few.estimate(x, day) is None
    assert fitted(np.random.default_rng(5)).estimate(x[:0], day[:0]) is None
