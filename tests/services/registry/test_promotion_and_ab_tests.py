"""While a test runs nobody promotes; rolling back stays possible and ends the routing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.ab_tests.rules import NewTest
from mlops_dash.errors import Conflict
from mlops_dash.services.ab_tests import ABTestService
from tests import registry_world
from tests.factories import LEAD, SCIENTIST
from tests.registry_world import MODEL, World


@pytest.fixture
def house(tmp_path: Path, mlflow_uri: str) -> Iterator[World]:
    made = registry_world.world(tmp_path, mlflow_uri)
    yield made
    made.context.databases.dispose()


def test_promoting_asks_to_stop_the_running_test_first(house: World) -> None:
    tests = ABTestService(house.context)
    made = tests.design(SCIENTIST, NewTest(MODEL, house.ids["2"], question="?", planned_units=1_000))
    running = tests.start(LEAD, made.id, made.revision, reason="go")
    proposal = house.service.propose(SCIENTIST, house.ids["2"], comment="better")
    proposal = house.service.approve(LEAD, proposal.id, proposal.revision)
    with pytest.raises(Conflict, match="A/B test v2 against v1 of flight-delay is running") as refused:
        house.service.begin_promotion(LEAD, proposal.id, proposal.revision, "now")
    assert "Stop it on the A/B tests page" in refused.value.hint
    stopped = tests.stop(LEAD, running.id, running.revision, reason="enough")
    assert house.service.begin_promotion(LEAD, proposal.id, proposal.revision, "now")
    assert tests.room(LEAD).may["propose"].startswith("This test does not say")
    assert stopped.evidence_ids  # of a test without rows: kept, and it says that nothing is computable


def test_a_test_s_evidence_goes_with_the_proposal(house: World) -> None:
    tests = ABTestService(house.context)
    made = tests.design(SCIENTIST, NewTest(MODEL, house.ids["2"], question="?", planned_units=1_000))
    running = tests.start(LEAD, made.id, made.revision, reason="go")
    stopped = tests.stop(LEAD, running.id, running.revision, reason="enough")
    proposal = house.service.propose(SCIENTIST, house.ids["2"], comment="x", evidence_ids=stopped.evidence_ids)
    assert set(stopped.evidence_ids) <= set(proposal.evidence_ids)


def test_rolling_back_is_possible_while_a_test_runs(house: World) -> None:
    house.promoted("2")
    tests = ABTestService(house.context)
    made = tests.design(SCIENTIST, NewTest(MODEL, house.ids["1"], question="?", planned_units=1_000))
    tests.start(LEAD, made.id, made.revision, reason="go")
    operation = house.service.begin_rollback(LEAD, MODEL, "it fails")
    house.service.finish_promotion(LEAD, operation)
    assert tests.room(LEAD).champion_moved
