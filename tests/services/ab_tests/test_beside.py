"""Beside the verdict: a belief by numbers drawn at random, an effect that wears off, nothing while blind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlops_dash.domain.ab_tests.readings import Reading
from mlops_dash.services.ab_tests.beside import belief_in, lasting_of
from mlops_dash.stats.ab import Effect, mean_of, welch
from tests.services.ab_tests.test_unit_reading import BASE, DAYS, START, now, traffic


@pytest.mark.parametrize("outcome", ["higher:mean:revenue", "lower:mean:complaint's"])
def test_the_belief_is_what_numbers_drawn_from_the_posterior_say(outcome: str) -> None:
    rng = np.random.default_rng(4)
    effect = welch(mean_of(rng.gamma(2.0, 5.0, 900)), mean_of(rng.gamma(2.0, 4.9, 1_100)))
    found = belief_in(effect, replace(BASE, outcome=outcome))
    assert found is not None
    drawn = rng.normal(effect.difference, effect.se, 2_000_000)
    worse = drawn if outcome.startswith("lower") else -drawn
    assert found.better == pytest.approx((worse < 0).mean(), abs=0.002)
    assert found.loss == pytest.approx(np.maximum(worse, 0).mean(), rel=0.01)
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.01)


def test_without_a_standard_error_there_is_no_belief() -> None:
    assert belief_in(welch(mean_of([1.0]), mean_of([1.0, 2.0])), BASE) is None


def test_an_effect_that_wears_off_is_told_from_one_that_stays() -> None:
    rows, events, people = traffic(lift=4.0)
    stays = now(rows, events)
    assert stays.lasting is not None
    assert not stays.lasting.differs
    assert stays.lasting.earlier == pytest.approx(4.0, abs=1.0)
    late = set(people["name"][people["arm"] & (people["first"] >= START + pd.Timedelta(days=DAYS / 2))])
    fades = events["unit"].isin(late) & (events["name"] == "revenue") & (events["value"] > 4.0)
    worn = events.assign(value=events["value"].where(~fades, events["value"] - 4.0))
    found = now(rows, worn)
    assert found.lasting is not None
    assert found.lasting.differs
    assert found.lasting.high is not None
    assert found.lasting.high < 0
    assert found.lasting.change == pytest.approx(found.lasting.later - found.lasting.earlier)  # type: ignore[operator]
    assert Reading.from_json(found.as_json()) == found


def test_few_days_and_few_units_cannot_tell() -> None:
    def effect(first: int, end: int) -> Effect:
        return welch(mean_of([1.0] * (end - first)), mean_of([1.0] * (end - first)))

    assert lasting_of(5, effect, BASE).reason == "5 of 6 ripe days"
    assert lasting_of(6, effect, BASE).low is None
    assert lasting_of(6, effect, BASE).reason


def test_a_blind_test_says_nothing_beside_either() -> None:
    rows, events, _ = traffic(lift=4.0)
    blind = now(rows, events, replace(BASE, min_units=9_000))
    assert blind.blind
    assert (blind.belief, blind.lasting) == (None, None)


def test_of_500_tests_without_a_change_few_are_called_changed() -> None:
    rng = np.random.default_rng(9)
    called = 0
    for _ in range(500):
        values, arm = rng.gamma(1.0, 4.0, (10, 200)), rng.random((10, 200)) < 0.5

        def effect(first: int, end: int, y: np.ndarray = values, mine: np.ndarray = arm) -> Effect:  # type: ignore[type-arg]
            here, of = y[first:end].ravel(), mine[first:end].ravel()
            return welch(mean_of(here[of]), mean_of(here[~of]))

        called += lasting_of(10, effect, BASE).differs
    assert called <= 500 * 0.05 + 3 * (500 * 0.05 * 0.95) ** 0.5
