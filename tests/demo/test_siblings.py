"""The fleet on a few flights: trained, promoted, scored in bulk, labelled when known, judged; and twice is once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error

from mlops_dash import bootstrap
from mlops_dash.bootstrap import Services
from mlops_dash.clock import Clock
from mlops_dash.demo import siblings
from mlops_dash.demo.flights.columns import load_flights
from mlops_dash.demo.flights.recipes import new_york
from mlops_dash.demo.journal import Journal
from mlops_dash.demo.story import FAST, Story
from mlops_dash.demo.train import train
from mlops_dash.domain.policies import PolicyKind, policy_body
from mlops_dash.domain.tasks import task_named
from mlops_dash.domain.words import GateState
from mlops_dash.store import prediction_log
from mlops_dash.store.db import reading
from tests import factories
from tests.factories import LEAD, VIEWER, WORKER

ROOT = Path(__file__).parents[2]
STORY: Story = replace(
    FAST, first_at=new_york(date(2013, 2, 1)), start=new_york(date(2013, 2, 1)), end=new_york(date(2013, 2, 12))
)


@pytest.fixture(scope="module")
def few_flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every eighth flight until the middle of February."""
    frame = pd.read_parquet(ROOT / "data" / "flights-2013.parquet")
    path = tmp_path_factory.mktemp("data") / "few.parquet"
    frame[frame["scheduled_at"] < pd.Timestamp("2013-02-15", tz="UTC")].iloc[::8].to_parquet(path, index=False)
    return path


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    monkeypatch.chdir(tmp_path)  # MLflow on a database address keeps artifacts in the working folder
    made = bootstrap.build(factories.settings(tmp_path, mlflow_uri=mlflow_uri), clock=Clock())
    yield made
    made.close()


def on_few(few_flights: Path) -> tuple[siblings.Sibling, ...]:
    class Small(siblings.Sibling):
        @property
        def recipe(self) -> siblings.Recipe:
            small = {"data": str(few_flights), "parameters": {"max_iter": 20, "min_samples_leaf": 20}}
            return replace(super().recipe, parameters={**super().recipe.parameters, **small})

    # A hundredth of the flights is not as good as all of them: wider floors, the same rules.
    floors = {"departure-delay": 0.3, "air-time": 60.0}
    return tuple(
        Small(one.target, one.title, replace(one.promotion, floor=floors[one.target.model]), one.monitoring)
        for one in siblings.SIBLINGS
    )


@pytest.mark.parametrize("sibling", siblings.SIBLINGS, ids=lambda one: one.target.model)
def test_the_policies_suit_the_task_of_their_model(sibling: siblings.Sibling) -> None:
    task = task_named(sibling.target.task)
    assert policy_body(PolicyKind.PROMOTION, sibling.promotion.as_json(), task) == sibling.promotion.as_json()
    assert policy_body(PolicyKind.MONITORING, sibling.monitoring.as_json(), task) == sibling.monitoring.as_json()


def test_the_fleet_goes_live_is_scored_in_bulk_and_twice_changes_nothing(
    house: Services, few_flights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(siblings, "SIBLINGS", on_few(few_flights))
    journal, flights = Journal(house), load_flights(few_flights)
    told: list[float] = []
    done = threading.Event()

    def gateway() -> None:
        while not done.wait(0.1):
            house.scoring.follow(WORKER, "gateway")

    def live(tell: siblings.Tell) -> None:
        siblings.introduce(house, STORY)
        names = [one.recipe.name for one in siblings.SIBLINGS]
        siblings.go_live(house, train(house, journal, names, reason="the first version", tell=tell))

    beside = threading.Thread(target=gateway)
    beside.start()
    try:
        live(lambda share, _text: told.append(share))
        ledger = len(house.registry.ledger(LEAD, "air-time"))
        live(lambda _share, _text: None)
        names = [one.recipe.name for one in siblings.SIBLINGS]
        again = train(house, Journal(house, "forgot"), names, reason="the first version", tell=lambda _s, _t: None)
        assert again == {name: journal.noted(name) for name in names}  # made once, even when it was not noted
        with siblings.playing(house, flights, STORY) as fleet:
            fleet.wait(lambda share, _text: told.append(share))
        siblings.play(house, Journal(house, "demo_fleet"), flights, STORY, tell=lambda _share, _text: None)
    finally:
        done.set()
        beside.join()
    assert all(0.0 <= share <= 1.0 for share in told)
    assert len(house.registry.ledger(LEAD, "air-time")) == ledger

    inside = flights[(flights["scheduled_at"] >= STORY.start) & (flights["scheduled_at"] < STORY.end)]
    for sibling in siblings.SIBLINGS:
        target = sibling.target
        counts = house.scoring.counts(VIEWER, target.model)
        known = inside[inside[target.label].notna() & (inside[target.known_at] <= STORY.end)]
        assert (counts.predictions, counts.labelled) == (len(inside), len(known))
        gates = house.registry.room(LEAD, target.model).gates
        assert [gate.state for gate in gates[1:]] == [GateState.PASSED] * 3
        assert len(house.registry.history(LEAD, target.model)) == 1

    version_id = house.registry.version_id(LEAD, "air-time", "1")
    with reading(house.context.databases.log) as session:
        rows = prediction_log.read_window(session, version_id, STORY.start, STORY.end)
    truth = inside.set_index("flight_id")["air_time"]
    labelled = rows[rows["label"].notna()]
    assert (labelled["label"].to_numpy() == truth.loc[labelled["prediction_id"]].to_numpy()).all()
    assert ((labelled["label_received_at"] - labelled["at"]) > timedelta(minutes=20)).all()
    summary = house.monitoring.summary(VIEWER, "air-time")
    window = next(one for one in summary["windows"] if one["ripe"])
    day = labelled[(labelled["at"] >= pd.Timestamp(window["start"])) & (labelled["at"] < pd.Timestamp(window["end"]))]
    assert window["metrics"]["mae"] == pytest.approx(mean_absolute_error(day["label"], day["score"]), rel=1e-6)
