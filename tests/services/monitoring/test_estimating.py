"""Windows are estimated from their profiles; labels that come say whether to believe it; an estimate only warns."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mlops_dash import bootstrap
from mlops_dash.domain.monitoring.judging import HealthJudgement
from mlops_dash.domain.monitoring.label_free import Trust
from mlops_dash.domain.policies import MonitoringPolicy
from mlops_dash.domain.words import Health
from mlops_dash.services.command import Context
from mlops_dash.services.monitoring.estimating import Warner
from mlops_dash.stats.sequential import HarmReference
from tests import factories, penguins
from tests.factories import NOON, VIEWER
from tests.services.monitoring.monitoring_world import MODEL, World, world

DAY = timedelta(days=1)


@pytest.fixture
def made(context: Context) -> World:
    w = world(context)
    w.reference()
    return w


def test_windows_are_estimated_without_labels_and_held_against_them_when_they_come(made: World) -> None:
    made.live(12)
    made.live(3, labels=False)
    made.evaluate()
    found = made.room(metric="brier").estimated
    assert found is not None
    assert (found.metric, len(found.points)) == ("brier", 15)
    assert [one.realised is None for one in found.points] == [False] * 12 + [True] * 3
    assert found.test.trust is Trust.TRUSTED
    assert found.test.inside >= 6
    told = made.monitoring.summary(VIEWER, MODEL)
    assert told["windows"][-1]["estimated"]["auc"]["low"] < told["windows"][-1]["estimated"]["auc"]["value"]
    assert told["estimated"]["trust"] in ("trusted", "not trusted")
    assert made.room().estimated.metric == "auc"  # of a metric that is not estimated the task's main one


def test_a_changed_relation_refutes_it_and_it_says_so(made: World) -> None:
    made.live(12, blind=True)
    made.live(2, blind=True, labels=False)
    made.evaluate()
    found = made.room(metric="auc").estimated
    assert found is not None
    assert found.test.trust is Trust.NOT_TRUSTED
    assert found.test.drift > 0.1  # it stays at the reference's level
    assert "its assumption does not hold" in found.sentence


def test_judging_again_changes_nothing(made: World) -> None:
    made.live(10)
    made.evaluate()
    before = made.monitoring.summary(VIEWER, MODEL)["windows"]
    assert made.evaluate().changed == 0
    assert made.monitoring.summary(VIEWER, MODEL)["windows"] == before


def warned(came: float, *, estimates: tuple[float, ...], drifts: bool = False) -> HealthJudgement:
    """The verdict of the last window: eight with labels that came out as `came`, then such estimates without."""
    bound: Any = SimpleNamespace(bound=0.5, computable=True)
    normal: dict[str, HarmReference] = {"error_rate": bound}
    warner = Warner(replace(MonitoringPolicy(), hysteresis_of=3, hysteresis_need=2), normal)
    verdict = calm = HealthJudgement(Health.OK, "no harm")
    for number, value in enumerate([0.4] * 8 + list(estimates)):
        ripe = number < 8
        day: Any = SimpleNamespace(start=NOON + number * DAY, end=NOON, ripe=ripe, part=SimpleNamespace(n_labelled=9))
        body = {"estimated": {"error_rate": [value, value - 0.02, value + 0.02]}, "day": {"error_rate": came},
                "features": [["(score)", "numeric", "drift" if drifts else "stable"]]}  # fmt: skip
        verdict = warner.judged(calm, day, body)
    return verdict


def test_a_trusted_estimate_beyond_its_bound_makes_amber_and_no_other_does() -> None:
    found = warned(0.401, estimates=(0.6, 0.6))
    assert found.health is Health.AT_RISK
    assert found.why == "estimated without labels, error_rate is beyond its bound; labels are awaited"
    assert warned(0.401, estimates=(0.6,)).health is Health.OK  # once is not twice of three
    assert warned(0.401, estimates=(0.51, 0.51)).health is Health.OK  # the interval reaches below the bound
    assert warned(0.3, estimates=(0.6, 0.6)).health is Health.OK  # not trusted
    assert warned(0.401, estimates=(0.6, 0.6), drifts=True).health is Health.OK  # outside what was proven


def test_the_answers_in_words_of_a_stranger_are_estimated_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(penguins, "PER_DAY", 120)  # a window needs a hundred
    house = bootstrap.build(factories.settings(tmp_path))
    penguins.watched(house, penguins.penguins(house.context.clock.now(), days=45))
    found = house.monitoring.room(VIEWER, penguins.MODEL, metric="accuracy").estimated
    assert found is not None
    assert found.test.trust is Trust.TRUSTED
    assert 0.85 < found.last.value < 0.95
    house.close()
