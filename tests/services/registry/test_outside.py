"""A version that somebody else serves: said with a reason, watched, and never answered by our gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_dash.domain.audit import Action
from mlops_dash.domain.registry.records import EXTERNAL
from mlops_dash.domain.words import OperationState
from mlops_dash.errors import Conflict, InvalidInput, NotAllowed
from mlops_dash.services.command import Context
from mlops_dash.services.registry import RegistryService
from mlops_dash.store import prediction_log, serving
from mlops_dash.store.db import reading, transaction
from mlops_dash.store.monitoring.alerts import alerts
from mlops_dash.store.prediction_log import Prediction, Score, to_us
from tests import factories
from tests.factories import LEAD, SCIENTIST, VIEWER, WORKER
from tests.registry_world import Hands

MODEL = 'it\'s "theirs"'


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def context(tmp_path: Path, hands: Hands) -> Iterator[Context]:
    made = factories.context(tmp_path, clock=hands.clock())
    yield made
    made.databases.dispose()


@pytest.fixture
def registry(context: Context) -> RegistryService:
    made = RegistryService(context)
    made.add_model(SCIENTIST, MODEL, source=EXTERNAL, task="regression", reason="another team's")
    return made


def test_what_answers_elsewhere_is_known_and_in_the_ledger(registry: RegistryService, context: Context) -> None:
    first, second = (registry.record_version(WORKER, MODEL, number) for number in ("1", "2"))
    operation = registry.serve_elsewhere(SCIENTIST, first, reason="their own service")
    assert operation.state is OperationState.CONFIRMED
    registry.serve_elsewhere(SCIENTIST, second, reason="they moved on")
    served = registry.serving(VIEWER, MODEL)
    assert served is not None
    assert (served.version_id, served.epoch) == (second, 2)
    newest = registry.ledger(VIEWER, MODEL)[0]
    assert (newest.action, newest.before["champion"], newest.after["gates"]) == (
        Action.SERVED_ELSEWHERE, "v1", "not asked",
    )  # fmt: skip
    with reading(context.databases.app) as session:
        assert serving.states(session)[MODEL].champion is None, "our gateway has nothing to load"


def test_it_needs_a_reason_a_right_a_change_and_a_model_of_others(registry: RegistryService) -> None:
    version = registry.record_version(WORKER, MODEL, "1")
    with pytest.raises(InvalidInput, match="needs a reason"):
        registry.serve_elsewhere(SCIENTIST, version, reason=" ")
    with pytest.raises(NotAllowed):
        registry.serve_elsewhere(VIEWER, version, reason="theirs")
    registry.serve_elsewhere(SCIENTIST, version, reason="theirs")
    with pytest.raises(Conflict, match="answers already"):
        registry.serve_elsewhere(SCIENTIST, version, reason="theirs")
    registry.add_model(SCIENTIST, "ours", reason="test")
    ours = registry.record_version(WORKER, "ours", "1")
    with pytest.raises(InvalidInput, match="served by our gateway"):
        registry.serve_elsewhere(SCIENTIST, ours, reason="theirs")


def test_a_change_of_champion_waits_for_the_rows_of_a_weekly_batch_without_an_alarm(
    registry: RegistryService, context: Context, hands: Hands
) -> None:
    first, second = (registry.record_version(WORKER, MODEL, number) for number in ("1", "2"))
    registry.serve_elsewhere(SCIENTIST, first, reason="their own service")
    hands.turn(days=1)
    registry.serve_elsewhere(SCIENTIST, second, reason="they moved on")
    hands.turn(days=1)
    asked = registry.begin_rollback(LEAD, MODEL, "minutes twice as long")
    assert registry.finish_promotion(LEAD, asked).state is OperationState.ALIAS_MOVED
    hands.turn(days=6)
    looked = registry.reconcile(WORKER)
    assert (looked.confirmed, looked.alarms) == ((), ())
    at = to_us(hands.turn(days=1))
    with transaction(context.databases.log) as session:
        row = Prediction(MODEL, "r1", at, "batch", 1, "", "{}")
        score = Score(MODEL, "r1", first, "champion", "1", at, 31.0, at)
        prediction_log.append(session, [row], [score], marked_us=at)
    assert registry.reconcile(WORKER).confirmed == (asked,)
    assert registry.operation(VIEWER, asked).state is OperationState.CONFIRMED


def test_rows_of_the_version_before_say_that_the_change_was_not_carried_out_there(
    registry: RegistryService, context: Context, hands: Hands
) -> None:
    first, second = (registry.record_version(WORKER, MODEL, number) for number in ("1", "2"))
    registry.serve_elsewhere(SCIENTIST, first, reason="their own service")
    hands.turn(days=1)
    registry.serve_elsewhere(SCIENTIST, second, reason="they moved on")
    hands.turn(days=1)
    registry.finish_promotion(LEAD, registry.begin_rollback(LEAD, MODEL, "minutes twice as long"))

    def answered(name: str, version_id: str, version: str) -> None:
        at = to_us(hands.at)
        with transaction(context.databases.log) as session:
            row = Prediction(MODEL, name, at, "batch", 1, "", "{}")
            score = Score(MODEL, name, version_id, "champion", version, at, 31.0, at)
            prediction_log.append(session, [row], [score], marked_us=at)

    hands.turn(minutes=5)
    answered("within the time", second, "2")
    hands.turn(days=1)
    assert registry.reconcile(WORKER).alarms == ()
    answered("a day later", second, "2")
    [said] = registry.reconcile(WORKER).alarms
    assert said == f"{MODEL} v1 was made champion and v2 still answers where it is served"
    assert registry.reconcile(WORKER).alarms == ()  # once
    with reading(context.databases.app) as session:
        [known] = [one for one in alerts(session, MODEL) if one.kind == "not_confirmed"]
    assert "answered by v2, none since by v1. Put v1 live there" in known.cause
    hands.turn(hours=1)
    answered("at last", first, "1")
    assert len(registry.reconcile(WORKER).confirmed) == 1
    with reading(context.databases.app) as session:
        assert [one.closed_at is not None for one in alerts(session, MODEL) if one.kind == "not_confirmed"] == [True]
