"""A roll-out whose rows do not come says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.registry.guards import Calls
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.registry.rollouts import Rollout, Stage
from mlops_dash.errors import Conflict
from mlops_dash.store import prediction_log, rollouts
from mlops_dash.store.db import transaction
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from mlops_dash.store.tables.registry import ModelRow
from tests import registry_world
from tests.factories import LEAD, SCIENTIST, VIEWER
from tests.registry_world import World

MODEL = 'Wartezeit "Ambulanz" & 急诊'


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A model of somebody else, whose name has quotes and Chinese."""
    monkeypatch.setattr(registry_world, "MODEL", MODEL)
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def begun(house: World) -> Rollout:
    stages = (Stage(0.1, minutes=60),)
    made = house.service.propose(SCIENTIST, house.ids["2"], comment="better", stages=stages)
    made = house.service.approve(LEAD, made.id, made.revision)
    return house.service.begin_rollout(LEAD, made.id, made.revision, "a quiet morning")


def answered(house: World, rows: int) -> None:
    """The champion answers rows, and nothing is shared."""
    at = to_us(house.hands.at)
    names = [f"急{at}-{number}" for number in range(rows)]
    asked = [Prediction(MODEL, name, at, "b", number, "", "{}") for number, name in enumerate(names)]
    given = [Score(MODEL, name, house.ids["1"], "champion", "1", at, 0.5, at, None) for name in names]
    with transaction(house.context.databases.log) as log:
        prediction_log.append(log, asked, given, marked_us=at)


def why(house: World) -> str:
    return house.service.why_no_rows(VIEWER, MODEL)


def elsewhere(house: World) -> None:
    with transaction(house.context.databases.app) as session:
        session.get_one(ModelRow, MODEL).source = EXTERNAL


def test_it_says_why_no_row_came_after_some_minutes(house: World) -> None:
    assert why(house) == ""  # nothing is rolled out
    found = begun(house)
    assert why(house) == ""
    house.hands.turn(minutes=6)
    assert "No row came in 6 min: no gateway logged a row" in why(house)
    answered(house, 20)
    assert "the champion answered 20 rows, so few" in why(house)
    house.hands.turn(minutes=1)
    answered(house, 100)
    assert "the champion answered 120 rows, and none was shared" in why(house)
    with transaction(house.context.databases.log) as log:
        rollouts.put_pulse(log, found.id, "gateway-1", Calls(3, 0), at=house.hands.at)
    assert "asked in 3 calls" in why(house)
    elsewhere(house)
    assert "others serve this model by now" in why(house)


def test_it_is_not_begun_where_others_serve_the_model_by_now(house: World) -> None:
    stages = (Stage(0.1, minutes=60),)
    made = house.service.propose(SCIENTIST, house.ids["2"], comment="better", stages=stages)
    made = house.service.approve(LEAD, made.id, made.revision)
    elsewhere(house)
    with pytest.raises(Conflict, match="Others serve this model"):
        house.service.begin_rollout(LEAD, made.id, made.revision, "now")
